"""Freeze windows and stops: nothing is released within them, unless a person overrides them by name."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.core import TyperGroup

from altlas.cli import COMMANDS
from altlas.release.ledger import ledger_of
from altlas.release.rules import check_freeze
from altlas.session.workspace import Workspace
from components.settings.release import FreezeSettings, ReleaseSettings
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode
from tests.altlas.conftest import Altlas
from tests.altlas.release_stand_ins import Release
from tests.altlas.test_seal import keys, release
from tests.support.documents import alpha_settings

__all__ = ["keys", "release"]

WEEKEND = '{"name": "weekend", "schedule": "0 16 * * 5", "hours": 64}'
WINTER = '{"name": "winter", "start": "2026-12-20T00:00:00+01:00", "end": "2027-01-07T00:00:00+01:00"}'
RULES = ReleaseSettings.model_validate_json(f'{{"freezes": [{WEEKEND}, {WINTER}]}}')

HEEDING = {
    "up": ("up", "alpha", "--yes"),
    "destroy": ("destroy", "alpha", "--yes"),
    "secrets rotate": ("secrets", "rotate", "alpha", "natsRunnerPassword", "--yes"),
}
"""A command line of each command that a stop holds before it asks or starts anything."""

_READS = "it changes nothing on a cluster"
_LOCAL = "it starts or stops a cluster of this machine, or a scratch one"
_COPY = "in an emergency it must work; it asks for the stack's name before it replaces data"
_BY_NAME = "a person ends a release that began before the stop, and the ledger has name and reason"
_CLUSTER = "addons belong to a cluster, whose stacks have ledgers and settings of their own"
_JOB = "a Job that changes no object of the stack"
NOT_HEEDING = {
    "apply": "tested with a plan below",
    "rollback": "it plans; with --automatic it applies as `apply` does, tested below",
    "drift": "it puts back what the last update sent",
    **dict.fromkeys(
        ("preflight", "status", "env", "capacity", "plan", "promote", "canary list", "backup list"), _READS
    ),
    **dict.fromkeys(("secrets init", "state recover"), "it writes the stack file or the state alone"),
    **dict.fromkeys(("down", "rehearse"), _LOCAL),
    **dict.fromkeys(("canary approve", "canary abort", "canary skip"), _BY_NAME),
    **dict.fromkeys(("loadtest", "backup fetch", "backup preflight", "backup drill"), _JOB),
    "backup restore": _COPY,
    **dict.fromkeys(("addons install", "addons remove"), _CLUSTER),
}
"""Commands that can reach a cluster and that no stop holds there, with the reason."""


@pytest.mark.parametrize(
    ("moment", "window"),
    [
        ("2026-11-27T15:59:59+00:00", None),
        ("2026-11-27T16:00:00+00:00", ("weekend", "2026-11-30T08:00:00+00:00")),
        ("2026-11-29T00:00:00+02:00", ("weekend", "2026-11-30T08:00:00+00:00")),
        ("2026-11-30T07:59:59+00:00", ("weekend", "2026-11-30T08:00:00+00:00")),
        ("2026-11-30T08:00:00+00:00", None),
        ("2026-12-19T23:30:00+00:00", ("winter", "2027-01-07T00:00:00+01:00")),
        ("2027-01-06T22:59:59+00:00", ("winter", "2027-01-07T00:00:00+01:00")),
        ("2027-01-06T23:00:00+00:00", None),
    ],
)
def test_a_moment_is_in_a_window_from_its_begin_to_its_end(moment: str, window: tuple[str, str] | None) -> None:
    """In any time zone; of two windows the one that ends last counts."""
    found = RULES.frozen(datetime.fromisoformat(moment))
    assert found == (window and (window[0], datetime.fromisoformat(window[1])))


@pytest.mark.parametrize(
    "window",
    [
        {"name": "neither"},
        {"name": "half", "schedule": "0 16 * * 5"},
        {"name": "both", "schedule": "0 16 * * 5", "hours": 1, "start": "2026-12-20T00:00:00+01:00"},
        {"name": "backwards", "start": "2027-01-07T00:00:00+01:00", "end": "2026-12-20T00:00:00+01:00"},
        {"name": "zoneless", "start": "2026-12-20T00:00:00", "end": "2027-01-07T00:00:00"},
        {"name": "cron", "schedule": "every friday", "hours": 1},
    ],
    ids=lambda window: str(window["name"]),
)
def test_a_window_of_another_form_is_refused(window: dict[str, object]) -> None:
    """With the path of the setting."""
    with pytest.raises(SettingsError, match=r"alt-las:platform\.release\.freezes"):
        alpha_settings({"release.freezes": [window]})


def test_without_rules_nothing_is_frozen() -> None:
    """The default leaves every command as it is."""
    assert check_freeze(ReleaseSettings(), (), datetime(2026, 12, 24, tzinfo=UTC), "") == ""
    assert FreezeSettings.model_validate_json(WINTER).end_at(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_an_override_passes_and_says_what_it_overrides() -> None:
    """Without one, the message has the window, its end, and the exit code of a rule."""
    moment = datetime(2026, 12, 24, tzinfo=UTC)
    with pytest.raises(CommandError, match=r"in the freeze window 'winter' until 2027-01-07T00:00\+01:00") as error:
        check_freeze(RULES, (), moment, "")
    assert error.value.code == ExitCode.REFUSED
    assert check_freeze(RULES, (), moment, "outage").startswith("in the freeze window 'winter'")


def reaching_a_cluster() -> Iterator[str]:
    """Every command that takes the name of a cluster."""
    for name, entry in COMMANDS.items():
        command = entry.load(name)
        for word, member in (command.commands if isinstance(command, TyperGroup) else {"": command}).items():
            if "target" in {each.name for each in member.params}:
                yield f"{name} {word}".strip()


def test_every_command_heeds_a_stop_or_says_why_not() -> None:
    """A new command that can reach a cluster is red until it stands in one of the tables."""
    assert sorted(reaching_a_cluster()) == sorted([*HEEDING, *NOT_HEEDING])


@pytest.mark.parametrize("command", HEEDING)
def test_a_stop_by_command_holds_until_it_is_lifted_or_overridden(
    altlas: Altlas, checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """It names the person; the ledger has who went on, and why."""
    monkeypatch.setenv("KUBECONFIG", str(checkout / "none"))
    ledger = ledger_of(Workspace(checkout), "alpha", os.environ)
    line = (*HEEDING[command], "--target", "kubeconfig")
    assert altlas("freeze", "alpha", "--reason", "load test").code == 0
    done = altlas(*line)
    assert done.code == ExitCode.REFUSED, done.error
    assert "releases are stopped by " in done.error
    assert "load test. Nothing was changed" in done.error
    overridden = altlas(*line, "--override", "outage")
    assert overridden.code not in (0, ExitCode.REFUSED), "there is no cluster"
    assert "are allowed again: entry 3 " in altlas("unfreeze", "alpha", "--reason", "done").out
    assert (altlas(*line).error, altlas(*line).code) == (overridden.error, overridden.code)
    assert [each.kind for each in ledger.entries()] == ["freeze", "override", "unfreeze"]
    assert ledger.entries()[1].body["why"] == "outage"
    assert check_freeze(ReleaseSettings(), ledger.entries(), datetime.now(UTC), "") == ""


def test_the_end_of_a_stop_says_whether_a_window_still_holds(altlas: Altlas, checkout: Path) -> None:
    """An end without a stop is refused, and the ledger gets no entry of it."""
    ledger = ledger_of(Workspace(checkout), "alpha", os.environ)
    none = altlas("unfreeze", "alpha", "--reason", "done")
    assert (none.code, none.error) == (2, "error: no `altlas freeze` stops releases of alpha\n")
    stack_file = checkout / "Pulumi.alpha.yaml"
    window = '{name: long, start: "2020-01-01T00:00:00+00:00", end: "2090-01-01T00:00:00+00:00"}'
    release = f"    namespace: alt-las\n    release: {{freezes: [{window}]}}\n"
    stack_file.write_text(stack_file.read_text().replace("    namespace: alt-las\n", release))
    within = altlas("unfreeze", "alpha", "--reason", "done")
    assert within.code == 2
    assert "they are in the freeze window 'long' until 2090-01-01T00:00+00:00, which ends by itself" in within.error
    assert ledger.entries() == ()
    assert "Releases of alpha are stopped: entry 1 " in altlas("freeze", "alpha", "--reason", "test").out
    ended = altlas("unfreeze", "alpha", "--reason", "done")
    assert ended.code == 0
    assert "are no longer stopped, but still in the freeze window 'long' until 2090-01-01T00:00+00:00" in ended.out


def test_a_stop_holds_an_approved_plan(release: Release) -> None:
    """Unless it is overridden; a rollback is applied in the same way."""
    release.ledger.append("freeze", "ada", {"why": "load test"})
    with pytest.raises(CommandError, match=r"releases are stopped by ada since .*load test") as error:
        release.apply()
    assert (error.value.code, release.world.updates) == (ExitCode.REFUSED, [])
    release.apply(override="outage")
    assert len(release.world.updates) == 1


def test_a_stack_that_takes_approved_plans_only_refuses_up(altlas: Altlas, checkout: Path) -> None:
    """And says how to go on."""
    stack_file = checkout / "Pulumi.alpha.yaml"
    text = stack_file.read_text()
    stack_file.write_text(
        text.replace("    namespace: alt-las\n", "    namespace: alt-las\n    release: {plansOnly: true}\n")
    )
    done = altlas("up", "alpha", "--yes")
    assert done.code == ExitCode.REFUSED
    assert "takes approved plans only (release.plansOnly); use `altlas plan alpha`" in done.error
