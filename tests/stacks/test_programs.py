"""The whole program, built for both stacks: how many objects of which kind, and what a transition changes."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from rendering.recorder import Recorder, Registration, record
from tests.support.documents import STACKS, alpha_with, platform_of
from tests.support.monitoring import MONITORING, is_monitoring

ALPHA = {
    "Namespace": 1,
    "ValidatingAdmissionPolicy": 1,
    "ValidatingAdmissionPolicyBinding": 1,
    "NetworkPolicy": 14,
    "ServiceAccount": 12,
    "Role": 1,
    "RoleBinding": 1,
    "ConfigMap": 11,
    "Secret": 17,
    "Deployment": 7,
    "StatefulSet": 3,
    "Cluster": 1,
    "Database": 2,
    "PersistentVolumeClaim": 1,
    "CronJob": 1,
    "Job": 1,
    "Service": 13,
    "PodDisruptionBudget": 10,
    "HorizontalPodAutoscaler": 5,
    "Ingress": 1,
}
BACKUPS = {"NetworkPolicy": 5, "ServiceAccount": 5, "Secret": 5, "PersistentVolumeClaim": 2, "CronJob": 5}
"""Dumps of two stores more, and the drills of all three."""

PROXY = {"NetworkPolicy": 1, "ServiceAccount": 1, "ConfigMap": 1, "Deployment": 1, "PodDisruptionBudget": 1}
"""What stands in front of several Redis servers."""

GATEWAY = {"Gateway": 1, "HTTPRoute": 2}
"""Ingress by the Gateway API, in place of the Ingress object: routes of the host, and the redirect."""

COUNTS = {
    "alpha": Counter(ALPHA) + Counter(BACKUPS),
    "beta": Counter(ALPHA) + Counter(BACKUPS) + Counter(PROXY) + Counter(GATEWAY) - Counter({"Ingress": 1}),
}
Key = tuple[str, str]


def transitioned() -> Recorder:
    """The program with beta's settings under alpha's identity: what a transition deploys."""
    taken = platform_of("beta")
    alpha = platform_of("alpha")
    taken["namespace"] = alpha["namespace"]
    taken["ingress"]["host"] = alpha["ingress"]["host"]
    return record("alpha", taken)


def by_key(recorder: Recorder) -> dict[Key, Registration]:
    """Kubernetes objects by kind and logical name, which is their identity for Pulumi."""
    kubernetes = (each for each in recorder.registrations if each.type.startswith("kubernetes:"))
    return {(each.type.rpartition(":")[2], each.name): each for each in kubernetes}


def changed(before: Recorder, after: Recorder) -> set[Key]:
    """Objects that both programs have and that differ, without those of monitoring (test_monitoring_objects)."""
    first, second = by_key(before), by_key(after)
    keys = {key for key in first.keys() & second.keys() if not is_monitoring(key)}
    return {key for key in keys if first[key].inputs != second[key].inputs}


@pytest.mark.parametrize("stack", STACKS)
def test_each_stack_is_exactly_these_objects(programs: Mapping[str, Recorder], stack: str) -> None:
    """Exactly these, of exactly these kinds."""
    assert Counter(each["kind"] for each in programs[stack].objects) == Counter(COUNTS[stack]) + MONITORING[stack]
    assert sum(COUNTS[stack].values()) == {"alpha": 126, "beta": 133}[stack]


@pytest.mark.parametrize("stack", STACKS)
def test_every_object_lies_in_the_stack_s_own_namespace(programs: Mapping[str, Recorder], stack: str) -> None:
    """A cluster-wide object carries the namespace in its name, so both phases fit one cluster."""
    namespace = platform_of(stack)["namespace"]
    for manifest in programs[stack].objects:
        metadata = manifest["metadata"]
        assert metadata.get("namespace", namespace) == namespace
        assert "namespace" in metadata or namespace in metadata["name"]


@pytest.mark.parametrize("stack", STACKS)
def test_no_image_is_mutable_by_name(programs: Mapping[str, Recorder], stack: str) -> None:
    """Every container of every pod has a fixed tag."""
    images = [
        container["image"]
        for manifest in programs[stack].objects
        if manifest["kind"] == "Deployment"
        for container in manifest["spec"]["template"]["spec"]["containers"]
    ]
    assert len(images) >= 5
    assert not [image for image in images if ":" not in image or image.endswith(":latest")]


def test_a_transition_changes_pods_autoscalers_and_what_several_servers_need(programs: Mapping[str, Recorder]) -> None:
    """No address and no identity of a service; Redis gets a proxy in front of it, and ingress another API."""
    after = transitioned()
    found = changed(programs["alpha"], after)
    assert Counter(kind for kind, _ in found) == {
        "Deployment": 7,
        "StatefulSet": 3,
        "Cluster": 1,
        # Their connections, with the largest number of their service's pods.
        "Database": 2,
        "CronJob": 6,
        "Job": 1,
        "HorizontalPodAutoscaler": 5,
        "ConfigMap": 7,
        "Secret": 1,
        "Service": 3,
        "NetworkPolicy": 4,
    }
    assert {name for kind, name in found if kind == "Service"} == {"redis", "redis-servers", "nats-servers"}
    assert {name for kind, name in found if kind == "NetworkPolicy"} == {"redis", "redis-backup", "nats", "api-gateway"}
    new = by_key(after).keys() - by_key(programs["alpha"]).keys()
    assert Counter(kind for kind, _ in new) == PROXY | GATEWAY
    assert {name for kind, name in new if kind in PROXY} == {"redis-proxy", "redis-proxy-configuration"}
    assert by_key(programs["alpha"]).keys() - by_key(after).keys() == {
        ("Ingress", "ingress-routes"),
        ("ServiceMonitor", "monitoring-api-gateway"),
    }


def test_a_transition_never_touches_what_kubernetes_cannot_change(programs: Mapping[str, Recorder]) -> None:
    """A changed selector would replace the Deployment, and all its pods at once."""
    before, after = by_key(programs["alpha"]), by_key(transitioned())
    for key in before.keys() & after.keys():
        registration, other = before[key], after[key]
        assert registration.type == other.type
        if key[0] in {"Deployment", "StatefulSet"}:
            for field in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"):
                assert registration.inputs["spec"].get(field) == other.inputs["spec"].get(field)
            assert registration.inputs["metadata"]["name"] == other.inputs["metadata"]["name"]


def test_a_new_tag_changes_one_deployment(programs: Mapping[str, Recorder]) -> None:
    """The usual release: no other object is written."""
    other = record("alpha", alpha_with({"services.archive-service.image.tag": "1.0.1"}))
    assert changed(programs["alpha"], other) == {("Deployment", "archive-service")}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"services.ai-orchestrator.logLevel": "debug"}, {"ConfigMap", "Deployment"}),
        ({"services.archive-service.autoscaling.maxReplicas": 6}, {"HorizontalPodAutoscaler", "Cluster", "Database"}),
        ({"ingress.controllerNamespace": "traefik"}, {"NetworkPolicy"}),
        ({"services.archive-service.runAsUser": 2000}, {"Deployment"}),
    ],
)
def test_a_setting_changes_the_objects_that_it_is_about(
    programs: Mapping[str, Recorder], changes: dict[str, Any], expected: set[str]
) -> None:
    """And new content of an environment rolls the pods."""
    assert {kind for kind, _ in changed(programs["alpha"], record("alpha", alpha_with(changes)))} == expected


def test_recording_twice_gives_the_same_objects(programs: Mapping[str, Recorder]) -> None:
    """No clock, no chance, no state left over from the run before."""
    again = record("alpha", platform_of("alpha"))
    assert by_key(again) == by_key(programs["alpha"])
