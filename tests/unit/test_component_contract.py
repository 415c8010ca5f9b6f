"""Constructor contract of components: `(name, args, opts)`, closed arguments, the caller's options, secret outputs."""

import dataclasses
import importlib
import inspect
import json
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest

from components.backups.component import StoreBackup, StoreBackupArgs
from components.backups.metrics import BackupMetrics, BackupMetricsArgs
from components.services import SERVICES, message_flows
from components.settings import PlatformSettings
from components.stack.configuration import StackConfiguration, load
from components.stack.problems import PLATFORM_KEY
from components.stores.nats.component import Nats, NatsArgs
from components.stores.postgres.component import Postgres, PostgresArgs
from components.stores.postgres.write_ahead_log import WriteAheadLog, WriteAheadLogArgs
from components.stores.redis.component import Redis, RedisArgs
from components.stores.stores import build_stores
from components.traffic.jobs import BackupSource
from components.traffic.stack_graph import stack_graph
from components.workloads.component import Surroundings
from tests.support.documents import ROOT, alpha_with
from tests.support.program import SECRET_MARK, Anchor, Program, build, configure, full_configuration

BASES = {"ObjectComponent"}
Make = Callable[[Any, Surroundings, pulumi.ResourceOptions], pulumi.ComponentResource | None]


def component_classes() -> Iterator[type[pulumi.ComponentResource]]:
    """Every component class of the program."""
    for path in sorted((ROOT / "components").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for each in vars(importlib.import_module(name)).values():
            own = inspect.isclass(each) and each.__module__ == name and each.__name__ not in BASES
            if own and issubclass(each, pulumi.ComponentResource):
                yield each


def breaches(component: type[pulumi.ComponentResource]) -> list[str]:
    """What a component does otherwise than the contract says."""
    parameters = inspect.signature(component.__init__).parameters
    if list(parameters) != ["self", "name", "args", "opts"] or parameters["opts"].default is not None:
        return [f"its parameters are {', '.join(parameters)}"]
    hint: Any = typing.get_type_hints(component.__init__)["args"]
    args = typing.get_origin(hint) or hint
    settings: Any = getattr(args, "__dataclass_params__", None)
    if settings is None or not settings.frozen or not all(field.kw_only for field in dataclasses.fields(args)):
        return [f"{args} is no frozen dataclass with keywords only"]
    whole = {PlatformSettings, StackConfiguration} & {field.type for field in dataclasses.fields(args)}
    return [f"its arguments hold the whole of {each.__name__}" for each in whole]


@pytest.mark.parametrize("component", list(component_classes()), ids=lambda component: str(component.__name__))
def test_a_component_takes_a_name_closed_arguments_and_the_caller_s_options(
    component: type[pulumi.ComponentResource],
) -> None:
    """Its own settings block and its wiring, never the settings of the whole stack."""
    assert breaches(component) == []


def _first_source(stack: Any, around: Surroundings) -> BackupSource:
    return build_stores(stack, around, message_flows(SERVICES)).backup_sources[0]


MADE: dict[str, Make] = {
    "BackupMetrics": lambda stack, around, opts: BackupMetrics.optional(
        "own", BackupMetricsArgs.of(stack, around), opts
    ),
    "Nats": lambda stack, around, opts: Nats.optional("own", NatsArgs.of(stack, around, message_flows(SERVICES)), opts),
    "Postgres": lambda stack, around, opts: Postgres.optional("own", PostgresArgs.of(stack, around), opts),
    "Redis": lambda stack, around, opts: Redis.optional("own", RedisArgs.of(stack, around), opts),
    "StoreBackup": lambda stack, around, opts: StoreBackup.optional(
        "own", StoreBackupArgs.of(stack, around, _first_source(stack, around)), opts
    ),
    "WriteAheadLog": lambda stack, around, opts: WriteAheadLog.optional(
        "own", WriteAheadLogArgs.of(stack, around), opts
    ),
}
"""Makes each component under the name `own`, in a stack that has all of them."""

EVERYTHING = {
    "backup.objectStore": {"endpoint": "https://s3.example.com", "bucket": "own"},
    "redis.replicas": 3,
    "nats.replicas": 3,
}


def made(make: Make, opts: Callable[[], pulumi.ResourceOptions]) -> Program:
    """One component, as a caller with options of its own makes it."""
    values = full_configuration("alpha") | {PLATFORM_KEY: json.dumps(alpha_with(EVERYTHING))}
    configure(values, [key for key in values if key != PLATFORM_KEY])

    def run() -> None:
        stack = load(ROOT)
        surroundings = Surroundings.of(stack.platform, Anchor(), stack_graph(SERVICES, stack.platform))
        make(stack, surroundings, opts())

    return build(run)


@pytest.mark.parametrize("name", MADE)
def test_provider_aliases_and_transformations_of_the_caller_reach_the_objects(name: str) -> None:
    """All objects lie below the component, so one option there holds for all of them."""
    seen: set[str] = set()

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        seen.add(args.name)

    def opts() -> pulumi.ResourceOptions:
        provider = pulumi.ProviderResource("kubernetes", "chosen", {})
        alias = pulumi.Alias(name="earlier")
        return pulumi.ResourceOptions(providers=[provider], aliases=[alias], transformations=[note])

    program = made(MADE[name], opts)
    (component,) = (each for each in program.requests if each.name == "own" and each.type.startswith("alt-las:"))
    objects = [each for each in program.requests if each.parent.endswith(f"{component.type}::own")]
    assert objects
    assert {each.name for each in objects} <= seen
    assert all("::chosen::" in each.provider for each in objects)
    assert "earlier" in str(component.aliases)
    if name == "StoreBackup":
        assert "PostgresBackup" in str(component.aliases), "the earlier type stays beside the caller's alias"


@pytest.mark.parametrize(("name", "output"), [("Redis", "url"), ("Nats", "url_of"), ("Postgres", "url_of")])
def test_an_address_with_a_password_is_a_secret_output(name: str, output: str) -> None:
    """The state holds it encrypted."""
    program = made(MADE[name], pulumi.ResourceOptions)
    (outputs,) = (sent for urn, sent in program.sent_outputs.items() if urn.endswith("::own"))
    texts = outputs.values() if output == "url" else outputs["url_of"].values()
    assert texts
    assert all(SECRET_MARK in str(each) for each in texts)
