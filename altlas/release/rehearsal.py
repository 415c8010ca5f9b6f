"""Rehearsal of a change: on a scratch cluster the stack as it is, the change, and its inverse, with a comparison.

Owns the order and what is found. Does not own the scratch (`scratch`), the update (`altlas.update.up`) nor the
comparison (`returned`). Pods are simulated there, so that neither data nor the start of a service is proven.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from altlas.release.canonical import digest
from altlas.release.live_objects import deployed_objects
from altlas.release.live_overlay import take_over
from altlas.release.live_start import LiveCluster, LiveStart, stack_objects
from altlas.release.returned import Object, Remainder, remainders
from altlas.release.scratch import scratch, take_program, take_stack_file
from altlas.release.seal import seal_files
from altlas.release.sides import Side, recording
from altlas.release.stack_change import StackChange, stack_change
from altlas.release.steps import Step
from altlas.release.transition import take_settings
from altlas.session.console import Report
from altlas.session.errors import as_command_error
from altlas.session.interruption import termination_as_interruption
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from altlas.update.up import up
from cluster.target import SIM
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from rendering.errors import CommandError, InterruptedCommandError
from rendering.recorder import Registration

_REHEARSED = ("settings", "program", "images")
"""Parts of a seal that a rehearsal is about; secrets and the allowed signers are not."""


@dataclass(frozen=True)
class Phase:
    """One update of a rehearsal.

    Attributes:
        name: What was deployed.
        seconds: Time until all was ready, or until it failed.
        problem: Why it did not converge; empty where it did.
    """

    name: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class Rehearsal:
    """A change and its inverse on a scratch cluster.

    Attributes:
        change: The change as it is rendered.
        subject: Digest of both sides: settings, program, images.
        phases: Updates in their order; the inverse is tried also where the change failed.
        objects: Number of compared objects.
        left: What did not come back.
        live: What it started from, where that was a real cluster.
    """

    change: StackChange
    subject: str
    phases: tuple[Phase, ...]
    objects: int
    left: tuple[Remainder, ...]
    live: LiveStart | None = None

    @property
    def warnings(self) -> tuple[Step, ...]:
        """Steps that their inverse does not take back where there is data, which a simulated cluster does not have."""
        return tuple(step for step in self.change.steps if step.undo not in ("reversible", "replaces"))

    @property
    def surprises(self) -> tuple[Remainder, ...]:
        """Remainders without a reason that is known before."""
        return tuple(each for each in self.left if not each.why)

    @property
    def is_good(self) -> bool:
        """True if every update converged, and nothing is left that could not be known before."""
        return not self.surprises and not any(each.problem for each in self.phases)

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for the ledger."""
        live = {"live": asdict(self.live)} if self.live else {}
        return {
            "result": "succeeded" if self.is_good else "failed",
            "from": self.change.before,
            "to": self.change.after,
            "subject": self.subject,
            "seconds": {each.name: round(each.seconds) for each in self.phases},
            "objects": self.objects,
            "left": len(self.left),
            **live,
        }


def rehearse(
    workspace: Workspace, before: Side, after: Side, log: Path, report: Report, *, live: LiveCluster | None = None
) -> Rehearsal:
    """Rehearse the change from one side to the other.

    Args:
        workspace: The checkout.
        before: The stack as it is.
        after: The stack whose settings it takes.
        log: File for what Pulumi prints.
        report: Prints progress.
        live: Cluster to start from; None to start from what `before` deploys.

    Raises:
        SettingsError: A stack file is not usable. Nothing was started.
        CommandError: The stack as it is cannot be deployed to the scratch, or is not what runs on the real cluster, so
            nothing was rehearsed.
    """
    with recording(before) as recorded:
        change = stack_change(before, after, recorded)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file, termination_as_interruption(), scratch(workspace, report) as found:
        stage = _Stage(found, before.stack, report)
        take_program(found, before.root)
        take_stack_file(found, before.stack, before.file)
        with redirect_stdout(file):
            done = _rehearsed(stage, change, (before, after), log, live)
    if live and done.live:
        done = replace(done, live=replace(done.live, meanwhile=live.changed()))
    return done


def _rehearsed(
    stage: "_Stage", change: StackChange, sides: tuple[Side, Side], log: Path, live: LiveCluster | None
) -> Rehearsal:
    before, after = sides
    stage.deploy(change.before)
    if problem := stage.phases[-1].problem:
        raise CommandError(f"{change.before} cannot be deployed to a scratch cluster, see {log}: {problem}")
    start = stage.take_over(live) if live else None
    path = stage.workspace.stack_file(stage.stack)
    original, first = path.read_text(encoding="utf-8"), stage.objects()
    subjects = [_subject(stage, before)]
    take_program(stage.workspace, after.root)
    path.write_text(_with_settings(original, before, after), encoding="utf-8")
    subjects.append(_subject(stage, after))
    stage.deploy(change.after)
    take_program(stage.workspace, before.root)
    path.write_text(original, encoding="utf-8")
    stage.deploy(f"back to {change.before}")
    left = remainders(first, stage.objects(), change.steps)
    return Rehearsal(change, digest(subjects), tuple(stage.phases), len(first), left, start)


@dataclass
class _Stage:
    """The scratch while it is worked on.

    Attributes:
        workspace: The scratch.
        stack: Name of its stack.
        report: Prints progress.
        phases: Updates so far.
    """

    workspace: Workspace
    stack: str
    report: Report
    phases: list[Phase] = field(default_factory=list)
    session: Session | None = None

    def deploy(self, name: str) -> None:
        """Update the stack to what the scratch holds."""
        self.report(f"Rehearsing {name} ...")
        with self._timed(name):
            self.session, _, _ = up(self.workspace, self.stack, SIM, ("--yes",), _quiet)

    def objects(self) -> list[Object]:
        """Objects of the stack, and everything of their kinds in its namespace, as the cluster has them."""
        assert self.session is not None
        platform: PlatformSettings = read_platform(self.workspace.stack_file(self.stack))
        return [*stack_objects(self.session.kubectl, self._deployed(), platform.namespace)]

    def take_over(self, live: LiveCluster) -> LiveStart:
        """Let the scratch, on which the stack was deployed, be as a real cluster is."""
        assert self.session is not None
        self.report("Taking over what is otherwise on the real cluster ...")
        return take_over(live, self.session.kubectl, self._deployed(), self.objects())

    def _deployed(self) -> list[Registration]:
        assert self.session is not None
        return deployed_objects(self.session.engine.exported_state(self.stack))

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started, problem = time.monotonic(), ""
        try:
            yield
        except Exception as error:
            failure = as_command_error(error)
            if failure is None or isinstance(failure, InterruptedCommandError):
                raise
            problem = str(failure)
        self.phases.append(Phase(name, time.monotonic() - started, problem))


def _with_settings(text: str, before: Side, after: Side) -> str:
    """The stack file with the settings of `after`, and with the identity that a transition would leave."""
    identity = read_platform(before.file if before.stack != after.stack else after.file)
    return take_settings(text, after.file.read_text(encoding="utf-8"), identity)


def _subject(stage: _Stage, side: Side) -> dict[str, Any]:
    path = stage.workspace.stack_file(stage.stack)
    parts = seal_files(stage.workspace.root, path, read_platform(path))
    return {"side": side.name, **{name: parts[name] for name in _REHEARSED}}


def _quiet(_: str) -> None:
    pass
