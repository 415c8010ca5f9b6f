"""`python -m tests.policy.regressions`: how many security regressions of the rendered platform the gates catch.

A regression is one change that makes the platform less safe. The gates are the rules and the prover; the control run is
a number of valid settings documents, on which neither may say a word.
"""

import copy
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import typer

from policy.command import run
from policy.manifests import Manifest, ManifestSet, kind_of, name_of, namespace_of
from policy.paths import ABSENT, read, write
from policy.proof.declaration import declaration_of
from policy.proof.reachability import CompiledFor, prove
from policy.rules import RULES, ObjectRule, SetRule, evaluate
from policy.rules.availability import replica_range
from policy.selectors import matches
from policy.stacks import Stack, load_stack, read_document
from tests.policy.regression_changes import DEPLOYMENT_CHANGES, OTHER_CHANGES, Change, image_changes, policy_changes
from tests.policy.regression_objects import REMOVABLE, additions
from tests.policy.settings_variations import Document, repeatable, variation, with_digests
from tests.support.documents import STACKS

SEED = 20250520
REGRESSIONS = 800
VALID_DOCUMENTS = 100
_PROVER = "prover"
_OBJECT_RULES = [rule for rule in RULES if isinstance(rule, ObjectRule)]
_SET_RULES = [rule for rule in RULES if isinstance(rule, SetRule)]
_TRAFFIC = ("label", "namespace", "ports", "removed", "spec.template.metadata")
"""What in a Deployment the prover looks at."""


@dataclass(frozen=True)
class Regression:
    """One change for the worse.

    Attributes:
        theme: What it amounts to.
        change: The object and the change.
        stack: The stack with the change.
        changed: Objects that the change has touched or added.
        concerns_traffic: Whether the changed object can decide who reaches whom.
    """

    theme: str
    change: str
    stack: Stack
    changed: tuple[Manifest, ...]
    concerns_traffic: bool


@dataclass(frozen=True)
class Outcome:
    """Which gates caught a regression: identifiers of rules, and `prover`."""

    regression: Regression
    gates: frozenset[str]


Alarm = tuple[int, frozenset[str]]
"""Number of a valid document, and the gates that object to it."""


def gates_that_object(stack: Stack) -> frozenset[str]:
    """Every gate that says something about a stack."""
    gates = {violation.rule for violation in evaluate(stack.manifests, stack.parameters)}
    return frozenset(gates | _prover_objects(stack))


def _prover_objects(stack: Stack, compiled: CompiledFor | None = None) -> set[str]:
    return {_PROVER} if prove(stack.manifests, declaration_of(stack.platform), compiled).differences else set()


def regressions(count: int = REGRESSIONS, seed: int = SEED) -> list[Regression]:
    """A seeded choice of all regressions of all stacks, each stack held to digests so that losing one is a loss.

    Raises:
        ValueError: A gate objects to a stack before anything is changed, so its word would prove nothing.
    """
    stacks = [
        load_stack(name, with_digests(read_document(name), repeatable(seed)), require_digests=True) for name in STACKS
    ]
    for stack in stacks:
        if gates := gates_that_object(stack):
            raise ValueError(f"{', '.join(sorted(gates))} object to {stack.name} as it is")
    possible = [make for stack in stacks for make in _all_regressions(stack)]
    repeatable(seed).shuffle(possible)
    return [make() for make in possible[:count]]


def _all_regressions(stack: Stack) -> Iterator[Callable[[], Regression]]:
    """Every regression of a stack, not made yet, because only some are chosen."""
    manifests = ManifestSet(stack.manifests)
    for position, manifest in enumerate(stack.manifests):
        for theme, change in _changes(manifest):
            if _applies(manifest, *change) and _matters(theme, manifest, stack, manifests):
                yield partial(_changed, stack, position, theme, change)
        if kind_of(manifest) in REMOVABLE and _matters("removed", manifest, stack, manifests):
            theme, others = f"{kind_of(manifest)} removed", _without(stack, position)
            yield partial(_regression, stack, theme, f"{name_of(manifest)} removed", others)
    for theme, objects in additions(stack.name, stack.platform.namespace).items():
        for added in objects:
            yield partial(_regression, stack, theme, "added", stack.manifests, added)


def _applies(manifest: Manifest, path: str, value: object) -> bool:
    """True if a change really changes something: what is not there cannot be lost, nor an item of it be changed."""
    present, (item, bracket, field) = read(manifest, path, ABSENT), path.rpartition("]")
    if field and bracket and read(manifest, item + bracket, ABSENT) is ABSENT:
        return False
    return present != value and not (path == "spec.replicas" and present is not ABSENT)


def _matters(theme: str, manifest: Manifest, stack: Stack, manifests: ManifestSet) -> bool:
    """True if a change takes anything away: a token that is allowed by name, or the spread of one pod, cannot be lost.

    A lonely pod has no budget that could protect it either.
    """
    if theme in ("token", "token of a ServiceAccount"):
        account = read(manifest, "spec.template.spec.serviceAccountName", name_of(manifest))
        return f"{namespace_of(manifest)}/{account}" not in stack.parameters.token_service_accounts
    if theme == "no spread":
        return replica_range(manifest, manifests)[1] > 1
    if theme == "removed" and kind_of(manifest) == "PodDisruptionBudget":
        selected = [pod.owner for pod in manifests.pods if matches(read(manifest, "spec.selector"), pod.labels)]
        return any(replica_range(owner, manifests)[1] > 1 for owner in selected)
    return True


def _without(stack: Stack, position: int) -> list[Manifest]:
    return [*stack.manifests[:position], *stack.manifests[position + 1 :]]


def _changed(stack: Stack, position: int, theme: str, change: Change) -> Regression:
    path, value = change
    changed = copy.deepcopy(stack.manifests[position])
    write(changed, path, value)
    what = "removed" if value is ABSENT else f"set to {value}"
    return _regression(stack, theme, f"{path} {what}", _without(stack, position), changed)


def _regression(stack: Stack, theme: str, change: str, others: Sequence[Manifest], *changed: Manifest) -> Regression:
    names = " ".join(f"{kind_of(each)} {name_of(each)}" for each in changed)
    kinds = {kind_of(each) for each in changed} or {theme.split(maxsplit=1)[0]}
    concerns_traffic = bool(kinds & {"NetworkPolicy", "Namespace"}) or (
        bool(kinds & {"Deployment", "StatefulSet"}) and any(word in change for word in _TRAFFIC)
    )
    result = Stack(stack.name, stack.platform, [*others, *changed], stack.parameters)
    return Regression(theme, f"{stack.name}: {names} {change}", result, changed, concerns_traffic)


def _changes(manifest: Manifest) -> Iterator[tuple[str, Change]]:
    kind = kind_of(manifest)
    if kind in ("Deployment", "StatefulSet"):
        for theme, changes in DEPLOYMENT_CHANGES.items():
            yield from ((theme, change) for change in changes)
        yield from (("image", change) for change in image_changes(manifest))
    elif kind == "NetworkPolicy":
        yield from (("NetworkPolicy widened or lost", change) for change in policy_changes(manifest))
    for (of_kind, theme), changes in OTHER_CHANGES.items():
        if of_kind == kind:
            yield from ((theme, change) for change in changes)


def judge(chosen: Sequence[Regression]) -> list[Outcome]:
    """Run every gate over every regression.

    A rule about single objects sees only the touched ones, because it has nothing to say about the others; the prover
    runs where the change can decide who reaches whom.
    """
    outcomes = []
    compiled = CompiledFor()
    for each in chosen:
        stack = each.stack
        found = evaluate(each.changed, stack.parameters, _OBJECT_RULES)
        found += evaluate(stack.manifests, stack.parameters, _SET_RULES)
        gates = {violation.rule for violation in found}
        gates |= _prover_objects(stack, compiled) if each.concerns_traffic else set()
        outcomes.append(Outcome(each, frozenset(gates)))
    return outcomes


def false_alarms(executor: Executor, count: int = VALID_DOCUMENTS, seed: int = SEED) -> Iterable[Alarm]:
    """Gates that object to a valid settings document, with the number of the document.

    The documents are handed out at once; what is returned waits for the answers.

    Args:
        executor: Renders and judges the documents, which is most of the work.
        count: How many documents.
        seed: Decides what they hold.
    """
    chance = repeatable(seed)
    documents = [read_document(name) for name in STACKS]
    varied = [variation(documents[number % len(documents)], chance) for number in range(count)]
    answers = executor.map(_gates_that_object_to_document, range(count), varied)
    return ((number, gates) for number, gates in enumerate(answers) if gates)


def _gates_that_object_to_document(number: int, document: Document) -> frozenset[str]:
    return gates_that_object(load_stack(f"valid{number}", document))


def processes() -> ProcessPoolExecutor:
    """As many processes as there are processors; each starts from nothing, so that they share no state of Pulumi."""
    return ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_collect_garbage_rarely)


def _collect_garbage_rarely() -> None:
    """Each document leaves many cycles of small objects behind; looking for them at once costs a fifth of the time."""
    gc.set_threshold(100_000)


def as_table(outcomes: Sequence[Outcome]) -> str:
    """Regressions by theme: how many, how many the rules and the prover caught, and which gates did."""
    lines = [f"{'regression':<40} {'tried':>5} {'rules':>5} {'prover':>6} {'missed':>6}  caught by"]
    for theme in sorted({outcome.regression.theme for outcome in outcomes}):
        gates = [outcome.gates for outcome in outcomes if outcome.regression.theme == theme]
        by_rules, by_prover = sum(bool(g - {_PROVER}) for g in gates), sum(_PROVER in g for g in gates)
        counted = sorted({gate for each in gates for gate in each})
        shown = 3
        names = ", ".join(counted[:shown]) + (f" and {len(counted) - shown} more" if len(counted) > shown else "")
        missed = sum(not each for each in gates)
        lines.append(f"{theme:<40} {len(gates):>5} {by_rules:>5} {by_prover:>6} {missed:>6}  {names}")
    return "\n".join(lines)


def main() -> None:
    """Print what became of all regressions and of all valid documents; exit 1 below 99 % or on a false alarm."""
    with processes() as executor:
        pending = false_alarms(executor)
        outcomes, alarms = judge(regressions()), list(pending)
    caught = sum(bool(outcome.gates) for outcome in outcomes)
    typer.echo(as_table(outcomes))
    for outcome in outcomes:
        if not outcome.gates:
            typer.echo(f"missed: {outcome.regression.theme}: {outcome.regression.change}")
    typer.echo(f"caught {caught} of {len(outcomes)} = {100 * caught / len(outcomes):.1f} %")
    typer.echo(f"false alarms {len(alarms)} on {VALID_DOCUMENTS} valid settings documents")
    for number, gates in alarms:
        typer.echo(f"  document {number}: {', '.join(sorted(gates))}")
    sys.exit(0 if caught >= 0.99 * len(outcomes) and not alarms else 1)


if __name__ == "__main__":
    run(main)
