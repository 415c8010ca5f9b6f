"""Messages of NATS that no consumer has read yet, as the servers themselves report them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from altlas.session.kubectl import Kubectl
from components.traffic.stores import NATS, NATS_MONITORING_PORT
from rendering.errors import CommandError

_SERVER = f"http://127.0.0.1:{NATS_MONITORING_PORT}/varz"
_QUESTION = f"http://127.0.0.1:{NATS_MONITORING_PORT}/jsz?accounts=true&streams=true&consumers=true"
_MOUNTED = "/etc/nats/..data"
"""Link of the mounted files, which is new whenever one of them is."""


def unread_messages(reports: Mapping[str, Mapping[str, Any]], *, without_consumer: bool = False) -> dict[str, int]:
    """Messages by stream that a consumer has still to read or to acknowledge; all of a stream that has no consumer.

    Args:
        reports: What each server says at `/jsz`, by the server's name. Of several servers, each knows for certain only
            the streams and consumers that it leads.
        without_consumer: Only those of streams that nobody reads.
    """
    held: dict[str, int] = {}
    waiting: dict[str, int] = {}
    for server, report in reports.items():
        for account in report.get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                name = stream["name"]
                if _leads(server, stream):
                    held[name] = stream["state"]["messages"]
                for consumer in stream.get("consumer_detail") or ():
                    waiting.setdefault(name, 0)
                    if _leads(server, consumer):
                        waiting[name] = max(waiting[name], consumer["num_pending"] + consumer["num_ack_pending"])
    found = {name: count for name, count in held.items() if name not in waiting}
    return {name: count for name, count in sorted((found if without_consumer else held | waiting).items()) if count}


def consumers_behind(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what each consumer that is behind has still to do; one that asks for nothing is at fault itself.

    Args:
        reports: As for `unread_messages`.
    """
    return [
        f"{consumer['name']} of {stream['name']} has {consumer['num_pending']} to get and "
        f"{consumer['num_ack_pending']} to acknowledge, and {consumer['num_waiting']} of its requests wait"
        for server, report in sorted(reports.items())
        for account in report.get("account_details") or ()
        for stream in account.get("stream_detail") or ()
        for consumer in stream.get("consumer_detail") or ()
        if _leads(server, consumer) and consumer["num_pending"] + consumer["num_ack_pending"]
    ]


def ask_servers(kubectl: Kubectl, namespace: str, servers: int) -> dict[str, Mapping[str, Any]]:
    """The reports of all servers, asked from inside their pods, so that no policy has to let anybody in.

    Raises:
        CommandError: A server does not answer, or the user may not run commands in pods.
    """
    names = [f"{NATS}-{index}" for index in range(servers)]
    return {name: json.loads(in_pod(kubectl, namespace, name, "wget", "-qO-", _QUESTION)) for name in names}


def have_read_users(kubectl: Kubectl, namespace: str, servers: int) -> bool:
    """True if every server has loaded its configuration after its mounted users changed; False where that is unknown.

    The kubelet changes the files by one link, and the server looks at them each five seconds, later on a busy machine.
    """
    for name in (f"{NATS}-{index}" for index in range(servers)):
        try:
            changed = in_pod(kubectl, namespace, name, "stat", "-c", "%Y", _MOUNTED)
            report = json.loads(in_pod(kubectl, namespace, name, "wget", "-qO-", _SERVER))
            if datetime.fromisoformat(report["config_load_time"]).timestamp() < int(changed):
                return False
        except (CommandError, KeyError, ValueError):
            return False
    return True


def in_pod(kubectl: Kubectl, namespace: str, pod: str, *command: str) -> str:
    """Output of a command in the pod of a server.

    Raises:
        CommandError: It failed.
    """
    return kubectl.text("exec", pod, "--namespace", namespace, "--container", NATS, "--", *command)


def _leads(server: str, detail: Mapping[str, Any]) -> bool:
    """True if a server leads a stream or a consumer: all of a single server, which names no leader."""
    return bool((detail.get("cluster") or {}).get("leader", server) == server)
