"""Plain English: no idioms that hide the words of the field, and docstrings that start with a noun or a verb."""

import ast
import re
from pathlib import Path

import pytest

from tests.documents.pages import ROOT, files, name_of, pages

IDIOMS = re.compile(
    r"\b(the way in|packed in|is told|came to|comes to|its like|anew|whoever|somebody|nobody else|put aside|thinned out"
    r"|wants into|of whom)\b",
    re.IGNORECASE,
)

QUESTIONS = re.compile(r"(What|Who|Whose|Whom|Whether|Where|How)\b")

FOLDERS = (
    "altlas",
    "backup",
    "benchmarks",
    "cluster",
    "components",
    "images",
    "loadtests",
    "policy",
    "rendering",
    "tests",
    "tools",
)
"""Folders whose docstrings follow the rule."""

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def idioms(file: Path) -> list[str]:
    """Lines of a file with an idiom, each with its number."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    return [f"{name_of(file)}:{number}: {line.strip()}" for number, line in lines if IDIOMS.search(line)]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_page_uses_no_idiom(page: Path) -> None:
    """Ingress, image, configuration, again, a person: the words that a reader searches for."""
    assert idioms(page) == []


def test_the_code_uses_no_idiom() -> None:
    """Names, docstrings, comments and messages; except the list of idioms."""
    assert [line for file in files("py") if file != Path(__file__).resolve() for line in idioms(file)] == []


def questions(source: str) -> list[str]:
    """First lines of the docstrings in a source that start with a question word."""
    found = (ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED))
    return [text.splitlines()[0] for text in found if QUESTIONS.match(text)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_start_with_a_noun_or_a_verb(folder: str) -> None:
    """No module, class or function is described by a question."""
    sources = [file for file in files("py") if file.is_relative_to(ROOT / folder)]
    assert sources
    assert [f"{name_of(file)}: {line}" for file in sources for line in questions(file.read_text("utf-8"))] == []


def test_a_docstring_that_starts_with_a_question_word_is_found() -> None:
    """In a module, a class, and functions of both kinds; a later question word, or a longer word, is none."""
    bodies = ("class A:", "def a():", "async def a():")
    assert questions('"""What runs.\n\nMore."""') == ["What runs."]
    assert [questions(f'{body}\n    """Whether it runs."""') for body in bodies] == [["Whether it runs."]] * len(bodies)
    assert questions('"""Folder where it runs. However it runs."""') == questions('"""However it runs."""') == []
