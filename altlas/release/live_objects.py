"""Objects of a stack as the cluster has them, with their managed fields, and as the last update sent them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from altlas.session.exported_state import kubernetes_resources
from altlas.session.kubectl import Kubectl
from rendering.recorder import Registration


def deployed_objects(state: Mapping[str, Any]) -> list[Registration]:
    """Objects in what `pulumi stack export` prints, as the last update sent them; secrets are encrypted."""
    return [
        Registration(each["type"], each["urn"].rpartition("::")[2], each.get("inputs") or {})
        for each in kubernetes_resources(state)
    ]


def applied_objects(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Objects in the same document, as the cluster answered the last update."""
    answers = [each.get("outputs") or {} for each in kubernetes_resources(state)]
    return [each for each in answers if each.get("kind") and (each.get("metadata") or {}).get("name")]


def live_objects(kubectl: Kubectl, deployed: Iterable[Registration], namespace: str) -> list[dict[str, Any]]:
    """All objects of the deployed kinds in a namespace, and the deployed ones outside of it.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    cluster_scoped: dict[str, list[str]] = defaultdict(list)
    kinds = set()
    for each in deployed:
        kind = full_kind(each.inputs)
        if each.inputs["metadata"].get("namespace"):
            kinds.add(kind)
        else:
            cluster_scoped[kind].append(each.inputs["metadata"]["name"])
    found = kubectl.items(",".join(sorted(kinds)), namespace, _WITH_OWNERS) if kinds else []
    for kind, names in cluster_scoped.items():
        found += kubectl.named(kind, *names, _WITH_OWNERS)
    return found


_WITH_OWNERS = "--show-managed-fields"


def full_kind(manifest: Mapping[str, Any]) -> str:
    """Kind as kubectl takes it, with version and group, because kinds of two groups may have one name."""
    group, _, version = str(manifest["apiVersion"]).rpartition("/")
    return f"{manifest['kind']}.{version}.{group}" if group else str(manifest["kind"])
