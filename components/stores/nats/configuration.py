"""Configuration of the NATS servers: pure functions of the settings. Tests feed the very same texts to real servers.

`nats.conf` goes to a ConfigMap and holds no password. `accounts.conf` and `routes.conf` hold them and go to a Secret;
both lie in the folder of `nats.conf`, which includes them.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bcrypt

from components.settings.nats import NatsSettings, StreamSettings
from components.traffic.message_flow import MessageFlow
from components.traffic.stores import NATS_MONITORING_PORT, NATS_PORT

PORT = NATS_PORT
ROUTE_PORT = 6222
MONITORING_PORT = NATS_MONITORING_PORT
CLUSTER_USER = "cluster"
STREAMS_USER = "streams"
BACKUP_USER = "backup"
RESTORE_USER = "restore"
SYSTEM_USER = "system"

_BYTES_PER_MEBIBYTE = 1024 * 1024
_NANOSECONDS = 1_000_000_000
_BCRYPT_COST = 4
_BCRYPT_SALT_BYTES = 16
_BCRYPT_ALPHABET = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)
_INBOX = "_INBOX.>"


@dataclass(frozen=True, kw_only=True)
class NatsPlace:
    """Address and folders of a server. The defaults are those of the pods; tests have others.

    Attributes:
        host: Address to listen on.
        data: Directory of the volume.
        run: Directory of the process identifier.
    """

    host: str = "0.0.0.0"  # noqa: S104  # inside a pod, behind its NetworkPolicy
    data: str = "/data"
    run: str = "/run/nats"


def server_configuration(settings: NatsSettings, place: NatsPlace) -> str:
    """Configuration of every server. Its name comes from the environment variable SERVER_NAME.

    A single server and a cluster keep their streams in different directories of the volume: a server that finds
    streams which its cluster does not know deletes them (nats-server issue 5467), and so none must find any.
    """
    directory = "cluster" if settings.is_clustered else "single"
    cluster = [
        "cluster {",
        "  name: alt-las",
        f'  listen: "{place.host}:{ROUTE_PORT}"',
        "  no_advertise: true",
        "  include routes.conf",
        "}",
    ]
    return _text(
        (
            "server_name: $SERVER_NAME",
            f'listen: "{place.host}:{PORT}"',
            f'http: "{place.host}:{MONITORING_PORT}"',
            f'pid_file: "{place.run}/nats.pid"',
            f"max_payload: {settings.max_payload_kibibytes}KB",
            # Clients get time to go elsewhere before the server ends.
            "lame_duck_grace_period: 2s",
            "lame_duck_duration: 30s",
            "jetstream {",
            f'  store_dir: "{place.data}/{directory}"',
            # Streams live on disk; this is for what clients ask to keep in memory.
            "  max_memory_store: 1MB",
            f"  max_file_store: {settings.max_file_store_mebibytes * _BYTES_PER_MEBIBYTE}",
            # The default forces messages to disk every two minutes, and a lost node loses what was acknowledged.
            "  sync_interval: always",
            "}",
            *(cluster if settings.is_clustered else ()),
            "include accounts.conf",
        )
    )


def routes_file(servers: Sequence[str], password: str) -> str:
    """Routes between the servers of a cluster, with their password."""
    routes = (f'  "nats-route://{CLUSTER_USER}:{password}@{server}:{ROUTE_PORT}"' for server in servers)
    return _text((f'authorization {{ user: {CLUSTER_USER}, password: "{password}" }}', "routes: [", *routes, "]"))


def user_of(service: str, *, second: bool) -> str:
    """User name of a service: a user has one password only, so the second password has a user of its own."""
    return f"{service}-2" if second else service


def accounts_file(settings: NatsSettings, flows: Sequence[MessageFlow], passwords: Mapping[str, str]) -> str:
    """One account for the platform with two users for each service, and one for those who look after the servers.

    Args:
        settings: Names the streams.
        flows: What each service publishes and consumes.
        passwords: Password by user: both users of each service of `flows`, and the users of this module.
    """
    permissions = {
        user_of(flow.service, second=second): _service_permissions(flow, settings.streams)
        for flow in flows
        for second in (False, True)
    }
    permissions |= {STREAMS_USER: _stream_permissions(), BACKUP_USER: _backup_permissions()}
    permissions[RESTORE_USER] = _restore_permissions()
    accounts = {
        "PLATFORM": {
            "jetstream": "enabled",
            "users": [
                {"user": name, "password": password_hash(passwords[name]), "permissions": rules}
                for name, rules in permissions.items()
            ],
        },
        "SYSTEM": {"users": [{"user": SYSTEM_USER, "password": password_hash(passwords[SYSTEM_USER])}]},
    }
    # The server reads JSON as a form of its own language.
    return _text((f"accounts: {json.dumps(accounts, indent=2)}", "system_account: SYSTEM"))


def stream_configuration(stream: StreamSettings) -> dict[str, Any]:
    """A stream as the JetStream API and the nats command take it."""
    return {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "retention": "limits",
        "storage": "file",
        "discard": {"refuse": "new", "drop-oldest": "old"}[stream.when_full],
        "num_replicas": stream.replicas,
        "max_bytes": stream.limit_bytes,
        "max_age": stream.max_age_seconds * _NANOSECONDS,
        "duplicate_window": stream.duplicate_window_seconds * _NANOSECONDS,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_msg_size": -1,
    }


def password_hash(password: str) -> str:
    """A password as the server keeps it. The same password has the same hash, so that nothing changes without need.

    The salt comes from the password and the cost is the lowest: both protect what can be guessed, which 256 random
    bits cannot.
    """
    digest = hashlib.sha256(b"nats-salt:" + password.encode()).digest()[:_BCRYPT_SALT_BYTES]
    salt = base64.b64encode(digest).decode().rstrip("=").translate(_BCRYPT_ALPHABET)
    return bcrypt.hashpw(password.encode(), f"$2b${_BCRYPT_COST:02}${salt}".encode()).decode()


def _service_permissions(flow: MessageFlow, streams: Sequence[StreamSettings]) -> dict[str, Any]:
    """Its own subjects, answers to its own requests, and a durable consumer of its own name on what it consumes."""
    publish = list(flow.publishes)
    for stream in streams:
        if set(stream.subjects) & set(flow.consumes):
            own = f"{stream.name}.{flow.service}"
            publish += [f"$JS.API.CONSUMER.{verb}.{own}" for verb in ("INFO", "CREATE", "DURABLE.CREATE", "MSG.NEXT")]
            publish += [f"$JS.API.CONSUMER.CREATE.{own}.>", f"$JS.ACK.{own}.>"]
    return {
        "publish": {"allow": publish} if publish else {"deny": [">"]},
        # Members of the queue group share the messages; no other subscriber may read them.
        "subscribe": {"allow": [_INBOX, *(f"{subject} {flow.service}" for subject in flow.consumes)]},
    }


def _stream_permissions() -> dict[str, Any]:
    api = [f"$JS.API.STREAM.{verb}.*" for verb in ("INFO", "CREATE", "UPDATE")]
    return {
        "publish": {"allow": ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", *api]},
        "subscribe": {"allow": [_INBOX]},
    }


def _backup_permissions() -> dict[str, Any]:
    api = ["STREAM.NAMES", "STREAM.LIST", "STREAM.INFO.*", "STREAM.SNAPSHOT.*", "CONSUMER.NAMES.*", "CONSUMER.LIST.*"]
    publish = ["$JS.API.INFO", *(f"$JS.API.{each}" for each in api), "$JS.API.CONSUMER.INFO.*.*", "$JS.SNAPSHOT.>"]
    return {"publish": {"allow": publish}, "subscribe": {"allow": [_INBOX]}}


def _restore_permissions() -> dict[str, Any]:
    api = [f"$JS.API.STREAM.{verb}.*" for verb in ("INFO", "RESTORE", "DELETE")]
    publish = ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", *api, "$JS.SNAPSHOT.RESTORE.>"]
    return {"publish": {"allow": publish}, "subscribe": {"allow": [_INBOX]}}


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
