"""The one place where pods are described: hardened by default, with probes, spread and an orderly end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME, selector_labels
from components.kubernetes.quantities import mebibytes
from components.settings import ServiceSettings
from components.settings.workload import ProbeSettings, ResourceSettings

_STARTUP_PERIOD_SECONDS = 5
_EPHEMERAL = "ephemeral-storage"


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """What a pod is made of.

    Attributes:
        name: Name of the workload, its container and its ServiceAccount.
        labels: Labels of the pod.
        settings: What the stack file says about the service.
        image: Image that runs, with its digest where that is known.
        config_map: Name of the ConfigMap that holds the plain environment.
        secret: Name of the Secret that holds the secret environment, or None without one.
        writable_paths: Directories that the container may write; all else is read-only.
        working_directory: Directory in which the container starts, or None for the image's own.
        image_pull_policy: When the node asks the registry for the image.
    """

    name: str
    labels: Mapping[str, str]
    settings: ServiceSettings
    image: pulumi.Input[str]
    config_map: str
    secret: pulumi.Input[str] | None
    writable_paths: tuple[str, ...]
    working_directory: str | None
    image_pull_policy: str = "Always"

    def __post_init__(self) -> None:
        """Check that no directory is mounted twice."""
        if len(set(self.writable_paths)) != len(self.writable_paths):
            raise ValueError(f"{self.name} names a writable path twice: {', '.join(self.writable_paths)}")


def pod_template(args: PodArgs) -> dict[str, Any]:
    """The pod template of a Deployment, admitted by the `restricted` Pod Security Standard."""
    return {"metadata": {"labels": dict(args.labels)}, "spec": _pod_spec(args)}


def pod_security_context(user: int) -> dict[str, Any]:
    """Security context of a pod that runs as one unprivileged user, who also owns its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
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
    """Requests and limits of a container, but for the scratch directories of its pod, see `with_scratch`."""
    disk = settings.ephemeral_storage
    return {
        "requests": settings.requests.model_dump() | {_EPHEMERAL: disk.request},
        "limits": settings.limits.model_dump() | {_EPHEMERAL: disk.limit},
    }


def with_scratch(
    containers: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The containers of a pod, the first of which may fill the pod's scratch directories beside its own share.

    The kubelet evicts a pod that uses more disk than its containers may together, scratch directories included.
    """
    first, *others = containers
    directories = [volume["emptyDir"] for volume in volumes if "emptyDir" in volume]
    scratch = sum(mebibytes(each["sizeLimit"]) for each in directories if each.get("medium") != "Memory")
    limits = first["resources"]["limits"]
    limit = int(mebibytes(limits[_EPHEMERAL]) + scratch)
    return [{**first, "resources": {**first["resources"], "limits": {**limits, _EPHEMERAL: f"{limit}Mi"}}}, *others]


def apart_from(labels: Mapping[str, str]) -> dict[str, Any]:
    """Affinity of a pod that avoids the nodes of its like, where another node has room."""
    term = {"labelSelector": {"matchLabels": dict(labels)}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def _pod_spec(args: PodArgs) -> dict[str, Any]:
    user = args.settings.run_as_user
    volumes = [
        {"name": _volume_name(path), "emptyDir": {"sizeLimit": args.settings.scratch_size}}
        for path in args.writable_paths
    ]
    return {
        "serviceAccountName": args.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": args.settings.shutdown.grace_period_seconds,
        "securityContext": pod_security_context(user),
        "topologySpreadConstraints": [
            _spread(args.name, "topology.kubernetes.io/zone"),
            _spread(args.name, "kubernetes.io/hostname"),
        ],
        "affinity": apart_from(selector_labels(args.name)),
        "containers": with_scratch([_container(args)], volumes),
        "volumes": volumes,
    }


def _container(args: PodArgs) -> dict[str, Any]:
    settings = args.settings
    environment: list[dict[str, Any]] = [{"configMapRef": {"name": args.config_map}}]
    if args.secret is not None:
        environment.append({"secretRef": {"name": args.secret}})
    container = {
        "name": args.name,
        "image": args.image,
        "imagePullPolicy": args.image_pull_policy,
        "ports": [{"name": HTTP_PORT_NAME, "containerPort": settings.port, "protocol": "TCP"}],
        "envFrom": environment,
        "resources": resources(settings.resources),
        "securityContext": container_security_context(),
        "volumeMounts": [{"name": _volume_name(path), "mountPath": path} for path in args.writable_paths],
        "lifecycle": {"preStop": {"sleep": {"seconds": settings.shutdown.pre_stop_sleep_seconds}}},
        **_probes(settings.probes),
    }
    return container | ({"workingDir": args.working_directory} if args.working_directory else {})


def _probes(settings: ProbeSettings) -> dict[str, Any]:
    timing = {
        "periodSeconds": settings.period_seconds,
        "timeoutSeconds": settings.timeout_seconds,
        "failureThreshold": settings.failure_threshold,
    }
    return {
        # The startup probe holds the other two back, so that neither needs an initial delay.
        "startupProbe": {
            **_check(settings.readiness_path),
            "periodSeconds": _STARTUP_PERIOD_SECONDS,
            "timeoutSeconds": min(settings.timeout_seconds, _STARTUP_PERIOD_SECONDS),
            "failureThreshold": math.ceil(settings.startup_seconds / _STARTUP_PERIOD_SECONDS),
        },
        "readinessProbe": {**_check(settings.readiness_path), **timing},
        "livenessProbe": {**_check(settings.liveness_path), **timing},
    }


def _check(path: str | None) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": HTTP_PORT_NAME}} if path else {"tcpSocket": {"port": HTTP_PORT_NAME}}


def _spread(name: str, topology_key: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": topology_key,
        # A cluster without zones, or with one node down, must still be able to run every pod.
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector_labels(name)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("_", "-")
