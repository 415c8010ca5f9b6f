"""Objects of NATS as manifests: servers, the Job that makes the streams, and who may connect."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.kubernetes.quantities import mebibytes
from components.settings.nats import NatsSettings
from components.settings.prometheus import ExporterSettings
from components.stores.exporters import nats_exporter
from components.stores.nats import configuration
from components.stores.nats.scripts import APPLY_STREAMS, START_SERVER
from components.traffic.jobs import BackupSource
from components.traffic.message_flow import MessageFlow
from components.traffic.network_policy import scrape_rules
from components.traffic.stores import NATS, NATS_USERS
from components.workloads.component import Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import DATA_VOLUME, REPLACED_AFTER_FAILURE, JobArgs, job
from components.workloads.passwords import (
    PASSWORD_MOUNT,
    PASSWORDS_FOLDER,
    derived_password,
    password_output,
    password_volume,
)
from components.workloads.pod import PodArgs
from components.workloads.pod_set import ClaimArgs, PodSet

STREAMS = "nats-streams"
_COMPONENT = "queue"
# Above 10000, so that no user of a node has the number of ours; the images run as any.
_USER = 10004
_GRACE_SECONDS = 60
_JOB_SECONDS = 600
_JOB_RETRIES = 6
_JOB_KEPT_SECONDS = 7 * 24 * 3600
_PLACE = configuration.NatsPlace()
_CONFIGURATION = "/etc/nats"
_INTERNAL_USERS = (
    configuration.CLUSTER_USER,
    configuration.STREAMS_USER,
    configuration.BACKUP_USER,
    configuration.RESTORE_USER,
    configuration.SYSTEM_USER,
)
_STREAMS_PASSWORD_KEY = "NATS_PASSWORD"  # noqa: S105  # the name of a key in a Secret


def servers(surroundings: Surroundings) -> PodSet:
    """The servers, under the name that services know."""
    return PodSet.of(surroundings, NATS, _COMPONENT)


def streams(surroundings: Surroundings) -> PodSet:
    """The Job that makes the streams."""
    return PodSet.of(surroundings, STREAMS, _COMPONENT)


def url(user: str, password: str) -> str:
    """Address of NATS for a user, the same with one server and with several."""
    return f"nats://{user}:{password}@{NATS}:{configuration.PORT}"


def internal_passwords(internal: str) -> dict[str, str]:
    """Password of each user that is no service, from the store's internal secret."""
    return {user: derived_password(internal, user) for user in _INTERNAL_USERS}


def users_content(nats: NatsSettings, flows: Sequence[MessageFlow], passwords: Mapping[str, str]) -> dict[str, str]:
    """Content of the Secret of the users."""
    return {"accounts.conf": configuration.accounts_file(nats, flows, passwords)}


def secret_content(nats: NatsSettings, pods: PodSet, passwords: Mapping[str, str]) -> dict[str, str]:
    """Content of the Secret of the servers: how several know each other."""
    hosts = pods.hosts(nats.replicas)
    return {"routes.conf": configuration.routes_file(hosts, passwords[configuration.CLUSTER_USER])}


def streams_secret_content(passwords: Mapping[str, str]) -> dict[str, str]:
    """Content of the Secret of the Job."""
    return {_STREAMS_PASSWORD_KEY: passwords[configuration.STREAMS_USER]}


def backup_source(nats: NatsSettings, internal: pulumi.Output[str]) -> BackupSource:
    """Access of backups."""
    return BackupSource(
        name=NATS,
        # The snapshot of all streams, and the server of a restore test that restores them.
        scratch_size=f"{int(2 * mebibytes(nats.storage_size))}Mi",
        storage_class=nats.storage_class,
        environment={"NATS_URL": f"nats://{NATS}:{configuration.PORT}"},
        secrets={"NATS_PASSWORD": password_output(internal, configuration.BACKUP_USER)},
        restore_secrets={"NATS_RESTORE_PASSWORD": password_output(internal, configuration.RESTORE_USER)},
    )


def configuration_content(nats: NatsSettings) -> dict[str, str]:
    """Content of the ConfigMap of the servers."""
    return {"nats.conf": configuration.server_configuration(nats, _PLACE), "start.sh": START_SERVER}


def streams_content(nats: NatsSettings) -> dict[str, str]:
    """Content of the ConfigMap of the Job: the script and a file for each stream."""
    files = {
        f"{stream.name}.json": json.dumps(configuration.stream_configuration(stream), indent=2)
        for stream in nats.streams
    }
    return {"apply.sh": APPLY_STREAMS, **files}


def ports(nats: NatsSettings) -> dict[str, int]:
    """Ports of the servers' pods by name."""
    own = {"client": configuration.PORT, "monitoring": configuration.MONITORING_PORT}
    return own | ({"route": configuration.ROUTE_PORT} if nats.is_clustered else {})


def server_policy(nats: NatsSettings, surroundings: Surroundings) -> Manifest:
    """Callers and the Job reach the client port; servers reach each other's route port."""
    objects, graph = servers(surroundings), surroundings.graph
    callers = [labels for caller in graph.callers_of(NATS) for labels in graph.selectors_of(caller)]
    to_clients = ([*callers, *([streams(surroundings).selector] if nats.streams else [])], [configuration.PORT])
    if not nats.is_clustered:
        return objects.network_policy([to_clients], [], scrape_rules(NATS, graph))
    route = [configuration.ROUTE_PORT]
    callers_and_servers = [to_clients, ([objects.selector], route)]
    return objects.network_policy(callers_and_servers, [(objects.selector, route)], scrape_rules(NATS, graph))


def streams_policy(surroundings: Surroundings) -> Manifest:
    """The Job reaches the servers, and nobody reaches the Job."""
    return streams(surroundings).network_policy([], [(servers(surroundings).selector, [configuration.PORT])])


def stateful_set(
    nats: NatsSettings, objects: PodSet, secret: pulumi.Input[str], exporter: ExporterSettings | None
) -> Manifest:
    """The servers."""
    config_map = objects.configuration_name(configuration_content(nats))
    # One directory, because a file can include only files of its own folder.
    sources = [{"configMap": {"name": config_map}}, *({"secret": {"name": name}} for name in (NATS_USERS, secret))]
    pod = PodArgs(
        version=nats.image.tag,
        user=_USER,
        containers=[_server(nats), *([nats_exporter(exporter)] if exporter else [])],
        volumes=[
            {"name": "configuration", "projected": {"sources": sources, "defaultMode": 0o440}},
            {"name": "run", "emptyDir": {"sizeLimit": "1Mi"}},
        ],
        grace_period_seconds=_GRACE_SECONDS,
        apart=nats.is_clustered,
    )
    return objects.stateful_set(nats.replicas, pod, ClaimArgs(size=nats.storage_size, storage_class=nats.storage_class))


def streams_job(nats: NatsSettings, surroundings: Surroundings, secret: pulumi.Input[str]) -> Manifest:
    """Makes the streams once for each declaration: its name changes with them, for a Job cannot be changed."""
    objects = streams(surroundings)
    content = streams_content(nats)
    pod = PodArgs(
        version=nats.tools_image.tag,
        user=_USER,
        containers=[_applier(nats)],
        volumes=[
            {"name": "configuration", "configMap": {"name": objects.configuration_name(content)}},
            {"name": "home", "emptyDir": {"sizeLimit": "8Mi"}},
            password_volume(secret),
        ],
        grace_period_seconds=5,
        restart_policy="Never",
    )
    template = objects.pod_template(pod)
    identity = {**content, "servers": str(nats.replicas), "template": json.dumps(template_without_outputs(template))}
    args = JobArgs(deadline_seconds=_JOB_SECONDS, retries=_JOB_RETRIES, kept_seconds=_JOB_KEPT_SECONDS)
    metadata = objects.metadata(naming.content_name(STREAMS, identity)) | {"annotations": {**REPLACED_AFTER_FAILURE}}
    return job(metadata, args, template)


def template_without_outputs(template: Any) -> Any:
    """A pod template without what only the engine knows, such as the name of a Secret."""
    if isinstance(template, Mapping):
        return {key: template_without_outputs(value) for key, value in sorted(template.items())}
    if isinstance(template, list | tuple):
        return [template_without_outputs(value) for value in template]
    return None if isinstance(template, pulumi.Output) else template


def _server(nats: NatsSettings) -> dict[str, Any]:
    def check(question: str, failures: int) -> dict[str, Any]:
        answer = {"path": f"/healthz{question}", "port": "monitoring"}
        return {"httpGet": answer, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": failures}

    leave = f"nats-server --signal ldm={_PLACE.run}/nats.pid; while kill -0 1 2>/dev/null; do sleep 1; done"
    return container(
        ContainerArgs(
            name=NATS,
            image=nats.image.reference,
            command=("/bin/sh", f"{_CONFIGURATION}/start.sh"),
            resources=nats.resources,
            ports=ports(nats),
            environment={
                "SERVER_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                "CONFIGURATION": _CONFIGURATION,
                "RUN": _PLACE.run,
                "DATA": _PLACE.data,
                "GOMEMLIMIT": f"{nats.memory_target_mebibytes}MiB",
            },
            mounts={_PLACE.data: DATA_VOLUME, _CONFIGURATION: "configuration:ro", _PLACE.run: "run"},
            further={
                # A restarted server is started only when its streams have caught up: before that, the next one must not
                # be restarted, or two of three are behind. It gets ten minutes.
                "startupProbe": check("", 120),
                "readinessProbe": check("?js-server-only=true", 2),
                "livenessProbe": check("?js-enabled-only=true", 6),
                "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", leave]}}},
            },
        )
    )


def _applier(nats: NatsSettings) -> dict[str, Any]:
    return container(
        ContainerArgs(
            name=STREAMS,
            image=nats.tools_image.reference,
            command=("/bin/sh", f"{_CONFIGURATION}/apply.sh"),
            resources=nats.tools_resources,
            environment={
                "CONFIGURATION": _CONFIGURATION,
                "HOME": "/home/nats",
                # Where this is missing, the command asks the system about its user, which has no entry, and ends.
                "XDG_CONFIG_HOME": "/home/nats",
                "NATS_URL": f"nats://{NATS}:{configuration.PORT}",
                "NATS_USER": configuration.STREAMS_USER,
                "PASSWORDS_DIR": PASSWORDS_FOLDER,
            },
            mounts={_CONFIGURATION: "configuration:ro", "/home/nats": "home", **PASSWORD_MOUNT},
        )
    )
