"""Steps of an update as Pulumi's engine plans them: its printed preview, without what changes from run to run.

Owns the reading of `pulumi preview --json`. Does not own the types of steps (`steps`). The preview shows secrets as
`[secret]` only; generated names are replaced, because each preview generates others.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.release.changes import object_name, object_steps
from altlas.release.steps import DeleteObject, FieldChange, ObjectStep, ReplaceObject, Undo, UpdateObject
from altlas.release.undo import holds_data
from components.settings import FieldClass
from components.settings.base import FIELD_CLASSES
from rendering.recorder import Registration

_SECRET = "[secret]"  # noqa: S105  # how the preview shows any secret
_CHANGED_SECRET = "[secret, another value]"  # noqa: S105
_AUTONAMED = "pulumi.com/autonamed"
_CAPACITY_KINDS = frozenset({"HorizontalPodAutoscaler", "PodDisruptionBudget", "LimitRange", "ResourceQuota"})
_SECURITY_KINDS = frozenset(
    {
        "AuthorizationPolicy",
        "ClusterRole",
        "ClusterRoleBinding",
        "Namespace",
        "NetworkPolicy",
        "PeerAuthentication",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
_CAPACITY_PATHS = ("spec.replicas", "spec.instances", ".resources.")


@dataclass(frozen=True)
class EnginePlan:
    """The engine's plan of an update.

    Attributes:
        operations: Every operation but `same`, as `operation URN`, sorted.
        steps: Steps of the objects among them.
        classes: Kinds of decisions that the steps are, in the order of FIELD_CLASSES.
    """

    operations: tuple[str, ...]
    steps: tuple[ObjectStep, ...]
    classes: tuple[FieldClass, ...]


def engine_plan(preview: Mapping[str, Any]) -> EnginePlan:
    """Read what `Engine.preview` returned."""
    planned = [each for each in preview.get("steps") or () if each["op"] not in ("same", "read", "refresh")]
    planned = sorted(_stable(planned), key=lambda each: (each["urn"], each["op"]))
    found = [(step, kind) for each in planned for step, kind in _object_step(each)]
    classes = {kind for _, kind in found}
    return EnginePlan(
        tuple(f"{each['op']} {each['urn']}" for each in planned),
        tuple(step for step, _ in found),
        tuple(each for each in FIELD_CLASSES if each in classes),
    )


def is_policy(step: ObjectStep) -> bool:
    """Tell whether a step changes who may do or reach what."""
    return step.object.kind in _SECURITY_KINDS


def _stable(planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The planned operations with the same generated names in each preview."""
    text = json.dumps(planned)
    for each in planned:
        metadata = _inputs(each, "newState").get("metadata") or {}
        if (metadata.get("annotations") or {}).get(_AUTONAMED) and metadata.get("name"):
            former = (_inputs(each, "oldState").get("metadata") or {}).get("name")
            if metadata["name"] != former:
                text = text.replace(metadata["name"], f"{each['urn'].rpartition('::')[2]}-(generated)")
    stable: list[dict[str, Any]] = json.loads(text)
    return stable


def _inputs(planned: Mapping[str, Any], state: str) -> dict[str, Any]:
    return dict((planned.get(state) or {}).get("inputs") or {})


def _object_step(planned: Mapping[str, Any]) -> Iterator[tuple[ObjectStep, FieldClass]]:
    """The step of an operation on an object, and its class; nothing for what is no object."""
    kind = str((planned.get("newState") or planned.get("oldState") or {}).get("type", ""))
    old, new = _inputs(planned, "oldState"), _inputs(planned, "newState")
    if not kind.startswith("kubernetes:") or "kind" not in (new or old):
        return
    operation, logical = planned["op"], planned["urn"].rpartition("::")[2]
    paths = planned.get("detailedDiff") or {}
    new = _marked(new, paths)
    if operation.startswith("delete"):
        new = {}
    before = [Registration(kind, logical, old)] if old else []
    after = [Registration(kind, logical, new)] if new else []
    steps = object_steps(before, after, lambda manifest: manifest)
    name = object_name((after or before)[0])
    fields = tuple(FieldChange(path=path, before=None, after=None) for path in sorted(paths))
    step = steps[0] if steps else UpdateObject(object=name, fields=fields)
    if "replace" in operation and isinstance(step, UpdateObject):
        undo: Undo = "restore" if holds_data(old) else "replaces"
        step = ReplaceObject(object=name, fields=step.fields, undo=undo, why="the engine replaces it")
    if not isinstance(step, DeleteObject) and operation.startswith("delete"):
        step = DeleteObject(object=name, manifest=old, undo="restore" if holds_data(old) else "reversible")
    yield step, _class(step, old)


def _marked(new: Mapping[str, Any], paths: Mapping[str, Any]) -> dict[str, Any]:
    """The new inputs, in which a secret that the engine calls changed does not look like the old one."""
    changed = {path.partition(".")[0].partition("[")[0] for path in paths}
    return {key: _CHANGED_SECRET if value == _SECRET and key in changed else value for key, value in new.items()}


def _class(step: ObjectStep, old: Mapping[str, Any]) -> FieldClass:
    if old and holds_data(old):
        return "data"
    if is_policy(step):
        return "security"
    paths = [each.path for each in getattr(step, "fields", ())]
    capacity = bool(paths) and all(any(part in path for part in _CAPACITY_PATHS) for path in paths)
    return "capacity" if step.object.kind in _CAPACITY_KINDS or capacity else "feature"
