"""Gate: a pod that does not come up is explained by its real reason, wherever in the pod's status it stands."""

from typing import Any

import pytest

from altlas.status.problems import creation_problems
from altlas.status.reasons import is_over, newest_warning, pulls, reason_of

Status = dict[str, Any]
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"


def container(name: str, state: str, *, before: Status | None = None, **fields: Any) -> Status:
    """Status of a container; fields that belong to its state are reason, message and exitCode."""
    of_state = {key: fields.pop(key) for key in ("reason", "message", "exitCode") if key in fields}
    last = {"lastState": {"terminated": before}} if before else {}
    return {"name": name, "state": {state: of_state}} | last | fields


def condition(kind: str, status: str, **fields: str) -> Status:
    """A condition of a pod."""
    return {"type": kind, "status": status} | fields


WAITING = container("web", "waiting", reason="PodInitializing")
KILLED: Status = {"reason": "OOMKilled", "exitCode": 137}
UNREADY = [condition("Ready", "False", reason="ContainersNotReady", message="containers with unready status: [web]")]
READY_CONTAINERS = [condition("ContainersReady", "True"), condition("Ready", "False", reason="x", message="gate a")]

RECORDED: dict[str, tuple[Status, str]] = {
    "image": (
        {"containerStatuses": [container("web", "waiting", reason="ErrImagePull", message="not found")]},
        "ErrImagePull: not found",
    ),
    "image of an init container": (
        {
            "initContainerStatuses": [container("setup", "waiting", reason="ImagePullBackOff", message="no pull")],
            "containerStatuses": [WAITING],
            "conditions": UNREADY,
        },
        "init container setup: ImagePullBackOff: no pull",
    ),
    "init container that fails": (
        {
            "initContainerStatuses": [
                container("first", "terminated", reason="Completed", exitCode=0),
                container("setup", "terminated", reason="Error", exitCode=1),
            ],
            "containerStatuses": [WAITING],
        },
        "init container setup: Error (exit code 1)",
    ),
    "init container that goes on": (
        {"initContainerStatuses": [container("setup", "running", ready=False)], "containerStatuses": [WAITING]},
        "init container setup: runs, and its readiness probe fails",
    ),
    "sidecar that does not start": (
        {"initContainerStatuses": [container("log", "running", started=False)], "containerStatuses": [WAITING]},
        "init container log: runs, and its startup probe has not passed yet",
    ),
    "second container": (
        {
            "containerStatuses": [
                container("web", "running", ready=True, started=True),
                container("exporter", "waiting", reason="CreateContainerConfigError", message='secret "x" not found'),
            ]
        },
        'container exporter: CreateContainerConfigError: secret "x" not found',
    ),
    "crash loop after running out of memory": (
        {"containerStatuses": [container("web", "waiting", reason="CrashLoopBackOff", before=KILLED)]},
        "CrashLoopBackOff; it ended before by OOMKilled (exit code 137)",
    ),
    "restarted by its liveness probe": (
        {
            "containerStatuses": [
                container("web", "running", before={"reason": "Error", "exitCode": 143}, ready=False, restartCount=4)
            ]
        },
        "restarted 4 times, the last time after Error (exit code 143)",
    ),
    "out of memory": ({"containerStatuses": [container("web", "terminated", **KILLED)]}, "OOMKilled (exit code 137)"),
    "startup probe": (
        {"containerStatuses": [container("web", "running", started=False, ready=False)], "conditions": UNREADY},
        "runs, and its startup probe has not passed yet",
    ),
    "readiness probe": (
        {"containerStatuses": [container("web", "running", started=True, ready=False)], "conditions": UNREADY},
        "runs, and its readiness probe fails",
    ),
    "no node": (
        {"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")]},
        "Unschedulable: 0/3 nodes",
    ),
    "no volume": (
        {"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message="pod has unbound claims")]},
        "Unschedulable: pod has unbound claims",
    ),
    "evicted": (
        {"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage", "conditions": UNREADY},
        "Evicted: low on ephemeral-storage",
    ),
    "refused by the node": (
        {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no device"},
        "UnexpectedAdmissionError: no device",
    ),
    "readiness gate": (
        {"containerStatuses": [container("web", "running", ready=True)], "conditions": READY_CONTAINERS},
        "x: gate a",
    ),
    "node that is gone": (
        {
            "containerStatuses": [container("web", "running", ready=True)],
            "conditions": [condition("Ready", "False"), condition("ContainersReady", "False")],
        },
        "its containers were ready when node node-1 last reported; look at that node",
    ),
    "debug container": (
        {
            "ephemeralContainerStatuses": [container("debug", "waiting", reason="ErrImagePull")],
            "containerStatuses": [container("web", "running", started=True, ready=False)],
        },
        "runs, and its readiness probe fails",
    ),
    "nothing wrong yet": (
        {"containerStatuses": [container("web", "waiting", reason="ContainerCreating")]},
        "ContainerCreating",
    ),
    "nothing known": ({}, "phase unknown, not ready yet"),
}


def pod(status: Status, **metadata: str) -> Status:
    """A pod with a volume on a node."""
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}]
    spec = {"nodeName": "node-1", "volumes": volumes}
    return {"metadata": {"name": "web-1", **metadata}, "spec": spec, "status": status}


def event(reason: str, when: str, about: str = "web-1", kind: str = "Pod", **fields: Any) -> Status:
    """An event with a message."""
    what = {"kind": kind, "name": about}
    return {"involvedObject": what, "reason": reason, "message": "said", "lastTimestamp": when} | fields


@pytest.mark.parametrize("kind", RECORDED)
def test_a_pod_that_does_not_come_up_gives_its_real_reason(kind: str) -> None:
    """Statuses as kubelet, scheduler and node controller write them."""
    status, reason = RECORDED[kind]
    assert reason_of(pod(status)) == reason


def test_a_pod_of_a_job_that_has_succeeded_and_one_that_ends_need_not_be_ready() -> None:
    """Pods of backups stay until their Job is removed."""
    assert [is_over(pod({"phase": phase})) for phase in ("Succeeded", "Failed", "Pending")] == [True, False, False]
    assert is_over(pod({}, deletionTimestamp=EARLY))


def test_a_warning_about_a_volume_of_the_pod_counts_as_one_about_the_pod() -> None:
    """A provisioner that fails says so of the claim only; what is normal explains nothing."""
    events = [
        event("FailedMount", EARLY),
        event("ProvisioningFailed", LATE, "data-web-1", "PersistentVolumeClaim"),
        event("Started", "2026-01-09T00:00:00Z", type="Normal"),
        event("FailedMount", "2026-01-09T00:00:00Z", "web-2"),
    ]
    assert newest_warning(pod({}), events) == "ProvisioningFailed: said"
    assert newest_warning(pod({}), events[2:]) is None


@pytest.mark.parametrize(
    ("reason", "events", "expected"),
    [
        ("ContainerCreating", [event("Pulling", LATE), event("Pulled", EARLY)], True),
        ("ContainerCreating", [event("Pulling", EARLY), event("Pulled", LATE)], False),
        ("ContainerCreating", [event("Pulling", EARLY), event("FailedMount", LATE)], True),
        ("ContainerCreating", [event("FailedMount", LATE)], False),
        ("ImagePullBackOff", [event("Pulling", LATE), event("Failed", EARLY)], False),
        ("ContainerCreating", [event("Pulling", LATE, "web-2")], False),
    ],
)
def test_a_pod_pulls_while_no_end_of_the_pull_is_newer_than_its_begin(
    reason: str, events: list[Status], *, expected: bool
) -> None:
    """An image that cannot be pulled is no pull that goes on."""
    status = {"containerStatuses": [container("web", "waiting", reason=reason)]}
    assert pulls(pod(status), events) is expected


def test_pods_that_the_api_server_refuses_are_told_in_the_words_of_their_controllers() -> None:
    """A Deployment has a condition; StatefulSets and Jobs have events only, which are over once a pod was made."""
    deployments = [
        {"metadata": {"name": "web"}, "status": {"conditions": [condition("ReplicaFailure", "True", message="quota")]}},
        {"metadata": {"name": "fine"}, "status": {"conditions": [condition("Available", "True")]}},
    ]
    events = [
        event("FailedCreate", LATE, "redis", "StatefulSet"),
        event("FailedCreate", EARLY, "nats", "StatefulSet"),
        event("SuccessfulCreate", LATE, "nats", "StatefulSet"),
        event("FailedCreate", EARLY, "nats-streams", "Job"),
        event("FailedCreate", LATE, "web-old", "ReplicaSet"),
    ]
    assert [str(each) for each in creation_problems(deployments, events)] == [
        "web: its pods cannot be created: quota",
        "nats-streams: its pods cannot be created: said",
        "redis: its pods cannot be created: said",
    ]
