"""Rotation of store passwords without failed logins: `altlas secrets rotate`.

A store accepts two passwords of each service at any time, and pods use one of them. A rotation gives the pods the
other one, waits until the last pod with the old one has ended, and then replaces the old one. It records its progress
in the stack file, so that the same command finishes an interrupted rotation. Nothing here prints or returns a password.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from altlas.session import stack_secrets
from altlas.session.consent import Consent
from altlas.session.console import Report
from altlas.session.exported_state import is_deployed
from altlas.session.session import Session, choose_target, engine_session
from altlas.session.workspace import Workspace
from altlas.update.cluster_identity import state_on_its_cluster
from altlas.update.up import up
from cluster.waiting import wait_for
from components.kubernetes.naming import NAME, primary_of
from components.settings import PlatformSettings
from components.settings.secrets import ROTATING, SECOND_IN_USE, SECRETS, noted
from components.stack.loading import read_platform, read_stack_document
from components.stack.problems import PROJECT
from rendering.errors import CommandError, ExitCode

FOLLOW_SECONDS = 150
"""Age of a Secret, in seconds, at which every server has read it: the kubelet updates mounts once a minute
(syncFrequency) plus the delay of its cache; the servers read every five seconds."""

_STORES = ("redis", "nats", "postgres-db")
"""The stores, as their Secrets are labelled."""

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class RotationRequest:
    """A requested rotation.

    Attributes:
        workspace: The checkout.
        stack: Name of the stack.
        target: Cluster to work on, None for the default.
        keys: Secrets to rotate.
        pulumi_options: Options of the first update, such as `--yes`; the others have its consent.
        with_addons: Whether the updates install the cluster's addons.
        report: Prints progress.
        around: See `altlas.update.up.up`.
    """

    workspace: Workspace
    stack: str
    target: str | None
    keys: tuple[str, ...]
    pulumi_options: tuple[str, ...]
    with_addons: bool
    report: Report
    around: Callable[[Session], AbstractContextManager[object]] = nullcontext

    def up(self) -> Session:
        """Update the stack and wait until all its services are ready."""
        session, _, _ = up(
            self.workspace,
            self.stack,
            self.target,
            self.pulumi_options,
            self.report,
            with_addons=self.with_addons,
            around=self.around,
        )
        return session


def rotate(request: RotationRequest) -> None:
    """Rotate secrets, and restart exactly the pods that use them.

    Raises:
        CommandError: A secret cannot be rotated, or another rotation is not finished; nothing was changed. Or an
            update failed: both passwords are valid, and the same command continues.
    """
    stack_file = request.workspace.stack_file(request.stack)
    platform = read_platform(stack_file)
    stack_secrets.check_rotation(request.keys)
    stack_secrets.check_passphrase(request.workspace, stack_file, os.environ)
    begun = unfinished(_configuration(request), request.keys)
    target = choose_target(request.workspace, request.target)
    session = engine_session(request.workspace, target, request.report)
    session.engine.check_unlocked(request.stack)
    if not is_deployed(state_on_its_cluster(session, request.stack, platform)):
        raise CommandError(
            f"the stack {request.stack} is not deployed, so its secrets are not in use yet; bring it up with "
            f"`altlas up --stack {request.stack}`",
            ExitCode.BAD_INPUT,
        )
    consent = Consent("--yes" in request.pulumi_options or target.belongs_to_checkout)
    consent.ask(f"Change {', '.join(request.keys)} of the stack {request.stack} and restart the pods that use them?")
    # The stack file may hold passwords that no server has read: of a failed update, or of an earlier release. What else
    # the checkout would change is shown and asked, as `altlas up` does.
    session = request.up()
    request = replace(request, pulumi_options=("--yes",))
    if not begun:
        if target.name != "sim":
            _wait_until_servers_have_read(session, platform, request.report)
        _begin(session, request)
        session = request.up()
    _wait_until_old_pods_are_gone(session, platform)
    _replace_unused(session, request)
    session = request.up()
    session.engine.capture("config", "rm", f"{PROJECT}:{ROTATING}", "--stack", request.stack)


def unfinished(configuration: Mapping[str, str], keys: Sequence[str]) -> bool:
    """True if a rotation of the same secrets has begun and is not finished.

    Raises:
        CommandError: A rotation of other secrets is not finished; nothing was changed.
    """
    waiting = noted(configuration.get(f"{PROJECT}:{ROTATING}"))
    if waiting and set(waiting) != set(keys):
        names = " ".join(waiting)
        raise CommandError(
            f"the rotation of {names} is not finished; finish it first with `altlas secrets rotate {names}`. Nothing "
            "was changed",
            ExitCode.BAD_INPUT,
        )
    return bool(waiting)


def changed_use(second_in_use: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
    """Doubled secrets whose second password is in use after a rotation of some of them."""
    doubled = {secret.key for secret in SECRETS if secret.is_doubled}
    return tuple(sorted(set(second_in_use) ^ (doubled & set(keys))))


def out_of_use(second_in_use: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
    """Configuration keys of the passwords of doubled secrets that no pod uses."""
    doubled = [secret for secret in SECRETS if secret.is_doubled and secret.key in keys]
    return tuple(secret.key if secret.key in second_in_use else secret.second_key for secret in doubled)


def _configuration(request: RotationRequest) -> Mapping[str, str]:
    configuration: Mapping[str, str] = read_stack_document(request.workspace.stack_file(request.stack))["config"]
    return configuration


def _begin(session: Session, request: RotationRequest) -> None:
    doubled = {secret.key for secret in SECRETS if secret.is_doubled}
    single = [key for key in request.keys if key not in doubled]
    stack_secrets.rotate_secrets(session.engine, request.stack, single)
    used = changed_use(noted(_configuration(request).get(f"{PROJECT}:{SECOND_IN_USE}")), request.keys)
    notes = {SECOND_IN_USE: used, ROTATING: request.keys}
    plain = [word for key, value in notes.items() for word in ("--plaintext", f"{PROJECT}:{key}={' '.join(value)}")]
    # In one step: a recorded rotation that has not begun would replace the password in use.
    session.engine.capture("config", "set-all", "--stack", request.stack, *plain)
    request.report(
        f"Restarting the pods that use {', '.join(request.keys)}, with the values that the servers accept already."
    )


def _replace_unused(session: Session, request: RotationRequest) -> None:
    used = noted(_configuration(request).get(f"{PROJECT}:{SECOND_IN_USE}"))
    stack_secrets.rotate_secrets(session.engine, request.stack, out_of_use(used, request.keys))
    request.report("No pod uses the old values; the servers drop them.")


def _wait_until_servers_have_read(session: Session, platform: PlatformSettings, report: Report) -> None:
    """Wait until the servers have read the passwords that no pod uses yet."""
    names = ",".join(_STORES)
    made = session.kubectl.text(
        "get", "secrets", "--namespace", platform.namespace, f"--selector=app.kubernetes.io/name in ({names})",
        "--output=jsonpath={.items[*].metadata.creationTimestamp}",
    ).split()  # fmt: skip
    seconds = seconds_to_wait(made, datetime.now(UTC))
    if seconds > 0:
        report(f"Waiting {seconds:.0f} s: the servers may not have read the last change of their users yet.")
        time.sleep(seconds)


def seconds_to_wait(made: Sequence[str], now: datetime) -> float:
    """Seconds until every server has read the youngest of some Secrets.

    Args:
        made: When each was made, as Kubernetes writes it.
        now: The present moment.
    """
    youngest = max((datetime.fromisoformat(each) for each in made), default=None)
    return FOLLOW_SECONDS - (now - youngest).total_seconds() if youngest else 0


def _wait_until_old_pods_are_gone(session: Session, platform: PlatformSettings) -> None:
    """A pod with the old password may still open a connection, which must not fail."""
    services = platform.services.by_name()
    names = ",".join([*services, *map(primary_of, services)])

    def old() -> list[str]:
        selector = f"--selector={NAME} in ({names})"
        return old_pods(session.kubectl.items("deployments,pods", platform.namespace, selector))

    seconds = platform.rollout.timeout_seconds
    if left := wait_for(old, lambda pods: not pods, seconds=seconds, poll_seconds=_POLL_SECONDS):
        raise CommandError(
            f"pods with the old password do not end: {', '.join(left)}. Both passwords are valid; look at the "
            "pods, or wait until Flagger promotes the release (`altlas canary list`), then run the same command again"
        )


def old_pods(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the pods that are ending, or lack a Secret of their service's Deployment.

    Args:
        objects: Deployments and pods of the services. Flagger's pods serve until a release is promoted, and have copies
            of the Secrets.
    """
    wanted = {
        each["metadata"]["name"]: _secrets(each["spec"]["template"]) for each in objects if _is(each, "Deployment")
    }
    wanted |= {primary_of(name): names for name, names in wanted.items()}
    return [
        each["metadata"]["name"]
        for each in objects
        if _is(each, "Pod") and each.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        if "deletionTimestamp" in each["metadata"]
        or not all(
            {name, primary_of(name)} & _secrets(each) for name in wanted.get(each["metadata"]["labels"][NAME], ())
        )
    ]


def _is(manifest: Mapping[str, Any], kind: str) -> bool:
    return bool(manifest["kind"] == kind)


def _secrets(pod: Mapping[str, Any]) -> set[str]:
    """Names of the Secrets with the variables of a pod."""
    sources = [source for each in pod["spec"]["containers"] for source in each.get("envFrom", ())]
    return {source["secretRef"]["name"] for source in sources if "secretRef" in source}
