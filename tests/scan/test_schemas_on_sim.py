"""The schemas of the package, against what the real API server publishes about itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.simulator import Simulator
from policy.scan.kubeconform import minor_versions
from policy.scan.programs import Programs
from policy.scan.schemas import custom_resources, definitions_of
from policy.stacks import load_stacks
from tests.cluster.conftest import Api, programs, reports, simulator

__all__ = ["programs", "reports", "simulator"]
pytestmark = [pytest.mark.sim, pytest.mark.scan]


def fields(name: str, definitions: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """Every field below a definition, as `definition.field`, through everything that it refers to."""
    if name in seen:
        return
    seen.add(name)
    for field, schema in definitions[name].get("properties", {}).items():
        yield f"{name}.{field}"
        for part in (schema, schema.get("items") or {}, schema.get("additionalProperties") or {}):
            for reference in (part.get("$ref"), *(each.get("$ref") for each in part.get("allOf") or ())):
                if reference:
                    yield from fields(reference.rpartition("/")[2], definitions, seen)


def roots(definitions: dict[str, Any], kinds: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The definition of each kind, by API version and kind."""
    found = {}
    for name, definition in definitions.items():
        for each in definition.get("x-kubernetes-group-version-kind") or ():
            key = "/".join(filter(None, (each["group"], each["version"]))), each["kind"]
            if key in kinds:
                found[key] = name
    return found


def test_the_schemas_of_the_pinned_version_are_the_api_server_s(scanners: Programs, simulator: Simulator) -> None:
    """Every kind of Kubernetes that a stack renders has the same fields, at any depth; those of the oldest have not."""
    kinds = {(each["apiVersion"], each["kind"]) for stack in load_stacks([]) for each in stack.manifests}
    kinds -= custom_resources().keys()
    published: dict[str, Any] = Api(simulator).get("/openapi/v2")["definitions"]
    oldest, *_, packaged = (definitions_of(scanners.environment.packages, minor) for minor in minor_versions())
    served = roots(published, kinds)
    assert served.keys() == kinds
    others = set()
    for key, name in served.items():
        live, ours, old = (set(fields(name, each, set())) for each in (published, packaged, oldest))
        assert live == ours, key
        others |= live ^ old
    assert "io.k8s.api.core.v1.PodSpec.hostnameOverride" in others
