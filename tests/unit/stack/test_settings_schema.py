"""The JSON Schema of the stack files."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from components.settings.secrets import SECRETS
from components.stack.problems import PLATFORM_KEY
from components.stack.schema import stack_file_schema
from tests.support.documents import REMOVED, ROOT, STACKS, alpha_with, stack_text

SCHEMA = stack_file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
COMMAND = "make schema"


def stack_file(changes: dict[str, Any]) -> dict[str, Any]:
    """A stack file with alpha's settings, changed at dotted paths."""
    return {"config": {PLATFORM_KEY: alpha_with(changes)}}


def test_the_schema_is_a_schema() -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_checked_in_schema_is_fresh() -> None:
    """Editors read the file, so it must say what the models say; `make schema` writes it again."""
    path = ROOT / "docs" / "stack.schema.json"
    assert json.loads(path.read_text(encoding="utf-8") or "null") == SCHEMA, f"out of date: run `{COMMAND}`"


@pytest.mark.parametrize("stack", STACKS)
def test_both_stack_files_are_valid(stack: str) -> None:
    """And each names the schema in its first line, for editors."""
    VALIDATOR.validate(yaml.safe_load(stack_text(stack)))
    assert stack_text(stack).startswith("# yaml-language-server: $schema=./docs/stack.schema.json\n")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"namespce": "x"}, []),
        ({"namespace": 5}, ["namespace"]),
        ({"namespace": REMOVED}, []),
        ({"services.api-gateway.image.tag": REMOVED}, ["services", "api-gateway", "image"]),
        ({"services.api-gateway.port": 80}, ["services", "api-gateway", "port"]),
        ({"services.api-gateway.logLevel": "loud"}, ["services", "api-gateway", "logLevel"]),
        ({"services.sixth": {}}, ["services"]),
    ],
)
def test_a_wrong_stack_file_is_invalid_at_the_right_place(changes: dict[str, Any], path: list[str]) -> None:
    """Unknown keys, types, what is missing, bounds and choices."""
    errors = [list(error.absolute_path) for error in VALIDATOR.iter_errors(stack_file(changes))]
    assert errors == [["config", PLATFORM_KEY, *path]]


@pytest.mark.parametrize("document", [{}, {"config": {}}, {"config": {PLATFORM_KEY: None}}])
def test_a_stack_file_without_settings_is_invalid(document: dict[str, Any]) -> None:
    """The platform's key is required."""
    assert not VALIDATOR.is_valid(document)


def test_secrets_must_be_encrypted_and_known() -> None:
    """A secret in plain text is marked while it is typed."""
    document = stack_file({})
    for secret in SECRETS:
        key = f"alt-las:{secret.key}"
        document["config"][key] = {"secure": "v1:abc"}
        assert VALIDATOR.is_valid(document)
        assert not VALIDATOR.is_valid({"config": document["config"] | {key: "in plain text"}})
    assert not VALIDATOR.is_valid({"config": document["config"] | {"alt-las:unknown": {"secure": "v1:abc"}}})


def test_what_pulumi_and_providers_write_is_valid() -> None:
    """Salt and keys at the top, other projects' keys below config."""
    document = stack_file({}) | {"encryptionsalt": "v1:x", "secretsprovider": "passphrase", "encryptedkey": "x"}
    document["config"]["kubernetes:context"] = "any"
    VALIDATOR.validate(document)
    assert not VALIDATOR.is_valid(document | {"extra": 1})


def test_every_leaf_of_the_schema_carries_class_and_description() -> None:
    """Editors show the description; other tools may read the class."""
    leaves = [
        leaf
        for model in [*SCHEMA["$defs"].values(), SCHEMA["properties"]["config"]["properties"][PLATFORM_KEY]]
        for leaf in model["properties"].values()
        if "class" in leaf
    ]
    assert len(leaves) > 60
    assert all(leaf["description"] for leaf in leaves)
