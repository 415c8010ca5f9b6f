"""Record of deployments: an entry when an update begins, and one when it ends, with what was deployed and its result.

Owns the form of both entries and how they are read. Does not own the update nor the figures (`dora`).
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from altlas.release.archive import keep_release, packed
from altlas.release.checkout import commit, person
from altlas.release.ledger import Kind, Ledger, LedgerEntry
from altlas.release.verified_set import deployed_set
from altlas.session.console import report
from altlas.session.session import Session

Reason = Literal["planned", "rework", "rollback"]
"""Reason to deploy: as intended, unplanned because of an incident, or to go back."""

Result = Literal["succeeded", "failed", "nothing", "interrupted"]
"""End of a deployment. `nothing`: no object was changed. `interrupted`: it never ended."""

DEPLOYING: tuple[Kind, ...] = ("apply", "rollback")


@dataclass
class RunningDeployment:
    """A deployment that runs.

    Attributes:
        number: Entry of its begin.
        changes: Number of objects by operation, known at the end.
    """

    number: int
    changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        """True if the update changed no object."""
        return not changed(self.changes)


@dataclass(frozen=True)
class Deployment:
    """A deployment as the ledger holds it.

    Attributes:
        number: Entry of its begin.
        began: Time of the begin.
        ended: Time of the end, None where it was interrupted.
        reason: Why.
        result: How it ended.
        committed: When its commit was made; None without git, or where files were changed since.
        of: Deployment that a rollback takes back.
    """

    number: int
    began: datetime
    ended: datetime | None
    reason: Reason
    result: Result
    committed: datetime | None
    of: int | None


def changed(changes: Mapping[str, int]) -> int:
    """Number of objects that an update changed."""
    return sum(number for operation, number in changes.items() if operation != "same")


@contextmanager
def recorded(
    ledger: Ledger,
    session: Session,
    stack: str,
    *,
    kind: Kind = "apply",
    reason: Reason = "planned",
    facts: Mapping[str, Any] | None = None,
) -> Iterator[RunningDeployment]:
    """Record an update that the body of the `with` makes.

    Args:
        ledger: The stack's ledger.
        session: Runs Pulumi.
        stack: The stack.
        kind: Kind of both entries.
        reason: Why it is deployed.
        facts: What else is recorded at the begin, such as the digest of a plan.

    Raises:
        CommandError: The ledger is damaged; nothing was changed.
    """
    root = session.workspace.root
    who, known = person(root), commit(root)
    begin: dict[str, Any] = {"result": "started", "reason": reason, "target": session.target.name, **(facts or {})}
    stack_file = session.workspace.stack_file(stack)
    begin |= deployed_set(stack_file)
    archive = packed(root, stack_file)
    if known:
        begin |= {"commit": known.sha, "committedAt": known.time, "clean": known.is_clean}
    before = session.engine.exported_state(stack)
    recording = RunningDeployment(ledger.append(kind, who, begin).number)
    started, result = time.monotonic(), "failed"
    try:
        yield recording
        recording.changes = changes_between(before, session.engine.exported_state(stack))
        result = "nothing" if recording.is_nothing else "succeeded"
    finally:
        end: dict[str, Any] = {"result": result, "began": recording.number}
        end["seconds"] = round(time.monotonic() - started)
        if result == "succeeded":
            try:
                end["archive"] = keep_release(ledger, recording.number, archive)
            except OSError as error:
                report(
                    f"Release {recording.number} is deployed, but its archive cannot be written, so it can neither be "
                    f"promoted nor the goal of a rollback: {error}. Mend that, then deploy again"
                )
        ledger.append(kind, who, {**end, "changes": dict(recording.changes)})


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
    """Number of resources by what happened to them from one exported state to another."""
    old, new = _resources(before), _resources(after)
    return dict(Counter(_operation(old.get(urn), new.get(urn)) for urn in old.keys() | new.keys()))


def _resources(state: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = (state.get("deployment") or {}).get("resources") or ()
    return {each["urn"]: each for each in found if not each.get("delete")}


def _operation(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if old is None or new is None:
        return "create" if old is None else "delete"
    if old.get("id") != new.get("id"):
        return "replace"
    return "same" if old.get("inputs") == new.get("inputs") else "update"


def deployments(entries: Iterable[LedgerEntry]) -> tuple[Deployment, ...]:
    """Deployments in the order of their begin, without those that changed nothing or never began."""
    entries = [each for each in entries if each.kind in DEPLOYING]
    ends = {each.body["began"]: each for each in entries if "began" in each.body}
    found = (_deployment(each, ends.get(each.number)) for each in entries if each.body.get("result") == "started")
    return tuple(each for each in found if each.result != "nothing")


def _deployment(begin: LedgerEntry, end: LedgerEntry | None) -> Deployment:
    body = begin.body
    return Deployment(
        begin.number,
        begin.moment,
        end.moment if end else None,
        body["reason"],
        end.body["result"] if end else "interrupted",
        datetime.fromisoformat(body["committedAt"]) if body.get("clean") else None,
        body.get("of"),
    )
