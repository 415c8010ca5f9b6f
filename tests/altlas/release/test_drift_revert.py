"""Taking drift back: patches that remove what was added, and what is applied again."""

import json
from pathlib import Path
from typing import Any

import pytest

from altlas.commands.drift import take_back
from altlas.release.drift import DriftField
from altlas.release.drift_revert import plain, removals, revert
from altlas.release.steps import ObjectName
from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from cluster import Target
from rendering.errors import CommandError, ExitCode

NAME = ObjectName(type="kubernetes:apps/v1:Deployment", logical="web", name="web", namespace="n")
WRAPPED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '{"a": "secret"}'}
INPUTS = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "stringData": WRAPPED}


def field(kind: Any, pointer: str = "", found: Any = None, name: ObjectName = NAME) -> DriftField:
    """One difference."""
    return DriftField(name, kind, "path", None, found, "kubectl", "", pointer)


class Recorder(Kubectl):
    """Kubectl that records its command lines instead of running them."""

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Record a command line and its input, and answer questions with the live objects."""
        if arguments[0] == "get":
            kinds = {each["kind"] for each in json.loads(stdin or "")["items"]}
            return json.dumps({"items": [each for each in LIVE if each["kind"] in kinds]})
        COMMANDS.append((arguments, stdin))
        return ""


COMMANDS: list[tuple[tuple[str, ...], str | None]] = []
LIVE: list[dict[str, Any]] = []


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


def test_what_flagger_has_set_keeps_its_values() -> None:
    """The pods behind a Service and the weights of a route; of exactly the version that was read."""
    COMMANDS.clear()
    sent = released(selector="web", weight=100)
    LIVE[:] = [each | {"metadata": {"name": "web", "resourceVersion": "7"}} for each in released("web-primary", 90)[:2]]
    for kind in ("Service", "HTTPRoute"):
        token = next(f"kubernetes:{each['apiVersion']}:{kind}" for each in sent if each["kind"] == kind)
        found = [field("changed", name=ObjectName(type=token, logical="web", name="web", namespace="n"))]
        revert(Recorder(Path("kubectl"), Path("config")), state_of(sent), found)
    service, route = (json.loads(manifest or "") for _, manifest in COMMANDS)
    assert service["spec"] == {"selector": {"app": "web-primary"}, "ports": [{"port": 80}]}
    assert route["spec"] == {"hosts": ["a"], "rules": [{"weight": 90}]}
    assert (service["metadata"]["labels"], service["metadata"]["resourceVersion"]) == ({"a": "b"}, "7")


def test_an_object_that_is_gone_is_applied_as_it_was_sent() -> None:
    """There is no value of Flagger to keep."""
    COMMANDS.clear()
    LIVE.clear()
    sent = released(selector="web", weight=100)
    name = ObjectName(type="kubernetes:v1:Service", logical="web", name="web", namespace="n")
    revert(Recorder(Path("kubectl"), Path("config")), state_of(sent), [field("deleted", name=name)])
    ((_, manifest),) = COMMANDS
    assert json.loads(manifest or "") == sent[0]


def test_nothing_is_taken_back_while_an_update_runs(tmp_path: Path) -> None:
    """Its journal is not in the state yet, so the inputs of before would be applied."""

    class Busy(Engine):
        def check_unlocked(self, stack: str) -> None:
            """An update of another machine runs."""
            raise CommandError(f"an update of {stack} runs", ExitCode.BUSY)

        def capture(self, *arguments: str, text: str | None = None) -> str:  # noqa: ARG002  # as in the class
            """Nothing is asked."""
            raise AssertionError(arguments)

    COMMANDS.clear()
    kubectl = Recorder(Path("kubectl"), Path("config"))
    session = Session(Workspace(tmp_path), Target("kubeconfig", "a test names it"), kubectl, Busy(Path(), {}))
    with pytest.raises(CommandError, match="an update of alpha runs") as error:
        take_back(session, "alpha", [field("changed")])
    assert (error.value.code, COMMANDS) == (ExitCode.BUSY, [])


def released(selector: str, weight: int) -> list[dict[str, Any]]:
    """A Service and its route, which Flagger releases."""
    metadata = {"name": "web", "namespace": "n", "labels": {"a": "b"}}
    service = {"selector": {"app": selector}, "ports": [{"port": 80}]}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {
            "apiVersion": "g/v1",
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {"hosts": ["a"], "rules": [{"weight": weight}]},
        },
        {
            "apiVersion": "f/v1",
            "kind": "Canary",
            "metadata": metadata,
            "spec": {"targetRef": {"kind": "Deployment", "name": "web"}},
        },
    ]


def state_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """A state with these objects."""
    resources = [
        {
            "type": f"kubernetes:{each['apiVersion']}:{each['kind']}",
            "urn": f"urn:pulumi:a::p::t::{each['metadata']['name']}",
            "inputs": each,
            "outputs": {"__fieldManager": "m"},
        }
        for each in objects
    ]
    return {"deployment": {"resources": resources}}
