"""Identity of every resource: the chain of types and the name by which the engine knows what is deployed."""

from pathlib import Path

import pytest

from rendering.recorder import run_program
from tests.support.documents import ROOT, STACK_FILES
from tests.support.program import Program, build, configure, full_configuration

DEPLOYED = Path(__file__).parent / "identity"
"""Identities of deployed stacks, one a line, as `pulumi stack export` shows them: `<parent types>$<type>::<name>`."""


def identities(program: Program) -> set[str]:
    """Identity of each registration, without project and stack. A parent is registered before its children."""
    types: dict[str, str] = {}
    for request in program.requests:
        # Without project and stack, which the engine's stand-in may keep from an earlier program.
        parent_urn = request.parent.split("::")[2:]
        parent = types.get("::".join(parent_urn))
        qualified = f"{parent}${request.type}" if parent else request.type
        nearest = parent_urn[0].rpartition("$")[2]
        # The stand-in writes only the nearest parent's type into a name.
        types["::".join((f"{nearest}${request.type}", request.name))] = qualified
    return {f"{qualified}::{urn.rpartition('::')[2]}" for urn, qualified in types.items()}


@pytest.mark.parametrize("stack", STACK_FILES)
def test_no_deployed_resource_loses_its_identity(stack: str) -> None:
    """The engine would delete it and create another one; a rename needs an alias and a new line in the file."""
    values = full_configuration(stack)
    configure(values)
    deployed = set((DEPLOYED / f"{stack}.txt").read_text(encoding="utf-8").splitlines())
    assert deployed - identities(build(lambda: run_program(ROOT), stack)) == set()
