"""Rules that every component keeps: parents, names and outputs."""

from collections import Counter

import pytest

from components.kubernetes.object import DATA_ANNOTATION
from components.services import SERVICES
from rendering.recorder import run_program
from tests.support.component_classes import TYPE_TOKENS
from tests.support.documents import ROOT, STACKS
from tests.support.program import Program, build, configure, full_configuration


@pytest.fixture(scope="module", params=STACKS)
def program(request: pytest.FixtureRequest) -> Program:
    """The whole program of a stack with every secret set."""
    values = full_configuration(request.param)
    configure(values)
    return build(lambda: run_program(ROOT), request.param)


def test_no_type_and_name_is_registered_twice(program: Program) -> None:
    """The stand-in accepts that, the real engine ends the update."""
    counted = Counter((request.type, request.name) for request in program.requests)
    assert [each for each, count in counted.items() if count > 1] == []


def test_no_kind_and_name_is_claimed_twice_in_the_cluster(program: Program) -> None:
    """Two registrations of one object would overwrite each other in turn."""
    counted = Counter((each["kind"], each["metadata"]["name"]) for each in program.recorder.objects)
    assert [each for each, count in counted.items() if count > 1] == []


def test_every_object_lies_in_a_component_and_every_component_where_it_belongs(program: Program) -> None:
    """Shared parts and services under the stack, workloads under their service, objects under no service itself."""
    parents = {
        "alt-las:platform:Workload": {f"alt-las:services:{service.__name__}" for service in SERVICES},
        "kubernetes": set(TYPE_TOKENS.values()) - {f"alt-las:services:{service.__name__}" for service in SERVICES},
    }
    for request in program.requests:
        parent_type = request.parent.split("::")[2].rpartition("$")[2]
        allowed = parents.get(request.type) or parents.get(request.type.partition(":")[0], {"pulumi:pulumi:Stack"})
        assert parent_type in allowed, f"{request.type} {request.name} lies under {parent_type}"


def test_every_child_is_named_after_its_parent(program: Program) -> None:
    """A child's name is its parent's, with a suffix where there are several of a kind; never a phase."""
    for request in program.requests:
        parent = request.parent.split("::")[-1]
        if request.type.startswith("kubernetes:") or request.type == "alt-las:platform:Workload":
            assert request.name == parent or request.name.startswith(f"{parent}-")
        assert not {"alpha", "beta"} & set(request.name.split("-"))


def test_exactly_the_protected_objects_carry_the_mark_of_data(program: Program) -> None:
    """The mark that the policy rules read on the objects is what Pulumi does."""
    protected = {request.name for request in program.requests if request.protect}
    marked = {
        each.name
        for each in program.recorder.registrations
        if DATA_ANNOTATION in each.inputs.get("metadata", {}).get("annotations", {})
    }
    assert marked == protected
    assert {"postgres-db", "postgres-backup-dumps", "redis", "nats"} <= protected


def test_the_program_consists_of_the_known_components(program: Program) -> None:
    """One workload a service, the dumps of three stores, and no other component more than once."""
    found = Counter(request.type for request in program.requests if not request.type.startswith("kubernetes:"))
    assert found.keys() <= {*TYPE_TOKENS.values(), "pulumi:providers:kubernetes"}
    assert found.keys() >= {token for token in TYPE_TOKENS.values() if ":services:" in token} | {
        "alt-las:platform:Namespace"
    }
    assert found.pop("alt-las:platform:Workload") == len(SERVICES)
    assert found.pop("alt-las:shared:StoreBackup") == 3
    assert set(found.values()) == {1}


def test_outputs_are_the_addresses_and_names_that_others_use(program: Program) -> None:
    """The gateway is reached on port 80, all others on the ports of their pods."""
    outputs = {(urn.split("::")[2].rpartition(":")[2], urn.split("::")[-1]): o for urn, o in program.outputs.items()}
    assert outputs["ApiGateway", "api-gateway"] == {"url": "http://api-gateway:80"}
    assert outputs["RunnerService", "runner-service"] == {"url": "http://runner-service:8080"}
    assert outputs["Workload", "archive-service"] == {"url": "http://archive-service:9000"}


def test_every_object_waits_for_the_namespace(program: Program) -> None:
    """All that lie in it: it must exist before anything can be put there."""
    for request in program.requests:
        if request.type.startswith("kubernetes:") and "namespace" in request.object["metadata"]:
            assert any(urn.endswith("kubernetes:core/v1:Namespace::namespace") for urn in request.dependencies)
