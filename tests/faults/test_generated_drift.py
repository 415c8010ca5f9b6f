"""Generated drift of the platform's objects: all of it is found, and nothing else."""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from altlas.release.drift import drift, excluded
from rendering.recorder import Registration, record
from tests.faults.answered_objects import Object, answered
from tests.faults.cases import Cases
from tests.faults.generated_drift import DRIFTS, NO_DRIFTS, WRITERS, Expected, Target
from tests.support.documents import STACKS, platform_of
from tests.support.figures import Figures

pytestmark = pytest.mark.gate

SAMPLE, ALL = 150, 2000
OBJECTS = 12
"""Objects beside the autoscalers in a case; of all kinds over the cases."""

AT_ONCE = 2
"""Most drifts of a case, each on another object."""

NAMES = [*DRIFTS, "object deleted", "object of nobody"]


@cache
def _registrations(stack: str) -> tuple[Registration, ...]:
    made = record(stack, platform_of(stack)).registrations
    return tuple(each for each in made if each.type.startswith("kubernetes:"))


def _chosen(chance: random.Random) -> list[Registration]:
    """Some objects of a stack, with those that say who owns fields of others."""
    every = _registrations(chance.choice(STACKS))
    kinds = sorted({each.inputs["kind"] for each in every})
    named = {id(each): each for each in every if each.inputs["kind"] == "HorizontalPodAutoscaler"}
    for kind in ("Secret", "Deployment"):
        one = chance.choice([each for each in every if each.inputs["kind"] == kind])
        named[id(one)] = one
    while len(named) < OBJECTS + 5:
        kind = chance.choice(kinds)
        one = chance.choice([each for each in every if each.inputs["kind"] == kind])
        named[id(one)] = one
    return list(named.values())


def _judged(name: str, seed: str) -> tuple[set[Expected], set[Expected]]:
    """Drift of one case as a classifier shall find it, and as it does."""
    chance = random.Random(f"{name} {seed}")  # noqa: S311  # generates tests, no secrets
    deployed = _chosen(chance)
    applied = [answered(each.inputs) for each in deployed]
    live = copy.deepcopy(applied)
    table = excluded([each.inputs for each in deployed])
    wanted: set[Expected] = set()
    for sent, found in chance.sample(list(zip(deployed, live, strict=True)), len(deployed)):
        owners = table.get((sent.inputs["kind"], sent.inputs["metadata"]["name"]), {})
        target = Target(dict(sent.inputs), found, owners, chance)
        drifted = _done(name, target, live) if len(wanted) < AT_ONCE else set()
        wanted |= drifted
        if not drifted:
            NO_DRIFTS[chance.choice(sorted(NO_DRIFTS))](target)
    return wanted, _seen(deployed, live, applied)


def _done(name: str, target: Target, live: list[Object]) -> set[Expected]:
    kind, called = target.sent["kind"], target.sent["metadata"]["name"]
    if name == "object deleted":
        live.remove(target.live)
        return {(kind, called, "deleted", "", "")}
    if name == "object of nobody":
        stray = copy.deepcopy(target.live)
        labels = {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": "alt-las"}
        stray["metadata"] |= {"name": f"{called}-stray", "labels": labels}
        live.append(stray)
        return {(kind, f"{called}-stray", "orphan", "", stray["metadata"]["managedFields"][0]["manager"])}
    done = DRIFTS[name](target, target.chance.choice(WRITERS))
    return {target.expected(done)} if done else set()


def _seen(
    deployed: Sequence[Registration], live: Sequence[Mapping[str, Any]], applied: Sequence[Mapping[str, Any]]
) -> set[Expected]:
    found = drift(deployed, live, applied)
    return {(each.object.kind, each.object.name, each.kind, each.path, each.manager) for each in found}


def _cases(*, all_faults: bool) -> list[str]:
    count = (ALL if all_faults else SAMPLE) // len(NAMES) + 1
    return [str(number) for number in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_every_drift_is_found_and_nothing_else(
    name: str, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Object, kind, field and writer are named; what the cluster and its programs do by themselves is not."""
    cases = cases_of(f"drift: {name}", "all of it found with its writer, and nothing else", "mock")
    wrong = []
    for key in cases.left(_cases(all_faults=all_faults)):
        wanted, found = _judged(name, key)
        assert wanted, "nothing drifted"
        cases.finish(key, held=found == wanted)
        if found != wanted:
            wrong.append((key, sorted(wanted - found), sorted(found - wanted)))
    figures.add(f"faults: drift: {name}", str(cases.outcome))
    assert wrong == []
    assert cases.broken == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_without_drift_has_none(stack: str) -> None:
    """The control: every object as the API server answers, with all that is no drift done to all of them."""
    deployed = _registrations(stack)
    applied = [answered(each.inputs) for each in deployed]
    table = excluded([each.inputs for each in deployed])
    for do in NO_DRIFTS.values():
        live = copy.deepcopy(applied)
        chance = random.Random(1)  # noqa: S311  # generates tests, no secrets
        for sent, found in zip(deployed, live, strict=True):
            owners = table.get((sent.inputs["kind"], sent.inputs["metadata"]["name"]), {})
            do(Target(dict(sent.inputs), found, owners, chance))
        assert drift(deployed, live, applied) == ()
