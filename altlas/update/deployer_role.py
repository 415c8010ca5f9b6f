"""Least RBAC that an update of a stack needs, derived from the objects that the stack registers.

An administrator applies it once, with the namespace. `pulumi destroy` deletes the namespace and the Role in it, so the
administrator applies it again before the stack is deployed again.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from altlas.status.monitoring import SERVICE

Manifest = dict[str, Any]

_CHANGE = ("create", "delete", "get", "list", "patch", "watch")
"""Pulumi writes by server-side apply, a patch; the API server also requires `create` where the object is new."""

_WATCH = ("list", "watch")
_RBAC = "rbac.authorization.k8s.io"
_WATCHED = (
    ("", "events"),
    ("", "persistentvolumeclaims"),
    ("", "pods"),
    ("apps", "replicasets"),
)
"""Kinds that an update and `altlas status` read to follow a rollout, by API group."""


def plural(kind: str) -> str:
    """Name of a kind in the API's paths, as all kinds of the platform form it."""
    lower = kind.lower()
    if re.search(r"[^aeiou]y$", lower):
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith(("s", "x", "ch")) else f"{lower}s"


def deployer_manifests(
    stack: str, namespace: str, objects: Sequence[Mapping[str, Any]], crds: Iterable[str], user: str
) -> list[Manifest]:
    """Namespace, roles and bindings for the deployer of a stack.

    Args:
        stack: Name of the stack.
        namespace: Its namespace.
        objects: Everything that its program registers.
        crds: CustomResourceDefinitions that are checked before an update.
        user: Name of the user, as the API server knows it.
    """
    name = f"alt-las-{stack.lower().replace('_', '-')}-deployer"
    (own,) = (each for each in objects if each["kind"] == "Namespace")
    inside = [each for each in objects if "namespace" in each["metadata"]]
    outside = [each for each in objects if "namespace" not in each["metadata"]]
    everywhere = [*(rule for each in outside for rule in _cluster_rules(each)), *_passed_on(outside)]
    if needed := sorted(crds):
        everywhere.append(_rule("apiextensions.k8s.io", ["customresourcedefinitions"], ("get",), needed))
    metadata = {"name": name, "labels": own["metadata"]["labels"]}
    local = {**metadata, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": dict(own["metadata"])},
        _role("ClusterRole", metadata, everywhere),
        _binding("ClusterRole", metadata, user),
        _role("Role", local, [*_local_rules(inside), *_passed_on(inside)]),
        _binding("Role", local, user),
    ]


def _local_rules(objects: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    groups: dict[str, set[str]] = {}
    for each in objects:
        groups.setdefault(_group(each), set()).add(plural(each["kind"]))
    rules = [_rule(group, sorted(kinds), _CHANGE) for group, kinds in sorted(groups.items())]
    watched = [(group, kind) for group, kind in _WATCHED if kind not in groups.get(group, ())]
    return [*rules, *(_rule(group, [kind], _WATCH) for group, kind in watched), *_querying(groups)]


def _querying(groups: Mapping[str, Collection[str]]) -> list[Manifest]:
    """Access to the stack's own Prometheus, for `altlas status`."""
    asked = "prometheuses" in groups.get("monitoring.coreos.com", ())
    return [_rule("", ["services/proxy"], ("get",), [SERVICE])] if asked else []


def _passed_on(objects: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """Rights that the stack's own roles grant, because the API server prevents privilege escalation.

    And `bind` on these roles by name: in a preview they do not exist yet, so a binding could not be validated.
    """
    own = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    given = [rule for each in own for rule in each["rules"]]
    bound = {
        each["kind"]: [other["metadata"]["name"] for other in own if other["kind"] == each["kind"]] for each in own
    }
    return [*given, *(_rule(_RBAC, [plural(kind)], ("bind",), sorted(names)) for kind, names in bound.items())]


def _cluster_rules(manifest: Mapping[str, Any]) -> tuple[Manifest, Manifest]:
    """Rights to one cluster-scoped object by its name, and to see which objects of its kind there are.

    Pulumi's provider watches a whole kind until the object is gone; without that right a deletion would never end.
    """
    group, kinds = _group(manifest), [plural(manifest["kind"])]
    # The administrator makes the namespace, because the rights in it must be there before.
    made_elsewhere = ("create",) if manifest["kind"] == "Namespace" else ()
    change = [verb for verb in _CHANGE if verb not in (*_WATCH, *made_elsewhere)]
    return _rule(group, kinds, change, [manifest["metadata"]["name"]]), _rule(group, kinds, _WATCH)


def _group(manifest: Mapping[str, Any]) -> str:
    group, slash, _ = str(manifest["apiVersion"]).partition("/")
    return group if slash else ""


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


def _role(kind: str, metadata: Mapping[str, Any], rules: Sequence[Manifest]) -> Manifest:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": dict(metadata), "rules": list(rules)}


def _binding(kind: str, metadata: Mapping[str, Any], user: str) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }
