"""A cluster of CronJobs and Jobs for the tests of restores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from altlas.backup.job import Jobs, Task
from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError
from rendering.recorder import record
from tests.support.documents import alpha_with

RESTORE = Task("restore", "postgres", ("--backup", "20260101T000000Z"), {"PGUSER": "restore"}, {"PGPASSWORD": "OTHER"})


def cron_job_of(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A CronJob of alpha, with other settings at dotted paths, as it is deployed."""
    found = (each for each in record("alpha", alpha_with(changes or {})).objects if each["kind"] == "CronJob")
    return next(each for each in found if each["metadata"]["name"] == name)


class Cluster(Kubectl):
    """A cluster of CronJobs and Jobs, of which the Jobs end as they are told to.

    Attributes:
        objects: What is there, by kind and name.
        ends: Condition with which a Job ends that is not suspended; None where it never does.
        calls: Commands that change something.
    """

    def __init__(self, *objects: Mapping[str, Any], ends: str | None = "Complete", log: str = "") -> None:
        super().__init__(Path("kubectl"), Path("kubeconfig"))
        state: dict[str, Any] = {
            "objects": {(each["kind"].lower(), each["metadata"]["name"]): dict(each) for each in objects},
            "ends": ends,
            "log": log,
            "calls": list[str](),
        }
        self.__dict__.update(state)

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Answer the few commands that a Job needs."""
        verb, kind = arguments[0], arguments[1]
        key, objects = (kind, arguments[2]), self.__dict__["objects"]
        if verb == "logs":
            return str(self.__dict__["log"])
        if verb == "get":
            return json.dumps(self._ended(objects[key])) if key in objects else ""
        self.__dict__["calls"].append(verb)
        if (verb, kind) == ("delete", "--raw"):
            return self._delete(arguments[2], json.loads(stdin or "{}"))
        if verb == "delete":
            del objects[key]
        if verb == "patch":
            objects[key]["spec"]["suspend"] = False
        assert stdin is None
        return ""

    def _delete(self, path: str, options: Mapping[str, Any]) -> str:
        """As the API server does it: not where the object is another one by now."""
        kind, name = path.split("/")[-2:]
        there = self.__dict__["objects"].get((kind.removesuffix("s"), name))
        if there is None or there["metadata"]["uid"] != options["preconditions"]["uid"]:
            raise CommandError("Error from server (Conflict): the UID in the precondition does not match")
        del self.__dict__["objects"][kind.removesuffix("s"), name]
        return ""

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Make an object unless there is one of its name."""
        key = (manifest["kind"].lower(), manifest["metadata"]["name"])
        self.__dict__["calls"].append("create")
        return bool(self.__dict__["objects"].setdefault(key, manifest) is manifest)

    def _ended(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        ends = self.__dict__["ends"]
        if found["kind"] != "Job" or "status" in found or ends is None or found["spec"].get("suspend"):
            return found
        return {**found, "status": {"conditions": [{"type": ends, "status": "True"}]}}

    def jobs(self) -> Jobs:
        """Jobs in this cluster."""
        return Jobs(self, "alpha", "alt-las", lambda _: None)

    @property
    def calls(self) -> Sequence[str]:
        """Commands that changed something."""
        found: Sequence[str] = self.__dict__["calls"]
        return found


def job(*conditions: str) -> dict[str, Any]:
    """A restore of before."""
    status = {"conditions": [{"type": condition, "status": "True"} for condition in conditions]}
    return {"kind": "Job", "metadata": {"name": RESTORE.job, "uid": "before"}, "spec": {}, "status": status}
