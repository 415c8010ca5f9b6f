"""Settings that the documents name, such as `rollout.imagePullPolicy`, exist in the schema of the stack files."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.stack.schema import stack_file_schema
from tests.documents.pages import ROOT, name_of, pages, without_code_blocks

SCHEMA = json.loads((ROOT / "docs" / "stack.schema.json").read_text(encoding="utf-8"))
SPAN = re.compile(r"`([a-z][A-Za-z]*(?:\.(?:[a-zA-Z-]+|<name>|\*)(?:\[\])?)+)(?:: [^`]*)?`")
FILES = re.compile(r"\.(md|py|yaml|json|toml|txt|svg|yml|sum|mod)$")


def alternatives(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A part of the schema with everything that it refers to."""
    if "$ref" in node:
        yield from alternatives(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    for each in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from alternatives(each)
    if isinstance(node.get("items"), dict):
        yield from alternatives(node["items"])
    yield node


def children(nodes: list[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Schemas below a key; `<name>` and `*` stand for every key."""
    found = []
    for node in nodes:
        properties = node.get("properties", {})
        named = list(properties.values()) if key in ("<name>", "*") else [properties[key]] if key in properties else []
        extra = node.get("additionalProperties")
        found += named + ([extra] if isinstance(extra, dict) else [])
    return [each for one in found for each in alternatives(one)]


def exists(path: str) -> bool:
    """True if a path of keys leads to a setting."""
    nodes = platform()
    for key in path.replace("[]", "").split("."):
        nodes = children(nodes, key)
    return bool(nodes)


def platform() -> list[Mapping[str, Any]]:
    """The schema below `alt-las:platform`."""
    config = children(list(alternatives(SCHEMA)), "config")
    return children(config, "alt-las:platform")


def test_the_stored_schema_is_that_of_the_code() -> None:
    """So that what is read here is what a stack file may say."""
    assert stack_file_schema() == SCHEMA


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_settings_that_a_page_names_exist(page: Path) -> None:
    """Code spans of keys with dots that begin with a block of the stack file."""
    spans = SPAN.findall(without_code_blocks(page.read_text(encoding="utf-8")))
    named = [span for span in spans if exists(span.partition(".")[0]) and not FILES.search(span)]
    assert [span for span in named if not exists(span)] == []


def test_a_setting_that_does_not_exist_is_noticed() -> None:
    """The control."""
    assert exists("rollout.imagePullPolicy")
    assert exists("services.<name>.image.tag")
    assert not exists("rollout.wings")
