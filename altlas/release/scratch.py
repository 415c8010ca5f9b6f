"""Scratch of a rehearsal: a copy of a program and its stack file, with a simulated cluster and secrets of its own.

Owns the folder `.altlas/rehearsal`, everything in it, and the environment in which it is worked on. No secret of the
real stack is there: encrypted values are removed from the stack file, and others are generated.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from altlas.release.archive import link_environments
from altlas.release.seal import PROGRAM
from altlas.session.console import Report
from altlas.session.session import choose_target, open_cluster
from altlas.session.stack_secrets import reset_secrets
from altlas.session.workspace import Workspace
from cluster.target import SIM
from components.settings.alertmanager import MAIL_SECRET, WEBHOOK_SECRET
from components.settings.secret_forms import placeholder
from components.settings.secrets import SECRETS
from components.stack.loading import read_stack_document
from components.stack.problems import PROJECT

_OUTSIDE = (
    "ALT_LAS_API_PORT",
    "KUBECONFIG",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_HOME",
    "TARGET",
)
"""Variables that would lead a rehearsal to the user's cluster, state or secrets."""

_ADDONS = "cluster"
"""Folder with the program of the addons, which belong to the cluster and not to a release."""

_CACHES = shutil.ignore_patterns("__pycache__")
_ENCRYPTION = re.compile(r"^(?:secretsprovider|encryptedkey):.*\n", re.MULTILINE)
_PREFIX = f"{PROJECT}:"
_CONFIG = re.compile(r"^config:[ \t]*\n", re.MULTILINE)


@contextmanager
def scratch(workspace: Workspace, report: Report) -> Iterator[Workspace]:
    """An empty scratch whose cluster is removed with everything at the end, also after a failure or Ctrl-C.

    What a killed rehearsal left behind is removed first.

    Args:
        workspace: The checkout, in which nothing else is changed.
        report: Prints progress.

    Raises:
        CommandError: Another rehearsal runs in this checkout.
    """
    home = workspace.private / "rehearsal"
    found = Workspace(home / "program", home=home)
    with found.only_one("rehearse"), _own_environment():
        _remove(found, report)
        found.root.mkdir(mode=0o700)
        link_environments(workspace.root, found.root)
        shutil.copytree(workspace.root / _ADDONS, found.root / _ADDONS, ignore=_CACHES)
        try:
            yield found
        finally:
            _remove(found, report)


def take_program(found: Workspace, root: Path) -> None:
    """Replace the program in a scratch by the one of another folder."""
    for name in PROGRAM:
        source, copy = root / name, found.root / name
        if copy.is_dir():
            shutil.rmtree(copy)
        else:
            copy.unlink(missing_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=_CACHES)
        elif source.exists():
            shutil.copy(source, copy)


def take_stack_file(found: Workspace, stack: str, source: Path) -> None:
    """Copy a stack file into a scratch; placeholders stand for the secrets that only a person can supply.

    Those that nothing needs are among them where the stack has them, because its objects differ without.
    """
    path = found.stack_file(stack)
    path.write_text(_ENCRYPTION.sub("", source.read_text(encoding="utf-8")), encoding="utf-8")
    given = {key.removeprefix(_PREFIX) for key in reset_secrets(path) if key.startswith(_PREFIX)}
    needed = {each.key for each in SECRETS if each.needed_by or each.key in (WEBHOOK_SECRET, MAIL_SECRET)}
    generated = {each.key for each in SECRETS if each.required}
    keys = [
        key for key in sorted(needed | given - generated) if _PREFIX + key not in read_stack_document(path)["config"]
    ]
    lines = "".join(f"  {_PREFIX}{key}: {placeholder(key)}\n" for key in keys)
    text = path.read_text(encoding="utf-8")
    path.write_text(_CONFIG.sub(lambda match: match.group() + lines, text, count=1), encoding="utf-8")


def _remove(found: Workspace, report: Report) -> None:
    if (found.private / SIM).exists():
        opened, _ = open_cluster(found, choose_target(found, SIM), report)
        opened.delete()
    for entry in found.private.iterdir():
        # The lock is held; the next rehearsal takes the same file.
        if entry.name == "lock":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextmanager
def _own_environment() -> Iterator[None]:
    before = {name: os.environ.pop(name) for name in _OUTSIDE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
