"""Looks into Kubernetes manifests: who an object is, which pods it makes, and which containers those have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policy.paths import read

Manifest = dict[str, Any]
"""One Kubernetes object as plain data."""

POD_TEMPLATES = {
    "Pod": "",
    "PodTemplate": "template",
    "Deployment": "spec.template",
    "StatefulSet": "spec.template",
    "DaemonSet": "spec.template",
    "ReplicaSet": "spec.template",
    "ReplicationController": "spec.template",
    "Job": "spec.template",
    "CronJob": "spec.jobTemplate.spec.template",
}
"""Path of the pod template in each kind that has one."""

LONG_RUNNING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"})
"""Kinds whose pods are meant to run for ever."""

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CertificateSigningRequest",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttributesClass",
    }
)
"""Kinds that lie in no namespace."""

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")

UNKNOWN = "<known after the update>"
"""Stands for a value that a preview cannot know yet, such as the name of an object that Pulumi will choose."""


def kind_of(manifest: Manifest) -> str:
    """Kind of an object."""
    return str(manifest.get("kind", ""))


def name_of(manifest: Manifest) -> str:
    """Name of an object, or its prefix where the API server chooses the rest."""
    metadata = manifest.get("metadata") or {}
    return str(metadata.get("name") or metadata.get("generateName") or "")


def namespace_of(manifest: Manifest) -> str:
    """Namespace of an object; empty for one that is cluster-scoped or names none."""
    return str(read(manifest, "metadata.namespace") or "")


def labels_of(manifest: Manifest) -> dict[str, str]:
    """Labels of an object."""
    return dict(read(manifest, "metadata.labels") or {})


def group_of(manifest: Manifest) -> str:
    """API group of an object; empty for the core one."""
    group, slash, _ = str(manifest.get("apiVersion", "")).partition("/")
    return group if slash else ""


@dataclass(frozen=True)
class Container:
    """One container of a pod.

    Attributes:
        path: Where it stands in its object.
        spec: The container itself.
        role: `containers`, `initContainers` or `ephemeralContainers`.
    """

    path: str
    spec: Manifest
    role: str

    @property
    def runs_with_the_pod(self) -> bool:
        """True if it runs as long as the pod does: a main container or a sidecar, not one that ends before."""
        return self.role == "containers" or self.spec.get("restartPolicy") == "Always"


@dataclass(frozen=True)
class Pod:
    """The pods that one object makes.

    Attributes:
        owner: The object.
        path: Path of the pod's spec in the object.
        labels: Labels of the pods.
        spec: The pod's spec.
    """

    owner: Manifest
    path: str
    labels: dict[str, str]
    spec: Manifest

    @property
    def namespace(self) -> str:
        """Namespace in which the pods run."""
        return namespace_of(self.owner)

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All containers: main, init and ephemeral ones."""
        return tuple(
            Container(f"{self.path}.{role}[{index}]", spec, role)
            for role in CONTAINER_LISTS
            for index, spec in enumerate(self.spec.get(role) or ())
        )

    @property
    def volumes(self) -> Iterator[tuple[str, Manifest]]:
        """All volumes, each with its path."""
        for index, volume in enumerate(self.spec.get("volumes") or ()):
            yield f"{self.path}.volumes[{index}]", volume


def pod_of(manifest: Manifest) -> Pod | None:
    """The pods that an object makes, or None for one that makes none."""
    where = POD_TEMPLATES.get(kind_of(manifest))
    if where is None:
        return None
    template = read(manifest, where, {}) if where else manifest
    path = f"{where}.spec" if where else "spec"
    return Pod(manifest, path, labels_of(template), template.get("spec") or {})


class ManifestSet:
    """All objects of a stack, looked up by kind."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self.manifests = tuple(manifests)

    @cached_property
    def _by_kind(self) -> dict[str, list[Manifest]]:
        found: dict[str, list[Manifest]] = {}
        for manifest in self.manifests:
            found.setdefault(kind_of(manifest), []).append(manifest)
        return found

    def of(self, *kinds: str) -> list[Manifest]:
        """All objects of some kinds."""
        return [manifest for kind in kinds for manifest in self._by_kind.get(kind, ())]

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object by name, or None."""
        found = (m for m in self.of(kind) if name_of(m) == name and namespace_of(m) == namespace)
        return next(found, None)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods of all objects that make some."""
        return tuple(pod for pod in map(pod_of, self.manifests) if pod is not None)
