"""Registers Kubernetes objects with the Pulumi engine exactly as Kubernetes writes them.

The program hands plain manifests to the engine instead of the typed classes of pulumi_kubernetes: importing those costs
half a second of every preview, and a manifest can be rendered, checked and compared as it is (docs/adr/0002).
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pulumi

from components.kubernetes.api_versions import FORMER_VERSIONS

PROVIDER_VERSION = "4.25.0"
"""Version of the Kubernetes provider (plugin and PyPI package) that registers all objects."""

DATA_ANNOTATION = "alt-las/data"
"""Marks an object that Pulumi refuses to delete, so that people and gates see it on the object itself."""

DELETION_TIMEOUT = "2m"
"""Time after which a deletion that waits for no other object is looked at again.

The provider waits for an event, which it misses where the API server fails at that moment; by default it looks again
after ten minutes.
"""

_DELETED_AT_ONCE = frozenset(
    {"ConfigMap", "HorizontalPodAutoscaler", "LimitRange", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"}
    | {"Probe", "PrometheusRule", "ResourceQuota", "Role", "RoleBinding", "Secret", "ServiceAccount", "ServiceMonitor"}
    | {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
)
"""Kinds that neither hold pods, volumes or load balancers nor have a finalizer of an operator."""

_NOTED_FRAMES = 10  # half of them are of the SDK, which leaves them out

Manifest = Mapping[str, Any]
"""A Kubernetes object: apiVersion, kind, metadata and the rest. Leaves may be Pulumi outputs."""


def resource_type(manifest: Manifest) -> str:
    """Pulumi's type token of a manifest, such as `kubernetes:apps/v1:Deployment`."""
    group_version = str(manifest["apiVersion"])
    return f"kubernetes:{group_version if '/' in group_version else f'core/{group_version}'}:{manifest['kind']}"


class KubernetesObject(pulumi.CustomResource):
    """One Kubernetes object. Owns nothing but its registration.

    Attributes:
        metadata: The object's metadata as the API server has it; its `name` is the one to refer to.
    """

    metadata: pulumi.Output[Mapping[str, Any]]

    def __init__(self, name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> None:
        kind = manifest["kind"]
        own = pulumi.ResourceOptions(
            version=PROVIDER_VERSION,
            aliases=_former_types(manifest),
            additional_secret_outputs=["data", "stringData"] if kind == "Secret" else None,
            custom_timeouts=pulumi.CustomTimeouts(delete=DELETION_TIMEOUT) if kind in _DELETED_AT_ONCE else None,
        )
        properties = _marked(manifest) if opts.protect else dict(manifest)
        with _few_frames():
            super().__init__(resource_type(manifest), name, properties, pulumi.ResourceOptions.merge(opts, own))


def _former_types(manifest: Manifest) -> list[pulumi.Alias]:
    """Aliases under which the state may know the object: the same kind in its former API versions."""
    kind = manifest["kind"]
    versions = FORMER_VERSIONS.get(f"{manifest['apiVersion']}:{kind}", ())
    return [pulumi.Alias(type_=resource_type({"apiVersion": version, "kind": kind})) for version in versions]


@contextmanager
def _few_frames() -> Iterator[None]:
    """Let the SDK note with an object the frames that are the program's, and not those of the event loop around it.

    They made up a sixth of the state, which is written again with every step, and name paths of the machine.
    """
    outside = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = _NOTED_FRAMES
    try:
        yield
    finally:
        if outside is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = outside


def _marked(manifest: Manifest) -> dict[str, Any]:
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), DATA_ANNOTATION: "protected"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
