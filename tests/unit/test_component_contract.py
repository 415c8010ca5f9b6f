"""The contract of every component: one constructor, frozen arguments, the caller's options, outputs registered once."""

import dataclasses
import inspect
import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args, get_origin

import pulumi
import pytest

from components.kubernetes.provider import KubernetesProvider
from components.platform.images import ImagesArgs, PlatformImages
from components.settings import PlatformSettings
from components.stack.configuration import StackConfiguration
from components.stack.image_build import ImageBuild
from components.stack.problems import PLATFORM_KEY
from rendering.recorder import run_program
from tests.support.component_classes import COMPONENTS, TYPE_TOKENS, Component, annotated_outputs
from tests.support.documents import ROOT, alpha_with
from tests.support.program import Program, build, configure, full_configuration

EVERYTHING = {
    "mesh": {"mode": "ambient"},
    "backup.objectStore": {"bucket": "backups", "endpoint": "https://s3.example.com"},
    "ingress.api": "gateway",
    "services.api-gateway.canary": {"approval": True},
    "flagger.approvals": {},
    "quota": {},
    "loadTest.image": {"repository": "locustio/locust", "tag": "2.47.0"},
}
"""Settings on top of alpha's under which every component has something to register."""


def test_every_component_has_its_type_token_on_record() -> None:
    """A new component adds a line; a line that changes is a new identity of all that exists."""
    assert TYPE_TOKENS.keys() == COMPONENTS.keys()


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_has_the_one_constructor(name: str) -> None:
    """`(name, args, opts=None)`, so that a reader of one knows them all."""
    parameters = inspect.signature(COMPONENTS[name].__init__).parameters
    assert [*parameters] == ["self", "name", "args", "opts"]
    assert parameters["opts"].default is None
    assert parameters["args"].default is inspect.Parameter.empty
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_arguments_are_frozen_and_hold_no_settings_of_others(name: str) -> None:
    """Its own settings block and what it is wired to; never all settings, nor all secrets, of the stack."""
    args = args_class(COMPONENTS[name])
    assert dataclasses.is_dataclass(args)
    assert args.__dataclass_params__.frozen  # type: ignore[attr-defined]  # every dataclass has them
    assert all(field.kw_only for field in dataclasses.fields(args))
    assert types_in(args) & {PlatformSettings, StackConfiguration} == set()


def args_class(component: Component) -> type[Any]:
    """The class of a component's arguments."""
    annotation = inspect.signature(component.__init__).parameters["args"].annotation
    found: type[Any] = get_origin(annotation) or annotation
    return found


def types_in(annotation: Any, seen: set[Any] | None = None) -> set[Any]:
    """Every class that a value of a type can hold: through unions, tables, and the fields of dataclasses."""
    seen = set() if seen is None else seen
    plain = get_origin(annotation) or annotation
    if plain not in seen:
        seen.add(plain)
        if isinstance(plain, type) and dataclasses.is_dataclass(plain):
            for field in dataclasses.fields(plain):
                types_in(field.type, seen)
    for each in get_args(annotation):
        types_in(each, seen)
    return seen


def again(name: str) -> str:
    """Logical name of a component that is built a second time."""
    return f"again-{name}"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with everything switched on, and once more each of its components under another name and options."""
    folder = tmp_path_factory.mktemp("images")
    document = alpha_with(EVERYTHING)
    values = full_configuration("alpha") | {PLATFORM_KEY: json.dumps(document)}
    configure(values)
    return build(lambda: _build_all_twice(folder))


def _build_all_twice(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made: list[tuple[Component, str, Any]] = []
        for component in COMPONENTS.values():
            patch.setattr(component, "__init__", _noting(component, made))
        run_program(ROOT)
    (workload, _, args), *_ = (each for each in made if each[0].__name__ == "Workload")
    # Those of the services are built again with their services.
    made = [*(each for each in made if each[0] is not workload), (workload, "workload", args)]
    source = ImageBuild(context=folder, dockerfile=folder, shared=folder, arguments={})
    images = ImagesArgs(builds={"a": source}, platform="linux/amd64", tags={"a": "team/a:1"})
    PlatformImages("images", images)
    made.append((PlatformImages, "images", images))
    provider = KubernetesProvider("other")
    for component, name, args in made:
        rebuild: Any = component
        options = pulumi.ResourceOptions(
            provider=provider,
            protect=True,
            aliases=[pulumi.Alias(name=f"formerly-{name}")],
            transformations=[_marked],
        )
        rebuild(again(name), args, options)


def _noting(component: Component, made: list[tuple[Component, str, Any]]) -> Any:
    original: Any = component.__init__

    def noting(self: Any, name: str, args: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        made.append((component, name, args))
        original(self, name, args, opts)

    return noting


def _marked(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    if args.type_.startswith("kubernetes:"):
        before: Any = args.props["metadata"]
        metadata = {**before, "annotations": {"marked": "yes"}}
        return pulumi.ResourceTransformationResult({**args.props, "metadata": metadata}, args.opts)
    return None


def below(program: Program, component: str) -> list[Any]:
    """Requests of everything that lies in the components of a class that were built again, at any depth."""
    step = f"{TYPE_TOKENS[component]}$"
    return [
        each
        for each in program.requests
        if step in f"{each.parent.split('::')[2]}$" and "::again-" in each.parent and each.custom
    ]


def test_nothing_is_registered_twice_when_every_component_is_built_twice(program: Program) -> None:
    """Every logical name begins with the component's own, but for one that a released stack has otherwise."""
    counted = Counter((request.type, request.name) for request in program.requests)
    fixed = ("kubernetes:postgresql.cnpg.io/v1:ScheduledBackup", "postgres-backup")
    assert [each for each, count in counted.items() if count > 1] == [fixed]


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_caller_s_options_reach_everything_in_a_component(program: Program, name: str) -> None:
    """Provider, protection, aliases and transformations; an object of another provider (Docker) keeps its own."""
    objects = below(program, name)
    assert objects, "the component has registered nothing to look at"
    for request in objects:
        assert request.protect, request.name
    made = {(each.type, each.name): each.inputs for each in program.recorder.registrations}
    for request in (each for each in objects if each.type.startswith("kubernetes:")):
        assert request.provider.endswith("::other::other-id"), request.name
        assert made[request.type, request.name]["metadata"]["annotations"]["marked"] == "yes"
    # From a component's former name the engine derives those of its children.
    aliases = {alias.spec.name for each in program.requests if each.type == TYPE_TOKENS[name] for alias in each.aliases}
    assert any(alias.startswith("formerly-") for alias in aliases)


def test_an_earlier_type_of_a_component_stays_beside_the_caller_s_aliases(program: Program) -> None:
    """Backups of PostgreSQL had a component of their own once."""
    request = program.request(TYPE_TOKENS["StoreBackup"], again("postgres-backup"))
    assert {alias.spec.name or alias.spec.type for alias in request.aliases} == {
        "formerly-postgres-backup",
        "alt-las:shared:PostgresBackup",
    }


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_registers_exactly_its_annotated_outputs(program: Program, name: str) -> None:
    """An annotated output is always assigned, and nothing else is registered."""
    token = TYPE_TOKENS[name]
    registered = [outputs for urn, outputs in program.outputs.items() if urn.split("::")[2].rpartition("$")[2] == token]
    assert registered
    assert {frozenset(outputs) for outputs in registered} == {frozenset(annotated_outputs(COMPONENTS[name]))}
