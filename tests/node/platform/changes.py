"""Changes of the running platform and questions about it: sizes of the stack, killed pods, who leads a store."""

import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

import yaml

from tests.data.nats_session import STREAM
from tests.node.connections import RunningPod
from tests.node.platform.project import NAMESPACE, SERVICES, STACK, NodeProject
from tests.node.platform.users import Users
from tests.node.real_cluster import wait_until

POSTGRES = "cnpg.io/instanceRole=primary"
_ROLE = "REDISCLI_AUTH=$(cat /etc/passwords/REDIS_HEALTH_PASSWORD) redis-cli --user health info replication"
_MOST_LOAD = 4
"""Of one processor. Above it, seconds are those of the machine and not of the platform."""


def with_receiver(project: NodeProject) -> None:
    """Name the receiver of alerts in the settings of the stack."""
    file = project.stack_file(STACK)
    document = yaml.safe_load(file.read_text("utf-8"))
    receiver = {"name": "bridge", "webhook": {}, "ranges": ["10.128.0.0/9"]}
    document["config"]["alt-las:platform"]["alertmanager"] |= {
        "receivers": [receiver],
        "routes": {"heartbeat": "bridge", "page": "bridge"},
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def grow(project: NodeProject, servers: int) -> None:
    """Change the settings to so many servers of each store; with several, services have two to three pods."""
    file = project.stack_file(STACK)
    document = yaml.safe_load(file.read_text("utf-8"))
    settings = document["config"]["alt-las:platform"]
    settings["postgres"]["instances"] = settings["redis"]["replicas"] = settings["nats"]["replicas"] = servers
    for stream in settings["nats"]["streams"]:
        stream["replicas"] = servers
    for service in settings["services"].values():
        for name in ("replicas", "autoscaling"):
            service.pop(name, None)
        scale = {"replicas": 1} if servers == 1 else {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}
        service.update(scale)
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def moved(project: NodeProject, busy: Users, servers: int) -> Mapping[str, float]:
    """Update the stack to so many servers of each store; return the longest time without an answer of each user."""
    busy.go_on()
    busy.forget_pauses()
    grow(project, servers)
    done = project.altlas("up", "--stack", STACK, TARGET="node")
    assert done.code == 0, done.text
    busy.replicas = servers - 1
    busy.go_on()
    return busy.pauses()


def killed(project: NodeProject, busy: Users, user: str, *pods: str) -> float:
    """End pods at once, without their preStop hooks; return how long the user then got no answer, in seconds."""
    ends = [RunningPod.of(item, user) for item in project.pods() if item["metadata"]["name"] in pods]
    busy.go_on()
    busy.forget_pauses()
    project.ask("delete", "pod", *pods, "--grace-period=0", "--force", "--wait=false")
    # The kubelet would let them go on for a while.
    for process in [number for pod in ends for number in pod.processes()]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    time.sleep(2)  # the user notices
    busy.go_on(user)
    return busy.pauses().get(user, 0.0)


def names(project: NodeProject, selector: str) -> list[str]:
    """Names of pods that run, with a label."""
    found = project.ask(
        "get", "pods", f"--selector={selector}", "--field-selector=status.phase=Running", "--output=name"
    )
    return [line.removeprefix("pod/") for line in found.splitlines()]


def settled(project: NodeProject) -> None:
    """Wait until every pod is ready, and PostgreSQL's operator has nothing left to do."""

    def is_settled() -> bool:
        pods = [item for item in project.objects("pods", NAMESPACE) if item["status"]["phase"] != "Succeeded"]
        ready = all(
            status["ready"] for pod in pods for status in pod["status"].get("containerStatuses", [{"ready": False}])
        )
        phase = project.ask("get", "cluster.postgresql.cnpg.io", "postgres-db", "--output=jsonpath={.status.phase}")
        return ready and phase == "Cluster in healthy state"

    wait_until(is_settled, 180)


def late(away: Mapping[str, float], most: Mapping[str, float]) -> dict[str, float]:
    """Users that waited longer than promised; none where the machine has other work, which the figures show."""
    is_busy = os.getloadavg()[0] > _MOST_LOAD * (os.cpu_count() or 1)
    return {} if is_busy else {name: away[name] for name in most if away.get(name, 0.0) > most[name]}


def replicas(project: NodeProject) -> dict[str, int]:
    """Ready pods of each service."""
    items = {item["metadata"]["name"]: item for item in project.objects("deployments", NAMESPACE)}
    return {name: int(items[name]["status"].get("readyReplicas", 0)) for name in SERVICES}


def load() -> str:
    """Load of the machine, for a figure in seconds."""
    return f", load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors"


def node_of(project: NodeProject, pod: str) -> str:
    """Node that a pod runs on."""
    return project.ask("get", "pod", pod, "--output=jsonpath={.spec.nodeName}")


def leader(project: NodeProject) -> str:
    """Server of NATS that leads the stream of the users."""
    server = project.exec("nats-0", "wget", "-q", "-O", "-", "http://127.0.0.1:8222/jsz?streams=true&accounts=true")
    streams = [stream for account in json.loads(server)["account_details"] for stream in account["stream_detail"]]
    return next(str(stream["cluster"]["leader"]) for stream in streams if stream["name"] == STREAM)


def primary(project: NodeProject) -> str:
    """Server of Redis that takes writes."""
    pods = names(project, "app.kubernetes.io/name=redis")
    roles = {pod: project.exec(pod, "sh", "-c", _ROLE) for pod in pods}
    return next(pod for pod, role in roles.items() if "role:master" in role)
