"""Names and labels."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kubernetes import naming

CONTENT = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5)


@pytest.mark.parametrize("text", ["a", "0", "alt-las", "a--b", "a" * 63])
def test_a_dns_label_has_lower_case_letters_digits_and_inner_hyphens(text: str) -> None:
    """RFC 1123 allows these, up to 63 characters."""
    assert naming.is_dns_label(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "a_b", "ä", "a\n", "a" * 64])
def test_anything_else_is_no_dns_label(text: str) -> None:
    """Each of these is refused by the API server."""
    assert not naming.is_dns_label(text)


@pytest.mark.parametrize("text", ["a", "alt-las.local", ".".join(["a" * 63] * 3) + "." + "a" * 61])
def test_a_dns_name_is_labels_joined_by_dots(text: str) -> None:
    """The longest name has 253 characters."""
    assert naming.is_dns_name(text)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "A.b", "*.a", ".".join(["a" * 63] * 3) + "." + "a" * 62])
def test_empty_labels_capitals_and_wildcards_are_no_dns_name(text: str) -> None:
    """One character more than 253 is too long, too."""
    assert not naming.is_dns_name(text)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("beta.v9", True), ("A_b-c.d", True), ("1", True), ("", False), (".a", False), ("a-", False), ("a" * 64, False)],
)
def test_a_label_value_may_have_capitals_dots_and_underscores(text: str, fits: bool) -> None:
    """A tag must be one, because it becomes the version label."""
    assert naming.is_label_value(text) is fits


def test_selector_labels_hold_name_and_platform_only() -> None:
    """Selectors are immutable, so nothing that a release changes may be in them."""
    assert naming.selector_labels("api-gateway") == {
        "app.kubernetes.io/name": "api-gateway",
        "app.kubernetes.io/part-of": "alt-las",
    }


def test_labels_add_role_and_manager_but_no_version() -> None:
    """With a version in them, a release would write every object."""
    assert naming.labels("api-gateway", "gateway") == {
        "app.kubernetes.io/name": "api-gateway",
        "app.kubernetes.io/part-of": "alt-las",
        "app.kubernetes.io/component": "gateway",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    assert naming.version_label("beta.v9") == {"app.kubernetes.io/version": "beta.v9"}


def test_a_content_name_is_known_for_ever() -> None:
    """A new way to make it would roll every pod of every stack."""
    assert naming.content_name("app", {"b": "2", "a": "1"}) == "app-21f76dfbfe"


@given(CONTENT, CONTENT)
def test_a_content_name_differs_exactly_when_the_content_does(one: dict[str, str], other: dict[str, str]) -> None:
    """The same content gets its old name back; other content never has it."""
    assert (naming.content_name("app", one) == naming.content_name("app", other)) is (one == other)


@given(CONTENT)
def test_a_content_name_does_not_depend_on_the_order_of_the_keys(content: dict[str, str]) -> None:
    """Moving a line in the code must not roll the pods."""
    backwards = dict(reversed(content.items()))
    assert naming.content_name("app", content) == naming.content_name("app", backwards)


@given(st.text(string.ascii_lowercase, min_size=1, max_size=52), CONTENT)
def test_a_content_name_is_a_dns_label(name: str, content: dict[str, str]) -> None:
    """Whatever the content is, the name can be the name of an object."""
    made = naming.content_name(name, content)
    assert naming.is_dns_label(made)
    assert made.startswith(f"{name}-")
