"""Pages of docs/components, generated from the component classes by `python -m tests.documents.component_pages`.

A page says what a component owns, its arguments, its outputs, and which objects it registers in alpha and beta. All
of it is read from the class (docstrings, fields) and from a recording of the program, so a page cannot promise more.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_origin

from pulumi import ComponentResource as Component

import components
from rendering.recorder import run_program
from tests.documents.pages import ROOT
from tests.support.documents import STACKS
from tests.support.program import build, configure, full_configuration

FOLDER = ROOT / "docs" / "components"
_MARK = "<!-- Written by `make component-pages`; a test compares it with the code. -->"
_MOST_NAMES = 4

Objects = Mapping[str, Mapping[str, list[str]]]
"""Logical names of objects by kind, by stack."""


@dataclass(frozen=True)
class Field:
    """One argument, output or declaration of a class.

    Attributes:
        name: Name of the attribute.
        type: Its annotation, as the source says it.
        default: Its default, as the source says it; empty if it is required.
        meaning: Its line in the docstring.
    """

    name: str
    type: str
    default: str
    meaning: str


def component_classes() -> list[type[Component]]:
    """Every component class of the program, sorted by name; without bases that only others extend."""
    for module in pkgutil.walk_packages(components.__path__, "components."):
        importlib.import_module(module.name)
    found = {each for each in _subclasses(Component) if each.__module__.startswith("components.")}
    bases = {base for each in found for base in each.__mro__[1:]}
    return sorted(found - bases, key=lambda each: each.__name__)


def _subclasses(base: type[Component]) -> Iterator[type[Component]]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def page_name(component: type) -> str:
    """File name of a component's page, such as `api-gateway.md`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", component.__name__).lower() + ".md"


def summary(component: type) -> str:
    """Docstring of a class up to its sections."""
    return re.split(r"\n\n(?:Class attributes|Attributes|Args|Raises):", inspect.getdoc(component) or "")[0]


def fields(owner: type) -> list[Field]:
    """Annotated attributes of a class and its bases in our code, with what their docstrings say."""
    found: dict[str, Field] = {}
    for each in reversed(owner.__mro__):
        if each.__module__.startswith("components."):
            meanings = _meanings(inspect.getdoc(each) or "")
            for statement in _class_body(each):
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    name, kind = statement.target.id, ast.unparse(statement.annotation)
                    earlier = found.get(name, Field("", "", "", "")).meaning
                    found[name] = Field(name, kind, _default(statement.value), meanings.get(name, earlier))
    return [each for each in found.values() if not each.name.startswith("_")]


def _class_body(owner: type) -> list[ast.stmt]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(definition, ast.ClassDef)
    return definition.body


def _default(value: ast.expr | None) -> str:
    text = ast.unparse(value) if value else ""
    made = re.fullmatch(r"field\(default_factory=(\w+)\)", text)
    return {"dict": "{}", "tuple": "()", "list": "[]"}.get(made[1], f"{made[1]}()") if made else text


def _meanings(docstring: str) -> dict[str, str]:
    """Entries of the sections Attributes and Class attributes, each on one line."""
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {8,}.+)*)", docstring, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", meaning) for name, meaning in entries}


def arguments(component: type) -> tuple[str, list[Field]]:
    """Name of the class of the arguments, and its fields."""
    annotation = inspect.signature(component).parameters["args"].annotation
    owner = get_origin(annotation) or annotation
    return owner.__name__, fields(owner)


def recorded_objects() -> tuple[Mapping[str, Objects], Mapping[type, str]]:
    """Objects of each component's type token in the stacks, and the type tokens of the classes."""
    tokens: dict[type, str] = {}
    objects: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    original = Component.__init__

    def noting(self: Component, t: str, *rest: object, **named: object) -> None:
        tokens[type(self)] = t
        original(self, t, *rest, **named)  # type: ignore[arg-type]  # passed on as they came

    Component.__init__ = noting  # type: ignore[method-assign]  # put back below
    try:
        for stack in STACKS:
            values = full_configuration(stack)
            configure(values)
            for request in build(lambda: run_program(ROOT), stack).requests:
                if request.type.startswith("kubernetes:"):
                    for owner in request.parent.split("::")[2].split("$"):
                        objects[owner][request.type.rpartition(":")[2]][stack].append(request.name)
    finally:
        Component.__init__ = original  # type: ignore[method-assign]
    return objects, tokens


def page(component: type, token: str, objects: Objects) -> str:
    """Markdown of one component's page."""
    path = Path(inspect.getfile(component)).relative_to(ROOT).as_posix()
    of_class = fields(component)
    declared = [each for each in of_class if each.type.startswith("ClassVar")]
    outputs = [each for each in of_class if each not in declared]
    name, given = arguments(component)
    parts = [
        _MARK,
        f"# {component.__name__}",
        summary(component),
        f"Source: `{path}`. Type token: `{token}`." if token else f"Source: `{path}`. In neither stack.",
        f"## Arguments\n\n`{name}`:",
        _table(("argument", "type", "default", "meaning"), [_argument(each) for each in given]),
    ]
    if declared:
        values = [[f"`{each.name}`", f"`{getattr(component, each.name)!r}`", each.meaning] for each in declared]
        parts += ["## Declarations", _table(("attribute", "value", "meaning"), values)]
    made = [[f"`{each.name}`", f"`{each.type}`", each.meaning] for each in outputs]
    parts += ["## Outputs", _table(("output", "type", "meaning"), made) if made else "None."]
    rows = [
        [kind, *(_names(by_stack.get(stack, [])) for stack in STACKS)] for kind, by_stack in sorted(objects.items())
    ]
    parts += ["## Objects", _table(("kind", *STACKS), rows) if rows else "None."]
    return "\n\n".join(parts) + "\n"


def _argument(each: Field) -> list[str]:
    return [f"`{each.name}`", f"`{each.type}`", f"`{each.default}`" if each.default else "required", each.meaning]


def _names(names: list[str]) -> str:
    """Logical names, or how many where they are of many instances."""
    return (", ".join(f"`{name}`" for name in sorted(names)) if len(names) <= _MOST_NAMES else str(len(names))) or "-"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *escaped])


def documents() -> dict[str, str]:
    """Every page and their index, by file name."""
    objects, tokens = recorded_objects()
    written, rows = {}, []
    for component in component_classes():
        token = tokens.get(component, "")
        written[page_name(component)] = page(component, token, objects.get(token, {}))
        first = summary(component).split("\n\n")[0].replace("\n", " ")
        rows.append([f"[{component.__name__}]({page_name(component)})", first])
    intro = "Generated from the classes: what each component makes, its arguments, its outputs and its objects."
    index = [_MARK, "# Components", intro, _table(("component", "what it makes"), rows)]
    return written | {"README.md": "\n\n".join(index) + "\n"}


def main() -> None:
    """Write the pages, and remove those of components that are gone."""
    pages = documents()
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
