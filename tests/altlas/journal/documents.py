"""Journals and states for the tests: short resources, short entries, and journals that an engine could write."""

import random
from collections.abc import Mapping
from typing import Any

STACK = "urn:pulumi:alpha::alt-las::pulumi:pulumi:Stack::alt-las-alpha"
PROVIDER = "urn:pulumi:alpha::alt-las::pulumi:providers:kubernetes::cluster"


def urn(name: str, kind: str = "kubernetes:core/v1:ConfigMap") -> str:
    """URN of a resource of the project."""
    return f"urn:pulumi:alpha::alt-las::{kind}::{name}"


def resource(name: str, **more: Any) -> dict[str, Any]:
    """A resource of the state, without outputs."""
    return {"urn": urn(name), "custom": True, "id": f"alt-las/{name}", "type": "kubernetes:core/v1:ConfigMap", **more}


def entry(kind: int, number: int, **more: Any) -> dict[str, Any]:
    """An entry of a journal."""
    return {"version": 1, "kind": kind, "sequenceID": number, "operationID": number, **more}


def begun(operation: int, what: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """An entry that begins an operation, such as `creating`."""
    return entry(0, operation, operation={"resource": dict(state), "type": what})


def state(*resources: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A state."""
    return {
        "manifest": {"time": "2026-11-27T00:00:00Z", "magic": "", "version": ""},
        "resources": [dict(one) for one in resources],
        "metadata": {},
        **more,
    }


class GeneratedJournal:
    """A base state and a journal that some update of it could have written, up to an interruption.

    Covers what an engine does: same, create, update, replace (both orders), delete, failures, refreshes with and
    without removals, outputs, aliases, pending operations, features and a refresh before an update.
    """

    def __init__(self, seed: int) -> None:
        """Generate; the same seed gives the same journal."""
        self._random = random.Random(seed)  # noqa: S311  # generates tests, no secrets
        self._operation = 0
        self._made: list[tuple[int, dict[str, Any]]] = []
        count = self._random.randrange(12)
        olds = [self._resource(f"old-{number}", [f"old-{n}" for n in range(number)]) for number in range(count)]
        pending = [{"resource": self._resource("lost", []), "type": self._random.choice(["creating", "updating"])}]
        self.base = state(*olds, **({"pending_operations": pending} if self._chance(0.2) else {}))
        self.entries: list[dict[str, Any]] = []
        if self._chance(0.3):
            self._refresh(range(count))
            if self._chance(0.5):
                self.entries.append(entry(7, self._next()))
                count = len(_kept(olds, self.entries))
                olds = _kept(olds, self.entries)
        for number in range(count):
            self._touch(number, olds[number])
        for number in range(self._random.randrange(6)):
            self._create(self._resource(f"new-{number}", [one["urn"].rpartition("::")[2] for _, one in self._made]))
        del self.entries[self._random.randint(len(self.entries) // 2, len(self.entries)) :]

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _next(self) -> int:
        self._operation += 1
        return self._operation

    def _resource(self, name: str, others: list[str]) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if others and self._chance(0.5):
            more["dependencies"] = [urn(self._random.choice(others))]
            more["propertyDependencies"] = {"data": [urn(self._random.choice(others))], "none": None}
        if others and self._chance(0.3):
            more["parent"] = urn(self._random.choice(others))
        if others and self._chance(0.1):
            more["deletedWith"] = urn(self._random.choice(others))
        if others and self._chance(0.1):
            more["replaceWith"] = [urn(self._random.choice(others))]
        if self._chance(0.1):
            more["taint"] = True
        if self._chance(0.1):
            more["aliases"] = [urn(f"formerly-{name}")]
        return resource(name, **more, inputs={"data": {"value": self._random.randrange(1000)}})

    def _refresh(self, numbers: range) -> None:
        for number in numbers:
            if self._chance(0.5):
                gone = self._chance(0.3)
                found = None if gone else self._resource(f"old-{number}", [f"old-{n}" for n in range(number)])
                self.entries.append(entry(3, self._next(), removeOld=number, **({"state": found} if found else {})))

    def _create(self, made: dict[str, Any], **more: Any) -> None:
        operation = self._next()
        self.entries.append(begun(operation, "creating", made))
        if self._chance(0.1):
            self.entries.append(entry(2, operation))
            return
        if self._chance(0.05):
            return
        self.entries.append(entry(1, operation, state=made, **more))
        self._made.append((operation, made))
        if self._chance(0.2):
            self.entries.append(entry(4, self._next(), removeNew=operation, state={**made, "outputs": {"seen": 1}}))

    def _touch(self, number: int, old: dict[str, Any]) -> None:
        new = {**old, "inputs": {"data": {"value": self._random.randrange(1000)}}}
        match self._random.choice(["same", "update", "replace", "delete first", "delete", "leave", "outputs"]):
            case "same":
                self.entries.append(entry(1, self._next(), state=old, removeOld=number))
            case "update":
                operation = self._next()
                self.entries.append(begun(operation, "updating", old))
                self.entries.append(entry(1, operation, state=new, removeOld=number))
            case "replace":
                self._create(new, deleteOld=number)
                self._delete(number, old)
            case "delete first":
                self.entries.append(entry(1, self._next(), pendingReplacementOld=number))
                self._delete(number, old)
                self._create(new)
            case "delete":
                self._delete(number, old)
            case "outputs":
                self.entries.append(entry(4, self._next(), removeOld=number, state=new))

    def _delete(self, number: int, old: dict[str, Any]) -> None:
        operation = self._next()
        self.entries.append(begun(operation, "deleting", old))
        if self._chance(0.8):
            self.entries.append(entry(1, operation, removeOld=number))


def _kept(olds: list[dict[str, Any]], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Resources that a refresh left of the base, in their order."""
    said = {one["removeOld"]: one.get("state") for one in entries if one["kind"] == 3}
    return [said.get(number) or old for number, old in enumerate(olds) if said.get(number, old) is not None]
