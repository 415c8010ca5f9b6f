"""The questions of the hardening matrix. Each is answered from the rendered objects, yes being the hardened answer."""

from collections.abc import Callable, Container
from typing import Any

from components.kubernetes.naming import HOST, ZONE
from components.kubernetes.secret_texts import names_a_secret
from policy.manifests import LONG_RUNNING, Manifest, ManifestSet, Pod, kind_of, labels_of, name_of, namespace_of
from policy.paths import read
from policy.quantities import amount
from policy.rules import Parameters
from policy.rules.availability import replica_range
from policy.rules.images import split_image
from policy.rules.traffic import policy_directions
from policy.selectors import matches

Question = Callable[[Pod, ManifestSet], bool | None]
"""Yes, no, or None where the question makes no sense for the kind of workload."""

_STATELESS = ("Deployment",)
_WATCHING = ("backup", "dashboards", "logs", "metrics", "monitoring")
"""Components that serve no request: without them the platform works on, unseen."""

_LABELS = ("name", "component", "part-of", "managed-by", "version")


def _only_for(kinds: Container[str], question: Question) -> Question:
    return lambda pod, manifests: question(pod, manifests) if kind_of(pod.owner) in kinds else None


def _pod_has(path: str, wanted: Any) -> Question:
    return lambda pod, _: bool(read(pod.spec, path) == wanted)


def _pod_lacks(*paths: str) -> Question:
    return lambda pod, _: not any(read(pod.spec, path) for path in paths)


def _containers_have(path: str, wanted: Any) -> Question:
    return lambda pod, _: all(read(container.spec, path) == wanted for container in pod.containers)


def _containers_lack(path: str) -> Question:
    return lambda pod, _: not any(read(container.spec, path) for container in pod.containers)


def _containers_set(path: str) -> Question:
    return lambda pod, _: all(read(container.spec, path) for container in pod.containers)


def _owner_sets(path: str) -> Question:
    return lambda pod, _: read(pod.owner, path) is not None


def _numeric(path: str) -> Question:
    return lambda pod, _: isinstance(read(pod.spec, path), int) and read(pod.spec, path) > 0


def _fits(resource: str) -> Question:
    def ask(pod: Pod, _: ManifestSet) -> bool:
        resources = [container.spec.get("resources") or {} for container in pod.containers]
        requests, limits = (
            [read(each, f"{key}.{resource}", 0) for each in resources] for key in ("requests", "limits")
        )
        return all(0 < amount(request) <= amount(limit) for request, limit in zip(requests, limits, strict=True))

    return ask


def _selecting(kind: str, path: str, *, by_labels: bool = False) -> Callable[[Pod, ManifestSet], list[Manifest]]:
    def find(pod: Pod, manifests: ManifestSet) -> list[Manifest]:
        found = []
        for manifest in manifests.of(kind):
            selector = read(manifest, path) or {}
            wanted = {"matchLabels": selector} if by_labels else selector
            if selector and namespace_of(manifest) == pod.namespace and matches(wanted, pod.labels):
                found.append(manifest)
        return found

    return find


_policies = _selecting("NetworkPolicy", "spec.podSelector")
_budgets = _selecting("PodDisruptionBudget", "spec.selector")
_services = _selecting("Service", "spec.selector", by_labels=True)


def _isolated(direction: str) -> Question:
    return lambda pod, manifests: any(direction in policy_directions(p) for p in _policies(pod, manifests))


def account_of(pod: Pod, manifests: ManifestSet) -> Manifest:
    """The ServiceAccount of a pod; empty where the set has none."""
    return manifests.find("ServiceAccount", pod.namespace, str(pod.spec.get("serviceAccountName"))) or {}


def _own_account(pod: Pod, manifests: ManifestSet) -> bool:
    name = pod.spec.get("serviceAccountName")
    sharing = [other for other in manifests.pods if other.spec.get("serviceAccountName") == name]
    return name not in (None, "default") and len(sharing) == 1 and bool(account_of(pod, manifests))


def _namespace_label(label: str, start: str) -> Question:
    def ask(pod: Pod, manifests: ManifestSet) -> bool:
        namespace = manifests.find("Namespace", "", pod.namespace) or {}
        return labels_of(namespace).get(f"pod-security.kubernetes.io/{label}", "").startswith(start)

    return ask


def _default_deny(pod: Pod, manifests: ManifestSet) -> bool:
    return any(
        namespace_of(policy) == pod.namespace
        and read(policy, "spec") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        for policy in manifests.of("NetworkPolicy")
    )


def _spread_over(key: str) -> Question:
    return lambda pod, _: any(
        constraint.get("topologyKey") == key and matches(constraint.get("labelSelector") or {}, pod.labels)
        for constraint in pod.spec.get("topologySpreadConstraints") or ()
    )


def _fixed_image(pod: Pod, _: ManifestSet) -> bool:
    tags = [split_image(str(container.spec.get("image")))[1] for container in pod.containers]
    return all(tag and tag != "latest" for tag in tags)


def _drainable(pod: Pod, manifests: ManifestSet) -> bool:
    fewest, _ = replica_range(pod.owner, manifests)
    budgets = _budgets(pod, manifests)
    return len(budgets) == 1 and (read(budgets[0], "spec.maxUnavailable", 0) >= 1 or fewest == 1)


def _replaceable(question: Question) -> Question:
    """Only for workloads of which two may run at a time; `Recreate` says that what they do must be done once."""

    def ask(pod: Pod, manifests: ManifestSet) -> bool | None:
        return None if read(pod.owner, "spec.strategy.type") == "Recreate" else question(pod, manifests)

    return _only_for(_STATELESS, ask)


def _survives_a_node(pod: Pod, manifests: ManifestSet) -> bool | None:
    if pod.labels.get("app.kubernetes.io/component") in _WATCHING:
        return None
    return replica_range(pod.owner, manifests)[0] > 1


def _no_plain_environment(pod: Pod, _: ManifestSet) -> bool:
    variables = [variable for container in pod.containers for variable in container.spec.get("env") or ()]
    return not any(names_a_secret(str(each.get("name"))) for each in variables if "value" in each)


def _named_ports(pod: Pod, manifests: ManifestSet) -> bool:
    ports = [port for service in _services(pod, manifests) for port in read(service, "spec.ports", [])]
    return bool(ports) and all(port.get("name") for port in ports)


def _inside_only(pod: Pod, manifests: ManifestSet) -> bool:
    return all(read(service, "spec.type", "ClusterIP") == "ClusterIP" for service in _services(pod, manifests))


def _limited_scratch(pod: Pod, _: ManifestSet) -> bool:
    return all(read(volume, "emptyDir.sizeLimit") for _, volume in pod.volumes if "emptyDir" in volume)


def _only(types: set[str]) -> Question:
    return lambda pod, _: all(volume.keys() <= types | {"name"} for _, volume in pod.volumes)


def _grace(pod: Pod, _: ManifestSet) -> bool:
    sleeps = [read(container.spec, "lifecycle.preStop.sleep.seconds", 0) for container in pod.containers]
    return int(pod.spec.get("terminationGracePeriodSeconds", 0)) > max(sleeps, default=0)


def _labelled(pod: Pod, _: ManifestSet) -> bool:
    return all(pod.labels.get(f"app.kubernetes.io/{label}") for label in _LABELS)


def _one_owner_of_replicas(pod: Pod, manifests: ManifestSet) -> bool:
    scalers = [
        scaler
        for scaler in manifests.of("HorizontalPodAutoscaler")
        if read(scaler, "spec.scaleTargetRef.name") == name_of(pod.owner)
        and read(scaler, "spec.scaleTargetRef.kind") == kind_of(pod.owner)
    ]
    return len(scalers) + (read(pod.owner, "spec.replicas") is not None) == 1


_CONTEXT = "securityContext"
QUESTIONS: dict[str, Question] = {
    "The pod must run as another user than root": _pod_has(f"{_CONTEXT}.runAsNonRoot", True),
    "The user is a number above 0": _numeric(f"{_CONTEXT}.runAsUser"),
    "The group is a number above 0": _numeric(f"{_CONTEXT}.runAsGroup"),
    "The group of volumes is a number above 0": _numeric(f"{_CONTEXT}.fsGroup"),
    "Seccomp is RuntimeDefault": _pod_has(f"{_CONTEXT}.seccompProfile.type", "RuntimeDefault"),
    "No kernel parameter is set": _pod_lacks(f"{_CONTEXT}.sysctls"),
    "No supplementary group": _pod_lacks(f"{_CONTEXT}.supplementalGroups"),
    "No container is privileged": _containers_have(f"{_CONTEXT}.privileged", False),
    "No container can escalate": _containers_have(f"{_CONTEXT}.allowPrivilegeEscalation", False),
    "All capabilities are dropped": _containers_have(f"{_CONTEXT}.capabilities.drop", ["ALL"]),
    "No capability is added": _containers_lack(f"{_CONTEXT}.capabilities.add"),
    "The root file system is read-only": _containers_have(f"{_CONTEXT}.readOnlyRootFilesystem", True),
    "No container overrides the user": _containers_lack(f"{_CONTEXT}.runAsUser"),
    "/proc is masked": _containers_lack(f"{_CONTEXT}.procMount"),
    "No host network": _pod_lacks("hostNetwork"),
    "No host processes": _pod_lacks("hostPID"),
    "No host memory": _pod_lacks("hostIPC"),
    "No shared process namespace": _pod_lacks("shareProcessNamespace"),
    "No host ports": lambda pod, _: (
        not any(port.get("hostPort") for container in pod.containers for port in container.spec.get("ports") or ())
    ),
    "Only volumes of the restricted profile": _only(
        {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    ),
    "Scratch directories have a size limit": _limited_scratch,
    "The scheduler chooses the node": _pod_lacks("nodeName", "hostAliases"),
    "A ServiceAccount of its own": _own_account,
    "The pod mounts no token": _pod_has("automountServiceAccountToken", False),
    "The ServiceAccount hands out no token": lambda pod, manifests: (
        account_of(pod, manifests).get("automountServiceAccountToken") is False
    ),
    "No addresses of Services in the environment": _pod_has("enableServiceLinks", False),
    "No plain secret in a variable": _no_plain_environment,
    "The image has a fixed tag": _fixed_image,
    "The image is held to a digest": lambda pod, _: all(
        "@sha256:" in str(container.spec.get("image")) for container in pod.containers
    ),
    "The pull policy is set": _containers_set("imagePullPolicy"),
    "CPU request within the limit": _fits("cpu"),
    "Memory request within the limit": _fits("memory"),
    "Startup is probed": _only_for(LONG_RUNNING, _containers_set("startupProbe")),
    "Readiness is probed": _only_for(LONG_RUNNING, _containers_set("readinessProbe")),
    "Liveness is probed": _only_for(LONG_RUNNING, _containers_set("livenessProbe")),
    "preStop waits for the endpoints": _only_for(LONG_RUNNING, _containers_set("lifecycle.preStop")),
    "The grace period outlasts preStop": _grace,
    "Spread over zones": _spread_over(ZONE),
    "Spread over nodes": _spread_over(HOST),
    "At least two replicas": _replaceable(_survives_a_node),
    "Replicas have one owner": _only_for(LONG_RUNNING, _one_owner_of_replicas),
    "One disruption budget lets nodes drain": _only_for(LONG_RUNNING, _drainable),
    "A rollout never goes below the replicas": _replaceable(
        lambda pod, _: read(pod.owner, "spec.strategy.rollingUpdate.maxUnavailable") == 0
    ),
    "A rollout has a deadline": _only_for(_STATELESS, _owner_sets("spec.progressDeadlineSeconds")),
    "Old revisions are kept for a rollback": _only_for(LONG_RUNNING, _owner_sets("spec.revisionHistoryLimit")),
    "All recommended labels": _labelled,
    "A NetworkPolicy of its own for ingress": _isolated("Ingress"),
    "A NetworkPolicy of its own for egress": _isolated("Egress"),
    "The namespace denies by default": _default_deny,
    "The namespace enforces restricted": _namespace_label("enforce", "restricted"),
    "The enforced version is fixed": _namespace_label("enforce-version", "v1."),
    "Violations are audited": _namespace_label("audit", "restricted"),
    "Its Services have named ports": _only_for(LONG_RUNNING, _named_ports),
    "Its Services stay inside": _inside_only,
}
"""Every question with its way to find the answer."""


def _digests(_: Pod, parameters: Parameters) -> str | None:
    return None if parameters.require_digests else "admission.requireDigests is false"


def _token(pod: Pod, parameters: Parameters) -> str | None:
    account = f"{pod.namespace}/{pod.spec.get('serviceAccountName')}"
    return f"a token for {account}" if account in parameters.token_service_accounts else None


def _single(pod: Pod, parameters: Parameters) -> str | None:
    name = name_of(pod.owner)
    return f"one pod of services.{name}" if name in parameters.single else None


OPT_OUTS: dict[str, Callable[[Pod, Parameters], str | None]] = {
    "The image is held to a digest": _digests,
    "The pod mounts no token": _token,
    "At least two replicas": _single,
    "The ServiceAccount hands out no token": _token,
}
"""Questions that a stack may opt a workload out of, with what opts it out by name, or None where nothing does."""
