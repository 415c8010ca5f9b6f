"""Builds parts of the program against a stand-in for the engine that keeps the requests as they come."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # it has no stubs
from pulumi.runtime import config as pulumi_config
from pulumi.runtime.mocks import MockMonitor, set_mocks, test

from components.services import SERVICES
from components.settings import PlatformSettings
from components.settings.secrets import SECRETS
from components.stack.problems import PLATFORM_KEY, PROJECT
from components.traffic.graph import ServiceGraph
from components.traffic.stack_graph import service_graph
from components.workloads.component import Surroundings
from rendering.recorder import Recorder
from tests.support.documents import platform_of

SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks a secret value on the wire (the value of its signature key)."""


@dataclass
class Program:
    """Requests of a part of the program to the engine.

    Attributes:
        recorder: The registrations, as the project's own recorder keeps them.
        requests: The registrations as they were sent: type, name, parent, dependencies, timeouts.
        outputs: Registered outputs by URN of the component; empty texts for those that are secret or no text.
        sent_outputs: The same as they were sent, with the mark of secrets.
    """

    recorder: Recorder = field(default_factory=Recorder)
    requests: list[Any] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    sent_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def request(self, type_token: str, name: str) -> Any:
        """The only request that registers this type and name."""
        (found,) = (each for each in self.requests if (each.type, each.name) == (type_token, name))
        return found

    def names(self) -> list[tuple[str, str]]:
        """Kind and logical name of every Kubernetes object, sorted."""
        return sorted((r.type.rpartition(":")[2], r.name) for r in self.requests if r.type.startswith("kubernetes:"))


class _Monitor(MockMonitor):
    def __init__(self, program: Program) -> None:
        super().__init__(program.recorder)
        self._program = program

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the name in the protocol
        if request.type != "pulumi:pulumi:Stack":
            self._program.requests.append(request)
        engine: Any = super()
        return engine.RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the name in the protocol
        outputs = {key: value.string_value for key, value in request.outputs.fields.items()}
        self._program.outputs[request.urn] = outputs
        self._program.sent_outputs[request.urn] = MessageToDict(request.outputs)
        engine: Any = super()
        return engine.RegisterResourceOutputs(request)


def configure(values: Mapping[str, str], secret_keys: Iterable[str] | None = None) -> None:
    """Set the configuration of the next program, and nothing else; all but the settings is secret, unless named."""
    keys = (key for key in values if key != PLATFORM_KEY) if secret_keys is None else secret_keys
    pulumi_config.set_all_config(dict(values), list(keys))


def build(action: Callable[[], object], stack: str = "alpha", *, project: str = PROJECT) -> Program:
    """Run a part of the program to its end, every registration included.

    The outcome of `action` is not awaited on purpose: what was registered is all that counts.
    """
    program = Program()
    set_mocks(program.recorder, project=project, stack=stack, preview=False, monitor=_Monitor(program))

    def run() -> None:
        action()

    to_its_end: Callable[[Callable[[], None]], Callable[[], None]] = test
    to_its_end(run)()
    return program


class Anchor(pulumi.ComponentResource):
    """Something to wait for, where a namespace would be."""

    def __init__(self, name: str = "anchor") -> None:
        super().__init__("test:index:Anchor", name)
        self.register_outputs({})


def surroundings(platform: PlatformSettings, graph: ServiceGraph | None = None) -> Surroundings:
    """The stack around a component that is built alone."""
    return Surroundings.of(platform, Anchor(), graph or service_graph(SERVICES, platform))


class _Unregistered(pulumi.Resource):
    """Namespace of manifests that are made without an engine."""

    def __init__(self) -> None:
        """Register nothing."""


def surroundings_without_engine(platform: PlatformSettings, graph: ServiceGraph | None = None) -> Surroundings:
    """The stack around manifests that no engine gets to see."""
    return Surroundings.of(platform, _Unregistered(), graph or service_graph(SERVICES, platform))


def find(objects: Iterable[Mapping[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The only object of this kind and name (or with a name made from it and its content)."""
    (found,) = (
        each
        for each in objects
        if each["kind"] == kind and (each["metadata"]["name"] == name or _is_named_after(each, name))
    )
    return dict(found)


def _is_named_after(manifest: Mapping[str, Any], name: str) -> bool:
    stem, _, _ = manifest["metadata"]["name"].rpartition("-")
    return manifest["kind"] in {"ConfigMap", "Secret"} and bool(stem == name)


_SCHEMES = {
    "redis url": "redis://",
    "nats url": "nats://",
    "postgres url": "postgresql://",
    "web url": "https://",
}


def full_configuration(stack: str) -> dict[str, str]:
    """The configuration of a stack with a value for every secret that the program knows."""
    secrets = {
        f"{PROJECT}:{secret.key}": _SCHEMES.get(secret.form, "") + f"value-of-{secret.key}" for secret in SECRETS
    }
    return {PLATFORM_KEY: json.dumps(platform_of(stack)), **secrets}


def scraped_on(port: int) -> dict[str, Any]:
    """The rule of a NetworkPolicy that lets Prometheus in on one port."""
    prometheus = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "alt-las"}
    return {"from": [{"podSelector": {"matchLabels": prometheus}}], "ports": [{"protocol": "TCP", "port": port}]}
