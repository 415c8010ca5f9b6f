"""Deletion of the objects in the namespace is left to its end."""

import pytest

from components.stack.problems import PLATFORM_KEY
from rendering.recorder import run_program
from rendering.root import ROOT
from tests.support.program import build, configure, full_configuration


@pytest.mark.parametrize("stack", ["alpha", "beta"])
def test_the_objects_of_the_namespace_go_with_it(stack: str) -> None:
    """Deleted one after the other, they took most of a destroy. What stands outside is deleted by itself."""
    values = full_configuration(stack)
    configure(values, [key for key in values if key != PLATFORM_KEY])
    requests = [
        each for each in build(lambda: run_program(ROOT), stack).requests if each.type.startswith("kubernetes:")
    ]
    (namespace,) = (each for each in requests if each.type == "kubernetes:core/v1:Namespace")
    inside = [each.deletedWith for each in requests if "namespace" in each.object["metadata"]]
    outside = [each.deletedWith for each in requests if "namespace" not in each.object["metadata"]]
    assert {urn.rpartition("::")[2] for urn in inside} == {namespace.name}
    assert set(outside) == {""}
    assert len(inside) > 10 * len(outside) > 0
