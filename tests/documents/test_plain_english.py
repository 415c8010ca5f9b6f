"""Plain English: idioms that hide the words of the field are not used in the documents."""

import re
from pathlib import Path

import pytest

from tests.documents.pages import name_of, pages

IDIOMS = re.compile(r"the way in|packed in|is told|comes to|anew|whoever|somebody", re.IGNORECASE)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_page_uses_no_idiom(page: Path) -> None:
    """Ingress, image, configuration, again, a person: the words that a reader searches for."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if IDIOMS.search(line)] == []
