"""Rollback of a stack to an earlier release: its program, settings, images, ConfigMaps and Secrets together.

Owns the choice of the release and the folder from which it is planned and applied. Does not own the plan nor the apply:
a rollback is a plan like any other, with the same seal, approvals and checks. Data stays as it is.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from altlas.release.archive import link_environments, open_release, releases
from altlas.release.deployments import deployments
from altlas.release.ledger import Ledger, LedgerEntry
from altlas.release.steps import ObjectStep
from altlas.session.workspace import Workspace
from components.settings import PlatformSettings
from components.settings.release import ReleaseSettings
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

_ENDS = {"succeeded": "ended well", "interrupted": "was interrupted"}


@dataclass(frozen=True)
class GoingBack:
    """A rollback that is planned.

    Attributes:
        release: Release to go back to.
        of: Deployment that is taken back.
        accepted: Objects whose steps may be such that nothing takes them back.
        unattended: Whether no person decides it (`--automatic`).
    """

    release: int
    of: int
    accepted: tuple[str, ...] = ()
    unattended: bool = False


def choose_release(ledger: Ledger, stack: str, wanted: int | None) -> GoingBack:
    """Choose the release to go back to.

    Args:
        ledger: Ledger of the stack.
        stack: The stack.
        wanted: Number of a release; None for the one before the last deployment.

    Raises:
        CommandError: There is none, or the last deployment was a rollback itself and none is named.
    """
    entries = ledger.entries()
    known, done = releases(ledger, entries), deployments(entries)
    if not done or not known:
        raise CommandError(f"the stack {stack} has no recorded release yet. Nothing was changed", ExitCode.BAD_INPUT)
    last = done[-1]
    if wanted is None:
        if last.reason == "rollback":
            raise CommandError(
                f"the last deployment of {stack} was a rollback; name the release by --to: {_listed(known)}. Nothing "
                "was changed",
                ExitCode.REFUSED,
            )
        wanted = max((number for number in known if number < last.number), default=None)
    if wanted is None or wanted not in known:
        which = f"release {wanted}" if wanted else "release before the last one"
        raise CommandError(
            f"the stack {stack} has no recorded {which}; recorded are {_listed(known)}. Nothing was changed",
            ExitCode.BAD_INPUT,
        )
    return GoingBack(wanted, last.number)


def choose_automatically(ledger: Ledger, stack: str, rules: ReleaseSettings) -> GoingBack:
    """Choose the release before a deployment that failed, where the stack lets no person decide that.

    Raises:
        CommandError: The rules forbid it, the last deployment did not fail, it was a rollback itself, or taking it back
            was tried already. Or there is no release to go back to.
    """
    entries = ledger.entries()
    done = deployments(entries)
    if not rules.automatic_rollback:
        raise _refused(f"release.automaticRollback is false for {stack}; use `altlas rollback {stack} -o FILE`")
    if done and done[-1].reason == "rollback":
        raise _refused(
            f"the last deployment of {stack} (entry {done[-1].number}) was a rollback, which is never taken back "
            f"without a person; choose a release by `altlas rollback {stack} --to N -o FILE`"
        )
    if done and done[-1].result != "failed":
        raise _refused(
            f"the last deployment of {stack} (entry {done[-1].number}) {_ENDS[done[-1].result]}; only one that failed "
            "is taken back without a person"
        )
    back = replace(choose_release(ledger, stack, None), unattended=True)
    for each in entries:
        if each.kind == "rollback" and each.body.get("of") == back.of:
            raise _refused(f"entry {each.number} of the ledger took deployment {back.of} back already")
    return back


def release_workspace(workspace: Workspace, ledger: Ledger, stack: str, number: int) -> Workspace:
    """A checkout with the program and the stack file of a release, and with state and allowed signers of this one.

    Raises:
        CommandError: The release is not recorded, or its archive has changed.
    """
    entries: Sequence[LedgerEntry] = ledger.entries()
    known = releases(ledger, entries)
    if number not in known:
        raise CommandError(f"release {number} is no longer recorded. Nothing was changed", ExitCode.BAD_INPUT)
    folder = workspace.private / "rollback" / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    open_release(ledger, known[number], folder)
    signers = read_platform(workspace.stack_file(stack)).release.allowed_signers
    if (workspace.root / signers).is_file():
        (folder / signers).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(workspace.root / signers, folder / signers)
    link_environments(workspace.root, folder)
    return Workspace(folder, home=workspace.private)


def with_rules_of(workspace: Workspace, earlier: Workspace, stack: str) -> PlatformSettings:
    """Settings of a stack in `earlier`, with the rules in `workspace`: those of an old release may be laxer.

    Raises:
        SettingsError: One of the stack files is not usable.
    """
    platform = read_platform(earlier.stack_file(stack))
    rules = read_platform(workspace.stack_file(stack)).release
    return platform.model_copy(update={"release": rules})


def check_one_way(steps: Iterable[ObjectStep], accepted: Sequence[str]) -> None:
    """Check that every step that nothing brings back is accepted by the name of its object.

    Raises:
        CommandError: One is not; names them.
    """
    hard = [step for step in steps if step.undo in ("one-way", "restore") and step.object.title not in accepted]
    if hard:
        lines = "".join(f"\n  {step.object.title}: {step.undo}, {step.why}" for step in hard)
        raise CommandError(
            f"the rollback has steps that cannot simply be taken back. Nothing was changed. Accept each by --accept "
            f'"KIND NAME":{lines}',
            ExitCode.REFUSED,
        )


def _refused(message: str) -> CommandError:
    return CommandError(f"{message}. Nothing was changed", ExitCode.REFUSED)


def _listed(known: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(known)))
