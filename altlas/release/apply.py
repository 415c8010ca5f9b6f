"""Apply of a sealed plan: every check before anything is written, then exactly what was planned.

Owns the order of the checks and the update. Does not own the checks themselves (`plan`, `approval`, `rules`, `seal`).
The engine is held to its own plan of the moment, which was compared with the sealed one; that file holds encrypted
secrets and is removed at the end.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from altlas.release.approval import check_approvals
from altlas.release.checkout import person
from altlas.release.deployments import Reason, RunningDeployment, recorded
from altlas.release.engine_plan import EnginePlan
from altlas.release.filtering import filter_of
from altlas.release.ledger import Ledger, LedgerEntry
from altlas.release.plan import Plan, PlanFile, steps_document
from altlas.release.planning import Measured, measure
from altlas.release.rollback import check_one_way, choose_automatically
from altlas.release.rules import check_freeze, needed_approvals
from altlas.release.seal import differences, seal_files
from altlas.session.console import report
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from altlas.update.cluster_identity import cluster_uid
from altlas.update.first_steps import check_none
from altlas.update.readiness import failure, wait_until_ready
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode


@dataclass(frozen=True)
class Permission:
    """Grounds on which a plan is applied.

    Attributes:
        approvers: Names of those who signed it.
        overridden: Freeze that is overridden, empty where there is none.
        override: Reason of the override.
        incident: Incident that makes it unplanned, empty where it is planned.
    """

    approvers: tuple[str, ...] = ()
    overridden: str = ""
    override: str = ""
    incident: str = ""

    def facts(self) -> dict[str, Any]:
        """Facts for the ledger."""
        return {"approvers": list(self.approvers)} | ({"incident": self.incident} if self.incident else {})

    def reason(self, plan: Plan) -> Reason:
        """Reason of the deployment."""
        return "rollback" if plan.kind == "rollback" else "rework" if self.incident else "planned"


def check_offline(
    workspace: Workspace, file: PlanFile, platform: PlatformSettings, ledger: Ledger, asked: Permission
) -> Permission:
    """Check everything that needs neither cluster nor engine.

    Args:
        workspace: The checkout.
        file: The plan with its approvals.
        platform: Settings of the stack, as they are.
        ledger: The stack's ledger.
        asked: Override and incident of the command line.

    Returns:
        Grounds on which it may be applied.

    Raises:
        CommandError: Names the first check that fails. Nothing was changed.
    """
    plan, entries = file.plan, ledger.entries()
    check_unspent(plan, entries)
    if plan.unattended:
        check_unattended(plan, ledger, platform)
    names = check_approvals(file, workspace.root / platform.release.allowed_signers)
    overridden = check_freeze(platform.release, entries, datetime.now(UTC), asked.override)
    refuse_difference(plan, seal_files(workspace.root, workspace.stack_file(plan.stack), platform))
    return replace(asked, approvers=names, overridden=overridden)


def check_unattended(plan: Plan, ledger: Ledger, platform: PlatformSettings) -> None:
    """Check that a rollback may still be applied although no person has decided it.

    Raises:
        CommandError: See `choose_automatically`; or the plan is of another rollback.
    """
    back = choose_automatically(ledger, plan.stack, platform.release)
    if (plan.kind, plan.of, plan.release) != ("rollback", back.of, back.release):
        raise CommandError(
            f"the plan is not the rollback of deployment {back.of} to release {back.release}, which alone needs no "
            "person now. Nothing was changed",
            ExitCode.REFUSED,
        )


def check_unspent(plan: Plan, entries: Sequence[LedgerEntry]) -> None:
    """Check that a plan was not applied before, not even in part.

    Raises:
        CommandError: It was; names the entry.
    """
    for each in entries:
        if each.body.get("plan") == plan.digest and each.kind in ("apply", "rollback"):
            raise CommandError(
                f"the plan and its approvals are spent: entry {each.number} of the ledger applied it at {each.time}. "
                f"Nothing was changed. Make a new plan by `{plan.command}`",
                ExitCode.REFUSED,
            )


def refuse_difference(plan: Plan, found: Mapping[str, Mapping[str, str]]) -> None:
    """Compare a plan's seal with what is found.

    Raises:
        CommandError: Names the first difference.
    """
    for difference in differences(plan.seal, {part: dict(each) for part, each in found.items()}):
        raise CommandError(
            f"{difference} since the plan was made. Nothing was changed. Make a new plan by `{plan.command}` and let "
            "it be approved",
            ExitCode.REFUSED,
        )


def check_measured(plan: Plan, found: Measured, platform: PlatformSettings) -> None:
    """Compare a plan with the update as it would be now, and its approvals with the rules.

    Raises:
        CommandError: Names the first difference.
    """
    refuse_difference(plan, found.seal.__dict__)
    if said := _plans_differ(plan, found.engine):
        raise CommandError(
            f"the engine now plans something else than was sealed: {said}. Nothing was changed. Make a new plan by "
            f"`{plan.command}`",
            ExitCode.REFUSED,
        )
    if plan.unattended:
        check_one_way(found.engine.steps, ())
    needed = 0 if plan.unattended else needed_approvals(platform.release, found.engine)[0]
    if plan.approvals != needed:
        raise CommandError(
            f"the plan was edited: it asks for {plan.approvals} approvals, and its content needs {needed}. Nothing was "
            "changed",
            ExitCode.REFUSED,
        )


def check_cluster(plan: Plan, session: Session) -> None:
    """Check that a plan is for the chosen cluster.

    Raises:
        CommandError: It is for another one.
    """
    found = cluster_uid(session.kubectl)
    if found != plan.cluster:
        raise CommandError(
            f"the plan is for the cluster {plan.cluster}, and {session.kubectl.kubeconfig} leads to {found}. Nothing "
            "was changed. Choose the cluster by TARGET or KUBECONFIG",
            ExitCode.REFUSED,
        )


def apply_plan(
    session: Session, plan: Plan, platform: PlatformSettings, ledger: Ledger, permission: Permission
) -> RunningDeployment:
    """Run a plan whose offline checks have passed, and wait until all services are ready.

    Args:
        session: Checkout, cluster and engine.
        plan: The plan.
        platform: Settings of the stack.
        ledger: The stack's ledger.
        permission: What `check_offline` returned.

    Returns:
        What was recorded; an empty plan is recorded as nothing, and no update runs.

    Raises:
        CommandError: Something differs from the plan; nothing was changed. Or the update failed.
    """
    check_cluster(plan, session)
    session.engine.check_unlocked(plan.stack)
    with tempfile.TemporaryDirectory(dir=session.workspace.private) as folder:
        saved = Path(folder) / "plan.json"
        found = measure(session, plan.stack, platform, saved)
        check_measured(plan, found, platform)
        check_none(session.engine.exported_state(plan.stack), plan.stack, platform)
        who = person(session.workspace.root)
        if permission.overridden:
            ledger.append("override", who, {"window": permission.overridden, "why": permission.override})
        facts = {"plan": plan.digest, "cluster": plan.cluster, "images": plan.seal["images"], **permission.facts()}
        if plan.release is not None:
            facts |= {"of": plan.of, "release": plan.release, "unattended": plan.unattended}
        if not plan.operations:
            return RunningDeployment(ledger.append(plan.kind, who, {**facts, "result": "nothing"}).number)
        hide = filter_of(session.engine, plan.stack)
        with recorded(
            ledger, session, plan.stack, kind=plan.kind, reason=permission.reason(plan), facts=facts
        ) as recording:
            arguments = session.engine.arguments("up", plan.stack, ("--plan", str(saved), "--yes", "--non-interactive"))
            try:
                said = failure(session, platform) if session.engine.filtered(hide).run(*arguments) else ""
            except CommandError as error:
                said = str(error).partition(";")[0]
            if said:
                raise CommandError(
                    f"{said}\nWhat was done stays, and the plan is spent: correct the cause, then make a new plan by "
                    f"`{plan.command}`"
                )
            wait_until_ready(session, plan.stack, platform, report)
        return recording


def _plans_differ(plan: Plan, found: EnginePlan) -> str:
    """First operation or object in which two plans differ, empty where none does."""
    for each in sorted(set(plan.operations) ^ set(found.operations)):
        operation, _, urn = each.partition(" ")
        where = "no longer" if each in plan.operations else "now"
        return f"it would {where} {operation} {urn.rpartition('::')[2]}"
    for before, after in zip_longest(plan.steps, steps_document(found.steps)):
        if before != after:
            name = (after or before)["object"]
            return f"{name['type'].rpartition(':')[2]} {name['name']} has other fields"
    return ""
