"""Pods inside custom resources: what an operator runs for the stack gets the same hardening, spread and labels.

Does not own what else such an object says, nor the operators.
"""

from collections.abc import Mapping
from typing import Any

from components.kubernetes import naming
from components.settings.image import ImageSettings
from components.settings.workload import QuantitySettings, ResourceSettings
from components.workloads.container import container_security_context, resources
from components.workloads.objects import DATA_VOLUME, RETAIN_CLAIMS, claim_spec
from components.workloads.pod import SECCOMP_PROFILE, pod_security_context, spread
from components.workloads.pod import token as token_of

API_VERSION = "monitoring.coreos.com/v1"
SERVER_USER = 65534
"""Numeric user of the images of the Prometheus project."""

_RELOADER = ResourceSettings(
    requests=QuantitySettings(cpu="10m", memory="32Mi"), limits=QuantitySettings(cpu="100m", memory="64Mi")
)
SELECTOR = {"matchLabels": {"app.kubernetes.io/part-of": naming.PLATFORM}}
"""Selects the objects of this program, in the namespace of the object that selects."""


def storage(size: str, storage_class: str | None, name: str) -> dict[str, Any]:
    """Volume of each server, which stays when its server or all of them go, as everywhere in the stack."""
    volume = {"name": DATA_VOLUME, "labels": naming.selector_labels(name)}
    return {
        "storage": {"volumeClaimTemplate": {"metadata": volume, "spec": claim_spec(size, storage_class)}},
        **RETAIN_CLAIMS,
    }


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


def pods(
    name: str,
    component: str,
    image: ImageSettings,
    further: Mapping[str, str] | None = None,
    *,
    token: bool,
) -> dict[str, Any]:
    """Fields of Prometheus and Alertmanager for their pods: image, user, labels, spread and token.

    The operator's own labels come on top of ours.
    """
    selector = naming.selector_labels(name)
    labels = naming.labels(name, component) | naming.version_label(image.tag) | dict(further or {})
    return {
        "image": image.reference,
        "imagePullPolicy": "IfNotPresent",
        "version": image.tag,
        "serviceAccountName": name,
        **token_of(used=token),
        "enableServiceLinks": False,
        "securityContext": pod_security_context(SERVER_USER),
        "podMetadata": {"labels": labels},
        "topologySpreadConstraints": [spread(key, selector) for key in (naming.ZONE, naming.HOST)],
    }


def cluster_pods(
    name: str, resource: ResourceSettings, selector: Mapping[str, str], further: Mapping[str, str], *, apart: bool
) -> dict[str, Any]:
    """Fields of a CloudNativePG Cluster for its pods. User and security context are the operator's own.

    Args:
        name: Name of the Cluster.
        resource: Requests and limits of each server. The operator takes no ephemeral storage.
        selector: Labels that the operator gives the pods.
        further: Further labels of the pods.
        apart: Whether a node never has two of them, because a majority must survive it; else that is only avoided.
    """
    apart_type = "required" if apart else "preferred"
    return {
        "resources": {"requests": resource.requests.model_dump(), "limits": resource.limits.model_dump()},
        "seccompProfile": dict(SECCOMP_PROFILE),
        "affinity": {"enablePodAntiAffinity": True, "podAntiAffinityType": apart_type, "topologyKey": naming.HOST},
        "topologySpreadConstraints": [spread(naming.ZONE, selector)],
        "inheritedMetadata": {"labels": naming.selector_labels(name) | dict(further)},
    }
