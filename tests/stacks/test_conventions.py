"""Conventions that no linter knows: where phases may be named, what the command knows, and which tests run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT

COMPONENTS = sorted((ROOT / "components").rglob("*.py"))
PHASE = re.compile(r"\b(alpha|beta)\b|(?<![a-z])(?<!v\d)(alpha|beta)(?![a-z])", re.IGNORECASE)


def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: ast.Module) -> list[str]:
    """Dotted names of everything that a file imports, wherever in it; `from a import b` counts as a.b."""
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def part_of_components(dotted: str) -> str:
    """The module or package right below `components`."""
    return dotted.split(".")[1]


def outer_imports(path: Path, forbidden: set[str]) -> list[str]:
    """Imports of a file from forbidden top-level packages."""
    return [name for name in imports(tree(path)) if name.split(".")[0] in forbidden]


ADDONS_PROGRAM = ROOT / "cluster" / "addons" / "__main__.py"


KNOWN = (
    "components.kubernetes.load.",
    "components.kubernetes.naming.HTTP_PORT_NAME",
    "components.kubernetes.naming.NAME",
    "components.kubernetes.naming.primary_of",
    "components.kubernetes.quantities.",
    "components.kubernetes.secret_texts.",
    "components.kubernetes.object.DATA_ANNOTATION",
    "components.kubernetes.secret_texts.",
    "components.traffic.observers.CANARY_APPROVALS",
    "components.traffic.stores.",
)
"""Sums, numbers, secrets in texts, the mark of data, names of objects, Flagger, stores, approvals: all use them."""


@pytest.mark.parametrize("package", ["altlas", "cluster", "tools"])
def test_around_the_program_only_its_settings_are_known(package: str) -> None:
    """Tests read what is deployed from recorded objects, never from the insides of a component."""
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    for path in paths:
        # The addons are a program of their own, which registers objects in the same way.
        known = {"settings", "stack", *(["kubernetes"] if path == ADDONS_PROGRAM else [])}
        outer = [name for name in outer_imports(path, {"components"}) if not name.startswith(KNOWN)]
        inner = [name for name in outer if part_of_components(name) not in known]
        assert inner == [], path.name


def test_the_composition_stays_readable_at_one_glance() -> None:
    """At most 60 lines."""
    assert len((ROOT / "__main__.py").read_text(encoding="utf-8").splitlines()) <= 60


def docstrings(module: ast.Module) -> set[ast.AST]:
    """Texts that stand alone as a statement: docstrings of modules, classes, functions and attributes."""
    return {node.value for node in ast.walk(module) if isinstance(node, ast.Expr)}


def retired_images(module: ast.Module) -> set[ast.AST]:
    """Nodes in the table of retired images, whose replacements are named after a phase by their maker."""
    return {
        child
        for node in module.body
        if isinstance(node, ast.Assign) and "RETIRED_IMAGES" in {t.id for t in node.targets if isinstance(t, ast.Name)}
        for child in ast.walk(node.value)
    }


def words(module: ast.Module) -> Iterator[str]:
    """Every text and every name in the code, without docstrings and the retired images."""
    skipped = docstrings(module) | retired_images(module)
    for node in ast.walk(module):
        if node in skipped:
            continue
        for value in (getattr(node, field, None) for field in ("value", "id", "attr", "name", "arg", "module")):
            if isinstance(value, str):
                yield value


@pytest.mark.parametrize("path", [ROOT / "__main__.py", *COMPONENTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_phase_is_named_in_the_program(path: Path) -> None:
    """Phases differ in their stack files; a difference in the code gets a setting that describes it."""
    assert [word for word in words(tree(path)) if PHASE.search(word)] == []


@pytest.mark.parametrize("code", ['if stack == "beta": pass', "beta = 1", 'x = f"{n}-alpha"', "f(is_beta=True)"])
def test_the_search_for_phases_finds_them(code: str) -> None:
    """The control: in a condition, in a name, in a text, in an argument."""
    assert [word for word in words(ast.parse(code)) if PHASE.search(word)]


@pytest.mark.parametrize(
    "code", ['"""For alpha."""', "alphabet = 1  # beta", "api = 'v1alpha1'", 'RETIRED_IMAGES = {"a": "b:beta"}']
)
def test_the_search_for_phases_passes_over_the_rest(code: str) -> None:
    """Docstrings, comments, other words and the retired images."""
    assert not [word for word in words(ast.parse(code)) if PHASE.search(word)]


def test_every_file_with_tests_is_named_so_that_they_run() -> None:
    """A test in a file of another name would never run and never fail."""
    dead = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith("test_")
        and any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            for node in ast.walk(tree(path))
        )
    ]
    assert dead == []


def test_no_two_test_files_have_the_same_name() -> None:
    """Without packages pytest knows a test file by its name alone."""
    files = (ROOT / "tests").rglob("test_*.py")
    names = [path.name for path in files if not (path.parent / "__init__.py").exists()]
    assert sorted(names) == sorted(set(names))


def test_every_test_says_what_it_proves() -> None:
    """A docstring for each: its first line is what a failure means."""
    silent = [
        f"{path.name}: {node.name}"
        for folder in ("unit", "stacks", "altlas")
        for path in (ROOT / "tests" / folder).rglob("test_*.py")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
