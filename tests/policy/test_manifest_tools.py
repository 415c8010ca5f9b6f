"""Paths, quantities and selectors: what every rule stands on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from components.kubernetes.secret_texts import holds_a_secret, names_a_secret
from policy.paths import ABSENT, join, leaves, read, write
from policy.quantities import amount
from policy.selectors import matches


def test_a_path_reads_mappings_lists_and_keys_with_dots() -> None:
    """Whatever is missing on the way gives the default."""
    tree = {"a": [{"b.c/d": 1}]}
    assert read(tree, 'a[0]["b.c/d"]') == 1
    assert [read(tree, path, "none") for path in ("a[1]", "a.b", "b", "a[0].x.y")] == ["none"] * 4


def test_a_path_writes_appends_and_removes() -> None:
    """Mappings on the way are made; a list position behind the end appends."""
    tree: dict[str, Any] = {"list": [1], "gone": 2}
    write(tree, "new.block", 3)
    write(tree, "list[9]", 4)
    write(tree, "gone", ABSENT)
    assert tree == {"new": {"block": 3}, "list": [1, 4]}
    with pytest.raises(KeyError):
        write(tree, "gone", ABSENT)


def test_leaves_are_named_by_paths_that_read_them() -> None:
    """Every leaf's path leads back to it."""
    tree = {"a": [1, {"b": 2}], "c.d": 3}
    assert dict(leaves(tree)) == {"a[0]": 1, "a[1].b": 2, '["c.d"]': 3}
    assert all(read(tree, path) == value for path, value in leaves(tree))
    assert (join("", "a"), join("a", "b"), join("a", "b.c")) == ("a", "a.b", 'a["b.c"]')


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", Fraction(1, 2)), ("2", 2), ("0.5", Fraction(1, 2)), ("1Gi", 2**30), ("1k", 1000), ("1e3", 1000), (3, 3)],
)
def test_a_quantity_is_read_exactly(text: object, value: Fraction) -> None:
    """Decimal and binary suffixes and exponents."""
    assert amount(text) == value


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "-1", "1gi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """The control."""
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


def test_an_unknown_operator_of_a_selector_is_refused() -> None:
    """A typing error must not select everything or nothing."""
    with pytest.raises(ValueError, match="'in' is no operator"):
        matches({"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}, {"a": "b"})


@pytest.mark.parametrize(
    "name", ["PASSWORD", "DB_PASSWD", "jwtSecret", "API_KEY", "apiKey", "GITHUB_TOKEN", "private-key"]
)
def test_names_of_secrets_are_recognised(name: str) -> None:
    """In any spelling that variables and keys have."""
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name", ["MAX_TOKENS", "TOKENIZER", "PASSWORD_FILE", "SECRET_NAME", "TOKEN_TTL_SECONDS", "KEYBOARD", "PORT"]
)
def test_names_that_only_speak_of_secrets_are_not(name: str) -> None:
    """A number of tokens or the path of a file is no secret."""
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ("postgresql://web:hunter2@db/web", True),
        ("redis://:hunter2@cache:6379", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("https://example.com:8443/path@2", False),
        ("postgresql://web@db/web", False),
        ("postgresql://web:$(PASSWORD)@db/web", False),
    ],
)
def test_values_that_are_secrets_are_recognised(text: str, is_secret: bool) -> None:
    """A URL with a password, a private key; not a URL with a port, and not a reference to another variable."""
    assert holds_a_secret(text) is is_secret
