"""The text of `altlas status` and of the end of `altlas up`: a table of workloads, and how to look further."""

from collections.abc import Sequence
from pathlib import Path

from altlas.session.table import table_text
from altlas.status.rollout import WorkloadStatus
from components.settings import PlatformSettings

_HEADINGS = ("NAME", "KIND", "READY", "IMAGE", "NODES")
_SIMULATED = "-: servers that an operator makes; operators are simulated here, so these are not proven here"


def workloads_text(stack: str, platform: PlatformSettings, statuses: Sequence[WorkloadStatus], kubeconfig: Path) -> str:
    """The workloads with their ready pods, images and nodes, and the commands to look at them."""
    kubectl = f"kubectl --kubeconfig {kubeconfig} --namespace {platform.namespace} get deployments,statefulsets,pods"
    return "\n".join(
        [
            "",
            f"{stack} in namespace {platform.namespace}",
            table_text(_HEADINGS, map(_row, statuses)),
            *([] if all(each.operated for each in statuses) else [_SIMULATED]),
            "",
            f"look:  {kubectl}",
            'work:  eval "$(.venv/bin/altlas env)", then plain pulumi and kubectl',
        ]
    )


def call_text(platform: PlatformSettings, node: str) -> str:
    """The command that asks the gateway for the five services, through Traefik on a node's address.

    Nobody has signed Traefik's certificate there.
    """
    host = platform.ingress.host
    return f"call:  curl --insecure --resolve {host}:443:{node} https://{host}/api/v1/status"


def _row(status: WorkloadStatus) -> tuple[str, ...]:
    ready = str(status.ready) if status.operated else "-"
    return status.name, status.kind, f"{ready}/{status.wanted}", status.image, ", ".join(status.nodes)
