"""Configuration of the Redis servers, the sentinels and the proxy: pure functions of the settings, without passwords.

Passwords reach the programs from a mounted Secret: `users.acl` by name, the others by the start script (see
`redis_scripts`). The very same texts are fed to real servers by the tests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.kubernetes.quantities import mebibytes
from components.settings.redis import RedisSettings
from components.traffic.stores import REDIS_PORT

PORT = REDIS_PORT
SENTINEL_PORT = 26379
PROXY_HEALTH_PORT = 8404
PRIMARY = "platform"
"""Name under which the sentinels watch the primary; the start script adds the generation of the data."""

_BYTES_PER_MEBIBYTE = 1024 * 1024

ACL_RULES: Mapping[str, str] = {
    # Everything that reads or writes data, and INFO, which client libraries ask for at start. Not one command of the
    # categories admin (CONFIG, DEBUG, SHUTDOWN, ACL, ...) and dangerous (FLUSHALL, KEYS, MIGRATE, ...).
    "api-gateway": "~* &* +@all -@admin -@dangerous +info",
    "exporter": "resetkeys resetchannels -@all +ping +info +dbsize +slowlog|get +slowlog|len +latency|latest",
    "backup": "resetkeys resetchannels -@all +ping +info +psync +sync +replconf +bgsave +lastsave",
    # Fills a free database and lets it change places with the live one; reads nothing.
    "restore": "~* resetchannels -@all +ping +info +select +restore +swapdb +flushdb +multi +exec",
    "replication": "resetkeys resetchannels -@all +ping +psync +replconf",
    # What redis.io names for Sentinel; +replicaof is the newer name of +slaveof.
    "sentinel": (
        "resetkeys &* -@all +ping +info +role +publish +subscribe +multi +exec +slaveof +replicaof +config|rewrite "
        "+client|setname +client|kill +script|kill"
    ),
    "health": "resetkeys resetchannels -@all +ping +info",
    # Tells its own server to read the users again, and before its end to answer no more writes, see `scripts`.
    "keeper": "resetkeys resetchannels -@all +ping +acl|load +client|pause",
}
"""Permissions of each user, as Redis 6.2 and later write them. The user `default` is off."""


@dataclass(frozen=True, kw_only=True)
class RedisPlace:
    """Folders and addresses of a server. The defaults are those of the pods; tests have others.

    Attributes:
        bind: Addresses to listen on, as redis.conf writes them.
        data: Directory of the data, on the volume.
        configuration: Directory of the mounted ConfigMap.
        secrets: Directory of the mounted Secret.
    """

    bind: str = "* -::*"
    data: str = "/data"
    configuration: str = "/etc/redis"
    secrets: str = "/etc/redis-secrets"


def server_configuration(settings: RedisSettings, place: RedisPlace) -> str:
    """Configuration of every server. The start script adds what differs: the primary to follow, its own name."""
    lines = (
        f"bind {place.bind}",
        f"port {PORT}",
        # Every user but those of the ACL file is off, so the mode that only guards servers without users may go.
        "protected-mode no",
        f"dir {place.data}",
        f"aclfile {place.secrets}/users.acl",
        "tcp-keepalive 60",
        f"maxclients {settings.max_clients}",
        f"maxmemory {int(mebibytes(settings.max_memory) * _BYTES_PER_MEBIBYTE)}",
        f"maxmemory-policy {settings.max_memory_policy}",
        "appendonly yes",
        f"appendfsync {settings.append_fsync}",
        "no-appendfsync-on-rewrite no",
        "auto-aof-rewrite-percentage 100",
        "auto-aof-rewrite-min-size 64mb",
        # A server that was killed while it wrote ends its file with half a command, which was never answered.
        "aof-load-truncated yes",
        'save ""',
        "masteruser replication",
        "replica-read-only yes",
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
        "repl-timeout 10",
        "repl-ping-replica-period 1",
        "repl-backlog-size 16mb",
        f"min-replicas-to-write {settings.replicas_to_write}",
        f"min-replicas-max-lag {settings.max_replica_lag_seconds}",
    )
    return _text(lines)


def sentinel_configuration(place: RedisPlace) -> str:
    """Configuration of every sentinel, before the lines about the primary."""
    return _text(
        (
            f"bind {place.bind}",
            f"port {SENTINEL_PORT}",
            "protected-mode no",
            "sentinel resolve-hostnames yes",
            "sentinel announce-hostnames yes",
            "sentinel deny-scripts-reconfig yes",
        )
    )


def sentinel_primary_configuration(settings: RedisSettings) -> str:
    """Configuration of every sentinel about the primary, after the line with its address."""
    sentinel = settings.sentinel
    return _text(
        (
            f"sentinel auth-user {PRIMARY} sentinel",
            f"sentinel down-after-milliseconds {PRIMARY} {sentinel.down_after_milliseconds}",
            f"sentinel failover-timeout {PRIMARY} {sentinel.failover_timeout_milliseconds}",
            f"sentinel parallel-syncs {PRIMARY} 1",
        )
    )


def acl_file(passwords: Mapping[str, Sequence[str]]) -> str:
    """The users, by SHA-256 of their passwords, so that the file tells nobody how to log in.

    Args:
        passwords: Every password that a user may log in with, by user.
    """
    users = (
        f"user {name} on {' '.join(f'#{_digest(password)}' for password in passwords[name])} {rules}"
        for name, rules in ACL_RULES.items()
    )
    return _text(("user default off resetkeys resetchannels -@all", *users))


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


_PROXY_DEFAULTS = (
    "defaults",
    "  mode tcp",
    "  log global",
    "  timeout connect 2s",
    "  timeout check 1s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  option clitcpka",
    "  option srvtcpka",
)
_RESOLVERS = (
    "resolvers cluster",
    "  parse-resolv-conf",
    # Replies with many addresses are larger than the 512 bytes of plain DNS.
    "  accepted_payload_size 8192",
    "  hold valid 1s",
    # A pod that starts has no name for a moment.
    "  hold nx 2s",
    "  hold obsolete 5s",
)


_SERVES = r"role:master\r\nconnected_slaves:[0-9]+\r\n(min_slaves_good_slaves:[1-9]|slave0|master_failover_state)"


def proxy_configuration(servers: Sequence[str], max_connections: int, *, bind: str = "", resolve: bool = True) -> str:
    """HAProxy's configuration: every connection goes to the one server that is primary and may accept writes.

    A primary that lost its replicas refuses writes (min-replicas-to-write), so it gets no connection either: after a
    partition there are two that call themselves primary, and only one of them has replicas. A server that runs alone
    needs none, so the proxies serve before it gets some.

    Args:
        servers: Fully qualified host names of all servers: HAProxy's own resolver knows no search domains.
        max_connections: Connections that a proxy accepts, and reserves memory for. Without it HAProxy derives them from
            the limit of open files, which container runtimes set to a million and more.
        bind: Address to listen on; all when empty.
        resolve: Whether names are looked up again and again, as those of pods must be.
    """
    lookup = " resolvers cluster init-addr none" if resolve else ""
    return _text(
        (
            "global",
            "  log stdout format raw local0 notice",
            f"  maxconn {max_connections}",
            # One thread for each core of the node would share a quarter of one.
            "  nbthread 2",
            *_PROXY_DEFAULTS,
            *(_RESOLVERS if resolve else ()),
            "frontend redis",
            f"  bind {bind}:{PORT}",
            "  default_backend primary",
            "frontend health",
            "  mode http",
            "  timeout client 5s",
            f"  bind {bind}:{PROXY_HEALTH_PORT}",
            "  http-request return status 200 content-type text/plain string ok if { path /health }",
            "  http-request use-service prometheus-exporter if { path /metrics }",
            "  http-request deny deny_status 503",
            "backend primary",
            "  option tcp-check",
            "  tcp-check connect",
            '  tcp-check send "AUTH health ${REDIS_HEALTH_PASSWORD}\\r\\n"',
            "  tcp-check expect string +OK",
            '  tcp-check send "INFO replication\\r\\n"',
            # The line about good replicas is missing where a server needs none for a write: one that runs alone.
            f"  tcp-check expect rstring '{_SERVES}'",
            '  tcp-check send "QUIT\\r\\n"',
            f"  default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions{lookup}",
            *(f"  server redis-{index} {host}:{PORT}" for index, host in enumerate(servers)),
        )
    )


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
