"""Objects of Redis as manifests: servers with their sentinels, the proxy in front of them, and who may connect."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings.prometheus import ExporterSettings
from components.settings.redis import RedisSettings
from components.stores.exporters import REDIS_EXPORTER_USER, REDIS_EXPORTER_VARIABLE, redis_exporter
from components.stores.redis import configuration
from components.stores.redis.scripts import SCRIPTS
from components.traffic.graph import ServiceGraph
from components.traffic.jobs import BackupSource
from components.traffic.network_policy import scrape_rules
from components.traffic.stores import REDIS, REDIS_PROXY, REDIS_SERVERS
from components.workloads.component import Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import DATA_VOLUME
from components.workloads.passwords import (
    PASSWORD_MOUNT,
    PASSWORDS_FOLDER,
    READ_PASSWORDS,
    derived_password,
    password_output,
    password_volume,
)
from components.workloads.pod import PodArgs
from components.workloads.pod_set import ClaimArgs, PodSet

PORT = configuration.PORT
CALLER = "api-gateway"
"""The service that has a user of its own."""

_COMPONENT = "cache"
# Above 10000, so that no user of a node has the number of one of ours; the images run as any.
_SERVER_USER = 10002
_PROXY_USER = 10003
_GRACE_SECONDS = 60
_PROXY_GRACE_SECONDS = 30
_PROXY_READY_SECONDS = 3
"""A proxy has found the primary by then: a look-up and two checks."""
_PLACE = configuration.RedisPlace()
_SERVER_PORTS = {"redis": PORT}
_SENTINEL_PORTS = {"sentinel": configuration.SENTINEL_PORT}
USERS = "redis-users"
"""Secret with the users. Its name stays when they change, so that running servers get them without a restart."""

_PASSWORD_VARIABLES = {
    "REDIS_REPLICATION_PASSWORD": "replication",
    "REDIS_SENTINEL_PASSWORD": "sentinel",
    "REDIS_HEALTH_PASSWORD": "health",
    "REDIS_KEEPER_PASSWORD": "keeper",
    REDIS_EXPORTER_VARIABLE: REDIS_EXPORTER_USER,
}


def servers(surroundings: Surroundings) -> PodSet:
    """The servers, under the name that services know."""
    return PodSet.of(surroundings, REDIS, _COMPONENT)


def proxies(surroundings: Surroundings) -> PodSet:
    """The proxies in front of several servers."""
    return PodSet.of(surroundings, REDIS_PROXY, _COMPONENT)


def url(password: str) -> str:
    """Address of Redis for api-gateway, the same with one server and with several."""
    return f"redis://{CALLER}:{password}@{REDIS}:{PORT}"


def internal_passwords(internal: str) -> dict[str, str]:
    """Password of each user that is no service, from the store's internal secret."""
    return {user: derived_password(internal, user) for user in configuration.ACL_RULES if user != CALLER}


def users_content(caller: Sequence[str], internal: str) -> dict[str, str]:
    """Content of the Secret of the users.

    Args:
        caller: Both passwords of the service's user.
        internal: The store's internal secret.
    """
    others = {user: (password,) for user, password in internal_passwords(internal).items()}
    return {"users.acl": configuration.acl_file({CALLER: caller, **others})}


def secret_content(internal: str) -> dict[str, str]:
    """Content of the Secret of the servers and the proxies."""
    users = internal_passwords(internal)
    return {variable: users[user] for variable, user in _PASSWORD_VARIABLES.items()}


def backup_source(redis: RedisSettings, pods: PodSet, internal: pulumi.Output[str]) -> BackupSource:
    """Access of backups: they read a replica, and restores go to the address of the primary."""
    hosts = pods.hosts(redis.replicas) if redis.is_replicated else (REDIS,)
    return BackupSource(
        name=REDIS,
        # A dump is smaller than the memory that it comes from, and the volume holds that twice.
        scratch_size=redis.storage_size,
        storage_class=redis.storage_class,
        environment={"REDIS_HOST": REDIS, "REDIS_HOSTS": " ".join(hosts), "REDIS_PORT": str(PORT)},
        secrets={"REDIS_PASSWORD": password_output(internal, "backup")},
        restore_secrets={"REDIS_RESTORE_PASSWORD": password_output(internal, "restore")},
    )


def configuration_content(redis: RedisSettings) -> dict[str, str]:
    """Content of the ConfigMap of the servers: configuration and scripts."""
    content = {"redis.conf": configuration.server_configuration(redis, _PLACE), **SCRIPTS}
    if redis.is_replicated:
        content |= {
            "sentinel.conf": configuration.sentinel_configuration(_PLACE),
            "sentinel-primary.conf": configuration.sentinel_primary_configuration(redis),
        }
    return content


def proxy_content(redis: RedisSettings, surroundings: Surroundings) -> dict[str, str]:
    """Content of the ConfigMap of the proxies."""
    hosts = [f"{host}.{surroundings.cluster_domain}" for host in servers(surroundings).hosts(redis.replicas)]
    return {"haproxy.cfg": configuration.proxy_configuration(hosts, redis.max_clients)}


def ports(redis: RedisSettings) -> dict[str, int]:
    """Ports of the servers' pods by name."""
    return _SERVER_PORTS | (_SENTINEL_PORTS if redis.is_replicated else {})


def server_policy(redis: RedisSettings, surroundings: Surroundings) -> Manifest:
    """A single server talks to its callers only; several talk to each other and to the proxies."""
    objects, graph = servers(surroundings), surroundings.graph
    scrapes = scrape_rules(REDIS_SERVERS, graph)
    if not redis.is_replicated:
        return objects.network_policy([(_callers(graph), [PORT])], [], scrapes)
    own = sorted(ports(redis).values())
    to_primary = ([proxies(surroundings).selector, *_callers(graph, REDIS_SERVERS)], [PORT])
    return objects.network_policy([to_primary, ([objects.selector], own)], [(objects.selector, own)], scrapes)


def proxy_policy(surroundings: Surroundings) -> Manifest:
    """Callers in, servers out."""
    to_servers = (servers(surroundings).selector, [PORT])
    return proxies(surroundings).network_policy([(_callers(surroundings.graph), [PORT])], [to_servers])


def _callers(graph: ServiceGraph, called: str = REDIS) -> list[Mapping[str, str]]:
    return [labels for caller in graph.callers_of(called) for labels in graph.selectors_of(caller)]


def stateful_set(
    redis: RedisSettings, surroundings: Surroundings, secret: pulumi.Input[str], exporter: ExporterSettings | None
) -> Manifest:
    """The servers, each with a sentinel in its pod where there are several."""
    objects = servers(surroundings)
    containers = [_server(redis, surroundings)]
    if redis.is_replicated:
        containers.append(_sentinel(redis, surroundings))
    if exporter:
        containers.append(redis_exporter(exporter, secret))
    config_map = objects.configuration_name(configuration_content(redis))
    volumes = [
        {"name": "configuration", "configMap": {"name": config_map, "defaultMode": 0o444}},
        {"name": "secrets", "secret": {"secretName": USERS, "defaultMode": 0o440}},
        password_volume(secret),
    ]
    pod = PodArgs(
        version=redis.image.tag,
        user=_SERVER_USER,
        containers=containers,
        volumes=volumes,
        grace_period_seconds=_GRACE_SECONDS,
        apart=redis.is_replicated,
    )
    return objects.stateful_set(
        redis.replicas, pod, ClaimArgs(size=redis.storage_size, storage_class=redis.storage_class)
    )


def proxy_deployment(redis: RedisSettings, surroundings: Surroundings, secret: pulumi.Input[str]) -> Manifest:
    """The proxies. They keep nothing, so any number of them may run anywhere."""
    objects = proxies(surroundings)
    config_map = objects.configuration_name(proxy_content(redis, surroundings))
    pod = PodArgs(
        version=redis.proxy.image.tag,
        user=_PROXY_USER,
        containers=[_proxy(redis)],
        volumes=[
            {"name": "configuration", "configMap": {"name": config_map, "defaultMode": 0o444}},
            password_volume(secret),
        ],
        grace_period_seconds=_PROXY_GRACE_SECONDS,
    )
    made = objects.deployment(redis.proxy.replicas, pod)
    return {**made, "spec": {**made["spec"], "minReadySeconds": _PROXY_READY_SECONDS}}


def _environment(redis: RedisSettings, surroundings: Surroundings) -> dict[str, Any]:
    """Variables of the scripts. SELF stands after POD_NAME, from which the kubelet makes it."""
    objects = servers(surroundings)
    hosts = objects.hosts(redis.replicas)
    return {
        "POD_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        "SELF": f"$(POD_NAME).{objects.headless}.{surroundings.namespace}.svc",
        "LOCAL": "127.0.0.1",
        "FIRST": hosts[0],
        "PEERS": " ".join(hosts) if redis.is_replicated else "",
        "QUORUM": str(redis.quorum),
        "DATA": _PLACE.data,
        "CONFIGURATION": _PLACE.configuration,
        "USERS": f"{_PLACE.secrets}/users.acl",
        "PASSWORDS_DIR": PASSWORDS_FOLDER,
    }


def _script(name: str) -> list[str]:
    return ["/bin/sh", f"{_PLACE.configuration}/{name}"]


def _server(redis: RedisSettings, surroundings: Surroundings) -> dict[str, Any]:
    ready = {"exec": {"command": _script("is-ready.sh")}, "periodSeconds": 5, "timeoutSeconds": 3}
    return container(
        ContainerArgs(
            name=REDIS,
            image=redis.image.reference,
            command=_script("start-server.sh"),
            resources=redis.resources,
            ports=_SERVER_PORTS,
            environment=_environment(redis, surroundings),
            mounts={
                _PLACE.data: DATA_VOLUME,
                _PLACE.configuration: "configuration:ro",
                _PLACE.secrets: "secrets:ro",
                **PASSWORD_MOUNT,
            },
            further={
                # A server that loads a long file is neither ready nor dead, so it gets ten minutes for it.
                "startupProbe": {**ready, "failureThreshold": 120},
                "readinessProbe": {**ready, "failureThreshold": 2},
                "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 10, "failureThreshold": 6},
                "lifecycle": {"preStop": {"exec": {"command": _script("hand-over.sh")}}},
            },
        )
    )


def _sentinel(redis: RedisSettings, surroundings: Surroundings) -> dict[str, Any]:
    often = {"periodSeconds": 5, "timeoutSeconds": 3}
    is_open = {"tcpSocket": {"port": "sentinel"}, **often}
    return container(
        ContainerArgs(
            name="sentinel",
            image=redis.image.reference,
            command=_script("start-sentinel.sh"),
            resources=redis.sentinel.resources,
            ports=_SENTINEL_PORTS,
            environment=_environment(redis, surroundings),
            mounts={_PLACE.data: DATA_VOLUME, _PLACE.configuration: "configuration:ro", **PASSWORD_MOUNT},
            further={
                # It waits until the server in its pod has copied what it must, ten minutes as that one.
                "startupProbe": {**is_open, "failureThreshold": 120},
                "readinessProbe": {
                    "exec": {"command": _script("is-sentinel-ready.sh")},
                    **often,
                    "failureThreshold": 3,
                },
                "livenessProbe": {**is_open, "failureThreshold": 6},
                # It stays until the server in its pod has handed over.
                "lifecycle": {"preStop": {"sleep": {"seconds": 25}}},
            },
        )
    )


def _proxy(redis: RedisSettings) -> dict[str, Any]:
    def check(path: str, failures: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "health"}, "periodSeconds": 5, "failureThreshold": failures}

    return container(
        ContainerArgs(
            name=REDIS_PROXY,
            image=redis.proxy.image.reference,
            command=("/bin/sh", "-c", f"{READ_PASSWORDS}exec haproxy -W -db -f {_PLACE.configuration}/haproxy.cfg"),
            resources=redis.proxy.resources,
            ports={**_SERVER_PORTS, "health": configuration.PROXY_HEALTH_PORT},
            environment={"PASSWORDS_DIR": PASSWORDS_FOLDER},
            mounts={_PLACE.configuration: "configuration:ro", **PASSWORD_MOUNT},
            further={
                "startupProbe": check("/health", 12),
                # Without a primary no proxy can serve; taking all of them away would only change the error.
                "readinessProbe": check("/health", 3),
                "livenessProbe": {"tcpSocket": {"port": "health"}, "periodSeconds": 5, "failureThreshold": 6},
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            },
        )
    )
