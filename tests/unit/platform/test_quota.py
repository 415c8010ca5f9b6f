"""Quota of a stack's namespace: its figures, what completes it, and figures given by hand."""

import json
from typing import Any

import pulumi
import pytest

from components.kubernetes.load import Amount, Load, stack_load
from components.kubernetes.quantities import cpu_text, memory_text
from components.platform.quota import limit_range
from components.settings.quota import FIGURES, QuotaSettings, hard, most, problem
from components.stack.problems import PLATFORM_KEY
from rendering.recorder import record, run_program
from tests.support.documents import ROOT, STACK_FILES, alpha_with, only_problem, platform_of
from tests.support.program import Program, build, configure, find, full_configuration

BETA = {
    "pods": "240",
    "requests.cpu": "132396m",
    "requests.memory": "157268Mi",
    "limits.memory": "304359Mi",
    "persistentvolumeclaims": "22",
    "requests.storage": "200295Mi",
    "services.loadbalancers": "0",
    "services.nodeports": "0",
}
"""Figures of beta with a headroom of 20 %."""


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    """Three pods of one container, of 100 millicores and 64 Mi."""
    amounts = {"cpu": "100m", "memory": "64Mi"}
    template = {"spec": {"containers": [{"resources": {"requests": amounts, "limits": amounts}}]}}
    return {"kind": kind, "metadata": {"name": "web"}, "spec": {"replicas": 3, "template": template, **spec}}


def pods(*objects: dict[str, Any]) -> int:
    """Most pods of objects."""
    return most(stack_load(objects), QuotaSettings()).pods


@pytest.fixture(scope="module")
def program() -> Program:
    """Beta with a quota."""
    document = platform_of("beta") | {"quota": {}}
    values = full_configuration("beta") | {PLATFORM_KEY: json.dumps(document)}
    configure(values, [key for key in values if key != PLATFORM_KEY])
    return build(lambda: run_program(ROOT), "beta")


def test_a_rollout_is_counted_with_the_pods_that_are_still_ending() -> None:
    """Three that serve, one in addition, and three that were told to end; none where the old ones end first."""
    rolling: dict[str, Any] = {"strategy": {"rollingUpdate": {"maxSurge": 1}}}
    assert pods(workload(**rolling)) == 3 + 1 + 3
    assert pods(workload(strategy={"type": "Recreate"})) == 3
    assert pods(workload("StatefulSet")) == 3
    canary: dict[str, Any] = {"kind": "Canary", "spec": {"targetRef": {"name": "web"}}}
    assert pods(workload(**rolling), canary) == 3 + 3 + 1 + 3


def test_a_job_is_counted_twice_and_a_database_server_more_is_counted() -> None:
    """A restore is a Job of a CronJob's template; a recovered database is a server beside the others."""
    assert pods(workload("Job")) == 2
    sizes: dict[str, Any] = {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    cluster: dict[str, Any] = {"kind": "Cluster", "metadata": {"name": "db"}, "spec": {"instances": 3, **sizes}}
    found = most(stack_load([cluster]), QuotaSettings())
    assert found == Load(4, Amount(4000, 4096), Amount(), 4, 4096)
    cluster["spec"] |= {"plugins": [{"name": "archiver"}]}
    # Four servers, each with a container of the plugin, which names no resources.
    with_plugin = most(stack_load([cluster]), QuotaSettings())
    assert with_plugin == Load(4, Amount(4400, 4096 + 512), Amount(2000, 2048), 4, 4096)


def test_pods_of_others_have_the_default_size() -> None:
    """Two of them: 200 millicores and 256 Mi are requested."""
    assert most(stack_load([]), QuotaSettings.model_validate({"otherPods": 2})) == Load(
        2, Amount(200, 256), Amount(1000, 1024)
    )


def test_the_figures_of_beta(program: Program) -> None:
    """105 while all rolls at most, 80 that are ending, 14 Jobs and a database server: 200, and a fifth."""
    load = stack_load(program.recorder.objects)
    parts = (load.peak_update.pods, load.ending.pods, load.jobs.pods)
    assert (parts, most(load, QuotaSettings()).pods) == ((105, 80, 7), 105 + 80 + 2 * 7 + 1)
    assert find(program.recorder.objects, "ResourceQuota", "platform")["spec"] == {"hard": BETA}
    limits = find(program.recorder.objects, "LimitRange", "platform")["spec"]["limits"]
    assert limits == [
        {
            "type": "Container",
            "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
            "default": {"cpu": "500m", "memory": "512Mi"},
            "max": {"cpu": "2100m", "memory": "4Gi"},
        }
    ]


def test_the_quota_is_in_force_before_all_that_it_counts(program: Program) -> None:
    """And the LimitRange before it; the namespace and cluster-wide rules wait for neither."""
    (urn,) = (each for each in program.outputs if each.endswith("::quota"))
    own = "kubernetes:core/v1:ResourceQuota", "kubernetes:core/v1:LimitRange"
    kinds = {each.type for each in program.requests if each.type.startswith("kubernetes:")}
    waiting = {each.type for each in program.requests if any(one.endswith("::quota") for one in each.dependencies)}
    assert urn
    assert kinds - waiting == {
        *own,
        "kubernetes:core/v1:Namespace",
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy",
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding",
    }
    quota = program.request(own[0], "quota")
    assert [each for each in quota.dependencies if each.endswith("::quota-limits")]


@pytest.mark.parametrize("stack", STACK_FILES)
def test_a_quota_is_by_choice_and_above_all_sums(stack: str) -> None:
    """Of every stack file; without the setting nothing is registered, and nothing waits."""
    plain = record(stack, platform_of(stack)).objects
    objects = record(stack, platform_of(stack) | {"quota": {"headroomPercent": 12}}).objects
    extra = [each["kind"] for each in objects if each["kind"] in {"ResourceQuota", "LimitRange"}]
    assert sorted(extra) == ["LimitRange", "ResourceQuota"]
    assert len(objects) == len(plain) + 2
    load = stack_load(plain)
    figures = find(objects, "ResourceQuota", "platform")["spec"]["hard"]
    for each in FIGURES:
        assert each.amount(figures[each.key]) >= 1.12 * each.read(load.peak_update + load.jobs), each.key
    # The alert of a quota that is nearly full does not fire for volumes, whose number stays.
    assert load.peak_update.volumes / int(figures["persistentvolumeclaims"]) < 0.9


def test_no_container_of_a_stack_is_above_the_maximum_of_its_limit_range() -> None:
    """The largest pod decides it, or the defaults where they are larger."""
    small = limit_range(stack_load([workload()]), QuotaSettings(), "here")["spec"]["limits"][0]
    assert small["max"] == small["default"] == {"cpu": "500m", "memory": "512Mi"}


def test_figures_by_hand_replace_the_computed_ones() -> None:
    """The others stay."""
    load = stack_load([workload()])
    settings = QuotaSettings.model_validate({"hard": {"pods": 50, "requestsMemory": "1Gi"}})
    found, computed = hard(load, settings), hard(load, QuotaSettings())
    assert {key: value for key, value in found.items() if computed[key] != value} == {
        "pods": "50",
        "requests.memory": "1Gi",
    }
    assert problem(load, settings) is None


def test_a_maximum_scale_beyond_a_figure_by_hand_is_refused_with_both_keys() -> None:
    """Exactly what is needed is enough, one pod less is not."""
    document = alpha_with({"quota.hard": {"pods": 107}})
    needed = most(stack_load(record("alpha", platform_of("alpha")).objects), QuotaSettings()).pods
    assert needed == 54 + 38 + 2 * 7 + 1 == 107
    record("alpha", document)
    with pytest.raises(pulumi.RunError) as caught:
        record("alpha", alpha_with({"quota.hard": {"pods": 106, "storage": "1Gi"}}))
    said = str(caught.value)
    assert (
        "alt-las:platform.quota.hard.pods (106) is below the 107; quota.hard.storage (1Gi) is below the 118Gi" in said
    )
    assert "lower services.ai-orchestrator.autoscaling.maxReplicas (10), services.runner-service" in said


def test_default_requests_above_default_limits_are_refused() -> None:
    """The API server would refuse every container that names neither."""
    document = alpha_with({"quota.defaultRequests": {"cpu": "1", "memory": "128Mi"}})
    path, message = only_problem(document)
    assert path == "quota"
    assert "defaultRequests (1, 128Mi) are above defaultLimits (500m, 512Mi)" in message


@pytest.mark.parametrize(
    ("text", "written"), [(cpu_text(1500), "1500m"), (cpu_text(2000), "2"), (memory_text(1536), "1536Mi")]
)
def test_quantities_are_written_as_the_api_server_writes_them(text: str, written: str) -> None:
    """Otherwise every look at the cluster would find a difference."""
    assert text == written
    assert memory_text(2048) == "2Gi"
