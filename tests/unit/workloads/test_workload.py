"""The workload: which objects it registers, with which content and in which order."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.kubernetes.naming import content_name
from components.traffic.graph import ServiceGraph
from components.workloads.workload import Workload, WorkloadArgs
from tests.support.documents import REMOVED, alpha_settings
from tests.support.program import SECRET_MARK, Program, build, find, surroundings

NAME = "archive-service"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
ENVIRONMENT = {"PORT": "9000"}
LABELS = {
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/part-of": "alt-las",
    "app.kubernetes.io/component": "archive",
    "app.kubernetes.io/managed-by": "pulumi",
}
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "alt-las"}
VERSION = {"app.kubernetes.io/version": "1.0.0-alpha"}


def workload(changes: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None) -> Program:
    """A program with one workload: alpha's archive service, changed at paths."""
    settings = alpha_settings(changes)

    def make() -> None:
        args = WorkloadArgs(
            component="archive",
            settings=settings.services.archive_service,
            autoscaling=settings.autoscaling,
            surroundings=surroundings(settings, ServiceGraph(ports={NAME: 9000}, calls=frozenset())),
            environment=ENVIRONMENT,
            secret_environment={key: pulumi.Output.secret(value) for key, value in (secrets or {}).items()},
            writable_paths=("/tmp",),  # noqa: S108  # mount path inside the container
            service_port=81,
        )
        Workload(NAME, args)

    return build(make)


@pytest.fixture(scope="module")
def plain() -> Program:
    """The workload as alpha has it, without secrets."""
    return workload()


@pytest.fixture(scope="module")
def secretive() -> Program:
    """The workload with one secret variable."""
    return workload(secrets={"DATABASE_URL": "postgres://x"})


def fixed(replicas: int) -> Program:
    """The workload with a fixed number of replicas."""
    path = f"services.{NAME}"
    return workload({f"{path}.autoscaling": REMOVED, f"{path}.replicas": replicas})


def test_a_workload_is_seven_objects(plain: Program) -> None:
    """One of each kind; without secrets there is no Secret."""
    assert plain.names() == [
        ("ConfigMap", f"{NAME}-environment"),
        ("Deployment", NAME),
        ("HorizontalPodAutoscaler", NAME),
        ("NetworkPolicy", NAME),
        ("PodDisruptionBudget", NAME),
        ("Service", NAME),
        ("ServiceAccount", NAME),
    ]


def test_a_secret_variable_adds_a_secret_and_nothing_else(plain: Program, secretive: Program) -> None:
    """The pods read it by the name that Pulumi chose."""
    assert set(secretive.names()) - set(plain.names()) == {("Secret", f"{NAME}-secrets")}
    container = find(secretive.recorder.objects, "Deployment", NAME)["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"][1] == {"secretRef": {"name": f"{NAME}-secrets"}}
    assert [list(each) for each in container["envFrom"]] == [["configMapRef"], ["secretRef"]]


def test_a_secret_has_no_name_of_its_own_and_its_value_stays_secret(secretive: Program) -> None:
    """A new value gets a new name, which rolls the pods; the state holds it encrypted."""
    sent = secretive.request("kubernetes:core/v1:Secret", f"{NAME}-secrets").object
    assert "name" not in sent["metadata"]
    assert SECRET_MARK in str(sent["stringData"]["DATABASE_URL"])
    assert "stringData" not in secretive.request("kubernetes:core/v1:ConfigMap", f"{NAME}-environment").object


def test_without_an_autoscaler_the_deployment_owns_the_replicas() -> None:
    """And there is no HorizontalPodAutoscaler that would fight over them."""
    program = fixed(3)
    assert ("HorizontalPodAutoscaler", NAME) not in program.names()
    assert len(program.names()) == 6
    deployment = find(program.recorder.objects, "Deployment", NAME)
    assert deployment["spec"]["replicas"] == 3
    assert deployment["metadata"]["annotations"] == {"pulumi.com/patchForce": "true"}


def test_with_an_autoscaler_the_deployment_does_not_name_replicas(plain: Program) -> None:
    """Every update would set the number back."""
    deployment = find(plain.recorder.objects, "Deployment", NAME)
    assert "replicas" not in deployment["spec"]
    assert "annotations" not in deployment["metadata"]


def test_the_autoscaler_is_the_platform_s_speed_and_the_service_s_range(plain: Program) -> None:
    """All of it, so that nothing is left to the cluster's defaults."""
    step = {"selectPolicy": "Max"}
    metrics = [
        {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": share}}}
        for name, share in (("cpu", 70), ("memory", 80))
    ]
    assert find(plain.recorder.objects, "HorizontalPodAutoscaler", NAME)["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": metrics,
        "behavior": {
            "scaleUp": step
            | {
                "stabilizationWindowSeconds": 60,
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 60}],
            },
            "scaleDown": step
            | {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Percent", "value": 25, "periodSeconds": 60}],
            },
        },
    }


def test_a_number_of_pods_is_a_second_policy_of_the_same_period() -> None:
    """The larger of the two changes is allowed."""
    program = workload({"autoscaling.scaleUp.pods": 4})
    scale_up = find(program.recorder.objects, "HorizontalPodAutoscaler", NAME)["spec"]["behavior"]["scaleUp"]
    assert scale_up["policies"] == [
        {"type": "Percent", "value": 100, "periodSeconds": 60},
        {"type": "Pods", "value": 4, "periodSeconds": 60},
    ]


def test_a_deployment_never_runs_with_fewer_pods_than_wanted(plain: Program) -> None:
    """One more pod at a time, none less; five old releases stay for a rollback."""
    spec = find(plain.recorder.objects, "Deployment", NAME)["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (5, 300)


def test_selectors_hold_no_version_and_pods_do(plain: Program) -> None:
    """A release changes the pods and never what selects them."""
    deployment = find(plain.recorder.objects, "Deployment", NAME)
    assert deployment["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert deployment["spec"]["template"]["metadata"] == {"labels": LABELS | VERSION}
    assert find(plain.recorder.objects, "Service", NAME)["spec"]["selector"] == SELECTOR
    budget = find(plain.recorder.objects, "PodDisruptionBudget", NAME)["spec"]
    assert budget["selector"] == {"matchLabels": SELECTOR}


def test_only_the_deployment_carries_the_version(plain: Program) -> None:
    """A release writes one object a service, and its ConfigMap if the content changes."""
    for manifest in plain.recorder.objects:
        expected = LABELS | (VERSION if manifest["kind"] == "Deployment" else {})
        assert manifest["metadata"]["labels"] == expected
        assert manifest["metadata"]["namespace"] == "alt-las"


def test_the_service_passes_its_port_to_the_pods_named_port(plain: Program) -> None:
    """Pulumi does not wait for endpoints, as readiness covers them; after a canary the selector is ours again."""
    service = find(plain.recorder.objects, "Service", NAME)
    assert service["spec"] == {
        "type": "ClusterIP",
        "selector": SELECTOR,
        "ports": [
            {"name": "http", "port": 81, "targetPort": "http", "protocol": "TCP"},
            {"name": "direct", "port": 9000, "targetPort": "http", "protocol": "TCP"},
        ],
    }
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true", "pulumi.com/patchForce": "true"}


def test_the_config_map_is_named_after_its_content_and_the_pods_use_that_name(plain: Program) -> None:
    """So new content rolls the pods."""
    config_map = find(plain.recorder.objects, "ConfigMap", NAME)
    assert config_map["data"] == ENVIRONMENT
    assert config_map["metadata"]["name"] == content_name(NAME, ENVIRONMENT)
    container = find(plain.recorder.objects, "Deployment", NAME)["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": content_name(NAME, ENVIRONMENT)}}]


def test_an_eviction_takes_one_pod_at_a_time_and_broken_pods_do_not_count(plain: Program) -> None:
    """A pod that is not ready must not block the drain of its node."""
    spec = find(plain.recorder.objects, "PodDisruptionBudget", NAME)["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert "minAvailable" not in spec


def test_the_service_account_has_no_token(plain: Program) -> None:
    """No service calls the API server."""
    assert find(plain.recorder.objects, "ServiceAccount", NAME)["automountServiceAccountToken"] is False


def test_pods_start_after_their_policy_their_identity_and_their_environment(plain: Program) -> None:
    """Never before: without its policy a pod could talk to anybody for a moment."""
    waits_for = {urn.rpartition("$")[2] for urn in plain.request(DEPLOYMENT, NAME).dependencies}
    assert waits_for >= {
        f"kubernetes:core/v1:ServiceAccount::{NAME}",
        f"kubernetes:core/v1:ConfigMap::{NAME}-environment",
        f"kubernetes:networking.k8s.io/v1:NetworkPolicy::{NAME}",
    }


def test_only_the_deployment_is_given_time(plain: Program) -> None:
    """The time is the platform's, for the first rollout as for each later one."""
    for request in plain.requests:
        timeouts = (request.customTimeouts.create, request.customTimeouts.update)
        assert timeouts == (("900s", "900s") if request.type == DEPLOYMENT else ("", ""))
