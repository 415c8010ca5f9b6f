"""What the pods of the stores that the program runs itself are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from components.settings.nats import NatsSettings
from components.settings.platform import RolloutSettings
from components.settings.redis import RedisSettings
from components.settings.workload import ResourceSettings
from components.workloads.pod import container_security_context, resources

PASSWORDS_VOLUME = "passwords"
PASSWORDS_FOLDER = "/etc/passwords"
PASSWORD_MOUNT = {PASSWORDS_FOLDER: f"{PASSWORDS_VOLUME}:ro"}
READ_PASSWORDS = """\
# Each password is a file, so that it stands in no manifest and no description of a pod; here it becomes a variable.
for file in "$PASSWORDS_DIR"/*; do export "${file##*/}=$(cat "$file")"; done
"""
"""Shell lines; PASSWORDS_DIR names the folder."""


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """What a pod of a store is made of.

    Attributes:
        version: Release of the server, for the version label.
        user: Numeric user of all containers, who also owns the volumes.
        containers: Containers, see `container`.
        volumes: Volumes beside the claims.
        grace_period_seconds: Time from the decision to end a pod until it is killed.
        apart: Whether two of these pods must never run on one node. Voters must not: one lost node would take the
            majority with it, and a pod that waits for a node is better than that.
        restart_policy: Restart policy where it is not the workload's own.
        token: Whether the pod asks for the API server's token of its ServiceAccount.
    """

    version: str
    user: int
    containers: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]]
    grace_period_seconds: int
    apart: bool = False
    restart_policy: str | None = None
    token: bool = False


@dataclass(frozen=True, kw_only=True)
class ClaimArgs:
    """The volume of each server, and how many old revisions are kept.

    Attributes:
        size: Size as Kubernetes writes it.
        storage_class: StorageClass, or None for the cluster's default.
        revision_history_limit: Old revisions kept for a rollback.
    """

    size: str
    storage_class: str | None
    revision_history_limit: int

    @classmethod
    def of(cls, store: NatsSettings | RedisSettings, rollout: RolloutSettings) -> Self:
        """What the settings of a store decide."""
        return cls(
            size=store.storage_size,
            storage_class=store.storage_class,
            revision_history_limit=rollout.revision_history_limit,
        )


@dataclass(frozen=True, kw_only=True)
class ContainerArgs:
    """One container.

    Attributes:
        name: Its name.
        image: Image reference.
        command: Program and arguments; None for the image's own.
        resources: Requests and limits.
        ports: Ports by name.
        environment: Plain variables by name, or a `valueFrom`.
        mounts: Volumes by the path they are mounted at; a path with `:ro` is read-only.
        further: Probes and lifecycle.
    """

    name: str
    image: str
    command: Sequence[str] | None
    resources: ResourceSettings
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Any] = field(default_factory=dict)


def container(args: ContainerArgs) -> dict[str, Any]:
    """A container that needs no privilege and writes only to its volumes."""
    ports = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in args.ports.items()]
    return {
        "name": args.name,
        "image": args.image,
        **({"command": list(args.command)} if args.command else {}),
        **({"ports": ports} if ports else {}),
        "env": [
            {"name": name, **(value if isinstance(value, dict) else {"value": value})}
            for name, value in args.environment.items()
        ],
        "resources": resources(args.resources),
        "securityContext": container_security_context(),
        "volumeMounts": [_mount(path, volume) for path, volume in args.mounts.items()],
        **args.further,
    }


def secret_value(secret: Any, key: str) -> dict[str, Any]:  # Any: the name is an output
    """Value of an environment variable from a Secret, for programs that cannot be told to read a file."""
    return {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def password_volume(secret: Any) -> dict[str, Any]:  # Any: the name is an output
    """The volume of a Secret with passwords, one key for each, named like the variable that it becomes."""
    return {"name": PASSWORDS_VOLUME, "secret": {"secretName": secret, "defaultMode": 0o440}}


def _mount(path: str, volume: str) -> dict[str, Any]:
    name, _, mode = volume.partition(":")
    return {"name": name, "mountPath": path, **({"readOnly": True} if mode == "ro" else {})}
