"""Rollback to a recorded release: program, settings and secrets of then, with the rules and the state of now."""

from dataclasses import replace
from pathlib import Path

import pytest

from altlas.release.apply import Permission, apply_plan, check_offline
from altlas.release.approval import approve
from altlas.release.deployments import deployments
from altlas.release.dora import metrics
from altlas.release.engine_plan import engine_plan
from altlas.release.ledger import Ledger
from altlas.release.plan import Plan, PlanFile
from altlas.release.planning import make_plan
from altlas.release.rollback import (
    GoingBack,
    check_one_way,
    choose_automatically,
    choose_release,
    release_workspace,
    with_rules_of,
)
from altlas.session.workspace import Workspace
from altlas.update.up import prepare_stack
from components.settings.release import ReleaseSettings
from components.stack.loading import read_platform
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


def test_a_rollback_generates_no_secret_that_only_a_later_program_needs(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be gone when the archive is unpacked again, and no apply would pass; an update generates it."""
    release.stack_file.write_text(f"encryptionsalt: v1:x\n{release.stack_file.read_text()}")
    release.plan(ADA)
    release.apply()
    monkeypatch.setattr("altlas.release.planning.prepare_stack", prepare_stack)
    monkeypatch.setattr("altlas.session.stack_secrets.create_missing_secrets", generate)
    release.world.planned = 4
    release.plan(ADA)
    assert "alt-las:late" in release.stack_file.read_text()
    release.apply()
    release.world.planned = 3
    earlier, plan = back(release)
    file = PlanFile(plan).with_approval(approve(plan, release.keys[BOB], release.signers))
    again = release_workspace(release.session.workspace, release.ledger, "alpha", plan.release or 0)
    platform = with_rules_of(release.session.workspace, again, "alpha")
    assert check_offline(again, file, platform, release.ledger, Permission()).approvers == (BOB,)
    stack_file = earlier.stack_file("alpha")
    stack_file.write_text(f"{stack_file.read_text()}  alt-las:late: {{secure: v1:y}}\n")
    with pytest.raises(CommandError, match=r"alt-las:late is new .* by `altlas rollback alpha --to 1` and let it"):
        check_offline(again, file, platform, release.ledger, Permission())


def generate(_: object, __: str, stack_file: Path) -> tuple[str, ...]:
    """Write a secret into a stack file that lacks it, as Pulumi does."""
    if "alt-las:late" in stack_file.read_text():
        return ()
    stack_file.write_text(f"{stack_file.read_text()}  alt-las:late: {{secure: v1:x}}\n")
    return ("late",)


def test_a_release_that_is_not_there_is_named_with_those_that_are(released: Release, tmp_path: Path) -> None:
    """Also where there is no history yet."""
    with pytest.raises(CommandError, match="has no recorded release 2; recorded are 1, 3") as error:
        choose_release(released.ledger, "alpha", 2)
    assert error.value.code == ExitCode.BAD_INPUT
    with pytest.raises(CommandError, match="the stack alpha has no recorded release yet"):
        choose_release(Ledger(tmp_path / "none" / "alpha.jsonl"), "alpha", None)


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


def unattended(released: Release) -> tuple[Workspace, Plan]:
    """Plan to go back after a failed deployment, as `altlas rollback --automatic` does."""
    platform = read_platform(released.stack_file)
    chosen = choose_automatically(released.ledger, "alpha", platform.release)
    earlier = release_workspace(released.session.workspace, released.ledger, "alpha", chosen.release)
    session = replace(session_of(released.root, released.world), workspace=earlier)
    rules = with_rules_of(released.session.workspace, earlier, "alpha")
    return earlier, make_plan(session, "alpha", rules, lambda _: None, back=chosen)


def applied(released: Release, earlier: Workspace, plan: Plan) -> None:
    """Apply a plan without a signature."""
    rules = with_rules_of(released.session.workspace, earlier, "alpha")
    permission = check_offline(earlier, PlanFile(plan), rules, released.ledger, Permission())
    apply_plan(replace(released.session, workspace=earlier), plan, rules, released.ledger, permission)


@pytest.fixture
def failed(release: Release) -> Release:  # the fixture of the same name
    """A release that ended well, and one after it that failed; the stack allows automatic rollbacks."""
    release.stack_file.write_text(
        release.stack_file.read_text().replace(
            "  alt-las:platform:\n", "  alt-las:platform:\n    release: {automaticRollback: true}\n", 1
        )
    )
    release.plan(ADA)
    release.apply()
    release.world.planned, release.world.code = 4, 1
    release.plan(ADA)
    with pytest.raises(CommandError, match="the update failed"):
        release.apply()
    release.world.replicas, release.world.planned, release.world.code = 4, 3, 0
    return release


def test_a_failed_deployment_is_taken_back_once_without_a_signature(failed: Release) -> None:
    """By a plan and an apply like any other; the ledger says that no person decided it."""
    failed.world.live = 4
    earlier, plan = unattended(failed)
    assert (plan.kind, plan.of, plan.release, plan.approvals, plan.unattended) == ("rollback", 3, 1, 0, True)
    applied(failed, earlier, plan)
    begin, end = failed.ledger.entries()[-2:]
    assert (begin.kind, begin.body["reason"], begin.body["unattended"]) == ("rollback", "rollback", True)
    assert end.body["result"] == "succeeded"
    with pytest.raises(CommandError, match=r"entry 5\) was a rollback, which is never taken back without a person"):
        unattended(failed)


def test_only_a_failed_deployment_is_taken_back_automatically(released: Release) -> None:
    """And only where the stack file says so."""
    with pytest.raises(CommandError, match=r"release\.automaticRollback is false for alpha") as error:
        unattended(released)
    assert error.value.code == ExitCode.REFUSED
    rules = ReleaseSettings.model_validate({"automaticRollback": True})
    with pytest.raises(CommandError, match=r"\(entry 3\) ended well; only one that failed"):
        choose_automatically(released.ledger, "alpha", rules)
    released.ledger.append("apply", "me", {"result": "started", "reason": "planned"})
    with pytest.raises(CommandError, match=r"\(entry 5\) was interrupted"):
        choose_automatically(released.ledger, "alpha", rules)


def test_a_rollback_that_failed_is_not_repeated_automatically(failed: Release) -> None:
    """Nor one that found nothing to do."""
    rules = ReleaseSettings.model_validate({"automaticRollback": True})
    failed.ledger.append("rollback", "me", {"result": "nothing", "of": 3, "release": 1})
    with pytest.raises(CommandError, match="entry 5 of the ledger took deployment 3 back already"):
        choose_automatically(failed.ledger, "alpha", rules)
    failed.ledger.append("rollback", "me", {"result": "started", "reason": "rollback", "of": 3, "release": 1})
    failed.ledger.append("rollback", "me", {"result": "failed", "began": 6})
    with pytest.raises(CommandError, match=r"\(entry 6\) was a rollback"):
        choose_automatically(failed.ledger, "alpha", rules)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"release": 7}, "the plan is not the rollback of deployment 3 to release 1"), ({"kind": "apply"}, "the plan is")],
    ids=["another release", "another kind"],
)
def test_a_plan_that_calls_itself_automatic_is_checked_again(
    failed: Release, change: dict[str, object], said: str
) -> None:
    """An edited file gets nothing through without signatures."""
    failed.world.live = 4
    earlier, plan = unattended(failed)
    with pytest.raises(CommandError, match=said):
        applied(failed, earlier, plan.model_copy(update=change))
    assert len(failed.world.updates) == 2, "the two that the fixture made"


def test_an_automatic_rollback_refuses_a_step_that_nothing_takes_back(
    failed: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No person is there to accept it by name."""
    failed.world.live = 4
    monkeypatch.setattr(failed.world, "preview", lambda: {"steps": [step("delete", "PersistentVolumeClaim")]})
    with pytest.raises(CommandError, match="PersistentVolumeClaim persistentvolumeclaim: restore"):
        unattended(failed)
    assert failed.ledger.entries()[-1].kind == "apply"
