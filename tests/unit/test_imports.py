"""Direction of imports between and within the packages of the repository."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.documents import ROOT

PACKAGES = ("altlas", "backup", "cluster", "components", "policy", "rendering", "tools")
NEVER = {
    "altlas": {"policy"},
    "policy": {"altlas"},
    "rendering": {"altlas", "policy", "cluster", "tools"},
    "components": {"altlas", "policy", "rendering", "cluster", "tools"},
    "cluster": {"altlas", "policy", "rendering", "components"},
    "tools": {"altlas", "policy", "rendering", "components", "cluster"},
    "backup": {"altlas", "policy", "rendering", "components", "cluster", "tools"},
}
"""Packages that a package does not import."""

FLOORS = (
    {"session"},
    {"backup", "compose", "images", "phases", "pictures"},
    {"status"},
    {"addons"},
    {"update"},
    {"commands"},
    {"cli"},
)
"""Packages of `altlas` from the bottom to the top; each imports from its own floor's package and from lower floors."""

PROGRAMS = {"cluster.addons.__main__"}
"""Modules of `cluster` that Pulumi runs as a program of their own, so they register objects as components do."""

LATE = {
    "altlas/cli.py": 1,  # the packages that define the failures, which only a failure needs
    "components/observability/dashboards/grafana.py": 2,  # the types of dashboards, which few stacks need
    "components/platform/images.py": 2,  # pulumi_docker, which few stacks need
    "tools/search.py": 2,  # network and compiler, which no warm run needs
}
"""Most imports inside functions, by file, and what they load."""


def name_of(path: Path) -> str:
    """Dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imported(module: str) -> set[str]:
    """Modules of the repository that a module imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            names |= {
                dotted if (dotted := f"{node.module}.{alias.name}") in MODULES else str(node.module)
                for alias in node.names
            }
    return names & MODULES.keys()


GRAPH = {module: imported(module) for module in MODULES}


def test_no_import_circle() -> None:
    """Neither at the top of a file nor inside a function."""
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_one_direction(package: str) -> None:
    """`altlas` and `policy` stand side by side on `rendering`; the program knows nothing of what runs it."""
    wrong = [
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        for other in others
        if module.split(".")[0] == package and other.split(".")[0] in NEVER[package] and module not in PROGRAMS
    ]
    assert wrong == []


def test_the_command_is_built_in_floors() -> None:
    """`altlas.session` is the lowest floor; only `altlas.cli` imports commands, and it by name."""
    floors = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    wrong = []
    for module, others in GRAPH.items():
        if module.startswith("altlas."):
            own = module.split(".")[1]
            parts = {other.split(".")[1] for other in others if other.startswith("altlas.")}
            wrong += [f"{module} imports {part}" for part in parts - {own} if floors[part] >= floors[own]]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_stand_at_the_top_of_a_file(package: str) -> None:
    """Those inside functions are counted and have a reason."""
    late = {}
    for module, path in MODULES.items():
        if module.split(".")[0] == package:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
            inner = {
                node for each in functions for node in ast.walk(each) if isinstance(node, ast.Import | ast.ImportFrom)
            }
            if inner:
                late[str(path.relative_to(ROOT))] = len(inner)
    assert {file: count for file, count in late.items() if count > LATE.get(file, 0)} == {}
