"""What the objects of Prometheus Operator have in common, as manifests."""

from collections.abc import Mapping
from typing import Any

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.image import ImageSettings
from components.settings.workload import QuantitySettings, ResourceSettings
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController, service_policy
from components.workloads.pod import container_security_context, pod_security_context, resources

API_VERSION = "monitoring.coreos.com/v1"
SERVER_USER = 65534
"""Numeric user of the images of the Prometheus project."""

_RELOADER = ResourceSettings(
    requests=QuantitySettings(cpu="10m", memory="32Mi"), limits=QuantitySettings(cpu="100m", memory="64Mi")
)
SELECTOR = {"matchLabels": {"app.kubernetes.io/part-of": naming.PLATFORM}}
"""Selects what this program makes, in the namespace of the object that selects."""


def metadata(name: str, component: str, platform: PlatformSettings) -> dict[str, Any]:
    """Metadata of an object of monitoring."""
    return {"name": name, "namespace": platform.namespace, "labels": naming.labels(name, component)}


def network_policy(name: str, component: str, platform: PlatformSettings, graph: ServiceGraph) -> dict[str, Any]:
    """Who may reach the pods of an observer, and whom they may reach."""
    controller = IngressController(platform.ingress.controller_namespace, platform.ingress.controller_labels)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, component, platform),
        "spec": service_policy(name, graph, controller),
    }


def service_account(name: str, component: str, platform: PlatformSettings) -> Manifest:
    """Identity of pods, without a token unless the pods ask for it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(name, component, platform),
        "automountServiceAccountToken": False,
    }


def reader_role(name: str, component: str, platform: PlatformSettings, rules: list[dict[str, Any]]) -> list[Manifest]:
    """A Role of the namespace, and its binding to the ServiceAccount of the same name."""
    common = metadata(name, component, platform)
    return [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": common, "rules": rules},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": common,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": platform.namespace}],
        },
    ]


def storage(size: str, storage_class: str | None, name: str) -> dict[str, Any]:
    """Volume of each server, which stays when its server or all of them go, as everywhere in the stack."""
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        claim["storageClassName"] = storage_class
    return {
        "storage": {
            "volumeClaimTemplate": {"metadata": {"name": "data", "labels": naming.selector_labels(name)}, "spec": claim}
        },
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }


def _spread(name: str) -> list[dict[str, Any]]:
    """Servers stand apart from each other where the cluster allows it."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": topology_key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": naming.selector_labels(name)},
        }
        for topology_key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def reloaders(image: ImageSettings) -> dict[str, Any]:
    """The operator's helper containers, with our image and within our limits; all else of them is the operator's."""
    patch = {
        "image": image.reference,
        "resources": resources(_RELOADER),
        "securityContext": container_security_context(),
    }
    return {
        "containers": [{"name": "config-reloader", **patch}],
        "initContainers": [{"name": "init-config-reloader", **patch}],
    }


def pods(name: str, component: str, image: ImageSettings, further: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the pods that the operator makes have in common: image, user, labels and spread.

    The operator's own labels come on top of ours.
    """
    labels = naming.labels(name, component) | naming.version_label(image.tag) | dict(further or {})
    return {
        "image": image.reference,
        "imagePullPolicy": "IfNotPresent",
        "version": image.tag,
        "serviceAccountName": name,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(SERVER_USER),
        "podMetadata": {"labels": labels},
        "topologySpreadConstraints": _spread(name),
    }
