"""An update that is written down as it happens: from its first entry to the state file at its end."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock as Mutex
from typing import Any

from altlas.session.journal import journal_log
from altlas.session.journal.journal_file import Heading, JournalWriter, digest
from altlas.session.journal.lease import Check
from altlas.session.journal.recovery import finished
from altlas.session.journal.state_files import StackFiles

_SUCCEEDED = "succeeded"
_SUMMARY = "update failed"
_MARKUP = re.compile(r"<\{%[^%]*%\}>")
"""Colours, as the engine writes them into its events."""
_UNCHANGING = frozenset({"same", "read", "refresh"})
_KINDS = {"import": "resource-import"}


class Update:
    """One update, destroy, refresh or import.

    Attributes:
        identifier: By which the CLI names it.
        errors: Messages of what has failed, without the engine's own summary.
    """

    def __init__(
        self,
        files: StackFiles,
        kind: str,
        request: Mapping[str, Any],
        identifier: str,
        cli_version: str,
        *,
        defers_deletions: bool,
        check: Check,
    ) -> None:
        """Keep what the history will say, and how to check that the stack is still held; nothing is written yet."""
        self.identifier = identifier
        self.errors: list[str] = []
        self._files = files
        self._kind = kind
        self._request = request
        self._cli_version = cli_version
        self._defers_deletions = defers_deletions
        self._check = check
        self._started = int(time.time())
        self._changes: Mapping[str, int] = {}
        self._base = b""
        self._writer: JournalWriter | None = None
        self._one_at_a_time = Mutex()

    def start(self) -> None:
        """Begin the journal.

        Raises:
            OSError: It cannot be written, or another one was left behind.
        """
        files = self._files
        self._base = files.read_content()
        base = digest(self._base)
        stack = f"{files.project}/{files.stack}"
        heading = Heading(stack, base, self._cli_version, self._kind, self._started, self._defers_deletions)
        self._writer = JournalWriter(files.journal, heading)

    def append(self, batch: bytes) -> None:
        """Append a batch of entries; it is on the disk when this returns.

        Raises:
            OSError: The disk is full, the stack is held no more, or the update is over.
        """
        with self._one_at_a_time:
            if self._writer is None:
                raise OSError("the update is over")
            self._check()
            self._writer.append(batch)

    def note(self, events: bytes) -> None:
        """Keep errors, and the counts of changes of the engine's summary; the CLI itself shows all events."""
        if b'"summaryEvent"' not in events and b'"error"' not in events:
            return
        with suppress(ValueError):
            document = json.loads(events)
            for event in document.get("events") or [document]:
                if event.get("summaryEvent"):
                    self._changes = event["summaryEvent"].get("resourceChanges") or {}
                diagnostic = event.get("diagnosticEvent") or {}
                if diagnostic.get("severity") == "error" and _SUMMARY not in diagnostic["message"]:
                    self.errors.append(_MARKUP.sub("", diagnostic["message"]).strip())

    @property
    def changed(self) -> int:
        """Number of resources that were changed, as the engine's summary counts them."""
        return sum(count for operation, count in self._changes.items() if operation not in _UNCHANGING)

    def complete(self, status: str) -> None:
        """Replay the journal, write the state and the history, and remove the journal.

        Raises:
            JournalError: The result would be refused by Pulumi; state and journal stay as they are.
            OSError: It cannot be written; state and journal stay as they are.
        """
        with self._one_at_a_time:
            if self._writer is None:
                return
            self._check()
            files, writer = self._files, self._writer
            journal, content = writer.written(), self._base
            if journal and journal.entries:
                content = files.content(finished(journal, files.parsed(content)))
                writer.announce(digest(content))
                files.write(content)
            writer.close()
            self._writer = None
            journal_log.remove(files.journal)
        files.add_to_history(self._history(status), content)
        files.back_up(content)

    def _history(self, status: str) -> Mapping[str, Any]:
        metadata = self._request.get("metadata") or {}
        return {
            "kind": _KINDS.get(self._kind, self._kind),
            "startTime": self._started,
            "message": metadata.get("message", ""),
            "environment": metadata.get("environment") or {},
            "config": {name: _config(value) for name, value in (self._request.get("config") or {}).items()},
            "version": 0,
            "result": _SUCCEEDED if status == _SUCCEEDED else "failed",
            "endTime": int(time.time()),
            "resourceChanges": dict(self._changes),
        }


def _config(value: Mapping[str, Any]) -> object:
    """A value of the configuration as the file backend notes it; secrets stay encrypted."""
    if value.get("object"):
        return json.loads(value["string"])
    return {"secure": value["string"]} if value.get("secret") else value["string"]
