"""Objects that make a whole namespace or cluster less safe by being there, or by being gone."""

from policy.manifests import Manifest
from tests.policy.manifests import labels

REMOVABLE = ("NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "ConfigMap", "Secret", "Namespace", "Deployment")
"""Kinds whose objects protect something, or on which something depends."""

_RBAC = "rbac.authorization.k8s.io"


def _labels(name: str) -> dict[str, str]:
    return labels(name, "tool", "alt-las")


def _role(kind: str, stack: str, namespace: str, rule: Manifest) -> Manifest:
    metadata = {"name": f"{stack}-tool", "labels": _labels("tool")}
    if kind == "Role":
        metadata["namespace"] = namespace
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": [rule]}


def _binding(stack: str, role: str, subject: Manifest) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{stack}-tool", "labels": _labels("tool")},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _pod(namespace: str, name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(name)},
        "spec": {"containers": [{"name": name, "image": "frozen68/debug:1.0.0", "command": ["sleep", "infinity"]}]},
    }


def additions(stack: str, namespace: str) -> dict[str, list[Manifest]]:
    """Objects that must never be added, by what they amount to."""
    account = {"kind": "ServiceAccount", "name": "api-gateway", "namespace": namespace}
    rules: list[Manifest] = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["*"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        {"apiGroups": [_RBAC], "resources": ["roles"], "verbs": ["escalate"]},
        {"apiGroups": [_RBAC], "resources": ["roles"], "verbs": ["bind"]},
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
    ]
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    everybody = {"kind": "Group", "name": "system:authenticated", "apiGroup": _RBAC}
    return {
        "role with too many rights": [
            *(_role(kind, stack, namespace, rule) for kind in ("Role", "ClusterRole") for rule in rules),
            *(_role(kind, stack, namespace, secrets) for kind in ("Role", "ClusterRole")),
        ],
        "binding to too many rights": [
            _binding(stack, "cluster-admin", account),
            _binding(stack, "edit", account),
            _binding(stack, "system:node", account),
            _binding(stack, f"{stack}-tool", everybody),
            _binding(stack, f"{stack}-tool", account | {"name": "default"}),
        ],
        "pod beside the platform": [_pod(namespace, "debug"), _pod("default", "debug"), _pod("kube-system", "debug")],
        "cluster-scoped name without the stack": [
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "important", "labels": _labels("important")},
                "value": 1000,
            }
        ],
        "open namespace": [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "scratch", "labels": _labels("scratch")},
            }
        ],
    }
