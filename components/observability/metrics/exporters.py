"""Exporters with pods of their own: one probes health paths and certificates, one exports the state of objects."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.prometheus import ExporterSettings
from components.traffic.observers import BLACKBOX, BLACKBOX_PORT, KUBE_STATE, KUBE_STATE_PORT, METRICS_PORT_NAME
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.exporter import ExporterArgs, exporter_pod
from components.workloads.operated import SERVER_USER
from components.workloads.pod_set import PodSet

HEALTH_MODULE = "health"
CERTIFICATE_MODULE = "certificate"

_COMPONENT = "metrics"
_PROBERS = 2
_PROBE_TIMEOUT = "10s"
_CONFIGURATION = "/etc/blackbox"
_WATCHED: Mapping[str, tuple[str, ...]] = {
    "": ("persistentvolumeclaims", "pods", "resourcequotas"),
    "apps": ("deployments", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "policy": ("poddisruptionbudgets",),
}
"""What kube-state-metrics may list, by API group. Never Secrets."""


@dataclass(frozen=True, kw_only=True)
class BlackboxArgs:
    """The prober of a stack.

    Attributes:
        surroundings: The stack around it.
        exporter: Its image and resources.
        host: Host whose certificate it looks at.
    """

    surroundings: Surroundings
    exporter: ExporterSettings
    host: str

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self | None:
        """Take from the settings of a stack what its prober needs; None without metrics."""
        if platform.prometheus is None:
            return None
        exporter = platform.prometheus.exporters.blackbox
        return cls(surroundings=surroundings, exporter=exporter, host=platform.ingress.host)


@dataclass(frozen=True, kw_only=True)
class KubeStateArgs:
    """The exporter of the state of a stack's objects.

    Attributes:
        surroundings: The stack around it.
        exporter: Its image and resources.
    """

    surroundings: Surroundings
    exporter: ExporterSettings

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self | None:
        """Take from the settings of a stack what the exporter needs; None where they name none, or an external one."""
        settings = platform.prometheus
        if settings is None or not settings.is_managed or settings.exporters.kube_state is None:
            return None
        return cls(surroundings=surroundings, exporter=settings.exporters.kube_state)


def blackbox_content(host: str) -> dict[str, str]:
    """Modules of the prober: ask for a health path, and look at the certificate that is shown for the host."""
    http = {"method": "GET", "valid_status_codes": [200], "follow_redirects": False, "preferred_ip_protocol": "ip4"}
    # Certificates of every issuer: an expired or unknown one must be seen, not refused.
    tls = {"server_name": host, "insecure_skip_verify": True}
    modules = {
        HEALTH_MODULE: {"prober": "http", "timeout": _PROBE_TIMEOUT, "http": http},
        CERTIFICATE_MODULE: {
            "prober": "tcp",
            "timeout": _PROBE_TIMEOUT,
            "tcp": {"tls": True, "tls_config": tls, "preferred_ip_protocol": "ip4"},
        },
    }
    return {"blackbox.yml": json.dumps({"modules": modules}, indent=2)}


def kube_state_rules() -> list[dict[str, Any]]:
    """Rights for exporting the state of the namespace's objects."""
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": ["list", "watch"]}
        for group, resources in _WATCHED.items()
    ]


def blackbox_deployment(args: BlackboxArgs, pods: PodSet, content: Mapping[str, str]) -> Manifest:
    """The prober: equal pods that keep nothing."""
    settings = {"name": pods.configuration_name(content), "defaultMode": 0o444}
    pod = exporter_pod(
        ExporterArgs(
            name=BLACKBOX,
            image=args.exporter.image,
            user=SERVER_USER,
            command=("/bin/blackbox_exporter", f"--config.file={_CONFIGURATION}/blackbox.yml"),
            resources=args.exporter.resources,
            port=BLACKBOX_PORT,
            health_path="/-/healthy",
            mounts={_CONFIGURATION: "configuration:ro"},
            volumes=[{"name": "configuration", "configMap": settings}],
        )
    )
    return pods.deployment(_PROBERS, pod)


def kube_state_deployment(args: KubeStateArgs, pods: PodSet) -> Manifest:
    """One pod alone, because every object counts once. It may list, in its own namespace only."""
    watched = ",".join(sorted(resource for resources in _WATCHED.values() for resource in resources))
    pod = exporter_pod(
        ExporterArgs(
            name=KUBE_STATE,
            image=args.exporter.image,
            user=SERVER_USER,
            command=(
                "/kube-state-metrics",
                f"--port={KUBE_STATE_PORT}",
                f"--namespaces={pods.namespace}",
                f"--resources={watched}",
            ),
            resources=args.exporter.resources,
            port=KUBE_STATE_PORT,
            health_path="/healthz",
            token=True,
        )
    )
    return pods.deployment(1, pod, alone=True)


class BlackboxExporter(ObjectComponent):
    """The prober with its configuration, its Service and its NetworkPolicy. Does not own what is probed.

    Attributes:
        address: Host and port at which Prometheus asks it to probe something.
    """

    address: str

    def __init__(self, name: str, args: BlackboxArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:BlackboxExporter", name, args.surroundings, opts)
        # It calls services, so its pods are in the mesh where there is one.
        pods = PodSet.of(args.surroundings, BLACKBOX, _COMPONENT, in_mesh=True)
        content = blackbox_content(args.host)
        before = [
            self._register(name, pods.service_account()),
            self._register(f"{name}-configuration", pods.config_map(content)),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, pods.client_service({METRICS_PORT_NAME: BLACKBOX_PORT}))
        self._register(name, pods.disruption_budget())
        self._register(name, blackbox_deployment(args, pods, content), *before, awaited=True)
        self.address = f"{BLACKBOX}.{pods.namespace}.svc:{BLACKBOX_PORT}"
        self.register_outputs({"address": self.address})


class KubeStateMetrics(ObjectComponent):
    """kube-state-metrics: the state of the namespace's objects as metrics.

    Owns its pod and a Role that lists these kinds and nothing else. Does not own the monitor that scrapes it.
    """

    def __init__(self, name: str, args: KubeStateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:KubeStateMetrics", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, KUBE_STATE, _COMPONENT)
        before = [
            self._register(name, pods.service_account()),
            *(self._register(name, each) for each in pods.reader_role(kube_state_rules())),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, pods.client_service({METRICS_PORT_NAME: KUBE_STATE_PORT}))
        self._register(name, pods.disruption_budget())
        self._register(name, kube_state_deployment(args, pods), *before, awaited=True)
        self.register_outputs({})
