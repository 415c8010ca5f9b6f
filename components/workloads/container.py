"""Container of a pod: hardened, with resources, ports, environment, mounts and probes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.settings.workload import ProbeSettings, ResourceSettings

EPHEMERAL_STORAGE = "ephemeral-storage"
_STARTUP_PERIOD_SECONDS = 5


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
        environment_from: ConfigMaps and Secrets whose keys all become variables, instead of `environment`.
        mounts: Volumes by the path they are mounted at; a path with `:ro` is read-only.
        further: Probes, lifecycle and working directory.
    """

    name: str
    image: pulumi.Input[str]
    command: Sequence[str] | None = None
    resources: ResourceSettings
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    environment_from: Sequence[Mapping[str, Any]] = ()
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
        **_environment(args),
        "resources": resources(args.resources),
        "securityContext": container_security_context(),
        "volumeMounts": [_mount(path, volume) for path, volume in args.mounts.items()],
        **args.further,
    }


def container_security_context() -> dict[str, Any]:
    """Security context of a container that needs no privilege and writes only to its volumes."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(settings: ResourceSettings) -> dict[str, Any]:
    """Requests and limits of a container, without the scratch directories of its pod, which `pod_template` adds."""
    disk = settings.ephemeral_storage
    return {
        "requests": settings.requests.model_dump() | {EPHEMERAL_STORAGE: disk.request},
        "limits": settings.limits.model_dump() | {EPHEMERAL_STORAGE: disk.limit},
    }


def probes(settings: ProbeSettings, port: str) -> dict[str, Any]:
    """Startup, readiness and liveness probes of a service on a named port."""
    timing = {
        "periodSeconds": settings.period_seconds,
        "timeoutSeconds": settings.timeout_seconds,
        "failureThreshold": settings.failure_threshold,
    }
    return {
        # The startup probe holds the other two back, so that neither needs an initial delay.
        "startupProbe": {
            **_check(settings.readiness_path, port),
            "periodSeconds": _STARTUP_PERIOD_SECONDS,
            "timeoutSeconds": min(settings.timeout_seconds, _STARTUP_PERIOD_SECONDS),
            "failureThreshold": math.ceil(settings.startup_seconds / _STARTUP_PERIOD_SECONDS),
        },
        "readinessProbe": {**_check(settings.readiness_path, port), **timing},
        "livenessProbe": {**_check(settings.liveness_path, port), **timing, **_patience(settings)},
    }


def _patience(settings: ProbeSettings) -> dict[str, int]:
    """Threshold of the liveness probe where a time is set for it."""
    if settings.liveness_seconds is None:
        return {}
    return {"failureThreshold": math.ceil(settings.liveness_seconds / settings.period_seconds)}


def sleep_before_stop(seconds: int) -> dict[str, Any]:
    """Lifecycle of a container that goes on serving until the endpoints have forgotten its pod."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}


def _check(path: str | None, port: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}} if path else {"tcpSocket": {"port": port}}


def _environment(args: ContainerArgs) -> dict[str, Any]:
    if args.environment_from:
        return {"envFrom": [dict(source) for source in args.environment_from]}
    return {
        "env": [
            {"name": name, **(value if isinstance(value, dict) else {"value": value})}
            for name, value in args.environment.items()
        ]
    }


def _mount(path: str, volume: str) -> dict[str, Any]:
    name, _, mode = volume.partition(":")
    return {"name": name, "mountPath": path, **({"readOnly": True} if mode == "ro" else {})}
