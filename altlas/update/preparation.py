"""Preparation of an update that changes the number of servers of a store, so that the change keeps data and service.

PostgreSQL gets its further servers before commits wait for them. Redis loses all servers but the first before that one
runs alone. NATS keeps its messages on other volumes with one server than with several, so services stop publishing and
read what is there; where several take the place of one, that one is restarted when they run (`first_server`). Each step
(`first_steps`) is one object, updated by Pulumi itself (`--target`), so that the state always knows it. The update that
follows does the rest; plain `pulumi up` does all of it at once.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Self

from altlas.preflight.run import is_simulated
from altlas.session.console import Report
from altlas.session.engine import Engine
from altlas.session.session import Session
from altlas.update.autoscalers import remove_autoscalers
from altlas.update.first_server import restarted_for_the_others
from altlas.update.first_steps import FirstStep, specs, steps
from altlas.update.unread_messages import (
    ask_servers,
    consumers_behind,
    have_read_users,
    in_pod,
    unread_messages,
)
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.stack.configuration import PREPARES
from components.traffic.stores import NATS, NATS_USERS, POSTGRES_HOST, REDIS
from rendering.errors import CommandError, ExitCode

_POLL_SECONDS = 2.0
_READ_SECONDS = 300
_FOLLOW_SECONDS = 60
"""The servers look at the file of their users each five seconds, and later on a busy machine."""

_FILE = "accounts.conf"


@dataclass(frozen=True)
class Preparation:
    """The steps of one update.

    Attributes:
        session: The checkout and the cluster.
        stack: The stack.
        state: What `Engine.exported_state` returned.
        platform: The new settings.
        leaves_messages: Whether unread messages of NATS may stay with the old servers.
    """

    session: Session
    stack: str
    state: Mapping[str, Any]
    platform: PlatformSettings
    leaves_messages: bool = False

    @property
    def steps(self) -> tuple[FirstStep, ...]:
        """Steps of the update; none where no number of servers changes."""
        return steps(self.state, self.platform)

    @property
    def nats_servers(self) -> int:
        """Servers of NATS that run now."""
        return int(specs(self.state)[f"StatefulSet {NATS}"][1]["replicas"])

    @classmethod
    def checked(
        cls,
        session: Session,
        stack: str,
        state: Mapping[str, Any],
        platform: PlatformSettings,
        *,
        leaves_messages: bool,
    ) -> Self:
        """The preparation of an update, if consumers exist for the messages that NATS holds.

        Raises:
            CommandError: Streams hold messages that no consumer will ever read; names the cure. Nothing was changed.
        """
        made = cls(session, stack, state, platform, leaves_messages)
        changes = NATS in {step.store for step in made.steps} and not leaves_messages
        if changes and not is_simulated(session.kubectl):
            reports = ask_servers(session.kubectl, platform.namespace, made.nats_servers)
            if left := unread_messages(reports, without_consumer=True):
                raise _refusal(left, "no consumer reads them", "Nothing was changed")
        return made

    @contextmanager
    def done(self, report: Report) -> Iterator[None]:
        """Do the steps and wait until each has its effect; if the update within fails, let services publish again.

        Args:
            report: Prints progress.

        Raises:
            CommandError: A step failed, or messages stay unread; names the cure.
        """
        for step in self.steps:
            report(f"First: {step.says}")
        try:
            self._do()
            remove_autoscalers(self.session.kubectl, self.state, self.platform, report)
            with self._followed(report):
                yield
        except BaseException:
            for step in self.steps:
                if step.store == NATS:
                    report("The update failed, so services publish messages again.")
                    self._run(self.session.engine, (step,))
            raise

    def _followed(self, report: Report) -> AbstractContextManager[None]:
        """Steps that an update takes while it runs."""
        kubectl, nats = self.session.kubectl, self.platform.nats
        grows = nats is not None and nats.is_clustered and NATS in {step.store for step in self.steps}
        if not grows or is_simulated(kubectl):
            return nullcontext()
        return restarted_for_the_others(kubectl, self.platform.namespace, report)

    def _do(self) -> None:
        if not self.steps:
            return
        engine = self.session.engine
        prepared = replace(engine, variables={**engine.variables, PREPARES: "1"})
        if self._run(prepared, self.steps):
            raise CommandError("the step before the update failed; the update was not begun")
        if not is_simulated(self.session.kubectl):
            for step in self.steps:
                _WAITS[step.store](self)

    def _run(self, engine: Engine, found: Sequence[FirstStep]) -> int:
        targets = [word for step in found for word in ("--target", step.urn)]
        return engine.run(*engine.arguments("up", self.stack, ("--yes", "--skip-preview", *targets)))


def _wait_for_postgres(of: Preparation) -> None:
    session, platform = of.session, of.platform
    assert platform.postgres is not None
    wanted = platform.postgres.instances

    def ready() -> int:
        found = session.kubectl.find("clusters.postgresql.cnpg.io", platform.namespace, POSTGRES_HOST) or {}
        return int(found.get("status", {}).get("readyInstances", 0))

    seconds = platform.rollout.timeout_seconds
    if (count := wait_for(ready, lambda count: count >= wanted, seconds=seconds, poll_seconds=_POLL_SECONDS)) < wanted:
        raise CommandError(
            f"PostgreSQL has {count} of {wanted} servers after {seconds} s, so commits do not wait for a second one "
            f"yet; `kubectl -n {platform.namespace} describe cluster {POSTGRES_HOST}` says why; then run the same again"
        )


def _wait_for_redis(of: Preparation) -> None:
    session, platform = of.session, of.platform

    def others() -> list[str]:
        pods = session.kubectl.items("pods", platform.namespace, f"--selector=app.kubernetes.io/name={REDIS}")
        return [each["metadata"]["name"] for each in pods if each["metadata"]["name"] != f"{REDIS}-0"]

    seconds = platform.rollout.timeout_seconds
    if left := wait_for(others, lambda names: not names, seconds=seconds, poll_seconds=_POLL_SECONDS):
        raise CommandError(f"servers of Redis do not end: {', '.join(left)}; look at the pods, then run the same again")


def _wait_for_nats(of: Preparation) -> None:
    kubectl, namespace, servers = of.session.kubectl, of.platform.namespace, of.nats_servers
    secret = kubectl.find("secret", namespace, NATS_USERS) or {}
    wanted = base64.b64decode(secret["data"][_FILE]).decode()

    def behind() -> list[str]:
        names = [f"{NATS}-{index}" for index in range(servers)]
        return [each for each in names if in_pod(kubectl, namespace, each, "cat", f"/etc/nats/{_FILE}") != wanted]

    if left := wait_for(behind, lambda names: not names, seconds=_READ_SECONDS, poll_seconds=_POLL_SECONDS):
        raise CommandError(
            f"{', '.join(left)} did not get the changed users within {_READ_SECONDS} s; run the same again"
        )
    # A server that does not say so has had its time; the messages that are unread then are waited for as well.
    wait_for(
        lambda: have_read_users(kubectl, namespace, servers), bool, seconds=_FOLLOW_SECONDS, poll_seconds=_POLL_SECONDS
    )
    if of.leaves_messages:
        return
    reports = wait_for(
        lambda: ask_servers(kubectl, namespace, servers),
        lambda found: not unread_messages(found),
        seconds=_READ_SECONDS,
        poll_seconds=_POLL_SECONDS,
    )
    if unread := unread_messages(reports):
        why = f"they were not read within {_READ_SECONDS} s ({'; '.join(consumers_behind(reports))})"
        raise _refusal(unread, why, "Its servers were not changed")


_WAITS: Mapping[str, Callable[[Preparation], None]] = {
    POSTGRES_HOST: _wait_for_postgres,
    REDIS: _wait_for_redis,
    NATS: _wait_for_nats,
}


def _refusal(unread: Mapping[str, int], why: str, changed: str) -> CommandError:
    streams = ", ".join(f"{name}: {count}" for name, count in unread.items())
    return CommandError(
        f"NATS holds unread messages ({streams}), and {why}; another number of servers begins with empty streams. "
        f"{changed}. Let the consumer read them, or take them along as docs/operating.md#messages-of-nats says",
        ExitCode.BAD_INPUT,
    )
