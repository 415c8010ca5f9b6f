"""Load test by a Job of the cluster, made of the stack's suspended CronJob, and removed with all that it needs.

Owns the Job and the ConfigMap with its program, which belongs to the Job: the cluster removes both, also when this
command is killed. Does not own the traffic that is allowed, which the stack declares, nor the verdict.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.session.interruption import termination_as_interruption
from altlas.session.jobs import has_succeeded, log_of
from altlas.session.kubectl import Kubectl, when_answered
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from loadtests.measure import TARGET_VARIABLE, LoadFigures, LoadTarget, read_figures
from loadtests.plan import WHOLE_PATH_REQUEST
from rendering.errors import CommandError, ExitCode
from rendering.root import ROOT

NAME = "load-test"
"""Name of the CronJob of the stack, of the Job, and of its ConfigMap."""

_PROGRAM = ("__init__.py", "locust_run.py", "measure.py", "profiles.py")
_FOLDER = "/program"
_SPARE_SECONDS = 120
_POLL_SECONDS = 1.0
_KEPT_SECONDS = 300
_LAST_LINES = 3

Manifest = dict[str, Any]


def inside_url(platform: PlatformSettings) -> str:
    """Address of the whole path for pods of the stack: the gateway, without the ingress in front of it."""
    return f"http://api-gateway:{platform.services.api_gateway.port}{WHOLE_PATH_REQUEST}"


def job_of(cron_job: Mapping[str, Any], target: LoadTarget, warm_up: int, seconds: int) -> Manifest:
    """The Job of a target, with pod, identity and limits of the CronJob."""
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    deadline = warm_up + seconds + _SPARE_SECONDS
    bounds = {"backoffLimit": 0, "activeDeadlineSeconds": deadline, "ttlSecondsAfterFinished": _KEPT_SECONDS}
    pod = template["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    document = json.dumps(target.document(warm_up, seconds))
    container["env"] = [
        *(container.get("env") or ()),
        {"name": "PYTHONPATH", "value": _FOLDER},
        {"name": TARGET_VARIABLE, "value": document},
    ]
    container["volumeMounts"] = [
        *container["volumeMounts"],
        {"name": "program", "mountPath": _FOLDER, "readOnly": True},
    ]
    items = [{"key": each, "path": f"loadtests/{each}"} for each in _PROGRAM]
    pod["volumes"] += [{"name": "program", "configMap": {"name": NAME, "items": items}}]
    metadata = {"name": NAME, "namespace": cron_job["metadata"]["namespace"], "labels": template["metadata"]["labels"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"] | bounds}


def program_of(job: Mapping[str, Any]) -> Manifest:
    """The ConfigMap with the program of a Job, to which it belongs."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": job["metadata"]["uid"]}
    metadata = {"name": NAME, "namespace": job["metadata"]["namespace"], "ownerReferences": [owner]}
    texts = {each: (ROOT / "loadtests" / each).read_text(encoding="utf-8") for each in _PROGRAM}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts}


@dataclass(frozen=True)
class ClusterLoad:
    """Makes load from inside the namespace of a stack.

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

    def generate(self, target: LoadTarget, warm_up: int, seconds: int) -> LoadFigures:
        """Put a target under load, and remove what was made for it, also after Ctrl-C.

        Args:
            target: The address, its users and its goal.
            warm_up: Seconds before the measurement, in which the users begin.
            seconds: Seconds of the measurement.

        Raises:
            CommandError: The stack has no template, another load test runs, or the Job failed.
        """
        cron_job = self.kubectl.find("cronjob", self.namespace, NAME)
        if cron_job is None:
            raise CommandError(
                f"there is no CronJob {NAME} in {self.namespace}: name an image with Locust in loadTest.image of "
                f"Pulumi.{self.stack}.yaml, such as {{repository: locustio/locust, tag: 2.47.0}}, and run `altlas up "
                f"{self.stack}`",
                ExitCode.BAD_INPUT,
            )
        job = job_of(cron_job, target, warm_up, seconds)
        if not self.kubectl.create(job):
            raise CommandError(
                f"another load test runs: the Job {NAME} in {self.namespace}; wait until it ends, or remove it with "
                f"`kubectl delete job {NAME} --namespace {self.namespace}`",
                ExitCode.BUSY,
            )
        with termination_as_interruption():
            try:
                return self._measured(job["spec"]["activeDeadlineSeconds"])
            finally:
                where = ("--namespace", self.namespace, "--ignore-not-found", "--wait=false")
                self.kubectl.text("delete", f"job/{NAME}", f"configmap/{NAME}", *where)
                self.report(f"Removed the Job {NAME} from {self.namespace}.")

    def _measured(self, deadline: int) -> LoadFigures:
        self.report(f"Created the Job {NAME} in {self.namespace}.")
        found = self.kubectl.find("job", self.namespace, NAME)
        if found is None:
            raise CommandError(f"the Job {NAME} was removed while it began")
        self.kubectl.create(program_of(found))
        good = wait_for(
            self._ended,
            lambda outcome: outcome is not None,
            seconds=deadline + _SPARE_SECONDS,
            poll_seconds=_POLL_SECONDS,
            report=lambda _: self.report(f"Waiting for the Job {NAME} ..."),
        )
        lines = log_of(self.kubectl, self.namespace, NAME).splitlines()
        if good and lines:
            try:
                return read_figures(lines[-1])
            except (ValueError, KeyError, TypeError):
                pass
        said = "\n".join(lines[-_LAST_LINES:]) or "its pod has no log"
        raise CommandError(f"the Job {NAME} has {'written no figures' if good else 'failed'}: {said}")

    def _ended(self) -> bool | None:
        job = when_answered(lambda: self.kubectl.find("job", self.namespace, NAME))
        if job is None:
            raise CommandError(f"the Job {NAME} was removed while it ran")
        return has_succeeded(job)
