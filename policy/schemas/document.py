"""Generator of `kinds.json`: the schemas of the kinds that the program registers, in one small document.

Run by `make schemas`. The sources are pinned: Kubernetes' schemas by tools/python/scanners, those of custom resources
by cluster/addons/manifest.json. All of them are published under the Apache License 2.0.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policy.scan.schemas import custom_resources, definitions_of, strict

FILE = Path(__file__).with_name("kinds.json")

KINDS = (
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "barmancloud.cnpg.io/v1/ObjectStore",
    "batch/v1/CronJob",
    "batch/v1/Job",
    "flagger.app/v1beta1/Canary",
    "flagger.app/v1beta1/MetricTemplate",
    "gateway.networking.k8s.io/v1/Gateway",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "monitoring.coreos.com/v1/Alertmanager",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/Probe",
    "monitoring.coreos.com/v1/Prometheus",
    "monitoring.coreos.com/v1/PrometheusRule",
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1alpha1/ScrapeConfig",
    "networking.k8s.io/v1/Ingress",
    "networking.k8s.io/v1/NetworkPolicy",
    "policy/v1/PodDisruptionBudget",
    "postgresql.cnpg.io/v1/Cluster",
    "postgresql.cnpg.io/v1/Database",
    "postgresql.cnpg.io/v1/ScheduledBackup",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "security.istio.io/v1/AuthorizationPolicy",
    "security.istio.io/v1/PeerAuthentication",
    "v1/ConfigMap",
    "v1/LimitRange",
    "v1/Namespace",
    "v1/PersistentVolumeClaim",
    "v1/ResourceQuota",
    "v1/Secret",
    "v1/Service",
    "v1/ServiceAccount",
)
"""API version and kind of everything that the program may register, except NO_SCHEMA."""

NO_SCHEMA = {
    "traefik.io/v1alpha1/Middleware": "Traefik's CRDs are not pinned: its controller installs them",
    "autoscaling.k8s.io/v1/VerticalPodAutoscaler": "its CRDs are not pinned: they come with the recommender",
}
"""Kinds that are not validated, each with the reason."""

_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_KEPT = frozenset(
    {
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "not",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
    }
)
_SHORTEST_SHARED = 120  # characters; below that a reference saves nothing


def document(minor: str, packages: Path) -> dict[str, Any]:
    """Build the document for a version of Kubernetes.

    Args:
        minor: Kubernetes version, such as `1.35`.
        packages: Folder of the installed Python packages of tools/python/scanners.

    Raises:
        tools.ToolsUnavailableError: The files of an addon cannot be fetched.
        KeyError: Neither Kubernetes nor an addon defines a kind.
    """
    published = definitions_of(packages, minor)
    custom = {"/".join(key): schema for key, schema in custom_resources().items()}
    names = {kind: name for name, schema in published.items() for kind in _kinds_of(schema)}
    roots = {kind: _custom(custom[kind]) if kind in custom else {"$ref": _local(names[kind])} for kind in KINDS}
    shared, roots = _share(roots)
    definitions: dict[str, Any] = dict(shared)
    waiting = [name for tree in (roots, shared) for name in _references(tree)]
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = _published(published[name])
            waiting.extend(_references(definitions[name]))
    return {"kubernetes": minor, "kinds": roots, "definitions": definitions}


def as_text(content: Mapping[str, Any]) -> str:
    """One line for each kind and each definition, sorted, so that a change can be read."""
    lines = [f'{{\n"kubernetes": {json.dumps(content["kubernetes"])}']
    for part in ("kinds", "definitions"):
        entries = (f"{json.dumps(name)}: {_compact(schema)}" for name, schema in sorted(content[part].items()))
        lines.append(f'"{part}": {{\n' + ",\n".join(entries) + "\n}")
    return ",\n".join(lines) + "\n}\n"


def _kinds_of(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("x-kubernetes-group-version-kind") or ()
    return ["/".join(filter(None, (each["group"], each["version"], each["kind"]))) for each in found]


def _custom(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of a custom resource, whose metadata the API server checks as that of every other kind."""
    lean = _without_status(_lean(strict(schema)))
    lean["properties"]["metadata"] = {"$ref": _local(_METADATA)}
    return lean


def _published(schema: Mapping[str, Any]) -> dict[str, Any]:
    return _without_status(_lean(schema)) if _kinds_of(schema) else dict(_lean(schema))


def _without_status(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what a controller writes; the program never does."""
    schema["properties"].pop("status", None)
    return schema


def _lean(schema: Any) -> Any:
    """The same schema without texts, defaults and what only the API server evaluates."""
    if isinstance(schema, list):
        return [_lean(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    lean: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            lean[key] = {name: _lean(each) for name, each in value.items()}
        elif key == "$ref":
            lean[key] = _local(value.rpartition("/")[2])
        elif key in _KEPT:
            lean[key] = _lean(value)
    return lean


def _share(roots: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Move every schema that occurs more than once to the definitions, named by its digest."""
    counted: Counter[str] = Counter()
    for schema in roots.values():
        _count(schema, counted)
    shared: dict[str, Any] = {}
    return shared, {kind: _replace(schema, counted, shared, is_root=True) for kind, schema in roots.items()}


def _count(schema: Any, counted: Counter[str]) -> None:
    for part in _parts(schema):
        text = _compact(part)
        counted[text] += 1
        if counted[text] == 1:
            _count(part, counted)


def _replace(schema: Any, counted: Counter[str], shared: dict[str, Any], *, is_root: bool = False) -> Any:
    if not isinstance(schema, dict):
        return schema
    text = _compact(schema)
    name = hashlib.sha256(text.encode()).hexdigest()[:8]
    is_shared = not is_root and counted[text] > 1 and len(text) > _SHORTEST_SHARED
    if is_shared and name in shared:
        return {"$ref": _local(name)}
    copy = dict(schema)
    if "properties" in copy:
        copy["properties"] = {key: _replace(each, counted, shared) for key, each in copy["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in copy:
            copy[key] = _replace(copy[key], counted, shared)
    if is_shared:
        shared[name] = copy
        return {"$ref": _local(name)}
    return copy


def _parts(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        return []
    nested = [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return [*schema.get("properties", {}).values(), *nested]


def _references(tree: Any) -> list[str]:
    if isinstance(tree, list):
        return [name for each in tree for name in _references(each)]
    if not isinstance(tree, dict):
        return []
    own = [tree["$ref"].rpartition("/")[2]] if isinstance(tree.get("$ref"), str) else []
    return own + [name for each in tree.values() for name in _references(each)]


def _local(name: str) -> str:
    return f"#/definitions/{name}"


def _compact(schema: Any) -> str:
    return json.dumps(schema, separators=(",", ":"), sort_keys=True)
