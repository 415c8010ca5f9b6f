"""Promotion: what ran together in one stack comes into another one as a whole, or not at all.

Owns the candidate, the lock file and the new stack file. Does not own the checks (`promotion_checks`) nor the update:
the target is planned, approved and applied like any other change.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from altlas.images.lock import refused
from altlas.release.archive import open_release, releases
from altlas.release.canonical import digest
from altlas.release.deployments import deployments
from altlas.release.ledger import Ledger
from altlas.release.seal import Part, program_files, promotion_lock
from altlas.release.settings_diff import Leaf, compare
from altlas.release.steps import ChangeSetting
from altlas.release.transition import take_settings
from altlas.release.verified_set import VerifiedSet, is_image, verified_set
from altlas.session.durable_file import write_durably
from altlas.session.workspace import Workspace
from components.settings import PlatformSettings
from components.stack.image_lock import LOCK_NAME, ImageLock, read_lock
from components.stack.loading import parse_platform, read_platform, with_lock
from components.stack.problems import PLATFORM_KEY
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record

SCHEMA = "alt-las/promotion/v1"


@dataclass(frozen=True)
class ReleaseCandidate:
    """The last release of a stack, as its archive and its ledger have it.

    Attributes:
        stack: The stack.
        release: Number of the deployment.
        hash: Hash of the entry of its end.
        ended: Time from which it was ready.
        text: Its stack file.
        platform: Its settings.
        lock: Its image lock, None without one.
        program: Digests of its program's files.
        addons: Versions of the addons that it was deployed with; empty where they were not recorded.
    """

    stack: str
    release: int
    hash: str
    ended: datetime
    text: str
    platform: PlatformSettings
    lock: ImageLock | None
    program: Part
    addons: Mapping[str, str]

    @property
    def found(self) -> VerifiedSet:
        """Images and settings that ran together."""
        return verified_set(self.platform)


@dataclass(frozen=True)
class Promotion:
    """A candidate on its way into a stack.

    Attributes:
        candidate: What is promoted.
        stack: Where it goes.
        before: Settings of that stack as they are.
        after: Its settings with the promotion.
        text: Its stack file with the promotion.
    """

    candidate: ReleaseCandidate
    stack: str
    before: PlatformSettings
    after: PlatformSettings
    text: str

    @property
    def changes(self) -> tuple[ChangeSetting, ...]:
        """Settings that change."""
        return compare(self.before, self.after)

    def lock(self, by: str, now: datetime) -> dict[str, Any]:
        """The lock of what was verified together, as plain data.

        Args:
            by: Who promotes it.
            now: The moment.
        """
        found, objects = self.candidate.found, record(self.candidate.stack, self.candidate.platform).objects
        return {
            "schema": SCHEMA,
            "from": self.candidate.stack,
            "to": self.stack,
            "release": self.candidate.release,
            "entry": self.candidate.hash,
            "set": found.digest,
            "images": dict(found.images),
            "settings": {each.field: each.after for each in self.changes if not is_image(each.field)},
            "addons": dict(self.candidate.addons),
            "apiVersions": {each["kind"]: each["apiVersion"] for each in sorted(objects, key=lambda one: one["kind"])},
            "program": digest(self.candidate.program),
            "by": by,
            "time": now.isoformat(timespec="seconds"),
        }


def candidate(workspace: Workspace, ledger: Ledger, stack: str) -> ReleaseCandidate:
    """The last deployment of a stack, if it ended well.

    Raises:
        CommandError: There is none, it did not end well, or its archive is gone or was changed.
    """
    entries = ledger.entries()
    done = deployments(entries)
    if not done:
        raise CommandError(f"the stack {stack} has no deployment to promote. Nothing was changed", ExitCode.BAD_INPUT)
    last, known = done[-1], releases(ledger, entries)
    if last.result != "succeeded" or last.number not in known:
        why = "its archive is gone" if last.result == "succeeded" else f"it ended as {last.result}"
        raise CommandError(
            f"the last deployment of {stack}, entry {last.number} of its ledger, cannot be promoted: {why}. Nothing "
            f"was changed. Deploy {stack} first",
            ExitCode.REFUSED,
        )
    end, begin = known[last.number], next(each for each in entries if each.number == last.number)
    with tempfile.TemporaryDirectory(dir=workspace.private) as folder:
        root = Path(folder)
        open_release(ledger, end, root)
        file = Workspace(root).stack_file(stack)
        platform = read_platform(file)
        program = program_files(root)
        text = file.read_text(encoding="utf-8")
        with refused():
            lock = read_lock(root / LOCK_NAME)
    addons = begin.body.get("addons") or {}
    return ReleaseCandidate(stack, last.number, end.hash, end.moment, text, platform, lock, program, addons)


def promotion(workspace: Workspace, found: ReleaseCandidate, stack: str) -> Promotion:
    """The promotion of a candidate into a stack.

    Raises:
        SettingsError: The stack files differ in a way that cannot be carried over; names the settings.
    """
    file = workspace.stack_file(stack)
    before = read_platform(file)
    classes = frozenset(before.release.promotion.classes)

    def keeps(path: str, leaf: Leaf) -> bool:
        # Its own limits stay with a stack: a promotion must not lower them.
        return not is_image(path) and (leaf.field_class not in classes or path.startswith("release.promotion."))

    text = take_settings(file.read_text(encoding="utf-8"), found.text, before, keeps)
    document = yaml.load(text, yaml.CSafeLoader)["config"][PLATFORM_KEY]
    return Promotion(found, stack, before, parse_platform(with_lock(document, workspace.root)), text)


def holds(ledgers: Mapping[str, Ledger]) -> dict[str, frozenset[str]]:
    """Holds that no person has ended: digests of the sets that a person has rolled back, by `STACK/ENTRY`.

    Args:
        ledgers: Ledgers by stack.
    """
    found: dict[str, frozenset[str]] = {}
    entries = {stack: ledger.entries() for stack, ledger in ledgers.items()}
    for stack, each in entries.items():
        begins = {entry.number: entry.body for entry in each}
        for entry in each:
            if entry.kind == "rollback" and entry.body.get("of") in begins and not entry.body.get("unattended"):
                body = begins[entry.body["of"]]
                digests = {body.get("set"), body.get("promoted")} - {None}
                found[f"{stack}/{entry.body['of']}"] = frozenset(map(str, digests))
    ended = {entry.body.get("cleared") for each in entries.values() for entry in each if entry.kind == "promote"}
    return {name: digests for name, digests in found.items() if name not in ended}


def write(workspace: Workspace, made: Promotion, by: str) -> dict[str, Any]:
    """Write the lock and the stack file.

    Returns:
        The lock.
    """
    lock, file = made.lock(by, datetime.now(UTC)), workspace.stack_file(made.stack)
    write_durably(workspace.root / promotion_lock(file), f"{json.dumps(lock, indent=1)}\n".encode(), mode=0o666)
    write_durably(file, made.text.encode(), mode=0o666)
    return lock
