"""Values of drifted fields: removed ones that are empty, keyed or secret, and keys added within whole blocks."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from altlas.release.drift import drift
from rendering.recorder import WRAPPED
from tests.altlas.release.test_drift import CONTAINER, WEB, live, registered, seen


def _applied(sent: Mapping[str, Any], *paths: str) -> dict[str, Any]:
    """An object as the API server answers, with the update as the owner of the fields at these paths."""
    found = live(sent)
    fields: dict[str, Any] = {}
    for path in paths:
        below = fields
        for part in path.split("/"):
            below = below.setdefault(part, {})
    found["metadata"]["managedFields"][0]["fieldsV1"] = fields
    return found


def test_a_removed_false_counts_where_the_update_owns_it_no_more() -> None:
    """The API server leaves some empty values out by itself; the update then still owns them."""
    sent = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "s"},
        "automountServiceAccountToken": False,
    }
    kept = _applied(sent, "f:automountServiceAccountToken")
    del kept["automountServiceAccountToken"]
    assert seen(sent, kept) == []
    removed = _applied(sent, "f:metadata/f:labels")
    del removed["automountServiceAccountToken"]
    assert seen(sent, removed) == [("removed", "automountServiceAccountToken", False, None, "")]


def test_one_of_two_mounts_of_a_volume_that_is_removed_is_found() -> None:
    """Entries are told apart by the keys that the API server records, not by their names."""
    mounts = [{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/b"}]
    sent = copy.deepcopy(WEB)
    sent["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = mounts
    pod = f"f:spec/f:template/f:spec/f:containers/{CONTAINER}"
    found = _applied(sent, f"{pod}/f:volumeMounts/k:{json.dumps({'mountPath': 'a'})}/f:name")
    found["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = mounts[:1]
    place = "spec.template.spec.containers[web].volumeMounts[/b]"
    assert seen(sent, found) == [("removed", place, mounts[1], None, "")]


def test_removed_content_of_a_secret_is_found_without_its_value() -> None:
    """The cluster has the keys of `stringData` in `data`; content that is encrypted as a whole has no known keys."""
    sent = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "canary-1", "b": "x"}}
    found = live(sent) | {"data": {"b": "eA=="}}
    assert seen(sent, found) == [("removed", "data.a", "[secret]", None, "")]
    whole = sent | {"stringData": {WRAPPED: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:canary"}}
    assert seen(whole, found) == []


def test_a_key_that_is_added_within_a_block_that_is_compared_as_a_whole_is_found() -> None:
    """A default of the API server was there after the update already."""
    sent = {**WEB, "spec": {"template": {"spec": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "x"}]}}}}
    pod: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {}, "f:tolerations": {}}}}}
    applied, found = live(sent), live(sent, ("kubectl-patch", pod))
    for each in (applied, found):
        each["spec"]["template"]["spec"]["tolerations"][0]["effect"] = "the default"
    assert drift(registered(sent), [found], [applied]) == ()
    found["spec"]["template"]["spec"]["nodeSelector"]["c"] = "d"
    (only,) = drift(registered(sent), [found], [applied])
    assert (only.kind, only.path, only.found) == ("changed", "spec.template.spec.nodeSelector", {"a": "b", "c": "d"})
