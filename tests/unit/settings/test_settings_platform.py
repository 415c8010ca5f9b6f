"""Settings of the whole platform: namespace, host, rollout and additional calls."""

from typing import Any

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem

SERVICES = "api-gateway, runner-service, segmentation-service, ai-orchestrator, archive-service"


@pytest.mark.parametrize("key", ["namespace", "ingress.controllerNamespace"])
@pytest.mark.parametrize("value", ["", "Alt", "alt_las", "-a", "a.b", "a" * 64])
def test_a_namespace_that_is_no_dns_label_is_refused(key: str, value: str) -> None:
    """With the rule and an example."""
    assert only_problem(alpha_with({key: value})) == (
        key,
        "is not a DNS label; use 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends, such "
        "as alt-las",
    )


@pytest.mark.parametrize("value", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_a_namespace_of_the_cluster_is_refused(value: str) -> None:
    """The stack owns its namespace and would delete it one day."""
    assert only_problem(alpha_with({"namespace": value})) == (
        "namespace",
        "belongs to the cluster; choose a namespace of the platform's own, such as alt-las",
    )


def test_the_controller_may_live_in_a_namespace_of_the_cluster() -> None:
    """It is only named there, not owned; k3s runs it in kube-system."""
    assert alpha_settings().ingress.controller_namespace == "kube-system"


def test_a_controller_in_the_stack_s_own_namespace_is_refused() -> None:
    """The namespace denies what no policy allows, and none is made for the controller."""
    assert only_problem(alpha_with({"ingress.controllerNamespace": "alt-las"})) == (
        "",
        "ingress.controllerNamespace is alt-las, the stack's own namespace, whose policies would close the controller "
        "off; name the namespace in which the controller's pods run, such as kube-system",
    )


@pytest.mark.parametrize("value", ["", "Alt-las.local", "alt_las.local", "https://alt-las.local", "alt-las.local:80"])
def test_a_host_that_is_no_dns_name_is_refused(value: str) -> None:
    """Neither an address with a scheme nor one with a port."""
    assert only_problem(alpha_with({"ingress.host": value})) == (
        "ingress.host",
        "is not a DNS name; write lower-case labels joined by dots, such as alt-las.local",
    )


@pytest.mark.parametrize(("progress", "timeout"), [(300, 300), (900, 600)])
def test_an_update_must_wait_longer_than_a_rollout_may_stand_still(progress: int, timeout: int) -> None:
    """Or it would end before Kubernetes can say what is wrong."""
    document = alpha_with({"rollout": {"progressDeadlineSeconds": progress, "timeoutSeconds": timeout}})
    assert only_problem(document) == (
        "rollout",
        f"progressDeadlineSeconds ({progress}) is not below timeoutSeconds ({timeout}), so an update would stop "
        "waiting before Kubernetes can say what is wrong; raise the timeout",
    )


@pytest.mark.parametrize(("startup", "deadline"), [(900, 300), (300, 300)])
def test_a_pod_may_not_start_for_longer_than_a_rollout_may_stand_still(startup: int, deadline: int) -> None:
    """Or a release would fail whose pod would have been ready a little later."""
    key = "services.ai-orchestrator.probes"
    assert only_problem(alpha_with({key: {"startupSeconds": startup}})) == (
        "",
        f"{key}.startupSeconds ({startup}) is not below rollout.progressDeadlineSeconds ({deadline}), so a rollout "
        "would be called failed while its pod may still start; raise the deadline",
    )
    longer = {"progressDeadlineSeconds": startup + 1, "timeoutSeconds": startup + 2}
    alpha_settings({key: {"startupSeconds": startup}, "rollout": longer})


def test_a_short_deadline_is_accepted_with_the_default_whether_it_is_written_down_or_not() -> None:
    """Defaults mean the same in a stack file as left out."""
    default = alpha_settings({}).services.ai_orchestrator.probes.startup_seconds
    short = {"rollout": {"progressDeadlineSeconds": default - 1}}
    assert alpha_settings(short) == alpha_settings(
        short | {"services.ai-orchestrator.probes": {"startupSeconds": default}}
    )


@pytest.mark.parametrize("role", ["caller", "callee"])
def test_an_additional_call_of_an_unknown_service_is_refused(role: str) -> None:
    """With its place in the list and the names that exist."""
    good = {"caller": "ai-orchestrator", "callee": "segmentation-service"}
    document = alpha_with({"additionalCalls": [good, good | {role: "postgres"}]})
    assert only_problem(document) == (
        "",
        f"additionalCalls[1].{role} names the unknown service 'postgres'; known: {SERVICES}",
    )


def test_an_additional_call_of_a_service_to_itself_is_refused() -> None:
    """It needs no rule."""
    document = alpha_with({"additionalCalls": [{"caller": "runner-service", "callee": "runner-service"}]})
    assert only_problem(document) == (
        "",
        "additionalCalls[0] lets runner-service call itself, which needs no rule; remove it",
    )


def test_a_call_back_to_the_way_in_is_refused() -> None:
    """The request would go round in a circle, past every check of where it came from."""
    document = alpha_with({"additionalCalls": [{"caller": "runner-service", "callee": "api-gateway"}]})
    assert only_problem(document) == (
        "",
        "additionalCalls[0] lets runner-service call api-gateway, which calls it in turn; name the service that is to "
        "answer",
    )


@pytest.mark.parametrize(
    ("key", "expected"),
    [("progress_deadline_seconds", 300), ("timeout_seconds", 900), ("revision_history_limit", 5)],
)
def test_a_rollout_has_defaults_that_are_right_in_every_phase(key: str, expected: Any) -> None:
    """Neither stack file says anything about them."""
    assert getattr(alpha_settings().rollout, key) == expected
