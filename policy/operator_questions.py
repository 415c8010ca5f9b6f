"""Questions of the hardening matrix about pods that an operator makes, answered from custom resources."""

from collections.abc import Mapping

from components.kubernetes.naming import HOST
from policy.manifests import Manifest, ManifestSet, Pod, kind_of
from policy.matrix_questions import QUESTIONS, Question, account_of
from policy.paths import read

_OF_EVERY_KIND = (
    "Seccomp is RuntimeDefault",
    "No plain secret in a variable",
    "The image has a fixed tag",
    "The image is held to a digest",
    "The pull policy is set",
    "CPU request within the limit",
    "Memory request within the limit",
    "Spread over zones",
    "A NetworkPolicy of its own for ingress",
    "A NetworkPolicy of its own for egress",
    "The namespace denies by default",
    "The namespace enforces restricted",
    "The enforced version is fixed",
    "Violations are audited",
    "Its Services stay inside",
)
_OF_MONITORING = (
    "The pod must run as another user than root",
    "The user is a number above 0",
    "The group is a number above 0",
    "The group of volumes is a number above 0",
    "No kernel parameter is set",
    "No supplementary group",
    "No host network",
    "Only volumes of the restricted profile",
    "Scratch directories have a size limit",
    "The pod mounts no token",
    "The ServiceAccount hands out no token",
    "Spread over nodes",
    "All recommended labels",
)


def _database_services_stay_inside(pod: Pod, _: ManifestSet) -> bool:
    services = read(pod.owner, "spec.managed.services.additional", [])
    return all(read(each, "serviceTemplate.spec.type", "ClusterIP") == "ClusterIP" for each in services)


def _budget_fits(cluster: Manifest) -> bool:
    """True if there is a disruption budget exactly where another server can take over meanwhile."""
    return read(cluster, "spec.enablePDB") is (read(cluster, "spec.instances", 1) > 1)


def _own_account(pod: Pod, manifests: ManifestSet) -> bool:
    name = pod.spec.get("serviceAccountName")
    sharing = [other for other in manifests.pods if other.spec.get("serviceAccountName") == name]
    return name not in (None, "default") and not sharing and bool(account_of(pod, manifests))


_COMMON = {name: QUESTIONS[name] for name in _OF_EVERY_KIND}
_DATABASE: dict[str, Question] = _COMMON | {
    "Spread over nodes": lambda pod, _: (
        read(pod.owner, "spec.affinity.enablePodAntiAffinity") is True
        and read(pod.owner, "spec.affinity.topologyKey") == HOST
    ),
    "One disruption budget lets nodes drain": lambda pod, _: _budget_fits(pod.owner),
    "Its Services stay inside": _database_services_stay_inside,
}
_MONITORING: dict[str, Question] = (
    _COMMON | {name: QUESTIONS[name] for name in _OF_MONITORING} | {"A ServiceAccount of its own": _own_account}
)
_BY_KIND = {"Cluster": _DATABASE, "Prometheus": _MONITORING, "Alertmanager": _MONITORING}


def questions_of(pod: Pod) -> Mapping[str, Question]:
    """The questions that can be asked of a workload: all, or those that its custom resource answers."""
    return _BY_KIND.get(kind_of(pod.owner), QUESTIONS)
