"""Any document at all is either settings or a SettingsError that names the key."""

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from tests.support.documents import alpha_with, platform_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["500m", "1Gi", "latest", "alt-las", "/health", "api-gateway", "٣", "\ud800"])
    | st.dates()
    | st.binary(max_size=4)
)
KEYS = st.text(max_size=8) | st.integers() | st.none() | st.booleans() | st.dates()
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
UNSEEN = "never-to-be-seen"


def paths(document: dict[str, Any], above: str = "") -> list[str]:
    """Every key of a document with its path."""
    found = []
    for key, value in document.items():
        here = f"{above}.{key}" if above else key
        found += [here, *(paths(value, here) if isinstance(value, dict) else ())]
    return found


PATHS = paths(platform_of("alpha"))


def complaints(document: object) -> tuple[str, ...]:
    """Paths below the platform's key that are wrong; none if the document is usable."""
    try:
        parse_platform(document)
    except SettingsError as error:
        problems = error.problems
    else:
        return ()
    assert all(problem.path.startswith(PLATFORM_KEY) and problem.message for problem in problems)
    return tuple(problem.path.removeprefix(PLATFORM_KEY).removeprefix(".") for problem in problems)


def test_the_paths_reach_into_every_part_of_the_document() -> None:
    """Or the mutations below would miss something."""
    assert len(PATHS) >= 89
    assert {"namespace", "autoscaling.scaleUp.percent", "services.archive-service.resources.limits.cpu"} <= set(PATHS)


@given(TREES)
@settings(max_examples=300)
def test_any_document_is_read_or_refused(document: object) -> None:
    """With no other exception than the one that has a message for people."""
    assert complaints(document)


@given(st.sampled_from(PATHS), TREES)
@settings(max_examples=600)
def test_one_wrong_value_is_refused_at_its_place_or_above_or_below(path: str, value: object) -> None:
    """Above where a rule compares it with others, below where a block took its place."""
    for complaint in complaints(alpha_with({path: value})):
        place = complaint.partition("[")[0]
        assert place.startswith(path) or path.startswith(place), f"{path} is wrong, {complaint} is named"


@given(st.sampled_from(PATHS), st.text(min_size=1, max_size=8).filter(lambda key: "." not in key))
@settings(max_examples=300)
def test_an_unknown_key_is_named_and_its_value_is_not_repeated(path: str, key: str) -> None:
    """It might be a secret that was written in the wrong place."""
    parent = path.rpartition(".")[0]
    place = f"{parent}.{key}" if parent else key
    with pytest.raises(SettingsError) as caught:
        parse_platform(alpha_with({place: {"deep": UNSEEN}}))
    assert f"{PLATFORM_KEY}.{place}" in str(caught.value)
    assert UNSEEN not in str(caught.value)


@given(st.sampled_from(PATHS))
def test_a_wrong_value_is_never_repeated(path: str) -> None:
    """Types, bounds and patterns are told by the rule alone."""
    with pytest.raises(SettingsError) as caught:
        parse_platform(alpha_with({path: [UNSEEN, datetime.date(2026, 1, 31)]}))
    assert UNSEEN not in str(caught.value)
