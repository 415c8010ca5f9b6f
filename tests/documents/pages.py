"""Reading the Markdown files of the repository: the files, their headings, and their blocks of commands."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_NOT_OURS = {".venv", ".venv-program", ".venv-loadtests", ".altlas", ".git", "node_modules"}


def files(ending: str) -> list[Path]:
    """Every file of the repository with an ending, sorted; nothing that was installed or generated here."""
    found = sorted(ROOT.rglob(f"*.{ending}"))
    return [path for path in found if not _NOT_OURS & set(path.relative_to(ROOT).parts)]


def pages() -> list[Path]:
    """Every Markdown file of the repository."""
    return files("md")


def name_of(path: Path) -> str:
    """Path from the root of the repository; the id of a parametrised test."""
    return path.relative_to(ROOT).as_posix()


def without_code_blocks(text: str) -> str:
    """The text of a page without fenced blocks."""
    return "".join(text.split("```")[::2])


def blocks(text: str, languages: tuple[str, ...]) -> Iterator[str]:
    """Content of the fenced blocks in one of the languages."""
    for block in text.split("```")[1::2]:
        language, _, content = block.partition("\n")
        if language.strip() in languages:
            yield content


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", without_code_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
