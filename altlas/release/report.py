"""Content of the report about a release: what it changes, whether it fits, who approved it, what was done before.

Owns what belongs together in one report. Does not own how it looks (`report_page`), nor the steps: they are those of
`altlas diff` or of the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from altlas.pictures.diagram import Drawing, drawing_of
from altlas.preflight.nodes import ClusterNode
from altlas.release.approval import verified
from altlas.release.capacity import Capacity, capacity
from altlas.release.deployments import Deployment, deployments
from altlas.release.dora import Metric, metrics
from altlas.release.ledger import Ledger, Reading
from altlas.release.plan import PlanFile
from altlas.release.sides import Side, recording
from altlas.release.stack_change import StackChange, stack_change
from altlas.release.steps import ObjectStep, Step, steps_of_objects
from altlas.session.workspace import Workspace
from components.kubernetes.load import stack_load
from components.stack.loading import read_platform
from rendering.errors import CommandError
from rendering.recorder import record

DAYS = 90
"""Days before the report over which the figures of delivery count, as in `altlas ledger metrics`."""


@dataclass(frozen=True)
class Signature:
    """An approval of a plan.

    Attributes:
        who: Name of the approver; empty where it does not hold.
        key: Fingerprint of the key.
        problem: Reason why it does not hold.
    """

    who: str = ""
    key: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ReleaseReport:
    """All that a report shows.

    Attributes:
        stack: The stack.
        made: Time of the report.
        maps: Allowed connections, before and after where they differ in time; at least one.
        capacities: Capacity before and after; at least one.
        change: Change to another stack's settings.
        plan: Sealed plan with its approvals.
        signatures: Its approvals, checked.
        ledger: The stack's ledger, as far as its chain holds.
        delivered: Deployments in the ledger.
        figures: DORA's five metrics.
    """

    stack: str
    made: datetime
    maps: tuple[Drawing, ...]
    capacities: tuple[Capacity, ...]
    change: StackChange | None
    plan: PlanFile | None
    signatures: tuple[Signature, ...]
    ledger: Reading
    delivered: tuple[Deployment, ...]
    figures: tuple[Metric, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps of the plan or of the change; the same list that is applied."""
        if self.plan:
            return self.plan.plan.typed_steps()
        return self.change.steps if self.change else ()

    @property
    def objects(self) -> tuple[ObjectStep, ...]:
        """Steps of objects among them."""
        return steps_of_objects(self.steps)


def report_of_change(
    before: Side, after: Side, nodes: tuple[ClusterNode, ...], ledger: Ledger, now: datetime | None = None
) -> ReleaseReport:
    """Report about taking another stack's settings.

    Raises:
        SettingsError: A stack file is not usable.
        CommandError: A program refuses the settings.
    """
    with recording(before) as recorded:
        change = stack_change(before, after, recorded)
    sides = ((before, change.objects_before), (after, change.objects_after))
    maps = tuple(drawing_of(side.name, objects) for side, objects in sides)
    capacities = tuple(
        capacity(side.name, read_platform(side.file), stack_load(objects), nodes) for side, objects in sides
    )
    return _report(before.stack, maps, capacities, ledger, now, change=change)


def report_of_stack(
    workspace: Workspace,
    stack: str,
    nodes: tuple[ClusterNode, ...],
    ledger: Ledger,
    *,
    file: PlanFile | None = None,
    now: datetime | None = None,
) -> ReleaseReport:
    """Report about a stack as the checkout renders it, with a plan if there is one.

    Raises:
        SettingsError: The stack file is not usable.
    """
    platform = read_platform(workspace.stack_file(stack))
    objects = record(stack, platform).objects
    maps = (drawing_of(stack, objects),)
    signers = workspace.root / platform.release.allowed_signers
    capacities = (capacity(stack, platform, stack_load(objects), nodes),)
    signatures = checked(file, signers) if file else ()
    return _report(stack, maps, capacities, ledger, now, file=file, signatures=signatures)


def checked(file: PlanFile, signers: Path) -> tuple[Signature, ...]:
    """Approvals of a plan; one that does not hold says why."""
    found = []
    for each in file.approvals:
        try:
            found.append(Signature(*verified(file.plan, each, signers)))
        except CommandError as error:
            found.append(Signature(problem=str(error)))
    return tuple(found)


def _report(
    stack: str,
    maps: tuple[Drawing, ...],
    capacities: Sequence[Capacity],
    ledger: Ledger,
    now: datetime | None,
    *,
    change: StackChange | None = None,
    file: PlanFile | None = None,
    signatures: tuple[Signature, ...] = (),
) -> ReleaseReport:
    reading, moment = ledger.read(), now or datetime.now(UTC)
    delivered = deployments(reading.entries)
    figures = metrics(delivered, moment, DAYS)
    return ReleaseReport(stack, moment, maps, tuple(capacities), change, file, signatures, reading, delivered, figures)
