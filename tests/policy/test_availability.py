"""Availability of services and stores when nodes and zones are lost or drained, computed from rendered objects."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from components.kubernetes.naming import HOST
from components.traffic.stores import NATS, POSTGRES_HOST, REDIS
from policy.availability import broken_promises, page, promised
from policy.manifests import ManifestSet, name_of
from policy.paths import write
from policy.proof.availability import STORES, replicas_of
from policy.proof.placements import LOSSES, ClusterShape, Promise, Replicas, Spread, judge, placements, preferred
from policy.proof.placements import verdicts as verdicts_of
from policy.rules import evaluate, rule
from policy.stacks import Stack, load_stack
from tests.documents.pages import ROOT
from tests.support.documents import STACKS

SERVICES = ("ai-orchestrator", "api-gateway", "archive-service", "runner-service", "segmentation-service")


@pytest.fixture(scope="module")
def stacks() -> dict[str, Stack]:
    """Both stacks."""
    return {stack: load_stack(stack) for stack in STACKS}


def test_the_page_is_that_of_the_stack_files(stacks: Mapping[str, Stack]) -> None:
    """If objects change: `make availability-page`."""
    assert page(stacks.values()).rstrip() == (ROOT / "docs" / "availability.md").read_text("utf-8").rstrip()


def test_beta_survives_each_loss_and_alpha_that_of_its_services(stacks: Mapping[str, Stack]) -> None:
    """In beta all services and stores have several pods; alpha's stores have one server, which is no promise."""
    assert sorted(each.name for each in promised(stacks["beta"])) == sorted([*SERVICES, *STORES])
    assert sorted(each.name for each in promised(stacks["alpha"])) == sorted(SERVICES)
    assert [line for stack in stacks.values() for line in broken_promises(stack)] == []
    needed = {each.name: (each.needed, each.count) for each in replicas_of(stacks["beta"].manifests)}
    assert {name: needed[name] for name in (POSTGRES_HOST, REDIS, NATS)} == dict.fromkeys(
        (POSTGRES_HOST, REDIS, NATS), (2, 3)
    )


PLANTED: Mapping[str, tuple[str, str, str, Any, str]] = {
    "no spread, and nodes are not avoided": ("Deployment", "api-gateway", "", None, "api-gateway: node lost"),
    "a constraint that selects other pods": (
        "StatefulSet",
        REDIS,
        "spec.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels",
        {"app": "other"},
        "redis: zone lost",
    ),
    "servers of the database may share a node": (
        "Cluster",
        POSTGRES_HOST,
        "spec.affinity.podAntiAffinityType",
        "preferred",
        "postgres-db: node lost",
    ),
    "servers of NATS may share a node": (
        "StatefulSet",
        NATS,
        "spec.template.spec.affinity",
        {},
        "nats: node lost",
    ),
    "two servers of Redis": ("StatefulSet", REDIS, "spec.replicas", 2, "redis: node lost"),
    "a drain that takes all": (
        "PodDisruptionBudget",
        NATS,
        "spec.maxUnavailable",
        "100%",
        "nats: zone drained",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, stacks: Mapping[str, Stack]) -> None:
    """Each is found at the workload that has it, and at no other one."""
    kind, owner, path, value, expected = PLANTED[name]
    stack = replace(stacks["beta"], manifests=deepcopy(stacks["beta"].manifests))
    manifest = ManifestSet(stack.manifests).find(kind, stack.platform.namespace, owner)
    assert manifest is not None
    if path:
        write(manifest, path, value)
    else:
        pod = manifest["spec"]["template"]["spec"]
        del pod["affinity"], pod["topologySpreadConstraints"]
    found = list(broken_promises(stack))
    assert any(line.startswith(expected) for line in found), found
    assert {line.partition(":")[0] for line in found} == {owner}


def test_a_prometheus_with_two_servers_needs_a_budget(stacks: Mapping[str, Stack]) -> None:
    """Its operator makes none, so a drain could evict both at once; that of CloudNativePG makes its own."""
    objects = stacks["beta"].manifests
    without = [each for each in objects if (each["kind"], name_of(each)) != ("PodDisruptionBudget", "prometheus")]
    assert len(without) == len(objects) - 1
    checked = [rule("disruption-budget-exists"), rule("disruption-budget-selects-pods")]
    assert evaluate(objects, stacks["beta"].parameters, checked) == []
    assert [(each.kind, each.name) for each in evaluate(without, stacks["beta"].parameters, checked)] == [
        ("Prometheus", "prometheus")
    ]


def test_placements_are_all_that_the_rules_allow() -> None:
    """Counted by hand: three pods on three nodes are 10 multisets, one of them apart; on six nodes 56, 20, 8."""
    free, apart = Replicas("a", 3, 2), Replicas("a", 3, 2, apart=True)
    zones = Replicas("a", 3, 2, (Spread("topology.kubernetes.io/zone", 1, is_required=True),))
    small, large = ClusterShape(3, 3), ClusterShape(6, 3)
    counts = [len(placements(each, shape)) for shape in (small, large) for each in (free, apart, zones)]
    assert counts == [10, 1, 1, 56, 20, 8]
    assert len(preferred(Replicas("a", 3, 2, (Spread(HOST, 1, is_required=False),)), small)) == 1
    two = ClusterShape(2, 2)
    assert placements(apart, two) == [(0, 1)], "the third has no node and waits"
    assert judge(apart, two, "node lost", [(0, 1)]) == Promise(0, 2)


def test_a_drain_takes_what_its_budget_allows_and_a_loss_everything() -> None:
    """Two pods on one node: lost together; drained one after the other, together without a budget."""
    shape = ClusterShape(3, 3)
    for evictions, held in ((1, 3), (2, 2), (None, 2)):
        replicas = Replicas("a", 2, 1, evictions=evictions)
        assert judge(replicas, shape, "node drained", [(0, 0)]) == Promise(held, 3)
        assert judge(replicas, shape, "node lost", [(0, 0)]) == Promise(2, 3)
    assert [loss for loss, *_ in verdicts_of(Replicas("a", 1, 1), shape)] == list(LOSSES)
