"""Reading of what `Engine.exported_state` returns."""

from collections.abc import Iterator, Mapping
from typing import Any


def is_deployed(state: Mapping[str, Any]) -> bool:
    """True if an update has left or begun anything; a new stack and a removed one have nothing."""
    deployment = state.get("deployment") or {}
    return bool(deployment.get("resources") or deployment.get("pending_operations"))


def kubernetes_resources(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Resources of a state that are Kubernetes objects, without those that are listed for deletion."""
    for each in (state.get("deployment") or {}).get("resources") or ():
        if each["type"].startswith("kubernetes:") and not each.get("delete"):
            yield each
