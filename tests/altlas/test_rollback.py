"""Rollback to a recorded release: program, settings and secrets of then, with the rules and the state of now."""

from dataclasses import replace
from pathlib import Path

import pytest

from altlas.release.apply import Permission, apply_plan, check_offline
from altlas.release.approval import approve
from altlas.release.archive import KEPT, keep_release, releases
from altlas.release.deployments import deployments
from altlas.release.dora import metrics
from altlas.release.engine_plan import engine_plan
from altlas.release.ledger import Ledger
from altlas.release.plan import Plan, PlanFile
from altlas.release.planning import make_plan
from altlas.release.rollback import GoingBack, check_one_way, choose_release, release_workspace, with_rules_of
from altlas.session.workspace import Workspace
from rendering.errors import CommandError, ExitCode
from tests.altlas.release_stand_ins import Release, session_of
from tests.altlas.test_approval import step
from tests.altlas.test_seal import ADA, BOB, keys, release

__all__ = ["keys", "release"]


@pytest.fixture
def released(release: Release) -> Release:  # the fixture of the same name
    """Two releases, after which a third thing is in the checkout."""
    release.apply()
    (release.root / "components" / "boats.py").write_text("BOATS = 3\n")
    release.set("cpuUtilizationPercent: 70", "cpuUtilizationPercent: 75")
    release.stack_file.write_text(release.stack_file.read_text() + "  alt-las:redisInternalSecret: {secure: v1:new}\n")
    release.world.planned = 4
    release.plan(ADA)
    release.apply()
    (release.root / "components" / "boats.py").write_text("BOATS = 5\n")
    return release


def back(released: Release, wanted: int | None = None) -> tuple[Workspace, Plan]:
    """Plan to go back, as `altlas rollback` does."""
    chosen = choose_release(released.ledger, "alpha", wanted)
    earlier = release_workspace(released.session.workspace, released.ledger, "alpha", chosen.release)
    platform = with_rules_of(released.session.workspace, earlier, "alpha")
    session = replace(session_of(released.root, released.world), workspace=earlier)
    return earlier, make_plan(session, "alpha", platform, lambda _: None, back=chosen)


def test_a_rollback_applies_program_settings_and_secrets_of_the_release_before(released: Release) -> None:
    """By a plan that is sealed and approved like any other; the checkout keeps what is in it."""
    released.world.planned = 3
    earlier, plan = back(released)
    assert (plan.kind, plan.release, plan.of) == ("rollback", 1, 3)
    assert (earlier.root / "components" / "boats.py").read_text() == "BOATS = 2\n"
    text = earlier.stack_file("alpha").read_text()
    assert "cpuUtilizationPercent: 70" in text
    assert "v1:new" not in text
    platform = with_rules_of(released.session.workspace, earlier, "alpha")
    file = PlanFile(plan)
    with pytest.raises(CommandError, match="needs 1 approvals"):
        check_offline(earlier, file, platform, released.ledger, Permission())
    file = file.with_approval(approve(plan, released.keys[BOB], released.signers))
    permission = check_offline(earlier, file, platform, released.ledger, Permission())
    session = replace(session_of(released.root, released.world), workspace=earlier)
    apply_plan(session, plan, platform, released.ledger, permission)
    begin, end = released.ledger.entries()[-2:]
    assert (begin.kind, begin.body["of"], begin.body["release"], end.body["result"]) == ("rollback", 3, 1, "succeeded")
    assert (released.root / "components" / "boats.py").read_text() == "BOATS = 5\n"
    done = deployments(released.ledger.entries())
    assert [(each.number, each.reason, each.of) for each in done] == [
        (1, "planned", None),
        (3, "planned", None),
        (5, "rollback", 3),
    ]
    assert metrics(done * 2, done[-1].began, 1)[3].value == 2 / 6, "the deployment that was taken back has failed"
    with pytest.raises(
        CommandError, match="the last deployment of alpha was a rollback; name the release by --to: 1, 3, 5"
    ):
        choose_release(released.ledger, "alpha", None)
    assert choose_release(released.ledger, "alpha", 3) == GoingBack(3, 5)


def test_a_release_that_is_not_there_is_named_with_those_that_are(released: Release, tmp_path: Path) -> None:
    """Also where there is no history yet."""
    with pytest.raises(CommandError, match="has no recorded release 2; recorded are 1, 3") as error:
        choose_release(released.ledger, "alpha", 2)
    assert error.value.code == ExitCode.BAD_INPUT
    with pytest.raises(CommandError, match="the stack alpha has no recorded release yet"):
        choose_release(Ledger(tmp_path / "none" / "alpha.jsonl"), "alpha", None)


def test_a_changed_archive_is_refused(released: Release) -> None:
    """The ledger holds its digest."""
    path = released.ledger.path.with_suffix(".releases") / "1.tar.gz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CommandError, match="the archive of release 1 has changed since"):
        release_workspace(released.session.workspace, released.ledger, "alpha", 1)


def test_a_change_after_the_plan_voids_a_rollback(released: Release) -> None:
    """Such as another key among the allowed signers of now."""
    earlier, plan = back(released)
    released.signers.write_text(released.signers.read_text() + "\n")
    again = release_workspace(released.session.workspace, released.ledger, "alpha", 1)
    platform = with_rules_of(released.session.workspace, again, "alpha")
    file = PlanFile(plan).with_approval(approve(plan, released.keys[BOB], released.signers))
    assert earlier.root == again.root
    with pytest.raises(CommandError, match="the file of allowed signers allowed_signers has changed"):
        check_offline(again, file, platform, released.ledger, Permission())


def test_a_step_that_nothing_takes_back_is_accepted_by_name() -> None:
    """Each of them; others pass."""
    steps = engine_plan({"steps": [step("delete", "PersistentVolumeClaim"), step("update", "Deployment")]}).steps
    with pytest.raises(
        CommandError, match='--accept "KIND NAME":\n  PersistentVolumeClaim persistentvolumeclaim: restore'
    ):
        check_one_way(steps, ())
    check_one_way(steps, ("PersistentVolumeClaim persistentvolumeclaim",))


def test_only_the_newest_archives_are_kept(release: Release) -> None:  # the fixture of the same name
    """By number, not by the time of the file."""
    for number in (*range(2, KEPT + 2), 1):
        keep_release(release.ledger, number, release.root, release.stack_file)
    folder = release.ledger.path.with_suffix(".releases")
    assert sorted(int(path.name.partition(".")[0]) for path in folder.iterdir()) == list(range(2, KEPT + 2))
    assert releases(release.ledger, ()) == {}
