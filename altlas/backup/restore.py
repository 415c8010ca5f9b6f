"""Restores: a PostgreSQL Cluster recovered to a point in time (PITR), or a Job that restores a backup."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from altlas.backup import copy as restore_copy
from altlas.backup import postgres_recovery as restore_cluster
from altlas.backup import request as requests
from altlas.backup.job import Jobs, Task
from altlas.backup.request import RestoreRequest
from altlas.session.session import Session
from cluster.waiting import wait_for
from components.kubernetes.naming import NAME
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record

_RESTORING = {
    # The role of the backups is read-only; `backup.postgres` names the rights of this one.
    "postgres": Task(
        "restore", "postgres", environment={"PGUSER": "restore"}, secrets={"PGPASSWORD": "PG_RESTORE_PASSWORD"}
    ),
    "redis": Task("restore", "redis", secrets={"REDIS_RESTORE_PASSWORD": "REDIS_RESTORE_PASSWORD"}),
    "nats": Task("restore", "nats", secrets={"NATS_RESTORE_PASSWORD": "NATS_RESTORE_PASSWORD"}),
}
"""Variables and passwords of a restore in addition to those of the backups."""

_COPY_KINDS = "statefulset,service,serviceaccount,networkpolicy"
_CLUSTERS = "clusters.postgresql.cnpg.io"
_SERVERS = f"{_COPY_KINDS},configmap,persistentvolumeclaim"
_COPIES = {"postgres": f"{_CLUSTERS},networkpolicy", "redis": _SERVERS, "nats": _SERVERS}
"""Kinds of the objects of a copy."""

_WHEN_DONE = "When you have what you need, remove the copy"
_POLL_SECONDS = 0.5


def removal(namespace: str, store: str, copy: str) -> str:
    """Command that removes a copy of a store with its data; a Cluster takes its volumes along."""
    selector = f"{NAME}={copy},{restore_copy.MANAGER_LABEL}=altlas" if store == "postgres" else f"{NAME}={copy}"
    return f"kubectl delete {_COPIES[store]} --namespace {namespace} --selector {selector}"


@dataclass(frozen=True)
class Restoring:
    """A stack whose backups are used.

    Attributes:
        session: Programs and cluster.
        stack: Name of the stack.
        platform: Its settings.
        jobs: Runs Jobs in its namespace.
    """

    session: Session
    stack: str
    platform: PlatformSettings
    jobs: Jobs

    def restore(self, request: RestoreRequest) -> str:
        """Restore, and return the log of the Job or a summary.

        Raises:
            CommandError: The restore is not possible; live data is untouched.
        """
        requests.check_request(request, self.platform)
        if request.uses_the_log(self.platform):
            return self._recover(request)
        given = _RESTORING[request.store]
        task = Task(given.action, given.store, requests.program_arguments(request), given.environment, given.secrets)
        copy = request.into if request.store != "postgres" else None
        if copy is None:
            return self.jobs.run(task)
        self.jobs.deployed(task)
        self._check_free(request.store, copy, _COPY_KINDS)
        live = self._live(request.store)
        done = self.jobs.run(task, lambda: self._make_copy(request.store, live, copy))
        self.jobs.report(f"{_WHEN_DONE}: `{removal(self.platform.namespace, request.store, copy)}`")
        return done

    def _recover(self, request: RestoreRequest) -> str:
        assert request.at is not None, "PITR has a time"
        assert request.into is not None, "PITR creates a copy"
        archive = requests.archive_of(request, self.platform)
        objects = record(self.stack, self.platform).objects
        manifests = restore_cluster.recovered_cluster(objects, request.into, request.at, archive)
        for store in self.session.kubectl.items(restore_cluster.OBJECT_STORE, self.platform.namespace):
            # The plugin keeps windows only of archives that this cluster writes; the operator looks into the others.
            if request.generation is None:
                restore_cluster.check_window(store, archive, request.at)
        self._check_free(request.store, request.into, f"{_COPY_KINDS},{_CLUSTERS}")
        for manifest in manifests:
            self.session.kubectl.create(manifest)
        return (
            f"Created the Cluster {request.into}, which the operator recovers to {request.at.isoformat()}; look at it "
            f"before services use it. {_WHEN_DONE}: `{removal(self.platform.namespace, request.store, request.into)}`. "
            "What the operator does is not proven here."
        )

    def _check_free(self, store: str, name: str, kinds: str) -> None:
        found = self.session.kubectl.text(
            "get", kinds, "--namespace", self.platform.namespace, f"--field-selector=metadata.name={name}",
            "--output=name",
        ).split()  # fmt: skip
        if found:
            raise CommandError(
                f"--into {name} exists already: {', '.join(found)}. Choose another name, or remove it (an earlier "
                f"copy: `{removal(self.platform.namespace, store, name)}`). Nothing was changed",
                ExitCode.BAD_INPUT,
            )

    def _live(self, store: str) -> Mapping[str, Any]:
        """The live servers, whose Secrets the copy uses."""
        namespace = self.platform.namespace
        found = self.session.kubectl.items("statefulsets", namespace, f"--field-selector=metadata.name={store}")
        if not found:
            raise CommandError(
                f"there is no StatefulSet {store} in {namespace}, whose Secrets the copy needs; bring it back with "
                f"`pulumi refresh --stack {self.stack}` and `altlas up --stack {self.stack}`. Nothing was changed",
                ExitCode.BAD_INPUT,
            )
        return found[0]

    def _make_copy(self, store: str, live: Mapping[str, Any], into: str) -> None:
        kubectl, namespace = self.session.kubectl, self.platform.namespace
        document = restore_copy.single_server(self.platform.model_dump(mode="json", by_alias=True), store)
        (secret,) = (name for name in restore_copy.secret_names(live) if name.startswith(f"{store}-secrets"))
        secrets = {f"{store}-secrets": secret}
        for manifest in restore_copy.copied_objects(record(self.stack, document).objects, store, into, secrets):
            kubectl.create(manifest)

        def is_ready() -> bool:
            (copy,) = kubectl.items("statefulsets", namespace, f"--field-selector=metadata.name={into}")
            return bool(copy["status"].get("readyReplicas"))

        if not wait_for(is_ready, seconds=self.platform.rollout.timeout_seconds, poll_seconds=_POLL_SECONDS):
            raise CommandError(
                f"the server {into} does not become ready; look at it, then remove it: "
                f"`{removal(namespace, store, into)}`"
            )
