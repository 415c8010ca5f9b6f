"""The figures of the five services in both phases, as the program registers them."""

from collections.abc import Mapping
from typing import Any

import pytest

from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.program import find
from tests.unit.services import figures

pytestmark = [pytest.mark.parametrize("stack", STACKS), pytest.mark.parametrize("service", list(figures.PORTS))]
Programs = Mapping[str, Recorder]


def container(programs: Programs, stack: str, service: str) -> dict[str, Any]:
    """The only container of a service's pods."""
    deployment = find(programs[stack].objects, "Deployment", service)
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def test_ports_are_the_picked_ones(programs: Programs, stack: str, service: str) -> None:
    """The port of the pods, and the port under which others reach them."""
    pod_port, service_port = figures.PORTS[service]
    ports = [{"name": "http", "containerPort": pod_port, "protocol": "TCP"}]
    assert container(programs, stack, service)["ports"] == ports
    expected = [{"name": "http", "port": service_port, "targetPort": "http", "protocol": "TCP"}]
    if service_port != pod_port:
        expected.append({"name": "direct", "port": pod_port, "targetPort": "http", "protocol": "TCP"})
    assert find(programs[stack].objects, "Service", service)["spec"]["ports"] == expected


def test_probes_ask_what_the_code_answers(programs: Programs, stack: str, service: str) -> None:
    """Paths that exist, the required timings, and time to start instead of an initial delay."""
    expected = figures.PROBES[service]
    ready = {"httpGet": {"path": expected.readiness, "port": "http"}}
    alive = {"httpGet": {"path": expected.liveness, "port": "http"}} if expected.liveness else None
    timing = {"periodSeconds": expected.period, "timeoutSeconds": expected.timeout, "failureThreshold": 3}
    startup = {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": expected.startup_failures}
    made = container(programs, stack, service)
    assert made["readinessProbe"] == ready | timing
    patience = {"failureThreshold": expected.liveness_failures}
    assert made["livenessProbe"] == (alive or {"tcpSocket": {"port": "http"}}) | timing | patience
    assert made["startupProbe"] == ready | startup


def test_writable_paths_are_those_that_the_code_writes(programs: Programs, stack: str, service: str) -> None:
    """Everything else is read-only."""
    made = container(programs, stack, service)
    assert [mount["mountPath"] for mount in made["volumeMounts"]] == figures.WRITABLE_PATHS[service]
    assert made["securityContext"]["readOnlyRootFilesystem"] is True


def test_resources_are_the_phase_s(programs: Programs, stack: str, service: str) -> None:
    """Request and limit, for CPU, memory and disk: 256Mi for the log and each scratch directory, 2Gi for models."""
    expected = figures.RESOURCES[stack][service]
    models = 2048 - 256 if service == "ai-orchestrator" else 0
    disk = f"{256 * (1 + len(figures.WRITABLE_PATHS[service])) + models}Mi"
    assert container(programs, stack, service)["resources"] == {
        "requests": {"cpu": expected.cpu[0], "memory": expected.memory[0], "ephemeral-storage": "64Mi"},
        "limits": {"cpu": expected.cpu[1], "memory": expected.memory[1], "ephemeral-storage": disk},
    }


def test_autoscalers_have_the_phase_s_range_targets_and_speed(programs: Programs, stack: str, service: str) -> None:
    """Nothing is left to the cluster's defaults."""
    spec = find(programs[stack].objects, "HorizontalPodAutoscaler", service)["spec"]
    targets = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in spec["metrics"]}
    memory = figures.MEMORY_TARGET[stack].get(service)
    assert (spec["minReplicas"], spec["maxReplicas"]) == figures.REPLICAS[stack][service]
    assert targets == {"cpu": figures.CPU_TARGET[stack]} | ({"memory": memory} if memory else {})
    assert spec["behavior"] == figures.BEHAVIOR[stack]


def test_images_are_the_phase_s_release(programs: Programs, stack: str, service: str) -> None:
    """A fixed tag, which is also the version label of the pods."""
    tag = figures.TAGS[stack][service]
    assert container(programs, stack, service)["image"] == f"{figures.REPOSITORY[stack]}/{service}:{tag}"
    template = find(programs[stack].objects, "Deployment", service)["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/version"] == tag


def test_roles_and_identities_are_the_service_s_own(programs: Programs, stack: str, service: str) -> None:
    """Pods run under the name of their service and are labelled with their role."""
    deployment = find(programs[stack].objects, "Deployment", service)
    assert deployment["metadata"]["labels"]["app.kubernetes.io/component"] == figures.ROLES[service]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == service
    assert find(programs[stack].objects, "ServiceAccount", service)["metadata"]["name"] == service


def names_of(rule: Mapping[str, Any]) -> list[str]:
    """Names of the pods that a rule lets in."""
    return [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for peer in rule["from"]
        if "namespaceSelector" not in peer
    ]


def test_policies_admit_the_declared_callers_only(programs: Programs, stack: str, service: str) -> None:
    """The gateway is entered from the ingress controller; ai-orchestrator alone reaches the internet."""
    spec = find(programs[stack].objects, "NetworkPolicy", service)["spec"]
    *called, probed = [rule for rule in spec["ingress"] if names_of(rule) != ["prometheus"]]
    assert (names_of(probed), probed["ports"]) == (
        ["blackbox-exporter"],
        [{"protocol": "TCP", "port": figures.PORTS[service][0]}],
    )
    scraped = [rule["ports"] for rule in spec["ingress"] if names_of(rule) == ["prometheus"]]
    assert scraped == ([probed["ports"]] if (stack, service) == ("alpha", "api-gateway") else [])
    (rule,) = called
    assert names_of(rule) == figures.CALLERS[service]
    outside = [peer["podSelector"]["matchLabels"] for peer in rule["from"] if "namespaceSelector" in peer]
    assert outside == ([{"app.kubernetes.io/name": "traefik"}] if service == "api-gateway" else [])
    assert rule["ports"] == [{"protocol": "TCP", "port": figures.PORTS[service][0]}]
    internet = [to for egress in spec["egress"] for to in egress["to"] if "ipBlock" in to]
    assert bool(internet) is (service == "ai-orchestrator")
