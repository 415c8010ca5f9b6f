"""What a person sees at the end: a table of what runs and how to look further."""

from collections.abc import Sequence
from pathlib import Path

from altlas.status.rollout import WorkloadStatus
from components.settings import PlatformSettings

_HEADINGS = ("NAME", "KIND", "READY", "IMAGE", "NODES")
_SIMULATED = "-: servers that an operator makes; operators are simulated here, so these are not proven here"


def workloads_text(stack: str, platform: PlatformSettings, statuses: Sequence[WorkloadStatus], kubeconfig: Path) -> str:
    """What runs, how many of its pods are ready, where, and the lines to look at them."""
    rows = [_HEADINGS, *map(_row, statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    kubectl = f"kubectl --kubeconfig {kubeconfig} --namespace {platform.namespace} get deployments,statefulsets,pods"
    return "\n".join(
        [
            "",
            f"{stack} in namespace {platform.namespace}",
            *table,
            *([] if all(each.operated for each in statuses) else [_SIMULATED]),
            "",
            f"look:  {kubectl}",
            'work:  eval "$(.venv/bin/altlas env)", then plain pulumi and kubectl',
        ]
    )


def _row(status: WorkloadStatus) -> tuple[str, ...]:
    ready = str(status.ready) if status.operated else "-"
    return status.name, status.kind, f"{ready}/{status.wanted}", status.image, ", ".join(status.nodes)
