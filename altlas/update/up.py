"""Update of a stack: cluster, addons, secrets, guards, `pulumi up`, and the wait until all services are ready."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from altlas.addons.install import Addons, Choices
from altlas.images.local import local_builds
from altlas.preflight.check import Check, require
from altlas.preflight.network import API_SERVER
from altlas.preflight.run import checks, is_simulated
from altlas.session import stack_secrets
from altlas.session.consent import Consent
from altlas.session.console import Report
from altlas.session.kubectl import when_answered
from altlas.session.session import Session, choose_target, start_session
from altlas.session.update_lock import check_unlocked
from altlas.session.workspace import Workspace
from altlas.status.custom_resources import operated_statuses
from altlas.status.problems import operated_problems, problems, services_that_pull
from altlas.status.rollout import WorkloadStatus, workload_statuses
from altlas.update import data_guard, preflight
from altlas.update.cluster_identity import state_on_its_cluster
from altlas.update.local_cluster import prepared
from cluster.k3d import BROUGHT
from cluster.target import K3D, Target
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.stack.docker_engine import docker_answers
from components.stack.image_build import image_builds
from components.stack.loading import read_platform
from rendering.errors import CommandError

_POLL_SECONDS = 0.25
_K3D_SECONDS = 180
_K3D_POLL_SECONDS = 5


def up(
    workspace: Workspace,
    stack: str,
    target_name: str | None,
    pulumi_options: tuple[str, ...],
    report: Report,
    *,
    with_addons: bool = True,
    with_preflight: bool = True,
    around: Callable[[Session], AbstractContextManager[object]] = nullcontext,
) -> tuple[Session, PlatformSettings, tuple[WorkloadStatus, ...]]:
    """Bring a stack up and wait until all its services and stores are ready.

    Args:
        workspace: The checkout.
        stack: The stack.
        target_name: Cluster; None for the one that the environment names.
        pulumi_options: Options of `pulumi up`.
        report: Prints progress.
        with_addons: Install the pinned addons of the cluster.
        with_preflight: Check the cluster first.
        around: Makes what is entered before Pulumi changes the cluster, and left when all is ready or has failed.

    Raises:
        SettingsError: The stack file is not usable; nothing was started.
        CommandError: The update or the rollout failed; names pods, reasons and events.
    """
    stack_file = workspace.stack_file(stack)
    platform = read_platform(stack_file)
    image_builds(platform, workspace.root, lambda: docker_answers(os.environ))
    stack_secrets.check_passphrase(workspace, stack_file, os.environ)
    stack_secrets.check_supplied(stack_file, stack, platform)
    target = choose_target(workspace, target_name)
    # The simulated cluster holds no data that a question could protect.
    consent = Consent("--yes" in pulumi_options or target.name == "sim")
    report(str(target))
    session, platform = _started(workspace, stack, platform, target, report)
    state = state_on_its_cluster(session.engine, session.kubectl, stack)
    if with_preflight and target.name != "sim":
        look_first(session, stack, platform, report)
    if with_addons:
        Addons(session, report).ensure(_choices(session, platform), consent=consent)
    prepare_stack(session, stack, report)
    preflight.check_cluster(session.kubectl, stack, platform)
    data_guard.check_update(session.engine, stack, platform, state)
    if not consent.given:
        show_plan(session, stack)
        consent.ask(f"Do this update of the stack {stack}?")
    skip = ("--skip-preview",) if target.name == "sim" or not consent.given else ()
    with around(session):
        if session.engine.run(*session.engine.arguments("up", stack, ("--yes", *skip, *pulumi_options))):
            raise CommandError(failure(session, platform))
        return session, platform, wait_until_ready(session, platform, report)


def _started(
    workspace: Workspace, stack: str, platform: PlatformSettings, target: Target, report: Report
) -> tuple[Session, PlatformSettings]:
    """A session on the running cluster, and the settings, into which k3d's addresses are written."""
    builds = local_builds(platform, workspace.root) if target.name == K3D else ()
    session = start_session(workspace, target, report)
    check_unlocked(session.engine, stack)
    if target.name == K3D:
        state_on_its_cluster(session.engine, session.kubectl, stack)
        prepare_stack(session, stack, report)
        platform = prepared(session, stack, builds, report)
    return session, platform


def _choices(session: Session, platform: PlatformSettings) -> Choices:
    """Addons that the stack needs beyond those of every stack, and those that the cluster brings by itself."""
    brought = BROUGHT if session.target.name == K3D else frozenset()
    return Choices(external=brought, optional=preflight.optional_addons(platform) - brought)


def show_plan(session: Session, stack: str) -> None:
    """Show what an update would do.

    Raises:
        CommandError: It cannot be planned; Pulumi has said why. Nothing was changed.
    """
    if session.engine.run(*session.engine.arguments("preview", stack)):
        raise CommandError("the update cannot be planned, so nothing was changed")


def look_first(session: Session, stack: str, platform: PlatformSettings, report: Report) -> None:
    """Check that a cluster with real nodes can take the stack, as `altlas preflight` does.

    Raises:
        CommandError: It cannot; names the cure of each fault. Nothing was changed.
    """
    if is_simulated(session.kubectl):
        return

    def settled(found: Sequence[Check]) -> bool:
        # Addresses do not change by waiting; what a new k3d cluster installs by itself comes within minutes.
        failed = [check for check in found if check.state == "failed"]
        return not failed or any(check.name == API_SERVER for check in failed)

    found = wait_for(
        lambda: tuple(checks(session.kubectl, stack, platform, with_operators=False)),
        settled,
        seconds=_K3D_SECONDS if session.target.name == K3D else 0,
        poll_seconds=_K3D_POLL_SECONDS,
    )
    for check in found:
        if check.state != "ok":
            report(str(check))
    require(found)


def prepare_stack(session: Session, stack: str, report: Report, *, may_replace_secrets: bool = False) -> None:
    """Create the stack in the backend and its generated secrets, where they are missing.

    Raises:
        CommandError: The stack runs and its file has lost all its secrets, unless they may be replaced.
    """
    stack_file = session.workspace.stack_file(stack)
    if not session.engine.stack_exists(stack):
        session.engine.create_stack(stack)
        report(f"Created the stack {stack}.")
    elif not may_replace_secrets:
        stack_secrets.check_not_reverted(stack_file, stack)
    created = stack_secrets.create_missing_secrets(session.engine, stack, stack_file)
    if created:
        report(f"Generated {', '.join(created)}; they are encrypted in {stack_file.name}.")


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
