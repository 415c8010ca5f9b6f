"""Replay of journals, held against the answers that Pulumi's own replay gave (judge.py)."""

import pytest

from altlas.session.journal.references import broken_reference
from altlas.session.journal.replay import JournalError, Replay, StackState
from tests.altlas.journal.documents import begun, entry, resource, state
from tests.altlas.journal.judge import ANSWERS, SEEDS, checksum, question
from tests.support.figures import Figures


def _replayed(asked: dict[str, object]) -> StackState:
    base, entries = asked["base"], asked["entries"]
    assert isinstance(base, dict)
    assert isinstance(entries, list)
    replay = Replay(base, "")
    for one in entries:
        replay.add(one)
    return replay.deployment()


def _answer(seed: int) -> str:
    made = _replayed(question(seed))
    whole = "broken" if broken_reference(made.body) else "whole"
    return f"{seed} {checksum(made.body, made.version, made.features)} {whole}"


def test_a_thousand_generated_journals_give_the_states_that_pulumi_made_of_them(figures: Figures) -> None:
    """State, schema, features and soundness are equal for each of a thousand journals."""
    expected = ANSWERS.read_text().splitlines()
    assert len(expected) == len(SEEDS) == 1000
    different = [line for seed, line in zip(SEEDS, expected, strict=True) if _answer(seed) != line]
    figures.add("journals replayed as Pulumi replays them", f"{len(expected)} cases, {len(different)} differences")
    assert different == []


def test_a_changed_entry_gives_another_state() -> None:
    """The control: a checksum notices one changed input."""
    asked = question(3)
    changed = [one for one in asked["entries"] if one.get("state")]
    changed[0]["state"]["inputs"] = {"data": {"value": "another"}}
    made = _replayed(asked)
    assert checksum(made.body, made.version, made.features) not in ANSWERS.read_text().splitlines()[3]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (entry(1, 1, version=2), "entries of version 2, known is 1"),
        (entry(10, 1), "kind 10"),
        (entry(1, 2, deleteNew=7), "kind 1: KeyError(7)"),
        ({"version": 1, "kind": 0}, "kind 0: KeyError('operationID')"),
    ],
    ids=["newer version", "unknown kind", "step that is not there", "no operation"],
)
def test_an_entry_that_cannot_be_replayed_is_refused(bad: dict[str, object], said: str) -> None:
    """A newer or damaged entry is named instead of being guessed at."""
    with pytest.raises(JournalError) as refused:
        Replay(state(), "").add(bad)
    assert said in str(refused.value)


def test_what_was_in_flight_is_listed_as_pending() -> None:
    """An operation that began and did not end is pending; its resource is not in the state."""
    replay = Replay(state(), "v3.259.0")
    replay.add(begun(1, "creating", resource("done")))
    replay.add(entry(1, 1, state=resource("done")))
    replay.add(begun(2, "creating", resource("lost")))
    made = replay.deployment()
    assert [one["urn"].rpartition("::")[2] for one in made.resources] == ["done"]
    assert [(one["type"], one["resource"]["urn"].rpartition("::")[2]) for one in made.pending] == [("creating", "lost")]
    assert made.body["manifest"]["magic"] == "ab35920a3077459b09dd1a3f7ddc28df4e3efc81b3240013bb6906688abc684d"


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ([resource("a"), resource("a")], "stands there twice"),
        ([resource("a", dependencies=["urn:pulumi:x::y::z::b"])], "is missing"),
        ([resource("a", parent=resource("b")["urn"]), resource("b")], "comes after it"),
        ([resource("a", provider="urn:pulumi:x::y::pulumi:providers:kubernetes::p::1")], "unknown provider"),
        ([resource("a", custom=False)], "is a component and has an id"),
        ([resource("a", type="")], "resource 0 has no type"),
    ],
    ids=["twice", "missing", "order", "provider", "component", "type"],
)
def test_a_state_that_pulumi_would_refuse_is_named(resources: list[dict[str, object]], said: str) -> None:
    """Each way in which the engine refuses a state is found before it is written."""
    assert said in str(broken_reference(state(*resources)))


def test_a_sound_state_is_not_named() -> None:
    """A resource may stand there twice while its old self is to be deleted."""
    replaced = resource("a", delete=True)
    assert broken_reference(state(resource("a"), replaced, resource("b", dependencies=[replaced["urn"]]))) is None
