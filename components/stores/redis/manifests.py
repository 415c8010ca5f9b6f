"""The objects of Redis as manifests: servers with their sentinels, the proxy in front of them, and who may connect."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.redis import RedisSettings
from components.stores.exporters import REDIS_EXPORTER_USER, REDIS_EXPORTER_VARIABLE, redis_exporter
from components.stores.redis import configuration
from components.stores.redis.scripts import SCRIPTS
from components.traffic.graph import ServiceGraph, Store
from components.traffic.network_policy import scrape_rules
from components.traffic.observers import REDIS_SERVERS
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import DATA_VOLUME
from components.workloads.passwords import (
    PASSWORD_MOUNT,
    PASSWORDS_FOLDER,
    READ_PASSWORDS,
    derived_password,
    password_volume,
)
from components.workloads.pod import PodArgs
from components.workloads.pod_set import ClaimArgs, PodSet, pod_set

NAME = "redis"
PROXY = "redis-proxy"
CALLER = "api-gateway"
"""The service that has a user of its own."""

_COMPONENT = "cache"
# Above 10000, so that no user of a node has the number of one of ours; the images run as any.
_SERVER_USER = 10002
_PROXY_USER = 10003
_GRACE_SECONDS = 60
_PROXY_GRACE_SECONDS = 30
_PLACE = configuration.RedisPlace()
_SERVER_PORTS = {"redis": configuration.PORT}
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


def servers(platform: PlatformSettings) -> PodSet:
    """The servers, under the name that services know."""
    return pod_set(platform, NAME, _COMPONENT)


def proxies(platform: PlatformSettings) -> PodSet:
    """The proxies in front of several servers."""
    return pod_set(platform, PROXY, _COMPONENT)


def store(redis: RedisSettings) -> Store:
    """Redis as the service graph sees it: callers reach the proxies where there are any."""
    labels = naming.selector_labels(PROXY if redis.is_replicated else NAME)
    return Store(name=NAME, port=configuration.PORT, pod_labels=labels)


def servers_store() -> Store:
    """The servers as monitoring and the dumps see them, behind the proxies or not."""
    return Store(name=REDIS_SERVERS, port=configuration.PORT, pod_labels=naming.selector_labels(NAME))


def url(password: str) -> str:
    """How api-gateway reaches Redis, the same with one server and with several."""
    return f"redis://{CALLER}:{password}@{NAME}:{configuration.PORT}"


def internal_passwords(internal: str) -> dict[str, str]:
    """Password of each user that is no service, from the store's internal secret."""
    return {user: derived_password(internal, user) for user in configuration.ACL_RULES if user != CALLER}


def users_content(caller: Sequence[str], internal: str) -> dict[str, str]:
    """What the Secret of the users holds.

    Args:
        caller: Both passwords of the service's user.
        internal: The store's internal secret.
    """
    others = {user: (password,) for user, password in internal_passwords(internal).items()}
    return {"users.acl": configuration.acl_file({CALLER: caller, **others})}


def secret_content(internal: str) -> dict[str, str]:
    """What the Secret of the servers and the proxies holds."""
    users = internal_passwords(internal)
    return {variable: users[user] for variable, user in _PASSWORD_VARIABLES.items()}


def configuration_content(redis: RedisSettings) -> dict[str, str]:
    """What the ConfigMap of the servers holds: configuration and scripts."""
    content = {"redis.conf": configuration.server_configuration(redis, _PLACE), **SCRIPTS}
    if redis.is_replicated:
        content |= {
            "sentinel.conf": configuration.sentinel_configuration(_PLACE),
            "sentinel-primary.conf": configuration.sentinel_primary_configuration(redis),
        }
    return content


def proxy_content(redis: RedisSettings, platform: PlatformSettings) -> dict[str, str]:
    """What the ConfigMap of the proxies holds."""
    hosts = servers(platform).hosts(redis.replicas)
    return {"haproxy.cfg": configuration.proxy_configuration(hosts)}


def ports(redis: RedisSettings) -> dict[str, int]:
    """Ports of the servers' pods by name."""
    return _SERVER_PORTS | (_SENTINEL_PORTS if redis.is_replicated else {})


def server_policy(redis: RedisSettings, graph: ServiceGraph, platform: PlatformSettings) -> Manifest:
    """A single server talks to its callers only; several talk to each other and to the proxies."""
    objects = servers(platform)
    if not redis.is_replicated:
        return objects.network_policy([(_callers(graph), [configuration.PORT])], [], scrape_rules(REDIS_SERVERS, graph))
    own = sorted(ports(redis).values())
    proxy = proxies(platform).selector
    return objects.network_policy(
        [([proxy, *_callers(graph, REDIS_SERVERS)], [configuration.PORT]), ([objects.selector], own)],
        [(objects.selector, own)],
        scrape_rules(REDIS_SERVERS, graph),
    )


def proxy_policy(graph: ServiceGraph, platform: PlatformSettings) -> Manifest:
    """Callers in, servers out."""
    to_servers = (servers(platform).selector, [configuration.PORT])
    return proxies(platform).network_policy([(_callers(graph), [configuration.PORT])], [to_servers])


def _callers(graph: ServiceGraph, called: str = NAME) -> list[Mapping[str, str]]:
    return [graph.selector_of(caller) for caller in graph.callers_of(called)]


def stateful_set(redis: RedisSettings, platform: PlatformSettings, secret: pulumi.Input[str]) -> Manifest:
    """The servers, each with a sentinel beside it where there are several."""
    objects = servers(platform)
    containers = [_server(redis, platform)]
    if redis.is_replicated:
        containers.append(_sentinel(redis, platform))
    containers += redis_exporter(platform, secret)
    config_map = objects.configuration_name(configuration_content(redis))
    volumes = [
        {"name": "configuration", "configMap": {"name": config_map, "defaultMode": 0o444}},
        {
            "name": "secrets",
            "secret": {"secretName": USERS, "defaultMode": 0o440},
        },
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


def proxy_deployment(redis: RedisSettings, platform: PlatformSettings, secret: pulumi.Input[str]) -> Manifest:
    """The proxies. They keep nothing, so any number of them may run anywhere."""
    objects = proxies(platform)
    config_map = objects.configuration_name(proxy_content(redis, platform))
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
    return objects.deployment(redis.proxy.replicas, pod)


def _environment(redis: RedisSettings, platform: PlatformSettings) -> dict[str, Any]:
    """What the scripts ask for. SELF stands after POD_NAME, from which the kubelet makes it."""
    objects = servers(platform)
    hosts = objects.hosts(redis.replicas)
    return {
        "POD_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        "SELF": f"$(POD_NAME).{objects.headless}.{platform.namespace}.svc",
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


def _server(redis: RedisSettings, platform: PlatformSettings) -> dict[str, Any]:
    ready = {"exec": {"command": _script("is-ready.sh")}, "periodSeconds": 5, "timeoutSeconds": 3}
    return container(
        ContainerArgs(
            name=NAME,
            image=redis.image.reference,
            command=_script("start-server.sh"),
            resources=redis.resources,
            ports=_SERVER_PORTS,
            environment=_environment(redis, platform),
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


def _sentinel(redis: RedisSettings, platform: PlatformSettings) -> dict[str, Any]:
    often = {"periodSeconds": 5, "timeoutSeconds": 3}
    is_open = {"tcpSocket": {"port": "sentinel"}, **often}
    return container(
        ContainerArgs(
            name="sentinel",
            image=redis.image.reference,
            command=_script("start-sentinel.sh"),
            resources=redis.sentinel.resources,
            ports=_SENTINEL_PORTS,
            environment=_environment(redis, platform),
            mounts={_PLACE.data: DATA_VOLUME, _PLACE.configuration: "configuration:ro", **PASSWORD_MOUNT},
            further={
                "startupProbe": {**is_open, "failureThreshold": 24},
                "readinessProbe": {
                    "exec": {"command": _script("is-sentinel-ready.sh")},
                    **often,
                    "failureThreshold": 3,
                },
                "livenessProbe": {**is_open, "failureThreshold": 6},
                # It stays until the server beside it has handed over.
                "lifecycle": {"preStop": {"sleep": {"seconds": 25}}},
            },
        )
    )


def _proxy(redis: RedisSettings) -> dict[str, Any]:
    def check(path: str, failures: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "health"}, "periodSeconds": 5, "failureThreshold": failures}

    return container(
        ContainerArgs(
            name=PROXY,
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
