"""Making of a plan: what an update of a stack would do, and everything that this depends on. Writes to no cluster."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from altlas.release.checkout import Commit, commit, person
from altlas.release.engine_plan import EnginePlan, engine_plan
from altlas.release.filtering import filter_of
from altlas.release.plan import Plan, seal_document, steps_document
from altlas.release.rollback import GoingBack, check_one_way
from altlas.release.rules import check_deletions, needed_approvals
from altlas.release.seal import Seal, seal_files, seal_objects, seal_state
from altlas.session.console import Report
from altlas.session.session import Session
from altlas.update import data_guard, preflight
from altlas.update.cluster_identity import check_cluster_identity, check_named_cluster, cluster_uid
from altlas.update.data_loss import plan_errors
from altlas.update.up import prepare_stack
from components.settings import PlatformSettings
from rendering.errors import CommandError


@dataclass(frozen=True)
class Measured:
    """An update as it would be now.

    Attributes:
        cluster: UID of the cluster.
        seal: Everything that the update depends on.
        engine: The engine's plan.
    """

    cluster: str
    seal: Seal
    engine: EnginePlan


def measure(session: Session, stack: str, platform: PlatformSettings, save: Path | None = None) -> Measured:
    """Measure what an update depends on and let the engine plan it.

    Args:
        session: Checkout, cluster and engine.
        stack: The stack.
        platform: Its settings.
        save: File for the engine's own plan, which holds encrypted secrets; None for none.

    Raises:
        CommandError: The update cannot be planned, would endanger data, or goes to another cluster.
        SettingsError: The cluster lacks what the settings need.
    """
    state = session.engine.exported_state(stack)
    check_named_cluster(session.kubectl, platform)
    check_cluster_identity(session.kubectl, stack, state)
    preflight.check_cluster(session.kubectl, stack, platform)
    data_guard.check_settings(stack, platform, state)
    files = seal_files(session.workspace.root, session.workspace.stack_file(stack), platform)
    seal = Seal(**files, state=seal_state(state), objects=seal_objects(session.kubectl, state))
    try:
        preview = session.engine.preview(stack, *(("--save-plan", str(save)) if save else ()))
    except CommandError as error:
        raise CommandError(filter_of(session.engine, stack)(str(error)), error.code) from None
    data_guard.check_plan(preview, platform, state)
    if errors := plan_errors(preview):
        hide = filter_of(session.engine, stack)
        said = "".join(f"\n  {hide(str(each['message'])).strip()}" for each in errors)
        raise CommandError(f"the update cannot be planned, nothing was changed:{said}")
    return Measured(cluster_uid(session.kubectl), seal, engine_plan(preview))


def make_plan(
    session: Session,
    stack: str,
    platform: PlatformSettings,
    report: Report,
    *,
    hours: int | None = None,
    back: GoingBack | None = None,
) -> Plan:
    """Plan an update of a stack.

    Args:
        session: Checkout, cluster and engine.
        stack: The stack; it and, for an update, its generated secrets are created where they are missing.
        platform: Its settings.
        report: Prints progress.
        hours: Time until it expires; None for that of the settings.
        back: Release of a rollback; None for an update. The session's checkout is the release then.

    Raises:
        CommandError: See `measure`; or the plan deletes more than the stack allows.
    """
    prepare_stack(session, stack, report, generates=back is None)
    found = measure(session, stack, platform)
    check_deletions(platform.release, found.engine.steps)
    if back:
        check_one_way(found.engine.steps, back.accepted)
    needed, reason = (0, "") if back and back.unattended else needed_approvals(platform.release, found.engine)
    root, now = session.workspace.root, datetime.now(UTC).replace(microsecond=0)
    known = commit(root)
    return Plan(
        schema_name="alt-las/release-plan/v1",
        stack=stack,
        kind="rollback" if back else "apply",
        of=back.of if back else None,
        release=back.release if back else None,
        unattended=back is not None and back.unattended,
        target=session.target.name,
        cluster=found.cluster,
        created=now.isoformat(),
        expires=(now + timedelta(hours=hours or platform.release.plan_hours)).isoformat(),
        authors=_authors(person(root), known),
        commit=known.sha if known else "",
        operations=found.engine.operations,
        steps=steps_document(found.engine.steps),
        classes=found.engine.classes,
        approvals=needed,
        automatic=reason,
        seal=seal_document(found.seal),
    )


def _authors(planner: str, known: Commit | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((planner, *((known.author, known.committer) if known else ()))))
