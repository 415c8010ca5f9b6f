"""What a person sees at the end: a table of the services and how to look further."""

from collections.abc import Iterable
from pathlib import Path

from components.settings import PlatformSettings
from release.rollout import ServiceStatus

_HEADINGS = ("SERVICE", "READY", "IMAGE", "NODES")


def services_text(stack: str, platform: PlatformSettings, statuses: Iterable[ServiceStatus], kubeconfig: Path) -> str:
    """Which services run, how many of their pods are ready, where, and the lines to look at them."""
    rows = [_HEADINGS, *((s.name, f"{s.ready}/{s.wanted}", s.image, ", ".join(s.nodes)) for s in statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    kubectl = f"kubectl --kubeconfig {kubeconfig} --namespace {platform.namespace} get deployments,pods"
    return "\n".join(
        [
            "",
            f"{stack} in namespace {platform.namespace}",
            *table,
            "",
            f"look:  {kubectl}",
            'work:  eval "$(.venv/bin/altlas env)", then plain pulumi and kubectl',
        ]
    )
