"""Wait until what an update has changed is ready, and the reasons where it does not become so."""

from collections.abc import Iterable, Sequence

from altlas.preflight.run import is_simulated
from altlas.session.console import Report
from altlas.session.exported_state import kubernetes_resources
from altlas.session.kubectl import when_answered
from altlas.session.session import Session
from altlas.status.problems import problems, services_that_pull, workload_problems
from altlas.status.rollout import WorkloadStatus, workload_statuses
from altlas.status.stack_workloads import stack_statuses
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from rendering.errors import CommandError

_POLL_SECONDS = 0.25


def wait_until_ready(
    session: Session, stack: str, platform: PlatformSettings, report: Report
) -> tuple[WorkloadStatus, ...]:
    """Wait until all workloads of the state are ready: services with at least their smallest number of pods.

    Pulumi waits too, yet takes a rollout for complete that goes back to an earlier ReplicaSet, before it has begun,
    does not look at what it did not change, and knows nothing of the pods that operators make.

    Raises:
        CommandError: Kubernetes gave a rollout up, or the time is over; names pods, reasons and events.
    """
    smallest = {
        name: service.autoscaling.min_replicas if service.autoscaling else service.replicas or 1
        for name, service in platform.services.by_name().items()
    }
    operated = session.target.runs_containers and not is_simulated(session.kubectl)
    objects = [each.get("inputs") or {} for each in kubernetes_resources(session.engine.exported_state(stack))]

    def waiting(found: Iterable[WorkloadStatus]) -> set[str]:
        return {s.name for s in found if s.operated and not (s.is_ready and s.ready >= smallest.get(s.name, 1))}

    found = wait_for(
        lambda: when_answered(lambda: stack_statuses(session.kubectl, platform, objects, operated=operated)),
        lambda found: not waiting(found) or _is_given_up(session, platform, found),
        seconds=platform.rollout.timeout_seconds,
        poll_seconds=_POLL_SECONDS,
        report=lambda found: report(f"Waiting for {', '.join(sorted(waiting(found)))} ..."),
    )
    if waiting(found):
        raise CommandError(failure(session, platform, [each for each in found if each.name in waiting(found)]))
    return found


def _is_given_up(session: Session, platform: PlatformSettings, found: Iterable[WorkloadStatus]) -> bool:
    """True if a rollout is past its progress deadline, other than by a large image on a slow line."""
    stalled = {status.name for status in found if status.observed and status.stalled}
    return bool(stalled) and bool(
        stalled - when_answered(lambda: services_that_pull(session.kubectl, platform.namespace))
    )


def failure(session: Session, platform: PlatformSettings, found: Sequence[WorkloadStatus] = ()) -> str:
    """Reasons of a failed update, what was waited for in vain, and the pods that still serve."""
    try:
        reasons = problems(session.kubectl, platform.namespace)
        statuses = workload_statuses(session.kubectl, platform.namespace)
    except CommandError as error:
        return f"the update failed, and {error}"
    late = f", not ready: {', '.join(sorted(each.name for each in found))}" if found else ""
    lines = [f"the update failed{late}", *(f"  {line}" for line in workload_problems(found))]
    lines += [f"  {reason}" for reason in reasons]
    affected = {reason.service for reason in reasons}
    lines += [f"  {s.name}: {s.ready} of {s.wanted} pods still serve" for s in statuses if s.name in affected]
    return "\n".join(lines)
