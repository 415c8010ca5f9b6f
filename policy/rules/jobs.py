"""Rules for the end of Jobs and CronJobs: deadlines, history, concurrency."""

from collections.abc import Iterator

from policy.manifests import Manifest, kind_of
from policy.paths import read
from policy.rules.base import Finding, ObjectRule, Parameters

_JOB_BOUNDS = ("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_SCHEDULE_BOUNDS = (
    "timeZone",
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
)


def _unbounded_jobs(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    where = {"Job": "spec", "CronJob": "spec.jobTemplate.spec"}.get(kind_of(manifest))
    for key in _JOB_BOUNDS if where else ():
        if read(manifest, f"{where}.{key}") is None:
            yield Finding(manifest, f"{where}.{key}", "is not set")


def _unbounded_schedules(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "CronJob":
        return
    for key in _SCHEDULE_BOUNDS:
        if read(manifest, f"spec.{key}") is None:
            yield Finding(manifest, f"spec.{key}", "is not set")
    if read(manifest, "spec.concurrencyPolicy", "Allow") == "Allow":
        yield Finding(manifest, "spec.concurrencyPolicy", "is Allow")


RULES = (
    ObjectRule(
        id="jobs-end",
        title="Every Job has a deadline, a number of retries and a time after which it is removed.",
        reason="A Job that hangs holds its resources for ever, and finished ones pile up.",
        fix=f"set {', '.join(_JOB_BOUNDS)}",
        check=_unbounded_jobs,
    ),
    ObjectRule(
        id="schedules-are-bounded",
        title="Every CronJob has a time zone, a starting deadline, history limits, and never overlaps itself.",
        reason="It would run at another hour on another cluster, twice at a time, or not at all after an outage.",
        fix=f"set {', '.join(_SCHEDULE_BOUNDS)}, and concurrencyPolicy to Forbid or Replace",
        check=_unbounded_schedules,
    ),
)
"""Rules about Jobs and CronJobs."""
