"""The exporters with pods of their own: one probes health paths and certificates, one exports the state of objects."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.prometheus import ExporterSettings
from components.traffic.graph import ServiceGraph
from components.traffic.observers import BLACKBOX, BLACKBOX_PORT, KUBE_STATE, KUBE_STATE_PORT, METRICS_PORT_NAME
from components.workloads import operated as objects
from components.workloads.component import StoreComponent
from components.workloads.exporter import ExporterArgs, exporter_pod
from components.workloads.mesh_labels import opt_out_labels
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


def blackbox_objects(platform: PlatformSettings) -> PodSet:
    """The prober's pods, which enter the mesh where there is one: they call services."""
    return PodSet(name=BLACKBOX, component=_COMPONENT, namespace=platform.namespace, rollout=platform.rollout)


def kube_state_objects(platform: PlatformSettings) -> PodSet:
    """The pod that exports the state of the stack's objects."""
    return PodSet(
        name=KUBE_STATE,
        component=_COMPONENT,
        namespace=platform.namespace,
        rollout=platform.rollout,
        pod_labels=opt_out_labels(platform),
    )


def blackbox_content(platform: PlatformSettings) -> dict[str, str]:
    """What the prober may do: ask for a health path, and look at the certificate that is shown for the host."""
    http = {"method": "GET", "valid_status_codes": [200], "follow_redirects": False, "preferred_ip_protocol": "ip4"}
    # It looks at certificates of every maker: an expired or unknown one must be seen, not refused.
    tls = {"server_name": platform.ingress.host, "insecure_skip_verify": True}
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
    """What exporting the state of the namespace's objects takes."""
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": ["list", "watch"]}
        for group, resources in _WATCHED.items()
    ]


def blackbox_deployment(exporter: ExporterSettings, platform: PlatformSettings) -> Manifest:
    """The prober: pods that are alike. It keeps nothing."""
    made = blackbox_objects(platform)
    settings = {"name": made.configuration_name(blackbox_content(platform)), "defaultMode": 0o444}
    pod = exporter_pod(
        ExporterArgs(
            name=BLACKBOX,
            image=exporter.image,
            user=objects.SERVER_USER,
            command=("/bin/blackbox_exporter", f"--config.file={_CONFIGURATION}/blackbox.yml"),
            resources=exporter.resources,
            port=BLACKBOX_PORT,
            health_path="/-/healthy",
            mounts={_CONFIGURATION: "configuration:ro"},
            volumes=[{"name": "configuration", "configMap": settings}],
        )
    )
    return made.deployment(_PROBERS, pod)


def kube_state_deployment(exporter: ExporterSettings, platform: PlatformSettings) -> Manifest:
    """One pod alone, because it counts once. It may list, in its own namespace only."""
    watched = ",".join(sorted(resource for resources in _WATCHED.values() for resource in resources))
    pod = exporter_pod(
        ExporterArgs(
            name=KUBE_STATE,
            image=exporter.image,
            user=objects.SERVER_USER,
            command=(
                "/kube-state-metrics",
                f"--port={KUBE_STATE_PORT}",
                f"--namespaces={platform.namespace}",
                f"--resources={watched}",
            ),
            resources=exporter.resources,
            port=KUBE_STATE_PORT,
            health_path="/healthz",
            token=True,
        )
    )
    return kube_state_objects(platform).deployment(1, pod, alone=True)


class BlackboxExporter(StoreComponent):
    """The prober with its configuration, its Service and its NetworkPolicy. Does not own what is probed."""

    def __init__(
        self, platform: PlatformSettings, exporter: ExporterSettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:BlackboxExporter", BLACKBOX, platform, namespace)
        made = blackbox_objects(platform)
        before = [
            self._register(BLACKBOX, made.service_account()),
            self._register(f"{BLACKBOX}-configuration", made.config_map(blackbox_content(platform))),
            self._register(BLACKBOX, objects.network_policy(made.name, _COMPONENT, platform, graph)),
        ]
        self._register(BLACKBOX, made.client_service({METRICS_PORT_NAME: BLACKBOX_PORT}))
        self._register(BLACKBOX, made.disruption_budget())
        self._register(BLACKBOX, blackbox_deployment(exporter, platform), *before, awaited=True)
        self.register_outputs({})


class KubeStateMetrics(StoreComponent):
    """The state of the namespace's objects as metrics, with a Role that lists these and nothing else."""

    def __init__(
        self, platform: PlatformSettings, exporter: ExporterSettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:KubeStateMetrics", KUBE_STATE, platform, namespace)
        made = kube_state_objects(platform)
        roles = objects.reader_role(KUBE_STATE, _COMPONENT, platform, kube_state_rules())
        before = [
            self._register(KUBE_STATE, made.service_account()),
            *(self._register(KUBE_STATE, each) for each in roles),
            self._register(KUBE_STATE, objects.network_policy(made.name, _COMPONENT, platform, graph)),
        ]
        self._register(KUBE_STATE, made.client_service({METRICS_PORT_NAME: KUBE_STATE_PORT}))
        self._register(KUBE_STATE, made.disruption_budget())
        self._register(KUBE_STATE, kube_state_deployment(exporter, platform), *before, awaited=True)
        self.register_outputs({})
