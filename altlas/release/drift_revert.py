"""Taking drift back: what another writer added is removed, and what the last update sent is applied again.

Applied as the Kubernetes provider does it, under its own name, so that the next update finds no conflict; the provider
itself refuses fields that another writer owns. Fields that are no drift, because Flagger or an autoscaler sets them,
keep their values. Objects that no update made (orphans) are left to people.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from altlas.release.concealing import SECRET
from altlas.release.drift import DriftField, excluded
from altlas.release.live_objects import full_kind
from altlas.release.owned_fields import read, write
from altlas.release.steps import ObjectName
from altlas.session.exported_state import kubernetes_resources
from altlas.session.kubectl import Kubectl
from rendering.recorder import WRAPPED


def revert(kubectl: Kubectl, state: Mapping[str, Any], fields: Iterable[DriftField]) -> list[str]:
    """Take drift back, object by object.

    Args:
        kubectl: The cluster.
        state: What `pulumi stack export --show-secrets` prints.
        fields: The drift.

    Returns:
        Objects that are as the last update left them again.

    Raises:
        CommandError: The cluster refuses; objects before that one are reverted.
    """
    table = excluded([each["inputs"] for each in kubernetes_resources(state)])
    known = {(each["type"], each["urn"].rpartition("::")[2]): each for each in kubernetes_resources(state)}
    by_object: dict[ObjectName, list[DriftField]] = defaultdict(list)
    for field in fields:
        if (field.object.type, field.object.logical) in known:
            by_object[field.object].append(field)
    for name, drifted in by_object.items():
        resource = known[name.type, name.logical]
        if patch := removals(drifted):
            _patch(kubectl, full_kind(resource["inputs"]), name, patch)
        if any(each.kind != "added" for each in drifted):
            manager = resource["outputs"]["__fieldManager"]
            options = ("--server-side", "--force-conflicts", f"--field-manager={manager}", "--filename=-")
            manifest = _with_fields_of_others(kubectl, plain(resource["inputs"]), table.get((name.kind, name.name), {}))
            kubectl.text("apply", *options, stdin=json.dumps(manifest))
    return [name.title for name in by_object]


def _with_fields_of_others(kubectl: Kubectl, manifest: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The manifest with the values that Flagger and autoscalers have set, for exactly the version that has them.

    Left out they would be deleted where nobody but the provider owns them yet.
    """
    paths = [path for path in (tuple(each.split(".")) for each in fields) if read(manifest, path) is not None]
    for live in kubectl.existing([manifest]) if paths else ():
        for path in (*paths, ("metadata", "resourceVersion")):
            write(manifest, path, read(live, path))
    return manifest


def removals(fields: Sequence[DriftField]) -> list[dict[str, Any]]:
    """JSON patch that removes added fields: later entries of a list first, so that no index moves.

    The value is tested first, so that a field that has changed again in between is refused; of one that is hidden, only
    what is shown of it.
    """
    added = [each for each in fields if each.kind == "added" and each.pointer]
    operations: list[dict[str, Any]] = []
    for each in sorted(added, key=lambda each: _order(each.pointer), reverse=True):
        operations += _tests(each.pointer, each.found)
        operations.append({"op": "remove", "path": each.pointer})
    return operations


def _tests(pointer: str, found: Any) -> list[dict[str, Any]]:
    """Tests that a value is the one that was found, as far as that is shown."""
    if SECRET not in json.dumps(found):
        return [{"op": "test", "path": pointer, "value": found}]
    parts = found.items() if isinstance(found, Mapping) else ()
    escaped = ((key.replace("~", "~0").replace("/", "~1"), value) for key, value in parts)
    return [each for key, value in escaped for each in _tests(f"{pointer}/{key}", value)]


def plain(value: Any) -> Any:
    """Inputs of the state without the engine's wrapping of secrets."""
    if isinstance(value, Mapping):
        if WRAPPED in value:
            return plain(json.loads(value["plaintext"]))
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _patch(kubectl: Kubectl, kind: str, name: ObjectName, patch: list[dict[str, Any]]) -> None:
    place = ("--namespace", name.namespace) if name.namespace else ()
    kubectl.text("patch", kind, name.name, *place, "--type=json", f"--patch={json.dumps(patch)}")


def _order(pointer: str) -> tuple[tuple[bool, int, str], ...]:
    """Parts of a pointer; indexes by their number."""
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in pointer.split("/"))
