"""Rules of the house: where code may stand, what may import what, how long it may be, and one name for one thing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from rendering.root import ROOT

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 50
PRODUCT = ("altlas", "backup", "benchmarks", "cluster", "components", "loadtests", "policy", "rendering", "tools")
NO_PACKAGES = {"policy/pack"}
"""Folders that something else than Python's import system loads: Pulumi runs the policy pack as a program."""

_LOWEST = frozenset({"components.kubernetes"})
_SETTINGS = _LOWEST | {"components.settings"}
_WORKLOADS = _SETTINGS | {"components.stack", "components.traffic"}
_PARTS = ("services", "stores", "backups", "observability", "platform")
_MADE_OF = _WORKLOADS | {"components.workloads"}
_COMPONENTS = _MADE_OF | {f"components.{part}" for part in _PARTS}
_BESIDE = _COMPONENTS | {"rendering", "cluster", "tools"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "backup": frozenset(),
    "tools": frozenset(),
    "components.kubernetes": frozenset(),
    "components.settings": _LOWEST,
    "components.stack": _SETTINGS,
    "components.traffic": _SETTINGS | {"components.stack"},
    "components.workloads": _WORKLOADS,
    **dict.fromkeys((f"components.{part}" for part in _PARTS), _MADE_OF),
    "__main__": _COMPONENTS,
    "rendering": _SETTINGS | {"components.stack"},
    "cluster": frozenset({"components.kubernetes", "tools"}),
    "loadtests": _SETTINGS | {"components.stack", "rendering", "cluster"},
    "altlas": _BESIDE | {"loadtests"},
    "policy": _BESIDE,
    "benchmarks": _BESIDE | {"altlas", "tests"},
}
"""What each package may import. `altlas` and `policy` stand side by side; `backup` runs alone in its image."""


def module_of(path: Path) -> str:
    """Dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """The package whose imports are ruled: the top folder, or the folder below `components`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "components" else parts[0]


@cache
def parsed(path: Path) -> ast.Module:
    """A module as a tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def sources(*folders: str) -> dict[str, ast.Module]:
    """The parsed modules below some folders, by dotted name."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {module_of(path): parsed(path) for path in (*paths, ROOT / "__main__.py")}


@cache
def imports(tree: ast.Module) -> frozenset[str]:
    """Every module of this repository that a module imports, at its top or later."""
    return frozenset(_imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    known = sources(*PRODUCT, "tests")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from (each for each in (name if name in known else node.module,) if each in known)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    """A package imports what stands below it, and nothing else of this repository."""
    wrong = {
        f"{module} imports {imported}"
        for module, tree in sources(*PRODUCT).items()
        if package_of(module) == package
        for imported in imports(tree)
        if package_of(imported) not in MAY_IMPORT[package] | {package, "components"}
    }
    assert wrong == set()


def test_every_package_has_a_rule_for_its_imports() -> None:
    """A new folder gets one."""
    assert {package_of(module) for module in sources(*PRODUCT)} - {"components"} == set(MAY_IMPORT)


def test_no_circle_of_modules() -> None:
    """Late imports count: they hide a circle, they do not remove it."""
    graph = {module: imports(tree) - {module} for module, tree in sources(*PRODUCT).items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_file_and_no_function_is_too_long() -> None:
    """Tests included."""
    too_long = []
    for module, tree in sources(*PRODUCT, "tests", "images").items():
        last = max((node.end_lineno or 0 for node in tree.body), default=0)
        too_long += [f"{module}: {last} lines"] * (last > MOST_LINES_OF_A_FILE)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                too_long += [f"{module}.{node.name}: {lines} lines"] * (lines > MOST_LINES_OF_A_FUNCTION)
    assert too_long == []


def test_no_two_classes_have_the_same_name() -> None:
    """One name is one thing in the whole product."""
    modules = defaultdict(list)
    for module, tree in sources(*PRODUCT).items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(module)
    assert {name: found for name, found in modules.items() if len(found) > 1} == {}


def test_every_package_says_what_belongs_there() -> None:
    """In the docstring of its `__init__.py`."""
    modules = sources(*PRODUCT)
    folders = {path.parent for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")}
    packages = {module_of(each / "__init__.py") for each in folders if str(each.relative_to(ROOT)) not in NO_PACKAGES}
    silent = {package for package in packages if package not in modules or not ast.get_docstring(modules[package])}
    assert silent == set()


def test_the_folder_table_of_the_readme_names_every_folder_and_only_those() -> None:
    """At the top, and below `components`."""
    rows = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {part.strip("`/") for row in rows for part in row.split("|")[1].replace(",", " ").split() if "/`" in part}
    own = {path for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    folders = {path.name for path in own if not path.name.startswith(".")} - {"components"}
    folders |= {f"components/{path.name}" for path in (ROOT / "components").iterdir() if any(path.glob("*.py"))}
    assert folders - named == set()
    assert {name for name in named if not (ROOT / name).is_dir()} == set()
