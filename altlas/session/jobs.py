"""End of a Job of the cluster, and what its pod has printed."""

from collections.abc import Mapping
from typing import Any

from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError


def has_succeeded(job: Mapping[str, Any]) -> bool | None:
    """True if a Job has succeeded; None while it runs."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
            return bool(condition["type"] == "Complete")
    return None


def log_of(kubectl: Kubectl, namespace: str, name: str, lines: int = -1) -> str:
    """Last lines of the log of a Job that has ended, or all of them; empty where its pod is gone."""
    try:
        return kubectl.text("logs", f"job/{name}", "--namespace", namespace, f"--tail={lines}").strip()
    except CommandError:
        # The Job has ended either way.
        return ""
