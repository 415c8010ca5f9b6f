"""Jobs that restore, list, fetch or test backups, derived from the deployed CronJobs: one at a time per store.

The Job's name is the lock: the API server accepts no second one. The program in the Job (`python -m backup`) chooses
the backup, because only its pod mounts them.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.backup.request import STORES
from altlas.session.jobs import has_succeeded, log_of
from altlas.session.kubectl import Kubectl, when_answered
from cluster.waiting import wait_for
from rendering.errors import CommandError, ExitCode

_POLL_SECONDS = 0.5
_LOG_LINES = 20
_KEPT_SECONDS = 7 * 24 * 3600
_ACTION = "alt-las.io/backup-action"
"""Label by which monitoring recognises backups and restore tests, see `backup.exporter`."""

ACTIONS = ("restore", "list", "drill", "fetch", "preflight")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """Task of a Job.

    Attributes:
        action: One of `ACTIONS`; with the store the name of the Job.
        store: The store.
        arguments: Command line after the store.
        environment: Plain variables in addition to those of the CronJob.
        secrets: Keys in the Secret of the CronJob, by variable.
    """

    action: str
    store: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    secrets: Mapping[str, str] | None = None

    @property
    def job(self) -> str:
        """Name of the Job."""
        return f"{self.store}-{self.action}-now"

    @property
    def cron_job(self) -> str:
        """Name of the CronJob that the Job is derived from: restore tests have their own."""
        return f"{self.store}-backup-drill" if self.action == "drill" else f"{self.store}-backup"


def remove_jobs(kubectl: Kubectl, namespace: str) -> None:
    """Remove the Jobs of all tasks; their pods keep the backup volumes bound even when they have ended.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    names = [Task(action, store).job for store in STORES for action in ACTIONS]
    kubectl.text("delete", "jobs", *names, "--namespace", namespace, "--ignore-not-found", "--wait=false")


def job_of(cron_job: Mapping[str, Any], task: Task) -> Manifest:
    """The Job of a task, with image, volumes, ServiceAccount, key and limits of the CronJob."""
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    spec = template["spec"] | {"backoffLimit": 0, "ttlSecondsAfterFinished": _KEPT_SECONDS}
    (container,) = spec["template"]["spec"]["containers"]
    command = container["command"]
    program = command[: command.index("--root") + 2]
    container["name"], container["command"] = task.action, [*program, task.action, task.store, *task.arguments]
    container["env"] = _environment(container["env"], task)
    spec["template"]["spec"]["volumes"] = _volumes(spec["template"]["spec"]["volumes"], task)
    spec["template"]["metadata"]["labels"] = _labels(spec["template"]["metadata"]["labels"], task)
    metadata = {"name": task.job, "namespace": cron_job["metadata"]["namespace"]}
    labels = _labels(template["metadata"]["labels"], task)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata | {"labels": labels}, "spec": spec}


def _labels(given: Mapping[str, str], task: Task) -> dict[str, str]:
    """Labels without the action of the CronJob: otherwise a successful list would count as a backup."""
    return {name: value for name, value in given.items() if name != _ACTION or value == task.action}


def _environment(given: Sequence[Mapping[str, Any]], task: Task) -> list[Mapping[str, Any]]:
    new = {name: {"name": name, "value": value} for name, value in (task.environment or {}).items()}
    return [*(each for each in given if each["name"] not in new), *new.values()]


def _volumes(given: Sequence[Mapping[str, Any]], task: Task) -> list[Mapping[str, Any]]:
    """Volumes of the CronJob with the passwords of the task, in files named like the variables."""
    new = [{"key": key, "path": name} for name, key in (task.secrets or {}).items()]
    taken = {each["path"] for each in new}

    def changed(volume: Mapping[str, Any]) -> Mapping[str, Any]:
        if "secret" not in volume:
            return volume
        kept = [each for each in volume["secret"]["items"] if each["path"] not in taken]
        return {**volume, "secret": {**volume["secret"], "items": [*kept, *new]}}

    return [changed(volume) for volume in given]


@dataclass(frozen=True)
class Jobs:
    """Runs Jobs in the namespace of a stack.

    Attributes:
        kubectl: Access to the cluster.
        stack: Name of the stack.
        namespace: Its namespace.
        report: Prints progress.
    """

    kubectl: Kubectl
    stack: str
    namespace: str
    report: Callable[[str], None]

    def deployed(self, task: Task) -> Mapping[str, Any]:
        """The CronJob that a task's Job is derived from.

        Raises:
            CommandError: It does not exist.
        """
        found = self._get("cronjob", task.cron_job)
        if found is None:
            raise CommandError(
                f"there is no CronJob {task.cron_job} in {self.namespace}: the stack {self.stack} is not deployed, or "
                f"without alt-las:platform.backup; bring it up with `altlas up --stack {self.stack}`. Nothing was "
                "changed",
                ExitCode.BAD_INPUT,
            )
        return found

    def run(self, task: Task, prepare: Callable[[], None] | None = None) -> str:
        """Create the Job, wait until it ends, and return its log.

        Args:
            task: The task.
            prepare: Called while the Job is suspended and already holds the lock.

        Raises:
            CommandError: Another such Job is running, or the Job failed; holds its last log lines.
        """
        manifest = job_of(self.deployed(task), task)
        self._delete_ended(task)
        manifest["spec"]["suspend"] = prepare is not None
        if not self.kubectl.create(manifest):
            raise _busy(task, self.namespace)
        self.report(f"Created the Job {task.job} in {self.namespace}.")
        if prepare:
            self._prepared(task, prepare)
        try:
            good = self._wait(task, manifest["spec"]["activeDeadlineSeconds"])
        except KeyboardInterrupt:
            self.report(f"The Job {task.job} continues without this command; {self._ways(task)}")
            raise
        if not good:
            said = log_of(self.kubectl, self.namespace, task.job, _LOG_LINES) or "its pod has no log"
            raise CommandError(f"the Job {task.job} failed: {said}")
        return log_of(self.kubectl, self.namespace, task.job)

    def _prepared(self, task: Task, prepare: Callable[[], None]) -> None:
        job = ("job", task.job, "--namespace", self.namespace)
        try:
            prepare()
        except BaseException:
            self.kubectl.text("delete", *job)
            raise
        self.kubectl.text("patch", *job, "--type=merge", "--patch", '{"spec": {"suspend": false}}')

    def _delete_ended(self, task: Task) -> None:
        """Delete the previous Job, if it has ended."""
        before = self._get("job", task.job)
        if before is None:
            return
        if has_succeeded(before) is None:
            raise _busy(task, self.namespace)
        # By UID: of two commands that see it ended, the later one must not delete the new Job of the earlier one.
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{task.job}"
        options = {
            **{"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"},
            "preconditions": {"uid": before["metadata"]["uid"]},
        }
        try:
            self.kubectl.text("delete", "--raw", path, "--filename", "-", stdin=json.dumps(options))
        except CommandError as error:
            if not any(reason in str(error) for reason in ("(Conflict)", "(NotFound)")):
                raise

    def _wait(self, task: Task, seconds: int) -> bool:
        def ended() -> bool | None:
            job = self._patiently(task)
            if job is None:
                raise CommandError(f"the Job {task.job} was deleted while it ran; look at the store before you go on")
            return has_succeeded(job)

        return bool(
            wait_for(
                ended,
                lambda outcome: outcome is not None,
                seconds=seconds,
                poll_seconds=_POLL_SECONDS,
                report=lambda _: self.report(f"Waiting for the Job {task.job} ..."),
            )
        )

    def _patiently(self, task: Task) -> Mapping[str, Any] | None:
        """The Job; a cluster that is away for a moment does not end the wait, for the Job does not end with it."""
        try:
            return when_answered(lambda: self._get("job", task.job))
        except CommandError as error:
            raise CommandError(f"{error}. The Job {task.job} may be running: {self._ways(task)}", error.code) from None

    def _ways(self, task: Task) -> str:
        job = f"job {task.job} --namespace {self.namespace}"
        return f"look at it with `kubectl get {job}`, end it with `kubectl delete {job}`"

    def _get(self, kind: str, name: str) -> Mapping[str, Any] | None:
        printed = self.kubectl.text(
            "get", kind, name, "--namespace", self.namespace, "--ignore-not-found", "--output=json"
        )
        found: Mapping[str, Any] | None = json.loads(printed) if printed.strip() else None
        return found


def _busy(task: Task, namespace: str) -> CommandError:
    return CommandError(
        f"another {task.action} of {task.store} is running: the Job {task.job} in {namespace}. Wait until it ends; if "
        f"it hangs, look at it and remove it with `kubectl delete job {task.job} --namespace {namespace}`. Nothing was "
        "changed",
        ExitCode.BUSY,
    )
