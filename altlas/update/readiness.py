"""Wait until what an update has changed is ready, and the reasons where it does not become so."""

from collections.abc import Iterable, Sequence

from altlas.preflight.run import is_simulated
from altlas.session.console import Report
from altlas.session.kubectl import when_answered
from altlas.session.session import Session
from altlas.status.custom_resources import operated_statuses
from altlas.status.problems import operated_problems, problems, services_that_pull
from altlas.status.rollout import WorkloadStatus, workload_statuses
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from rendering.errors import CommandError

_POLL_SECONDS = 0.25


def wait_until_ready(session: Session, platform: PlatformSettings, report: Report) -> tuple[WorkloadStatus, ...]:
    """Wait until services run at least their smallest number of pods, and operators all of their servers.

    Pulumi waits too, yet takes a rollout for complete that goes back to an earlier ReplicaSet, before it has begun, and
    knows nothing of PostgreSQL, Prometheus and Alertmanager, whose pods operators make.

    Raises:
        CommandError: Kubernetes gave a rollout up, or the time is over; names pods, reasons and events.
    """
    wanted = {
        name: service.autoscaling.min_replicas if service.autoscaling else service.replicas or 1
        for name, service in platform.services.by_name().items()
    }
    operated = session.target.runs_containers and not is_simulated(session.kubectl)

    def statuses() -> tuple[WorkloadStatus, ...]:
        found = workload_statuses(session.kubectl, platform.namespace)
        return found + operated_statuses(session.kubectl, platform, operated=operated)

    def waiting(found: Iterable[WorkloadStatus]) -> set[str]:
        found = tuple(found)
        ready = {s.name for s in found if s.is_ready and s.ready >= wanted.get(s.name, 1)}
        return (wanted.keys() - ready) | {status.name for status in found if status.is_late}

    found = wait_for(
        lambda: when_answered(statuses),
        lambda found: not waiting(found) or _is_given_up(session, platform, found),
        seconds=platform.rollout.timeout_seconds,
        poll_seconds=_POLL_SECONDS,
        report=lambda found: report(f"Waiting for {', '.join(sorted(waiting(found)))} ..."),
    )
    if waiting(found):
        raise CommandError(failure(session, platform, found))
    return found


def _is_given_up(session: Session, platform: PlatformSettings, found: Iterable[WorkloadStatus]) -> bool:
    """True if a rollout is past its progress deadline, other than by a large image on a slow line."""
    stalled = {status.name for status in found if status.observed and status.stalled}
    return bool(stalled) and bool(
        stalled - when_answered(lambda: services_that_pull(session.kubectl, platform.namespace))
    )


def failure(session: Session, platform: PlatformSettings, found: Sequence[WorkloadStatus] = ()) -> str:
    """Reasons of a failed update, and the pods that still serve."""
    try:
        reasons = problems(session.kubectl, platform.namespace)
        statuses = workload_statuses(session.kubectl, platform.namespace)
    except CommandError as error:
        return f"the update failed, and {error}"
    lines = ["the update failed", *(f"  {line}" for line in operated_problems(found))]
    lines += [f"  {reason}" for reason in reasons]
    affected = {reason.service for reason in reasons}
    lines += [f"  {s.name}: {s.ready} of {s.wanted} pods still serve" for s in statuses if s.name in affected]
    return "\n".join(lines)
