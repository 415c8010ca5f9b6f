"""Tests the prover itself: does it notice every change of a policy that changes who reaches whom?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from policy.manifests import Manifest, ManifestSet
from policy.paths import leaves, read
from policy.proof.endpoints import Endpoint
from policy.proof.mutants import Mutant, mutants
from policy.proof.reachability import Declaration, Proof, Prover
from policy.selectors import matches

_TOLD_APART = re.compile(r"\.(cidr|except\[\d+\]|port|endPort)$|\.namespaceSelector\.")


@dataclass(frozen=True)
class MutationResult:
    """Results of all mutants.

    Attributes:
        noticed: Mutants that change who reaches whom and that the prover names.
        unnoticed: Mutants that change who reaches whom and that the prover does not name.
        surplus: Mutants that change nothing because the other end still denies the traffic, but that the prover names.
        equivalent: Mutants that change nothing, and of which the prover rightly says nothing.
    """

    noticed: tuple[Mutant, ...]
    unnoticed: tuple[Mutant, ...]
    surplus: tuple[Mutant, ...]
    equivalent: tuple[Mutant, ...]

    @property
    def changing(self) -> int:
        """Number of mutants that change who reaches whom."""
        return len(self.noticed) + len(self.unnoticed)


def judge_prover(manifests: Sequence[Manifest], declaration: Declaration, every: int = 1) -> MutationResult:
    """Prove every mutant of the stack's policies, or one of so many, evenly spread."""
    policies = ManifestSet(manifests).of("NetworkPolicy")
    provers: dict[tuple[Any, ...], Prover] = {}
    before: dict[tuple[Any, ...], dict[tuple[int, int], int]] = {}
    found: dict[tuple[bool, bool], list[Mutant]] = {}
    plain, known = Prover(manifests, declaration), _told_apart(policies)
    for mutant in islice(mutants(policies), 0, None, every):
        # Both versions are judged over everything that either of them can tell apart.
        is_new = not _told_apart(mutant.changed) <= known
        prover = Prover(manifests, declaration, also=mutant.changed) if is_new else plain
        universe = (tuple(endpoint.name for endpoint in prover.endpoints), prover.ports)
        prover = provers.setdefault(universe, prover)
        if universe not in before:
            before[universe] = prover.evaluate(policies).reach()
        evaluator = prover.evaluate(mutant.policies)
        changes = evaluator.reach() != before[universe]
        is_named = _names(prover.judge(evaluator), mutant, _subjects(policies, mutant, prover.endpoints))
        found.setdefault((changes, is_named), []).append(mutant)
    of = {key: tuple(group) for key, group in found.items()}
    return MutationResult(
        noticed=of.get((True, True), ()),
        unnoticed=of.get((True, False), ()),
        surplus=of.get((False, True), ()),
        equivalent=of.get((False, False), ()),
    )


def _told_apart(policies: Sequence[Manifest]) -> set[str]:
    """Every address range, port and label of namespaces that policies name."""
    places = [path for policy in policies for path in leaves(policy["spec"])]
    return {str(value) for path, value in places if _TOLD_APART.search(path)}


def _names(proof: Proof, mutant: Mutant, subjects: set[str]) -> bool:
    """Tell whether a difference names the changed policy, or a pod that the policy was made for."""
    return any(
        f"{mutant.subject} " in f"{'; '.join(difference.causes)} ".replace(",", " ")
        or {difference.source, difference.destination} & subjects
        for difference in proof.differences
    )


def _subjects(policies: Sequence[Manifest], mutant: Mutant, endpoints: Sequence[Endpoint]) -> set[str]:
    return {endpoint.name for policy in _of_subject(policies, mutant) for endpoint in _selected(policy, endpoints)}


def _of_subject(policies: Sequence[Manifest], mutant: Mutant) -> Iterator[Manifest]:
    for policy in policies:
        if mutant.subject == f"NetworkPolicy {read(policy, 'metadata.namespace')}/{read(policy, 'metadata.name')}":
            yield policy


def _selected(policy: Manifest, endpoints: Sequence[Endpoint]) -> Iterator[Endpoint]:
    for endpoint in endpoints:
        of_namespace = endpoint.namespace == read(policy, "metadata.namespace")
        if of_namespace and matches(read(policy, "spec.podSelector") or {}, endpoint.labels):
            yield endpoint
