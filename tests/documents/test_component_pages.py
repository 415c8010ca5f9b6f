"""docs/components: generated from the component classes, fresh and complete."""

from collections.abc import Mapping

import pytest

from tests.documents.component_pages import FOLDER, Field, arguments, component_classes, documents, fields, summary


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    """The pages as the classes and the program say them now."""
    return documents()


def test_the_pages_are_what_the_code_says(pages: Mapping[str, str]) -> None:
    """`make component-pages` writes them again."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert stored == pages


def test_the_pages_show_objects_of_both_stacks(pages: Mapping[str, str]) -> None:
    """The control of the recording: known objects stand on the pages of their components."""
    assert "| StatefulSet | `redis` | `redis` |" in pages["redis.md"]
    assert "| Deployment | - | `redis-proxy` |" in pages["redis.md"]
    assert "| Deployment | `api-gateway` | `api-gateway` |" in pages["api-gateway.md"]


@pytest.mark.parametrize("component", component_classes(), ids=lambda each: each.__name__)
def test_a_component_explains_itself(component: type) -> None:
    """Its docstring says what it does not own, and the meaning of every argument and output."""
    assert "oes not own" in summary(component)
    explained: list[Field] = [*arguments(component)[1], *fields(component)]
    assert [each.name for each in explained if not each.meaning] == []
