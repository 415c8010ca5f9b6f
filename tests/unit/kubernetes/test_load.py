"""Load of a stack's objects: pods, requests, limits and volumes at three scales."""

from typing import Any

import pytest

from components.kubernetes.load import Amount, Load, stack_load
from rendering.recorder import record
from tests.support.documents import STACKS, platform_of


def container(cpu: str = "100m", memory: str = "64Mi", **others: Any) -> dict[str, Any]:
    """A container whose limits are twice what it requests, in memory."""
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": "128Mi"}}, **others}


def deployment(spec: dict[str, Any] | None = None, *containers: Any, init: Any = ()) -> dict[str, Any]:
    """A Deployment of one container, unless others are given."""
    pod = {"containers": containers or [container()], "initContainers": list(init)}
    return {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}} | (spec or {})}


AUTOSCALER = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {"scaleTargetRef": {"name": "web"}, "minReplicas": 2, "maxReplicas": 10},
}


def test_every_pod_of_the_program_requests_and_is_limited() -> None:
    """Of both stacks; an update needs more than rest, and the largest scale more than an update."""
    for stack in STACKS:
        load = stack_load(record(stack, platform_of(stack)).objects)
        for each in load.workloads:
            assert each.pod.requests.cpu, each.name
            assert each.pod.requests.fits(each.pod.limits), each.name
        assert load.rest.pods < load.update.pods < load.peak.pods
        assert load.rest.storage == load.peak.storage > 0
        assert load.jobs.pods == sum(each.timed for each in load.workloads) > 0


def test_an_autoscaler_decides_the_number_of_pods() -> None:
    """Its minimum at rest, its maximum at most; without one the declared number."""
    load = stack_load([deployment({"replicas": 7}), AUTOSCALER])
    assert (load.rest.pods, load.peak.pods) == (2, 10)
    assert stack_load([deployment({"replicas": 7})]).rest.requests == Amount(700, 448)


@pytest.mark.parametrize(("target", "judged"), [("web", (2, 10)), ("another", (0, 0))])
def test_a_canary_doubles_the_pods_of_an_update(target: str, judged: tuple[int, int]) -> None:
    """Flagger's copy serves, the Deployment is judged, and the copy is updated with a pod more."""
    canary = {"kind": "Canary", "spec": {"targetRef": {"name": target}}}
    web = deployment({"strategy": {"rollingUpdate": {"maxSurge": 1}}})
    load = stack_load([web, AUTOSCALER, canary, deployment() | {"kind": "StatefulSet"}])
    pods = (load.rest.pods, load.update.pods, load.peak.pods, load.peak_update.pods)
    assert pods == (3, 4 + judged[0], 11, 12 + judged[1])


@pytest.mark.parametrize(
    ("strategy", "surge"),
    [
        ({"rollingUpdate": {"maxSurge": 1}}, (1, 1)),
        ({"rollingUpdate": {"maxSurge": "10%"}}, (1, 1)),
        ({"rollingUpdate": {"maxSurge": "30%"}}, (1, 3)),
        ({}, (1, 3)),
        ({"type": "Recreate"}, (0, 0)),
    ],
)
def test_a_surge_is_rounded_up_as_kubernetes_does(strategy: dict[str, Any], surge: tuple[int, int]) -> None:
    """Of two pods at rest and ten at most; a quarter is the default."""
    (web,) = stack_load([deployment({"strategy": strategy}), AUTOSCALER]).workloads
    assert (web.surge, web.surge_at_most) == surge


def test_a_pod_requests_its_containers_or_its_largest_one_before_them() -> None:
    """As the scheduler counts: the larger of the two, for CPU and memory alone."""
    load = stack_load([deployment({}, container(), container("200m"), init=[container("250m", "1Gi"), container()])])
    assert load.rest.requests == Amount(300, 1024)
    assert load.rest.limits == Amount(0, 256)


def test_volumes_count_with_their_pods_and_alone() -> None:
    """Templates of a StatefulSet, the two volumes of a Cluster, and a claim of its own."""
    claim = {"resources": {"requests": {"storage": "2Gi"}}}
    stateful = deployment({"replicas": 3, "volumeClaimTemplates": [{"spec": claim}]}) | {"kind": "StatefulSet"}
    cluster = {"kind": "Cluster", "metadata": {"name": "db"}, "spec": {"instances": 2, "storage": {"size": "1Gi"}}}
    cluster["spec"]["walStorage"] = {"size": "512Mi"}  # type: ignore[index]
    alone = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": claim}
    rest = stack_load([stateful, cluster, alone]).rest
    assert (rest.pods, rest.volumes, rest.storage) == (5, 3 + 4 + 1, 6144 + 2 * 1536 + 2048)


def test_jobs_are_counted_apart() -> None:
    """They run now and then."""
    pod = {"template": {"spec": {"containers": [container()]}}}
    jobs = [
        {"kind": "Job", "metadata": {"name": "a"}, "spec": pod},
        {"kind": "CronJob", "metadata": {"name": "b"}, "spec": {"jobTemplate": {"spec": pod}}},
    ]
    load = stack_load(jobs)
    assert (load.rest, load.peak, load.jobs.pods) == (Load(), Load(), 2)
