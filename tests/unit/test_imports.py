"""Imports within `altlas`, and imports inside functions."""

import ast

import pytest

from tests.unit.test_house_rules import PRODUCT, imports, sources

FLOORS = (
    {"session"},
    {"backup", "compose", "images", "pictures"},
    {"load_test", "preflight"},
    {"status"},
    {"addons"},
    {"update"},
    {"release"},
    {"commands"},
    {"cli"},
)
"""Packages of `altlas` from the bottom to the top; each imports from itself and from lower floors."""

LATE = {
    "altlas.cli": 2,  # the packages that define the failures, and what reads the version
    "altlas.session.journal.bucket": 5,  # access to buckets, which states in files do not need
    "altlas.commands.diff": 1,  # the program, which another process loads and runs meanwhile
    "cluster.opening": 6,  # the kinds of clusters, of which a command opens one or none
    "components.observability.dashboards.grafana": 2,  # the types of dashboards, which few stacks need
    "components.platform.images": 2,  # pulumi_docker, which few stacks need
    "tools.search": 2,  # network and compiler, which no warm run needs
}
"""Most imports inside functions, by module, and what they load."""


def test_the_command_is_built_in_floors() -> None:
    """`altlas.session` is the lowest floor; commands are on top, and `altlas.cli` names them in a table."""
    floors = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    wrong = []
    for module, tree in sources("altlas").items():
        if module.startswith("altlas."):
            own = module.split(".")[1]
            parts = {other.split(".")[1] for other in imports(tree) if other.startswith("altlas.")}
            wrong += [f"{module} imports {part}" for part in parts - {own} if floors[part] >= floors[own]]
    assert wrong == []


@pytest.mark.parametrize("package", PRODUCT)
def test_imports_stand_at_the_top_of_a_file(package: str) -> None:
    """Those inside functions are counted and have a reason."""
    late = {}
    for module, tree in sources(package).items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = {
            node for each in functions for node in ast.walk(each) if isinstance(node, ast.Import | ast.ImportFrom)
        }
        late[module] = len(inside)
    assert {module: count for module, count in late.items() if count > LATE.get(module, 0)} == {}
