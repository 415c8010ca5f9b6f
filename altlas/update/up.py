"""Update of a stack: cluster, addons, secrets, guards, `pulumi up`, and the wait until all services are ready."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from altlas.addons.install import Addons, Choices
from altlas.images.local import local_builds
from altlas.preflight.check import Check, require
from altlas.preflight.network import API_SERVER
from altlas.preflight.run import checks, is_simulated
from altlas.session import stack_secrets
from altlas.session.consent import Consent
from altlas.session.console import Report
from altlas.session.session import Session, choose_target, start_session
from altlas.session.workspace import Workspace
from altlas.status.rollout import WorkloadStatus
from altlas.update import data_guard, preflight
from altlas.update.cluster_identity import state_on_its_cluster
from altlas.update.local_cluster import prepared
from altlas.update.preparation import Preparation
from altlas.update.readiness import failure, wait_until_ready
from cluster.k3d import BROUGHT
from cluster.target import K3D, NODE, Target
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.stack.docker_engine import docker_answers
from components.stack.image_build import image_builds
from components.stack.loading import read_platform
from rendering.errors import CommandError

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
    leaves_messages: bool = False,
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
        leaves_messages: Let unread messages of NATS stay with the old servers where their number changes.
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
    consent = Consent("--yes" in pulumi_options or target.belongs_to_checkout)
    report(str(target))
    session, platform = _started(workspace, stack, platform, target, report)
    state = state_on_its_cluster(session, stack, platform)
    if with_preflight and target.name != "sim":
        look_first(session, stack, platform, report)
    if with_addons:
        Addons(session, report).ensure(_choices(session, platform), consent=consent)
    prepare_stack(session, stack, report)
    preflight.check_cluster(session.kubectl, stack, platform)
    preparation = Preparation.checked(session, stack, state, platform, leaves_messages=leaves_messages)
    data_guard.check_update(session.engine, stack, platform, state)
    options = ("--yes", *_agreed(session, stack, consent), *pulumi_options)
    with around(session), preparation.done(report):
        return session, platform, _updated(session, stack, platform, options, report)


def _updated(
    session: Session, stack: str, platform: PlatformSettings, options: tuple[str, ...], report: Report
) -> tuple[WorkloadStatus, ...]:
    if session.engine.run(*session.engine.arguments("up", stack, options)):
        raise CommandError(failure(session, platform))
    return wait_until_ready(session, stack, platform, report)


def _started(
    workspace: Workspace, stack: str, platform: PlatformSettings, target: Target, report: Report
) -> tuple[Session, PlatformSettings]:
    """A session on the running cluster, and the settings, into which addresses of a local cluster are written."""
    builds = local_builds(platform, workspace.root) if target.name == K3D else ()
    session = start_session(workspace, target, report)
    session.engine.check_unlocked(stack)
    if target.name in {K3D, NODE}:
        state_on_its_cluster(session, stack, platform)
        prepare_stack(session, stack, report)
        platform = prepared(session, stack, builds, report)
    return session, platform


def _choices(session: Session, platform: PlatformSettings) -> Choices:
    """Addons that the stack needs beyond those of every stack, and those that the cluster brings by itself."""
    brought = BROUGHT if session.target.name == K3D else frozenset()
    return Choices(external=brought, optional=preflight.optional_addons(platform) - brought)


def _agreed(session: Session, stack: str, consent: Consent) -> tuple[str, ...]:
    """Options of `pulumi up` once a person has agreed, who is shown the plan and asked where that is needed.

    Raises:
        CommandError: The update cannot be planned, or the answer is no. Nothing was changed.
    """
    if consent.given:
        return ("--skip-preview",) if session.target.name == "sim" else ()
    if session.engine.run(*session.engine.arguments("preview", stack)):
        raise CommandError("the update cannot be planned, so nothing was changed")
    consent.ask(f"Do this update of the stack {stack}?")
    return ("--skip-preview",)


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


def prepare_stack(
    session: Session, stack: str, report: Report, *, may_replace_secrets: bool = False, generates: bool = True
) -> None:
    """Create the stack in the backend and its generated secrets, where they are missing.

    Args:
        session: Checkout and engine.
        stack: The stack.
        report: Prints progress.
        may_replace_secrets: Whether a stack that runs may get new secrets for those that its file has lost.
        generates: Whether secrets are generated; an archived release has all that its own program needs.

    Raises:
        CommandError: The stack runs and its file has lost all its secrets, unless they may be replaced.
    """
    stack_file = session.workspace.stack_file(stack)
    if not session.engine.stack_exists(stack):
        session.engine.create_stack(stack)
        report(f"Created the stack {stack}.")
    elif not may_replace_secrets:
        stack_secrets.check_not_reverted(stack_file, stack)
    created = stack_secrets.create_missing_secrets(session.engine, stack, stack_file) if generates else ()
    if created:
        report(f"Generated {', '.join(created)}; they are encrypted in {stack_file.name}.")
