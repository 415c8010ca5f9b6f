"""The gates over the platform: its stacks break no rule, regressions are caught, valid settings raise no alarm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import pytest

from components.stack.loading import parse_platform
from policy.rules import evaluate
from policy.stacks import Stack, load_stack, read_document, stack_names
from tests.policy import regressions
from tests.policy.settings_variations import repeatable, variation
from tests.support.figures import Figures

SAMPLE = 4
"""`make verify` tries one of so many regressions and documents; `make verify-all` tries all."""


class InThisProcess(Executor):
    """Does the work at once, where it can be looked into."""

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """Call the function for each tuple of arguments."""
        del timeout, chunksize  # nothing here is handed out
        return map(fn, *iterables)


@pytest.fixture(scope="module", params=stack_names())
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack of the platform, rendered once."""
    return load_stack(request.param)


def test_a_stack_breaks_no_rule(stack: Stack) -> None:
    """Everything that the program renders passes every rule."""
    assert [str(violation) for violation in evaluate(stack.manifests, stack.parameters)] == []


@pytest.mark.gate
def test_at_least_99_percent_of_the_regressions_are_caught(figures: Figures, *, whole: bool) -> None:
    """Hundreds of seeded changes for the worse; what slips through is named."""
    begin = time.process_time()
    count = regressions.REGRESSIONS if whole else regressions.REGRESSIONS // SAMPLE
    outcomes = regressions.judge(regressions.regressions(count))
    missed = [outcome.regression.change for outcome in outcomes if not outcome.gates]
    caught = len(outcomes) - len(missed)
    figures.add("security regressions caught", f"{caught} of {len(outcomes)} = {100 * caught / len(outcomes):.1f} %")
    figures.add("processor time to make and judge them", f"{time.process_time() - begin:.1f} s")
    assert len(outcomes) == count
    assert regressions.REGRESSIONS >= 500
    assert len(missed) <= len(outcomes) // 100, missed
    assert sum("prover" in outcome.gates for outcome in outcomes) > count // 8
    themes = {outcome.regression.theme for outcome in outcomes}
    assert len(themes) > (50 if whole else 30)
    table = regressions.as_table(outcomes).splitlines()
    assert len(table) == len(themes) + 1


@pytest.mark.gate
def test_the_same_seed_makes_the_same_regressions() -> None:
    """A regression that slipped through can be looked at again."""
    first, again, other = (regressions.regressions(20, seed) for seed in (1, 1, 2))
    assert [each.change for each in first] == [each.change for each in again]
    assert [each.change for each in first] != [each.change for each in other]


@pytest.mark.gate
def test_no_gate_objects_to_valid_settings(figures: Figures, *, whole: bool) -> None:
    """A hundred documents that a stack file may hold, none of them like another."""
    count = regressions.VALID_DOCUMENTS if whole else regressions.VALID_DOCUMENTS // SAMPLE
    with regressions.processes() as executor:
        alarms = list(regressions.false_alarms(executor, count))
    figures.add("false alarms of the gates", f"{len(alarms)} on {count} valid settings documents")
    assert alarms == []


@pytest.mark.gate
def test_a_gate_that_objects_to_valid_settings_is_reported_with_the_document_s_number() -> None:
    """The control: with a rule that nothing can pass, no document is silent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regressions, "gates_that_object", lambda stack: frozenset({stack.name}))
        found = list(regressions.false_alarms(InThisProcess(), 2))
    assert found == [(0, frozenset({"valid0"})), (1, frozenset({"valid1"}))]


@pytest.mark.gate
def test_variations_are_valid_and_differ() -> None:
    """The control run is only worth something if it varies what the gates look at."""
    chance = repeatable(7)
    documents = [variation(read_document("alpha"), chance) for _ in range(30)]
    platforms = [parse_platform(document) for document in documents]
    assert len({platform.services.api_gateway.port for platform in platforms}) > 20
    assert {platform.services.api_gateway.autoscaling is None for platform in platforms} == {True, False}
    assert {bool(platform.additional_calls) for platform in platforms} == {True, False}


def test_a_stack_that_is_not_clean_is_no_base_for_regressions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that objects anyway would seem to catch everything."""
    monkeypatch.setattr(regressions, "with_digests", lambda document, _: document)
    with pytest.raises(ValueError, match="image-has-a-digest object to alpha as it is"):
        regressions.regressions()


def test_the_regressions_command_fails_below_99_percent_and_names_what_was_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of ten caught is not enough; the nine others are listed."""
    few = regressions.regressions(10)
    outcomes = [regressions.Outcome(each, frozenset({"prover"} if each is few[0] else ())) for each in few]
    monkeypatch.setattr(regressions, "regressions", lambda: few)
    monkeypatch.setattr(regressions, "judge", lambda _: outcomes)
    monkeypatch.setattr(regressions, "false_alarms", lambda _: ())
    with pytest.raises(SystemExit) as ended:
        regressions.main()
    printed = capsys.readouterr().out
    assert ended.value.code == 1
    assert printed.count("missed: ") == 9
    assert "caught 1 of 10 = 10.0 %" in printed
