"""Check before an update that shall change secrets only: releases are not stopped, and nothing else is brought along.

Owns the comparison of a checkout with the release that runs. Does not own archives (`archive`) nor what a seal holds
(`seal`).
"""

import tempfile
from pathlib import Path

from altlas.release.archive import open_release, releases
from altlas.release.deployments import deployments
from altlas.release.ledger import Ledger
from altlas.release.rules import check_stop
from altlas.release.seal import Part, differences, seal_files
from altlas.session.workspace import Workspace
from components.settings.secrets import NOTES, SECRETS
from components.stack.loading import read_platform
from components.stack.problems import PROJECT
from rendering.errors import CommandError, ExitCode

_GENERATED = {f"{PROJECT}:{key}" for key in (*NOTES, *(secret.key for secret in SECRETS if secret.required))}
"""Keys of a stack file that a rotation changes."""


def check_rotation(workspace: Workspace, stack: str, ledger: Ledger, override: str) -> None:
    """Check that secrets of a stack may be rotated now, and record an override.

    Raises:
        CommandError: Releases are stopped. Or the stack takes approved plans only, and the checkout is not what was
            released last, which a rotation would deploy. Or the ledger is damaged. Nothing was changed.
    """
    if read_platform(workspace.stack_file(stack)).release.plans_only:
        _check_released(workspace, stack, ledger)
    check_stop(workspace, stack, ledger, override)


def _check_released(workspace: Workspace, stack: str, ledger: Ledger) -> None:
    entries = ledger.entries()
    known, rotations = releases(ledger, entries), {each.number for each in entries if "rotated" in each.body}
    # A rotation that failed has deployed nothing else, and the same command goes on.
    counted = [each for each in deployments(entries) if each.number not in rotations or each.number in known]
    if not counted or counted[-1].number not in known:
        said = (
            "no deployment of it is recorded" if not counted else f"deployment {counted[-1].number} has not ended well"
        )
        raise _refused(stack, said)
    release = known[counted[-1].number]
    with tempfile.TemporaryDirectory(dir=workspace.private) as folder:
        open_release(ledger, release, Path(folder))
        ran, found = (
            _compared(root, root / workspace.stack_file(stack).name) for root in (Path(folder), workspace.root)
        )
        for difference in differences(ran, found):
            raise _refused(stack, f"{difference} since release {counted[-1].number}, and would be deployed too")


def _compared(root: Path, stack_file: Path) -> dict[str, Part]:
    parts = seal_files(root, stack_file, read_platform(stack_file))
    configuration = {key: value for key, value in parts["configuration"].items() if key not in _GENERATED}
    return {"settings": parts["settings"], "configuration": configuration, "program": parts["program"]}


def _refused(stack: str, said: str) -> CommandError:
    return CommandError(
        f"the stack {stack} takes approved plans only (release.plansOnly), and {said}. Nothing was changed. Release it "
        f"by `altlas plan {stack}`, or check out what was released last; then rotate",
        ExitCode.REFUSED,
    )
