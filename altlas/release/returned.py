"""Comparison of a cluster before a change and after its inverse: what did not come back, and why.

Pure functions over objects as the API server has them. Does not own the change itself (`rehearsal`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from altlas.release.changes import field_changes
from altlas.release.drift import excluded, is_excluded
from altlas.release.fingerprints import RENDERED_KEY, concealed
from altlas.release.steps import Step, steps_of_objects
from altlas.release.undo import holds_data

Object = Mapping[str, Any]
_Place = tuple[str, str, str]
_CLUSTERS_OWN = ("metadata.creationTimestamp", "metadata.managedFields")
_OF_THIS_RUN = "controller-uid"
"""Part of the labels by which a Job finds its pods; they hold the UID of the Job."""

_AUTONAMED = "pulumi.com/autonamed"
_GENERATED = re.compile(r"-[0-9a-f]{8}$")
_VOLUME = "Kubernetes keeps the volumes of servers that end, with their data"
_RECREATED = "it was deleted and created, so data in it is gone"


@dataclass(frozen=True)
class Remainder:
    """One thing that is not as it was.

    Attributes:
        object: Kind and name.
        kind: `missing`, `left behind`, `changed` in a field, or `recreated` where the object holds data.
        field: The field; empty for a whole object.
        why: Reason that is known before the change is made; empty for a surprise.
    """

    object: str
    kind: Literal["missing", "left behind", "changed", "recreated"]
    field: str
    why: str


def remainders(before: Sequence[Object], after: Sequence[Object], steps: Iterable[Step]) -> tuple[Remainder, ...]:
    """Remainders of a change and its inverse.

    Status, and fields that the cluster, autoscalers or operators own, do not count; nor do objects that another
    object owns, such as pods. An object that was deleted and created with the same content has come back, unless it
    holds data.

    Args:
        before: Objects before the change.
        after: Objects after its inverse.
        steps: Steps of the change, which know what it takes to undo them.
    """
    before, after = _with_stable_names(before), _with_stable_names(after)
    old, new = _by_place(before), _by_place(after)
    table = excluded(before)
    reasons = {step.object.title: step.why for step in steps_of_objects(steps) if step.undo != "reversible"}
    found: list[Remainder] = []
    for place in sorted(old.keys() | new.keys()):
        title = f"{place[0]} {place[2]}"
        why = reasons.get(title, "")
        if place not in new:
            found.append(Remainder(title, "missing", "", why))
        elif place not in old:
            found.append(Remainder(title, "left behind", "", why or (_VOLUME if _is_volume(place) else "")))
        else:
            found += _differences(title, old[place], new[place], table.get((place[0], place[2]), {}), why)
    return tuple(found)


def _differences(title: str, before: Object, after: Object, table: Mapping[str, str], why: str) -> Iterator[Remainder]:
    is_recreated = before["metadata"]["uid"] != after["metadata"]["uid"]
    if is_recreated and holds_data(before):
        yield Remainder(title, "recreated", "", why or _RECREATED)
    old, new = (concealed(each, RENDERED_KEY) for each in (before, after))
    for change in field_changes(old, new):
        owned = change.path in _CLUSTERS_OWN or is_excluded(change.path, table)
        if not owned and not (is_recreated and _OF_THIS_RUN in change.path):
            yield Remainder(title, "changed", change.path, why)


def _with_stable_names(objects: Sequence[Object]) -> list[Object]:
    """The objects; a name that Pulumi generated, which no two updates share, is `(generated)` wherever it stands."""
    return with_other_names(objects, stable_names(objects))


def stable_names(objects: Iterable[Object]) -> dict[str, str]:
    """Stable names of the objects whose names Pulumi generated, by name; those that two would share are left out."""
    names = [each["metadata"]["name"] for each in objects if _is_autonamed(each)]
    stable = {name: _GENERATED.sub("-(generated)", name) for name in names}
    shared = Counter(stable.values())
    return {name: stable[name] for name in names if shared[stable[name]] == 1}


def with_other_names(objects: Sequence[Object], names: Mapping[str, str]) -> list[Object]:
    """The objects with other names, wherever they stand.

    Args:
        objects: Objects.
        names: New names by old ones.
    """
    text = json.dumps(objects)
    for name, other in names.items():
        text = text.replace(name, other)
    renamed: list[Object] = json.loads(text)
    return renamed


def _is_autonamed(manifest: Object) -> bool:
    return (manifest["metadata"].get("annotations") or {}).get(_AUTONAMED) == "true"


def _by_place(objects: Iterable[Object]) -> dict[_Place, Object]:
    return {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in objects
        if not each["metadata"].get("ownerReferences")
    }


def _is_volume(place: _Place) -> bool:
    return place[0] == "PersistentVolumeClaim"
