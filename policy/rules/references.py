"""Rules for references between objects, and for volumes that cannot follow their pods."""

from collections.abc import Iterator
from typing import Any

from policy.manifests import UNKNOWN, Manifest, ManifestSet, Pod, group_of, kind_of, name_of, namespace_of
from policy.paths import read
from policy.rules.availability import SCALABLE, replica_range
from policy.rules.base import Finding, Parameters, SetRule

Reference = tuple[str, str, str]
"""Path, kind and name of what is referred to."""

_ENVIRONMENT = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
_VARIABLE = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
_VOLUME = (
    ("configMap", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
)
_PROJECTED = (("configMap", "name", "ConfigMap"), ("secret", "name", "Secret"))
_SINGLE_NODE_MODES = {"ReadWriteOnce", "ReadWriteOncePod"}


def _of_source(path: str, source: Any, kind: str, key: str = "name") -> Iterator[Reference]:
    if isinstance(source, dict) and not source.get("optional"):
        yield f"{path}.{key}", kind, str(source.get(key) or "")


def _of_environment(path: str, container: Manifest) -> Iterator[Reference]:
    for index, source in enumerate(container.get("envFrom") or ()):
        for key, kind in _ENVIRONMENT:
            yield from _of_source(f"{path}.envFrom[{index}].{key}", source.get(key), kind)
    for index, variable in enumerate(container.get("env") or ()):
        for key, kind in _VARIABLE:
            yield from _of_source(f"{path}.env[{index}].valueFrom.{key}", read(variable, f"valueFrom.{key}"), kind)


def _of_volumes(pod: Pod) -> Iterator[Reference]:
    for path, volume in pod.volumes:
        for field, key, kind in _VOLUME:
            yield from _of_source(f"{path}.{field}", volume.get(field), kind, key)
        for index, source in enumerate(read(volume, "projected.sources", [])):
            for field, key, kind in _PROJECTED:
                yield from _of_source(f"{path}.projected.sources[{index}].{field}", source.get(field), kind, key)


def _of_pod(pod: Pod) -> Iterator[Reference]:
    account = pod.spec.get("serviceAccountName")
    if account and account != "default":
        yield f"{pod.path}.serviceAccountName", "ServiceAccount", str(account)
    for container in pod.containers:
        yield from _of_environment(container.path, container.spec)
    yield from _of_volumes(pod)
    for index, secret in enumerate(pod.spec.get("imagePullSecrets") or ()):
        yield from _of_source(f"{pod.path}.imagePullSecrets[{index}]", secret, "Secret")


def _of_custom_resource(manifest: Manifest) -> Iterator[Reference]:
    """Objects that a custom resource refers to."""
    if group_of(manifest) == "postgresql.cnpg.io":
        for index, role in enumerate(read(manifest, "spec.managed.roles", [])):
            path = f"spec.managed.roles[{index}].passwordSecret"
            yield from _of_source(path, role.get("passwordSecret"), "Secret")
        if kind_of(manifest) == "Database":
            yield "spec.cluster.name", "Cluster", str(read(manifest, "spec.cluster.name"))
    elif group_of(manifest) == "monitoring.coreos.com" and read(manifest, "spec.serviceAccountName"):
        yield "spec.serviceAccountName", "ServiceAccount", str(read(manifest, "spec.serviceAccountName"))


def _lost_references(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    references = [(pod.owner, reference) for pod in manifests.pods for reference in _of_pod(pod)]
    references += [(each, reference) for each in manifests.manifests for reference in _of_custom_resource(each)]
    for owner, (path, kind, name) in references:
        # Before its first update an auto-named object has no name yet.
        if name != UNKNOWN and manifests.find(kind, namespace_of(owner), name) is None:
            yield Finding(owner, path, f"is {name or 'empty'}, and the set has no such {kind}")


def _lost_mounts(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for pod in manifests.pods:
        claims = {name_of(claim) for claim in read(pod.owner, "spec.volumeClaimTemplates", [])}
        known = {volume.get("name") for _, volume in pod.volumes} | claims
        for container in pod.containers:
            for index, mount in enumerate(container.spec.get("volumeMounts") or ()):
                if mount.get("name") not in known:
                    path = f"{container.path}.volumeMounts[{index}].name"
                    yield Finding(pod.owner, path, f"is {mount.get('name')}, which is no volume of the pod")


def _claims(pod: Pod) -> Iterator[tuple[str, str]]:
    for path, volume in pod.volumes:
        name = read(volume, "persistentVolumeClaim.claimName")
        if name:
            yield f"{path}.persistentVolumeClaim.claimName", str(name)


def _scaled_volumes(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for pod in manifests.pods:
        if kind_of(pod.owner) not in SCALABLE or replica_range(pod.owner, manifests)[1] <= 1:
            continue
        for path, name in _claims(pod):
            claim = manifests.find("PersistentVolumeClaim", namespace_of(pod.owner), name) or {}
            if _SINGLE_NODE_MODES & set(read(claim, "spec.accessModes", ["ReadWriteOnce"])):
                yield Finding(pod.owner, path, f"is {name}, which only one node may write, but replicas can be many")


def _overlapping_rollouts(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for workload in manifests.of("Deployment"):
        pod = next(pod for pod in manifests.pods if pod.owner is workload)
        if any(True for _ in _claims(pod)) and read(workload, "spec.strategy.type") != "Recreate":
            yield Finding(workload, "spec.strategy.type", "is not Recreate although the pods write a claimed volume")


RULES = (
    SetRule(
        id="references-resolve",
        title="Everything that a pod or a custom resource names exists.",
        reason="The pod or its operator would wait for ever.",
        fix="correct the name, add the object, or mark the reference optional",
        check=_lost_references,
    ),
    SetRule(
        id="mounts-name-volumes",
        title="Every volume mount names a volume of its pod.",
        reason="The API server refuses the pods.",
        fix="add the volume or remove the mount",
        check=_lost_mounts,
    ),
    SetRule(
        id="single-node-volumes-are-not-scaled",
        title="No workload with a volume that one node may write can have several replicas.",
        reason="The second replica never starts, or two processes write the same files.",
        fix="keep one replica without autoscaler, or use a StatefulSet with a claim template",
        check=_scaled_volumes,
    ),
    SetRule(
        id="claimed-volumes-have-one-writer",
        title="A Deployment with a claimed volume ends its old pod before the new one starts.",
        reason="During a rollout two processes would write the same files, or the new one would wait for ever.",
        fix="set strategy.type to Recreate",
        check=_overlapping_rollouts,
    ),
)
"""Rules about references and volumes."""
