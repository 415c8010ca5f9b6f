"""Rules of a stack about its releases: approvals that a plan needs, its deletions, and times without releases."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from altlas.release.checkout import person
from altlas.release.engine_plan import EnginePlan, is_policy
from altlas.release.ledger import Ledger, LedgerEntry
from altlas.release.steps import DeleteObject, ObjectStep, RenameObject, ReplaceObject
from altlas.session.workspace import Workspace
from components.settings.release import ReleaseSettings
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode


def needed_approvals(rules: ReleaseSettings, plan: EnginePlan) -> tuple[int, str]:
    """Number of signatures that a plan needs, and the reason why it is not approved automatically."""
    by_class = {
        "capacity": rules.approvals.capacity,
        "feature": rules.approvals.feature,
        "security": rules.approvals.security,
        "data": rules.approvals.data,
        "identity": rules.approvals.feature,
    }
    needed = max((by_class[each] for each in plan.classes), default=0)
    if not rules.automatic:
        return needed, "release.automatic is false" if needed else ""
    reason = next((said for step in plan.steps if (said := _not_automatic(step))), "")
    reason = reason or ("it touches data" if "data" in plan.classes else "")
    return (needed, reason) if reason else (0, "")


def check_deletions(rules: ReleaseSettings, steps: Iterable[ObjectStep]) -> None:
    """Check the number of objects that a plan deletes or replaces; what is named by its content does not count.

    Raises:
        CommandError: It is above the stack's limit; names the objects.
    """
    lost = [step.object.title for step in steps if isinstance(step, DeleteObject | ReplaceObject)]
    if rules.most_deletions is not None and len(lost) > rules.most_deletions:
        raise CommandError(
            f"the plan deletes or replaces {len(lost)} objects, and release.mostDeletions allows "
            f"{rules.most_deletions}: {', '.join(lost)}. Nothing was changed. Raise the limit in the stack file if "
            "that is what you want",
            ExitCode.REFUSED,
        )


def stop_in_force(entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """The `altlas freeze` that no `altlas unfreeze` has ended; None where there is none."""
    marks = [each for each in entries if each.kind in ("freeze", "unfreeze")]
    return marks[-1] if marks and marks[-1].kind == "freeze" else None


def freeze(rules: ReleaseSettings, entries: Sequence[LedgerEntry], now: datetime) -> str:
    """Reason why nothing is released now: the window or the command; empty where something may be."""
    if stop := stop_in_force(entries):
        return f"stopped by {stop.by} since {stop.time}: {stop.body.get('why', '')}"
    window = rules.frozen(now)
    return f"in the freeze window {window[0]!r} until {window[1].isoformat(timespec='minutes')}" if window else ""


def check_freeze(rules: ReleaseSettings, entries: Sequence[LedgerEntry], now: datetime, override: str) -> str:
    """Check that a release is allowed now.

    Args:
        rules: The stack's rules.
        entries: Its ledger.
        now: The moment.
        override: Reason of the person who releases all the same; empty for none.

    Returns:
        What is overridden, for the ledger; empty where nothing is.

    Raises:
        CommandError: Releases are stopped; names the window and its end, or who stopped them.
    """
    reason = freeze(rules, entries, now)
    if reason and not override:
        raise CommandError(
            f"releases are {reason}. Nothing was changed. Wait, or go on with --override REASON, which the ledger "
            "records under your name; a stop by command ends with `altlas unfreeze`",
            ExitCode.REFUSED,
        )
    return reason


def check_stop(workspace: Workspace, stack: str, ledger: Ledger, override: str) -> None:
    """Check that releases of a stack are not stopped now, and record an override.

    Raises:
        CommandError: They are. Or the ledger is damaged.
    """
    rules = read_platform(workspace.stack_file(stack)).release
    overridden = check_freeze(rules, ledger.entries(), datetime.now(UTC), override)
    if overridden:
        ledger.append("override", person(workspace.root), {"window": overridden, "why": override})


def check_up(workspace: Workspace, stack: str, ledger: Ledger, override: str) -> None:
    """Check that a stack may be updated without a plan now, and record an override.

    Raises:
        CommandError: Releases are stopped, or the stack takes approved plans only. Or the ledger is damaged.
    """
    if read_platform(workspace.stack_file(stack)).release.plans_only:
        raise CommandError(
            f"the stack {stack} takes approved plans only (release.plansOnly); use `altlas plan {stack}`. Nothing was "
            "changed",
            ExitCode.REFUSED,
        )
    check_stop(workspace, stack, ledger, override)


def _not_automatic(step: ObjectStep) -> str:
    if isinstance(step, DeleteObject | ReplaceObject | RenameObject):
        return f"it deletes or replaces {step.object.title}"
    if step.undo != "reversible":
        return f"{step.object.title} cannot be undone by its inverse"
    return f"it changes a policy, {step.object.title}" if is_policy(step) else ""
