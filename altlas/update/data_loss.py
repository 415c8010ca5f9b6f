"""Data losses of an update: the deployed objects compared with the program's, before anything is written.

Pure functions over Pulumi's state and the program's objects. `protect` on the same objects stops plain `pulumi`; this
names the cause earlier, and finds changes that Kubernetes or an operator would refuse in the middle of an update.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.session.exported_state import kubernetes_resources
from components.settings.postgres import major_version, volume_mebibytes

STATEFUL_KINDS = frozenset({"Cluster", "Database", "ObjectStore", "PersistentVolumeClaim", "StatefulSet"})
"""Kinds that hold or manage data. Other objects with data are recognised by their protection."""

METRICS_KINDS = frozenset({"Prometheus", "Alertmanager"})
"""Kinds whose volumes outlive the object, because the operator creates them."""

_IMMUTABLE = {
    "StatefulSet": ("serviceName", "volumeClaimTemplates", "selector", "podManagementPolicy"),
    "PersistentVolumeClaim": ("storageClassName", "accessModes", "volumeName", "volumeMode", "selector"),
    "Cluster": ("storage.storageClass", "bootstrap"),
    "Database": ("name", "cluster"),
}
_OPERATED_SIZE = "storage.volumeClaimTemplate.spec.resources.requests.storage"
_SIZES = {
    "PersistentVolumeClaim": "resources.requests.storage",
    "Cluster": "storage.size",
    **dict.fromkeys(METRICS_KINDS, _OPERATED_SIZE),
}
_TEMPLATES = "volumeClaimTemplates"
_TEMPLATE_SIZE = "spec.resources.requests.storage"
_LOSING = ("delete", "replace", "create-replacement", "discard")
"""Prefixes of the operations of a plan that delete an object."""

_NEW_OBJECT = (
    "it cannot be changed in place: create a second one under another name, restore a backup into it, let the "
    "services use it, then name the old one in tombstones"
)


@dataclass(frozen=True)
class Deployed:
    """An object with data, as the last update left it.

    Attributes:
        type: Pulumi's type token.
        logical_name: Pulumi's name.
        manifest: The object as it was sent; values of Secrets are encrypted.
        protected: Whether Pulumi refuses to delete it.
    """

    type: str
    logical_name: str
    manifest: Mapping[str, Any]
    protected: bool

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self.type.rpartition(":")[2]

    @property
    def name(self) -> str:
        """Name in the cluster, as a tombstone gives it."""
        return str(self.manifest.get("metadata", {}).get("name", self.logical_name))

    @property
    def title(self) -> str:
        """Kind and name, for people."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Danger:
    """One way in which an update would lose data, or get stuck on the way.

    Attributes:
        title: Kind and name of the object.
        path: Field of the object, empty where it is the whole.
        problem: Consequence, and the alternative.
    """

    title: str
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.title}{': ' + self.path if self.path else ''}: {self.problem}"


def deployed_data(state: Mapping[str, Any]) -> dict[str, Deployed]:
    """Objects with data in what `pulumi stack export` prints, by URN."""
    found = _deployed_objects(state)
    return {urn: each for urn, each in found.items() if each.protected or each.kind in STATEFUL_KINDS}


def deployed_measuring(state: Mapping[str, Any]) -> tuple[Deployed, ...]:
    """Objects whose volumes hold measurements, in what `pulumi stack export` prints."""
    return tuple(each for each in _deployed_objects(state).values() if each.kind in METRICS_KINDS)


def _deployed_objects(state: Mapping[str, Any]) -> dict[str, Deployed]:
    return {
        each["urn"]: Deployed(
            each["type"], each["urn"].rpartition("::")[2], each.get("inputs", {}), bool(each.get("protect"))
        )
        for each in kubernetes_resources(state)
    }


def dangers(
    deployed: Iterable[Deployed],
    program: Mapping[tuple[str, str], Mapping[str, Any]],
    tombstones: Iterable[str],
) -> tuple[Danger, ...]:
    """Data losses of an update from `deployed` to `program`.

    Args:
        deployed: Objects with data as they are.
        program: All objects of the program by type and logical name.
        tombstones: Names of objects whose data the stack gives up.
    """
    given_up = set(tombstones)
    found: list[Danger] = []
    for old in deployed:
        new = program.get((old.type, old.logical_name))
        if new is None:
            found += _removal(old, given_up) if old.kind not in METRICS_KINDS else ()
        elif old.name not in given_up:
            found += _changes(old, new)
    return tuple(found)


def planned_losses(
    plan: Mapping[str, Any], deployed: Mapping[str, Deployed], tombstones: Iterable[str]
) -> tuple[Danger, ...]:
    """Deletions and replacements of objects with data in what `pulumi preview --json` prints.

    The engine leaves out steps after the first that it refuses, so its refusals count as well.

    Args:
        plan: The printed plan.
        deployed: Objects with data as they are, by URN.
        tombstones: Names of objects whose data the stack gives up.
    """
    given_up = set(tombstones)
    losses: dict[str, str] = {}
    for step in plan.get("steps") or ():
        if step["op"].startswith(_LOSING):
            losses.setdefault(step["urn"], f"the plan would {step['op']} it")
    for each in plan_errors(plan):
        if "protect" in str(each["message"]):
            losses.setdefault(each.get("urn", ""), "the plan would replace or delete it")
    return tuple(
        Danger(deployed[urn].title, "", f"{problem}; {_how_to_give_up(deployed[urn].name)}")
        for urn, problem in losses.items()
        if urn in deployed and deployed[urn].name not in given_up
    )


def plan_errors(plan: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Errors that kept the engine from finishing a plan."""
    return tuple(each for each in plan.get("diagnostics") or () if each.get("severity") == "error")


def without_protection(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with every object released, so that a destroy takes the data with it."""
    deployment = dict(state["deployment"])
    resources = deployment.get("resources") or []
    deployment["resources"] = [each | {"protect": False, "retainOnDelete": False} for each in resources]
    return {**state, "deployment": deployment}


def _how_to_give_up(name: str) -> str:
    return (
        f"to give up its data, add {name} to alt-las:platform.tombstones, deploy that, and only then remove it; "
        "to keep it, leave it in the program"
    )


def _removal(old: Deployed, given_up: set[str]) -> Iterator[Danger]:
    if old.name not in given_up:
        yield Danger(old.title, "", f"the program no longer has it, and it holds data; {_how_to_give_up(old.name)}")
    elif old.protected:
        message = "its tombstone is not deployed yet; put it back, deploy with the tombstone, and only then remove it"
        yield Danger(old.title, "", message)


def _changes(old: Deployed, new: Mapping[str, Any]) -> Iterator[Danger]:
    yield from _identity(old, new)
    before, after = old.manifest.get("spec", {}), new.get("spec", {})
    for path in _IMMUTABLE.get(old.kind, ()):
        if _read(before, path) != _read(after, path):
            yield from _templates(old, new) if path == _TEMPLATES else (_immutable(old, path),)
    if size := _SIZES.get(old.kind):
        yield from _shrinking(old, f"spec.{size}", _read(before, size), _read(after, size))
    if old.kind == "Cluster":
        yield from _version(old, str(before.get("imageName", "")), str(after.get("imageName", "")))
        yield from _image_with_parameters(old, before, after)


def _immutable(old: Deployed, path: str) -> Danger:
    return Danger(old.title, f"spec.{path}", f"is immutable; {_NEW_OBJECT}")


def _templates(old: Deployed, new: Mapping[str, Any]) -> Iterator[Danger]:
    """Changed templates of volumes: growing by hand is possible, shrinking is not, and the rest needs a new object."""
    path = f"spec.{_TEMPLATES}"
    before, after = (_template_sizes(manifest) for manifest in (old.manifest, new))
    if not before or not after or _without_sizes(old.manifest) != _without_sizes(new):
        yield _immutable(old, _TEMPLATES)
        return
    for name, size in before.items():
        if volume_mebibytes(after[name]) > volume_mebibytes(size):
            change = f"{name} grows from {size} to {after[name]}, which the API server takes for the volumes only"
            yield Danger(old.title, path, f"{change}; grow them first, as docs/operating.md#growing-a-volume")
        yield from _shrinking(old, path, size, after[name])


def _template_sizes(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(_read(each, "metadata.name")): str(_read(each, _TEMPLATE_SIZE))
        for each in _read(manifest, f"spec.{_TEMPLATES}") or ()
    }


def _without_sizes(manifest: Mapping[str, Any]) -> Any:
    templates = copy.deepcopy(_read(manifest, f"spec.{_TEMPLATES}"))
    for each in templates:
        each["spec"]["resources"]["requests"].pop("storage")
    return templates


def _identity(old: Deployed, new: Mapping[str, Any]) -> Iterator[Danger]:
    before, after = old.manifest.get("metadata", {}), new.get("metadata", {})
    for key in ("name", "namespace"):
        if before.get(key) != after.get(key):
            change = f"changes from {before.get(key)} to {after.get(key)}, which replaces the object; {_NEW_OBJECT}"
            yield Danger(old.title, f"metadata.{key}", change)


def _shrinking(old: Deployed, path: str, before: Any, after: Any) -> Iterator[Danger]:
    if before and after and volume_mebibytes(str(after)) < volume_mebibytes(str(before)):
        yield Danger(
            old.title,
            path,
            f"shrinks from {before} to {after}, and no volume can shrink; keep at least {before}, or restore a backup "
            "into a new, smaller one",
        )


def _version(old: Deployed, before: str, after: str) -> Iterator[Danger]:
    first, last = _image_major(before), _image_major(after)
    if last < first:
        problem = f"goes back from version {first} to {last}, which cannot read the files of {first}; restore a dump"
        yield Danger(old.title, "spec.imageName", f"{problem} into a new cluster of version {last}")
    elif last > first + 1:
        problem = f"jumps from version {first} to {last}; go up one version at a time, with a backup before each step"
        yield Danger(old.title, "spec.imageName", problem)


def _image_with_parameters(old: Deployed, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Danger]:
    """The operator's webhook refuses both in one update, which would then end half way through."""
    path = "postgresql.parameters"
    if before.get("imageName") != after.get("imageName") and _read(before, path) != _read(after, path):
        problem = (
            "changes together with the image, which CloudNativePG refuses; change the image first, then update again"
        )
        yield Danger(old.title, f"spec.{path}", problem)


def _image_major(image: str) -> int:
    return major_version(image.partition("@")[0].rpartition(":")[2])


def _read(block: Any, path: str) -> Any:
    for key in path.split("."):
        block = block.get(key) if isinstance(block, Mapping) else None
    return block
