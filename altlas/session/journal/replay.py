"""Replay of a journal: the state that the engine would have written, from the state before and the entries since.

The kinds of entries and what they do follow Pulumi's `apitype.JournalEntry` (version 1) and
`backend.JournalReplayer` of CLI 3.259; `tests/journal` holds this module against that one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from altlas.session.journal.references import follow_aliases, rebuild_dependencies

VERSION = 1
"""Version of journal entries that this module understands."""

Resource = dict[str, Any]

_FEATURES = {
    "refreshBeforeUpdate": "refreshBeforeUpdate",
    "viewOf": "views",
    "resourceHooks": "hooks",
    "taint": "taint",
    "replaceWith": "replaceWith",
    "extensionRef": "extensionParameterization",
    "snippetID": "snippets",
}
_PLAIN_VERSION = 3
VERSION_WITH_FEATURES = 4
"""Version of the schema of a state that names features."""


class Kind(IntEnum):
    """Meaning of an entry."""

    BEGIN = 0
    SUCCESS = 1
    FAILURE = 2
    REFRESH_SUCCESS = 3
    OUTPUTS = 4
    WRITE = 5
    SECRETS_MANAGER = 6
    REBUILT_BASE_STATE = 7
    EXTENSION = 8
    SNIPPETS = 9


class JournalError(Exception):
    """An entry that this program cannot replay; the message says which and why."""


@dataclass(frozen=True)
class StackState:
    """The state of a stack as the engine serialises it, secrets encrypted.

    Attributes:
        body: `apitype.DeploymentV3`.
        version: Version of its schema, 3 or 4.
        features: What a CLI must know to read it; only with version 4.
    """

    body: dict[str, Any]
    version: int = _PLAIN_VERSION
    features: tuple[str, ...] = ()

    @property
    def resources(self) -> list[Resource]:
        """Its resources, each after what it depends on."""
        found: list[Resource] = self.body.get("resources") or []
        return found

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Operations of which nobody knows how they ended."""
        found: list[dict[str, Any]] = self.body.get("pending_operations") or []
        return found


@dataclass
class _Changes:
    """Changes by the entries since the base state; indices of `old` count the base's resources."""

    new: list[Resource] = field(default_factory=list)
    index_of: dict[int, int] = field(default_factory=dict)
    removed_new: set[int] = field(default_factory=set)
    removed_old: set[int] = field(default_factory=set)
    replaced_old: dict[int, Resource] = field(default_factory=dict)
    deleted_old: set[int] = field(default_factory=set)
    pending_old: set[int] = field(default_factory=set)
    begun: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    extensions: dict[str, Any] = field(default_factory=dict)


class Replay:
    """Entries added to a base state, in the order in which they were written."""

    def __init__(self, base: Mapping[str, Any], cli_version: str) -> None:
        """Begin with the state before the first entry; `cli_version` is that of the CLI that writes the entries."""
        self._base = dict(base)
        self._cli_version = cli_version
        self._changes = _Changes()
        self._refreshed = False
        self._byte_strings = False

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add one entry.

        Raises:
            JournalError: The entry's version or kind is unknown, or it names a step that the journal does not hold.
        """
        if entry.get("version", VERSION) > VERSION:
            raise JournalError(f"the journal holds entries of version {entry['version']}, known is {VERSION}")
        self._byte_strings |= bool(entry.get("requiresByteString"))
        try:
            kind = Kind(entry["kind"])
            self._apply(kind, entry)
        except (KeyError, ValueError, IndexError) as error:
            raise JournalError(f"entry {entry.get('sequenceID')} of kind {entry.get('kind')}: {error!r}") from error

    def _apply(self, kind: Kind, entry: Mapping[str, Any]) -> None:
        match kind:
            case Kind.BEGIN:
                self._changes.begun[entry["operationID"]] = entry
            case Kind.SUCCESS:
                self._succeed(entry)
            case Kind.FAILURE:
                self._changes.begun.pop(entry["operationID"], None)
            case Kind.REFRESH_SUCCESS:
                self._changes.begun.pop(entry["operationID"], None)
                self._refreshed = True
                self._put_or_remove(entry)
            case Kind.OUTPUTS:
                if entry.get("state") is not None:
                    self._put_or_remove(entry)
            case _:
                self._apply_to_base(kind, entry)

    def _apply_to_base(self, kind: Kind, entry: Mapping[str, Any]) -> None:
        match kind:
            case Kind.WRITE:
                self._base = dict(entry["newSnapshot"])
            case Kind.SECRETS_MANAGER:
                self._base["secrets_providers"] = entry["secretsProvider"]
            case Kind.REBUILT_BASE_STATE:
                self._rebase()
            case Kind.EXTENSION:
                self._changes.extensions[entry["extensionRef"]] = entry["extension"]
            case Kind.SNIPPETS:
                self._base["snippets"] = entry.get("snippets")

    def _succeed(self, entry: Mapping[str, Any]) -> None:
        operation, state = entry["operationID"], entry.get("state")
        self._changes.begun.pop(operation, None)
        if state is not None:
            self._changes.index_of[operation] = len(self._changes.new)
            self._changes.new.append(dict(state))
        for key, marked in (
            ("removeOld", self._changes.removed_old),
            ("removeNew", self._changes.removed_new),
            ("deleteOld", self._changes.deleted_old),
            ("pendingReplacementOld", self._changes.pending_old),
        ):
            if (number := entry.get(key)) is not None:
                marked.add(number)
        for key, flag in (("deleteNew", "delete"), ("pendingReplacementNew", "pendingReplacement")):
            if (number := entry.get(key)) is not None:
                self._changes.new[self._changes.index_of[number]][flag] = True
        self._refreshed |= bool(entry.get("isRefresh"))

    def _put_or_remove(self, entry: Mapping[str, Any]) -> None:
        """Put a state in place of another; without a state, remove it."""
        old, new, state = entry.get("removeOld"), entry.get("removeNew"), entry.get("state")
        if old is not None:
            if state is None:
                self._changes.removed_old.add(old)
            else:
                self._changes.replaced_old[old] = state
        if new is not None:
            if state is None:
                self._changes.removed_new.add(new)
            else:
                self._changes.new[self._changes.index_of[new]] = dict(state)

    def _rebase(self) -> None:
        """Take the state so far as the base of what follows; the engine numbers its resources from zero again."""
        self._base = self.deployment().body
        self._changes = _Changes()

    def deployment(self) -> StackState:
        """The state after all entries so far; what has begun and not ended is listed as pending."""
        resources = [*self._kept_new(), *self._kept_old()]
        operations = [entry["operation"] for entry in self._changes.begun.values() if entry.get("operation")]
        # Only a person can tell whether an object of an unfinished creation exists.
        operations += [one for one in self._base.get("pending_operations") or [] if one.get("type") == "creating"]
        features = self._features([*resources, *(one["resource"] for one in operations)])
        if self._refreshed:
            rebuild_dependencies(resources)
        body: dict[str, Any] = {"manifest": self._manifest()}
        extensions = {**self._changes.extensions, **(self._base.get("extensions") or {})}
        snippets = self._base.get("snippets")
        body |= _without_empty(
            secrets_providers=self._base.get("secrets_providers"), resources=resources, pending_operations=operations
        )
        body["metadata"] = self._base.get("metadata") or {}
        body |= _without_empty(snippets=snippets, extensions=extensions)
        features |= {"snippets-prototype"} if snippets else set()
        follow_aliases(body)
        return StackState(body, VERSION_WITH_FEATURES if features else _PLAIN_VERSION, tuple(sorted(features)))

    def _kept_new(self) -> list[Resource]:
        gone = {self._changes.index_of[number] for number in self._changes.removed_new}
        return [dict(state) for index, state in enumerate(self._changes.new) if index not in gone]

    def _kept_old(self) -> list[Resource]:
        kept = []
        for index, old in enumerate(self._base.get("resources") or []):
            if index in self._changes.removed_old:
                continue
            state = dict(self._changes.replaced_old.get(index, old))
            if index not in self._changes.replaced_old:
                if index in self._changes.pending_old:
                    state["pendingReplacement"] = True
                if index in self._changes.deleted_old:
                    state["delete"] = True
            kept.append(state)
        return kept

    def _features(self, resources: list[Resource]) -> set[str]:
        used = {feature for key, feature in _FEATURES.items() if any(one.get(key) for one in resources)}
        return used | ({"byteString"} if self._byte_strings and resources else set())

    def _manifest(self) -> dict[str, str]:
        magic = hashlib.sha256(self._cli_version.encode()).hexdigest() if self._cli_version else ""
        return {"time": datetime.now(UTC).isoformat(), "magic": magic, "version": self._cli_version}


def _without_empty(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
