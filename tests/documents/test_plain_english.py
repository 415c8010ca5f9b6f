"""Plain English: idioms that hide the words of the field are used neither in the documents nor in the code."""

import re
from pathlib import Path

import pytest

from tests.documents.pages import files, name_of, pages

IDIOMS = re.compile(r"the way in|packed in|is told|comes to|anew|whoever|somebody", re.IGNORECASE)


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
