"""Taking drift back: patches that remove what was added, and what is applied again."""

import json
from pathlib import Path
from typing import Any

from altlas.release.drift import DriftField
from altlas.release.drift_revert import plain, removals, revert
from altlas.release.steps import ObjectName
from altlas.session.kubectl import Kubectl

NAME = ObjectName(type="kubernetes:apps/v1:Deployment", logical="web", name="web", namespace="n")
WRAPPED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '{"a": "secret"}'}
INPUTS = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "stringData": WRAPPED}


def field(kind: Any, pointer: str = "", found: Any = None, name: ObjectName = NAME) -> DriftField:
    """One difference."""
    return DriftField(name, kind, "path", None, found, "kubectl", "", pointer)


class Recorder(Kubectl):
    """Kubectl that records its command lines instead of running them."""

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Record a command line and its input."""
        COMMANDS.append((arguments, stdin))
        return ""


COMMANDS: list[tuple[tuple[str, ...], str | None]] = []


def test_added_fields_are_tested_and_removed_from_the_end_of_a_list() -> None:
    """Number 10 before number 9, so that no index moves."""
    found = [field("added", "/spec/l/9", "a"), field("added", "/spec/l/10", "b"), field("changed", "/x", "c")]
    assert removals(found) == [
        {"op": "test", "path": "/spec/l/10", "value": "b"},
        {"op": "remove", "path": "/spec/l/10"},
        {"op": "test", "path": "/spec/l/9", "value": "a"},
        {"op": "remove", "path": "/spec/l/9"},
    ]
    assert removals([field("deleted")]) == []


def test_a_value_that_is_hidden_is_tested_as_far_as_it_is_shown() -> None:
    """So that an entry of a list that has moved is refused; of a value that is hidden whole, nothing is known."""
    entry = {"name": "A/TOKEN", "value": "[secret]"}
    assert removals([field("added", "/env/1", entry), field("added", "/note", "[secret]")]) == [
        {"op": "remove", "path": "/note"},
        {"op": "test", "path": "/env/1/name", "value": "A/TOKEN"},
        {"op": "remove", "path": "/env/1"},
    ]


def test_secrets_of_the_state_are_unwrapped() -> None:
    """At any depth."""
    assert plain({"x": [WRAPPED, 1], "y": "z"}) == {"x": [{"a": "secret"}, 1], "y": "z"}


def test_each_object_is_patched_and_applied_as_the_provider_does() -> None:
    """Under the provider's name for the object; an orphan is left alone; what was only added is not applied."""
    COMMANDS.clear()
    other = ObjectName(type="kubernetes:core/v1:Namespace", logical="ns", name="ns")
    orphan = ObjectName(type="kubernetes:core/v1:ConfigMap", logical="extra", name="extra", namespace="n")
    state = {
        "deployment": {
            "resources": [
                {
                    "type": each.type,
                    "urn": f"urn:pulumi:a::p::t::{each.logical}",
                    "inputs": inputs,
                    "outputs": {"__fieldManager": "m"},
                }
                for each, inputs in ((NAME, INPUTS), (other, {"apiVersion": "v1", "kind": "Namespace"}))
            ]
        }
    }
    fields = [
        field("added", "/a", 1),
        field("changed", "/b", 2),
        field("added", "/c", 3, other),
        field("orphan", name=orphan),
    ]
    assert revert(Recorder(Path("kubectl"), Path("config")), state, fields) == ["Deployment web", "Namespace ns"]
    (patched, _), (applied, manifest), (cluster_wide, _) = COMMANDS
    assert patched[:6] == ("patch", "Deployment.v1.apps", "web", "--namespace", "n", "--type=json")
    assert applied == ("apply", "--server-side", "--force-conflicts", "--field-manager=m", "--filename=-")
    assert json.loads(manifest or "")["stringData"] == {"a": "secret"}
    assert cluster_wide[:4] == ("patch", "Namespace", "ns", "--type=json")
