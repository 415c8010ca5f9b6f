"""Objects that a state lists for deletion: seen by the engine only when nothing wants them any more."""

from typing import Any

import pytest

from altlas.session.journal.leftovers import (
    has_deletions,
    with_creations_listed,
    with_cut_off_operations,
    with_deletions,
    without_deletions,
)
from altlas.session.journal.references import broken_reference
from altlas.session.journal.replay import StackState
from tests.altlas.journal.documents import PROVIDER, resource, state

LISTED = resource("settings", delete=True, dependencies=[resource("gone")["urn"]], parent=resource("gone")["urn"])
BEFORE = StackState(state(resource("gone"), {**resource("settings"), "id": "alt-las/settings-b"}, LISTED))


def _ids(deployment: StackState) -> list[tuple[str, bool]]:
    return [(one["id"], bool(one.get("delete"))) for one in deployment.resources]


def test_the_engine_does_not_see_them_at_first() -> None:
    """The part that it sees is whole, and the state itself is unchanged."""
    assert has_deletions(BEFORE)
    seen = without_deletions(BEFORE)
    assert _ids(seen) == [("alt-las/gone", False), ("alt-las/settings-b", False)]
    assert not has_deletions(seen)
    assert len(BEFORE.resources) == 3


@pytest.mark.parametrize(
    ("wanted", "left"),
    [("alt-las/settings", []), ("alt-las/settings-b", [("alt-las/settings", True)])],
    ids=["wanted again", "not wanted"],
)
def test_only_what_nothing_wants_is_still_to_be_deleted(wanted: str, left: list[tuple[str, bool]]) -> None:
    """The object of that name is kept if the program made it again; a deletion needs none of what is gone."""
    after = with_deletions(StackState(state({**resource("settings"), "id": wanted})), BEFORE)
    assert _ids(after) == [(wanted, False), *left]
    assert broken_reference(after.body) is None


def test_deletions_of_other_providers_are_left_to_the_engine() -> None:
    """Only a Kubernetes object is known by its name."""
    other = resource("settings", type="pulumi-python:dynamic:Resource", delete=True)
    assert not has_deletions(StackState(state(other)))
    assert len(without_deletions(StackState(state(other))).resources) == 1


def test_a_component_whose_registration_was_cut_off_is_not_pending() -> None:
    """It is nothing outside the state; an object of another provider stays for a person to judge."""
    component = {
        "urn": "urn:pulumi:alpha::alt-las::pulumi:pulumi:Stack::s",
        "custom": False,
        "type": "pulumi:pulumi:Stack",
    }
    other = {"urn": "urn:pulumi:alpha::alt-las::x:y:Z::o", "custom": True, "type": "x:y:Z"}
    begun = [{"resource": each, "type": "creating"} for each in (component, other)]
    left = with_cut_off_operations(StackState(state(pending_operations=begun)), [], frozenset(), StackState(state()))
    assert [one["resource"] for one in left.pending] == [other]


def test_an_object_to_delete_does_not_wait_for_what_it_depended_on() -> None:
    """Its creation was cut off, and the next program made another one, without what the first depended on."""
    gone = resource("gone")
    named = {"metadata": {"name": "web-1", "namespace": "alt-las"}}
    begun = {"resource": resource("web", dependencies=[gone["urn"]], inputs=named), "type": "creating"}
    after = StackState(state({**resource("web"), "id": "alt-las/web-2"}, pending_operations=[begun]))
    left = with_cut_off_operations(after, [], {resource("web")["urn"]}, StackState(state()))
    assert _ids(left) == [("alt-las/web-2", False), ("alt-las/web-1", True)]
    assert broken_reference(left.body) is None


OTHER = {"urn": PROVIDER, "custom": True, "id": "1", "type": "pulumi:providers:kubernetes"}
"""A provider that the next update removes."""

MADE_BY_IT: dict[str, Any] = {"provider": f"{PROVIDER}::1", "inputs": {"metadata": {"name": "web-1", "namespace": "a"}}}
BEGUN = {"resource": resource("web", **MADE_BY_IT, dependencies=[resource("gone")["urn"]]), "type": "creating"}
CUT_OFF = StackState(state(OTHER, resource("gone"), resource("web", **MADE_BY_IT), pending_operations=[BEGUN]))
"""The creation that was to replace an object was cut off, and waits for a program."""


def test_an_update_may_remove_the_provider_of_a_creation_that_was_cut_off() -> None:
    """As with all else that the program wants no more: the object is taken in with its provider, without its order."""
    left = with_cut_off_operations(StackState(state(pending_operations=[BEGUN])), [], frozenset(), CUT_OFF)
    assert _ids(left) == [("1", False), ("a/web-1", False)]
    assert left.resources[1]["refreshBeforeUpdate"]
    assert left.pending == []
    assert broken_reference(left.body) is None


def test_an_update_may_remove_the_provider_of_an_object_to_delete() -> None:
    """As an upgrade of the provider does, which the engine sees before the deletions of the update before it."""
    before = StackState(state(OTHER, {**resource("web", **MADE_BY_IT), "delete": True}))
    left = with_deletions(StackState(state(resource("boats"))), before)
    assert _ids(left) == [("1", False), ("alt-las/boats", False), ("alt-las/web", True)]
    assert broken_reference(left.body) is None


def test_a_removal_deletes_what_may_have_been_created() -> None:
    """Whichever of the two objects exists, both go; a state in which nothing waits stays as it is."""
    listed = with_creations_listed(CUT_OFF)
    assert _ids(listed)[2:] == [("alt-las/web", False), ("a/web-1", True)]
    assert listed.pending == []
    assert broken_reference(listed.body) is None
    assert with_creations_listed(listed) is listed
