"""Stores under Compose: one server of each."""

import re
from collections.abc import Mapping
from typing import Any

from components.settings import PlatformSettings
from components.settings.postgres import DatabasesSettings
from components.settings.secrets import password_key
from components.settings.services import ServicesSettings, short_name
from components.settings.workload import QuantitySettings

NAMES = ("postgres-db", "redis", "nats")
"""The stores, by the names under which services reach them."""

VOLUMES = ("postgres-data", "redis-data")
HARDENED: Mapping[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "restart": "unless-stopped",
}
"""Hardening of every container: no capabilities, no privilege escalation, a read-only root where Compose allows it."""

PROCESSES = 512
"""Most processes and threads of one container."""

DESCRIPTIONS: Mapping[str, str] = {
    "POSTGRES_ADMIN_PASSWORD": "Password of the database's administrator; no service has it.",
}
_FACTS = QuantitySettings(cpu="500m", memory="512Mi")
_POSTGRES_FACTS = QuantitySettings(cpu="1", memory="1Gi")
"""Limits where a stack has no such store (original manifests, section 2)."""

_DEFAULT_IMAGES = {"postgres": "postgres:18.6-alpine", "redis": "redis:8.10.1-alpine", "nats": "nats:2.15.1-alpine"}
_ROLES_SCRIPT = """\
set -eu
make() {
  psql --set ON_ERROR_STOP=1 --username postgres --set name="$$1" --set password="$$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
"""


def variable_name(key: str) -> str:
    """Name of the variable in .env that holds a secret: POSTGRES_ARCHIVE_PASSWORD for postgresArchivePassword."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).upper()


def variable(key: str) -> str:
    """Compose reference to a secret in .env; compose refuses to start without it."""
    return required(variable_name(key))


def required(name: str) -> str:
    """Compose reference to a variable that must not be empty."""
    return f"${{{name}:?set it in .env}}"


def resources(quantities: QuantitySettings) -> dict[str, Any]:
    """CPU and memory as compose writes them."""
    return {"cpus": f"{quantities.cores:g}", "memory": f"{quantities.memory_mebibytes}M"}


def memory(text: str) -> int:
    """A Kubernetes quantity of memory in whole Mi."""
    return QuantitySettings(cpu="1", memory=text).memory_mebibytes


def stores(platform: PlatformSettings) -> dict[str, dict[str, Any]]:
    """One server of each store, by name, without its networks."""
    return {"postgres-db": _postgres(platform), "redis": _redis(platform), "nats": _nats(platform)}


def configurations(platform: PlatformSettings) -> dict[str, dict[str, str]]:
    """Files of the stores; their secrets come from .env when compose reads them."""
    users = {user: variable(password_key("nats", user)) for user in ServicesSettings.with_store("nats")}
    nats = "\n".join(f'    {{user: "{user}", password: "{password}"}}' for user, password in users.items())
    return {
        "postgres-roles": {"content": _roles_script(platform)},
        "redis-users": {
            "content": "user default off\n"
            f"user api-gateway on >{variable('redisApiGatewayPassword')} ~* &* +@all -@admin\n"
        },
        "nats-configuration": {
            "content": "http: 8222\njetstream {\n  store_dir: /data\n  sync_interval: always\n}\n"
            f"authorization {{\n  users: [\n{nats}\n  ]\n}}\n"
        },
    }


def _postgres(platform: PlatformSettings) -> dict[str, Any]:
    postgres = platform.postgres
    # The operator's image starts under the operator only; the publisher's own has the same server.
    version = postgres.image.tag.partition("-")[0] if postgres else None
    return {
        "image": f"postgres:{version}-alpine" if version else _DEFAULT_IMAGES["postgres"],
        "user": "70:70",
        "environment": {
            "POSTGRES_PASSWORD": required("POSTGRES_ADMIN_PASSWORD"),
            **{name: variable(key) for name, key in _role_variables().items()},
            "PGDATA": "/var/lib/postgresql/pgdata",
        },
        "configs": [mounted("postgres-roles", "/docker-entrypoint-initdb.d/roles.sh")],
        "volumes": ["postgres-data:/var/lib/postgresql"],
        "tmpfs": ["/tmp:size=64m", "/var/run/postgresql:uid=70,gid=70,size=1m"],  # noqa: S108  # inside the container
        "healthcheck": check("pg_isready --username postgres --host 127.0.0.1"),
        "deploy": limited(postgres.resources.limits if postgres else _POSTGRES_FACTS),
        "stop_grace_period": "60s",
        **HARDENED,
    }


def _redis(platform: PlatformSettings) -> dict[str, Any]:
    redis = platform.redis
    most = memory(redis.max_memory) if redis else _FACTS.memory_mebibytes // 2
    policy, fsync = (redis.max_memory_policy, redis.append_fsync) if redis else ("volatile-lru", "everysec")
    return {
        "image": redis.image.reference if redis else _DEFAULT_IMAGES["redis"],
        "user": "999:1000",
        "command": [
            *("redis-server", "--aclfile", "/etc/redis/users.acl", "--appendonly", "yes", "--appendfsync", fsync),
            *("--maxmemory", f"{most}mb", "--maxmemory-policy", policy, "--dir", "/data"),
        ],
        "environment": {"REDIS_PASSWORD": variable("redisApiGatewayPassword")},
        "configs": [mounted("redis-users", "/etc/redis/users.acl")],
        "volumes": ["redis-data:/data"],
        "healthcheck": check('REDISCLI_AUTH="$$REDIS_PASSWORD" redis-cli --user api-gateway ping | grep -q PONG'),
        "deploy": limited(redis.resources.limits if redis else _FACTS),
        "stop_grace_period": "30s",
        **HARDENED,
    }


def _nats(platform: PlatformSettings) -> dict[str, Any]:
    nats = platform.nats
    return {
        "image": nats.image.reference if nats else _DEFAULT_IMAGES["nats"],
        "user": "10001:10001",
        "command": ["--config", "/etc/nats/nats.conf"],
        "configs": [mounted("nats-configuration", "/etc/nats/nats.conf")],
        "tmpfs": ["/data:uid=10001,gid=10001,mode=0770,size=1g"],
        "healthcheck": check("wget -q -O /dev/null http://127.0.0.1:8222/healthz"),
        "deploy": limited(nats.resources.limits if nats else _FACTS),
        "stop_grace_period": "60s",
        **HARDENED,
    }


def _role_variables() -> dict[str, str]:
    """Key of the password by the variable that carries it into the database's container."""
    services = ServicesSettings.with_store("postgres")
    return {_role_variable(service): password_key("postgres", service) for service in services}


def _role_variable(service: str) -> str:
    return f"{short_name(service).upper()}_PASSWORD"


def _roles_script(platform: PlatformSettings) -> str:
    databases = (platform.postgres.databases if platform.postgres else DatabasesSettings()).by_service()
    calls = [f'make {each.name} "$${_role_variable(service)}"' for service, each in databases.items()]
    return _ROLES_SCRIPT + "\n".join(calls) + "\n"


def mounted(name: str, target: str) -> dict[str, Any]:
    """A file of `configs`, where a container reads it."""
    return {"source": name, "target": target, "mode": 0o444}


def check(command: str) -> dict[str, Any]:
    """A health check by a shell of the container's own."""
    return {"test": ["CMD-SHELL", command], "interval": "10s", "timeout": "5s", "retries": 5, "start_period": "30s"}


def limited(limits: QuantitySettings) -> dict[str, Any]:
    """Limits of a container."""
    return {"resources": {"limits": resources(limits) | {"pids": PROCESSES}}}
