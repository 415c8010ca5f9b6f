"""Freeze windows and stops: nothing is released within them, unless a person overrides them by name."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from altlas.release.ledger import ledger_of
from altlas.release.rules import check_freeze
from altlas.session.workspace import Workspace
from components.settings.release import FreezeSettings, ReleaseSettings
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode
from tests.altlas.conftest import Altlas
from tests.support.documents import alpha_settings

WEEKEND = '{"name": "weekend", "schedule": "0 16 * * 5", "hours": 64}'
WINTER = '{"name": "winter", "start": "2026-12-20T00:00:00+01:00", "end": "2027-01-07T00:00:00+01:00"}'
RULES = ReleaseSettings.model_validate_json(f'{{"freezes": [{WEEKEND}, {WINTER}]}}')


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


def test_a_stop_by_command_holds_until_it_is_lifted(altlas: Altlas, checkout: Path) -> None:
    """It names the person; `altlas up` and `altlas apply` heed it."""
    assert altlas("freeze", "alpha", "--reason", "load test").code == 0
    done = altlas("up", "alpha", "--yes")
    assert done.code == ExitCode.REFUSED, done.error
    assert "releases are stopped by " in done.error
    assert "load test. Nothing was changed" in done.error
    assert altlas("unfreeze", "alpha", "--reason", "done").code == 0
    ledger = ledger_of(Workspace(checkout), "alpha", os.environ)
    assert [each.kind for each in ledger.entries()] == ["freeze", "unfreeze"]
    assert check_freeze(ReleaseSettings(), ledger.entries(), datetime.now(UTC), "") == ""


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
