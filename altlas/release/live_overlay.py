"""Changes that make a scratch on which FROM was deployed as a real cluster is.

These are fields of other writers, under their names, so that the same conflicts appear; objects that no update made;
what was deleted; replicas that autoscalers set, and sizes of volumes. Values of Secrets stay those of the scratch, and
so do fields that belong to one cluster. Does not own the reading of the real one (`live_start`).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from altlas.release.changes import object_name
from altlas.release.drift import DriftField, drift_with_paths, excluded, is_excluded
from altlas.release.live_objects import full_kind
from altlas.release.live_start import LiveCluster, LiveStart, Place, Taken, place_of
from altlas.release.owned_fields import Path, owners, read, shown, write
from altlas.release.returned import Object, stable_names, with_other_names
from altlas.session.kubectl import Kubectl
from components.kubernetes.quantities import mebibytes
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration

_CONTENT = ("data", "stringData")
_PLACEHOLDER = "cmVoZWFyc2Vk"
"""A value of a Secret, in base64: no secret of the real cluster is read into the scratch."""

_CLUSTERS_OWN = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105  # a type of Secrets
_OF_THIS_CLUSTER: tuple[Path, ...] = (
    ("status",),
    *(("metadata", name) for name in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")),
    ("metadata", "finalizers"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ("spec", "clusterIP"),
    ("spec", "clusterIPs"),
    ("spec", "volumeName"),
    ("spec", "storageClassName"),
)
"""Fields that one cluster gives to an object, and another cannot take."""

_REPLICAS: Path = ("spec", "replicas")
_SIZE: Path = ("spec", "resources", "requests", "storage")
_SHOWN = 5


def take_over(
    live: LiveCluster, kubectl: Kubectl, deployed: Sequence[Registration], here: Sequence[Object]
) -> LiveStart:
    """Let a scratch on which FROM was deployed be as the real cluster is.

    Args:
        live: The real cluster.
        kubectl: The scratch.
        deployed: Objects as they were sent to the scratch.
        here: Objects of the scratch.

    Raises:
        CommandError: FROM is not what was deployed on the real cluster.
    """
    names = _generated_names(live.objects, here)
    sent = [
        Registration(each.type, each.name, inputs)
        for each, inputs in zip(
            live.deployed, with_other_names([each.inputs for each in live.deployed], names), strict=True
        )
    ]
    _check_same(sent, deployed)
    objects = with_other_names(live.objects, names)
    scratch = _Scratch(kubectl, {place_of(each): each for each in here})
    taken = [*scratch.take_drift(sent, objects), *scratch.take_others(sent, objects)]
    return LiveStart(len(objects), tuple(taken))


@dataclass(frozen=True)
class _Scratch:
    kubectl: Kubectl
    objects: Mapping[Place, Object]

    def take_drift(self, sent: Sequence[Registration], live: Sequence[Object]) -> Iterator[Taken]:
        """Take what others deleted, and the fields that they wrote, object by object and writer by writer."""
        there = {place_of(each): each for each in live}
        found = drift_with_paths(sent, live)
        for place in (_place_of(field) for field, _ in found if field.kind == "deleted"):
            yield self._taken(place, "deleted", "", ("delete", *_named(self.objects[place]), "--ignore-not-found"))
        for place, by_writer in self._written(sent, there, found).items():
            current = deepcopy(self.objects[place])
            for writer, paths in by_writer.items():
                for path in paths:
                    write(current, path, _value(there[place], path))
                what = f"changed {', '.join(map(shown, paths))}"
                yield self._taken(place, what, writer, ("replace",), current)

    def _written(
        self,
        sent: Sequence[Registration],
        there: Mapping[Place, Object],
        found: Iterable[tuple[DriftField, Path]],
    ) -> Mapping[Place, Mapping[str, list[Path]]]:
        """Fields by object and writer, with the replicas that autoscalers have set, which are no drift."""
        fields: dict[Place, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
        for field, path in found:
            if path and path not in _OF_THIS_CLUSTER:
                fields[_place_of(field)][field.manager].append(path)
        table = excluded([each.inputs for each in sent])
        for place, manifest in there.items():
            is_scaled = shown(_REPLICAS) in table.get((place[0], place[2]), {}) and place in self.objects
            if is_scaled and read(manifest, _REPLICAS) != read(self.objects[place], _REPLICAS):
                fields[place]["autoscaler"].append(_REPLICAS)
        return fields

    def take_others(self, sent: Sequence[Registration], live: Sequence[Object]) -> Iterator[Taken]:
        """Take objects that no update made and that no other object owns, and sizes of volumes."""
        made = {place_of(each.inputs) for each in sent}
        for each in live:
            place = place_of(each)
            if place in made or not _is_of_a_person(each):
                continue
            writer = max(owners(each), key=lambda owner: owner.since, default=None)
            if place not in self.objects:
                yield self._taken(place, "created", writer.manager if writer else "", ("create",), _new(each))
            elif place[0] == "PersistentVolumeClaim" and _is_larger(each, self.objects[place]):
                current = deepcopy(self.objects[place])
                write(current, _SIZE, read(each, _SIZE))
                yield self._taken(place, f"changed {shown(_SIZE)}", "", ("replace",), current)

    def _taken(
        self, place: Place, what: str, writer: str, command: tuple[str, ...], manifest: Object | None = None
    ) -> Taken:
        """Run a command of kubectl, under the writer's name where it writes a manifest."""
        problem, text = "", None
        if manifest is not None:
            text = json.dumps(_without_versions(manifest))
            command = (*command, "--filename=-", f"--field-manager={writer or 'unknown'}")
        try:
            self.kubectl.text(*command, stdin=text)
        except CommandError as error:
            problem = str(error)
        return Taken(f"{place[0]} {place[2]}", what, writer, problem)


def _check_same(sent: Iterable[Registration], deployed: Iterable[Registration]) -> None:
    """Check that the scratch has the objects of the last update of the real cluster."""
    there, here = ({object_name(each).title for each in side} for side in (sent, deployed))
    if there != here:
        sides = ((there - here, "only on the cluster"), (here - there, "only in FROM"))
        said = "; ".join(f"{where}: {_listed(titles)}" for titles, where in sides if titles)
        raise CommandError(
            f"FROM is not what was deployed last on the cluster ({said}). Nothing was changed there. Name the stack "
            "file of what runs there as FROM, or deploy FROM by `altlas up` first",
            ExitCode.REFUSED,
        )


def _listed(titles: Iterable[str]) -> str:
    found = sorted(titles)
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _generated_names(live: Iterable[Object], here: Iterable[Object]) -> dict[str, str]:
    """Names in the scratch of objects whose names Pulumi generated, by their names on the real cluster."""
    ours = {stable: name for name, stable in stable_names(here).items()}
    return {name: ours[stable] for name, stable in stable_names(live).items() if stable in ours}


def _value(live: Object, path: Path) -> Any:
    """Value of the real cluster; a placeholder for one of a Secret."""
    found = read(live, path)
    if live["kind"] == "Secret" and path[0] in _CONTENT and found is not None:
        return _PLACEHOLDER if isinstance(found, str) else dict.fromkeys(found, _PLACEHOLDER)
    return found


def _new(live: Object) -> Object:
    """An object of the real cluster as the scratch can take it."""
    made = deepcopy(live)
    for path in _OF_THIS_CLUSTER:
        if read(made, path) is not None:
            write(made, path, None)
    annotations = made["metadata"].get("annotations") or {}
    for name in [each for each in annotations if is_excluded(shown(("metadata", "annotations", each)), {})]:
        del annotations[name]
    if made["kind"] == "Secret":
        # Other types want a content of their form.
        made = {**made, "type": "Opaque", "data": dict.fromkeys(made.get("data") or {}, _PLACEHOLDER)}
    return made


def _is_of_a_person(live: Object) -> bool:
    metadata = live["metadata"]
    is_clusters = (live["kind"], metadata["name"]) in _CLUSTERS_OWN or live.get("type") == _TOKEN
    return not is_clusters and not metadata.get("ownerReferences") and not metadata.get("deletionTimestamp")


def _is_larger(live: Object, here: Object) -> bool:
    there, ours = (read(each, _SIZE) for each in (live, here))
    return bool(there and ours) and mebibytes(str(there)) > mebibytes(str(ours))


def _without_versions(manifest: Object) -> Object:
    """The object without its version, so that what controllers write in between does not refuse it."""
    dropped = ("resourceVersion", "managedFields")
    return {**manifest, "metadata": {key: each for key, each in manifest["metadata"].items() if key not in dropped}}


def _named(manifest: Object) -> tuple[str, ...]:
    metadata = manifest["metadata"]
    place = ("--namespace", metadata["namespace"]) if metadata.get("namespace") else ()
    return full_kind(manifest), metadata["name"], *place


def _place_of(field: DriftField) -> Place:
    return field.object.kind, field.object.namespace or "", field.object.name
