"""Rules for ServiceAccounts, tokens and RBAC."""

from collections.abc import Iterator

from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of, namespace_of
from policy.paths import read
from policy.rules.base import Finding, ObjectRule, Parameters, SetRule
from policy.rules.checks import Problem, each_pod

_APPLICATION = "app.kubernetes.io/name"
_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_READING_VERBS = {"get", "list", "watch", "*"}
_LISTING_VERBS = {"list", "watch"}
_ESCALATING_VERBS = {"escalate", "bind", "impersonate"}
_ESCALATING_RESOURCES = {
    "pods/exec": "runs commands in pods",
    "pods/attach": "takes over processes in pods",
    "pods/ephemeralcontainers": "puts containers into running pods",
    "nodes/proxy": "reaches every kubelet",
    "serviceaccounts/token": "makes tokens of others",
    "certificatesigningrequests/approval": "makes client certificates of others",
}
_EVERYBODY = {"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"}
_CLUSTER_ADMINISTRATION = {"cluster-admin", "admin", "edit"}


def _service_account(pod: Pod) -> str:
    return str(pod.spec.get("serviceAccountName") or pod.spec.get("serviceAccount") or "default")


def _default_account(pod: Pod) -> Iterator[Problem]:
    if _service_account(pod) == "default":
        yield f"{pod.path}.serviceAccountName", "is the default ServiceAccount"


def _shared_accounts(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    owners: dict[tuple[str, str], str] = {}
    for pod in manifests.pods:
        name, application = _service_account(pod), pod.labels.get(_APPLICATION, name_of(pod.owner))
        first = owners.setdefault((pod.namespace, name), application)
        # A canary or a backup of the same application may have the same identity.
        if name != "default" and first != application:
            yield Finding(pod.owner, f"{pod.path}.serviceAccountName", f"is {name}, which {first} has, too")


def _token_volumes(pod: Pod) -> Iterator[str]:
    for path, volume in pod.volumes:
        for index, source in enumerate(read(volume, "projected.sources", [])):
            if "serviceAccountToken" in source:
                yield f"{path}.projected.sources[{index}].serviceAccountToken"


def _pods_with_token(manifests: ManifestSet, parameters: Parameters) -> Iterator[Finding]:
    for pod in manifests.pods:
        name = _service_account(pod)
        if f"{pod.namespace}/{name}" in parameters.token_service_accounts:
            continue
        # The pod's own word wins over its account's.
        account = manifests.find("ServiceAccount", pod.namespace, name) or {}
        mounted = pod.spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
        if mounted is not False:
            yield Finding(pod.owner, f"{pod.path}.automountServiceAccountToken", "is not false")
        for path in _token_volumes(pod):
            yield Finding(pod.owner, path, "mounts a token")


def _accounts_with_token(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "ServiceAccount":
        return
    allowed = f"{namespace_of(manifest)}/{name_of(manifest)}" in parameters.token_service_accounts
    if not allowed and manifest.get("automountServiceAccountToken") is not False:
        yield Finding(manifest, "automountServiceAccountToken", "is not false")


def _rules_of(manifest: Manifest) -> Iterator[tuple[str, Manifest]]:
    if kind_of(manifest) in _ROLES:
        for index, rule in enumerate(manifest.get("rules") or ()):
            yield f"rules[{index}]", rule


def _wildcards(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    for path, rule in _rules_of(manifest):
        for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            if any("*" in item for item in rule.get(key) or ()):
                yield Finding(manifest, f"{path}.{key}", "holds a wildcard")


def _secret_readers(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "ClusterRole" or name_of(manifest) in parameters.secret_readers:
        return
    for path, rule in _rules_of(manifest):
        reads = _READING_VERBS & set(rule.get("verbs") or ())
        if reads and {"secrets", "*"} & set(rule.get("resources") or ()) and not rule.get("resourceNames"):
            yield Finding(manifest, f"{path}.resources", "lets it read the Secrets of every namespace")


def _unnamed_secrets(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    if name_of(manifest) in parameters.secret_readers:
        return
    for path, rule in _rules_of(manifest):
        if not {"secrets", "*"} & set(rule.get("resources") or ()) or "" not in (rule.get("apiGroups") or ()):
            continue
        verbs = set(rule.get("verbs") or ())
        # A list returns what is in the Secrets, and names do not limit it.
        for verb in sorted(_LISTING_VERBS & verbs):
            yield Finding(manifest, f"{path}.verbs", f"holds {verb}, which returns the content of all Secrets")
        if "get" in verbs and not rule.get("resourceNames"):
            yield Finding(manifest, f"{path}.resourceNames", "is not set, so every Secret may be read")


def _escalation(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    for path, rule in _rules_of(manifest):
        verbs = _ESCALATING_VERBS & set(rule.get("verbs") or ())
        if verbs:
            yield Finding(manifest, f"{path}.verbs", f"holds {', '.join(sorted(verbs))}")
        for resource in sorted(_ESCALATING_RESOURCES.keys() & set(rule.get("resources") or ())):
            yield Finding(manifest, f"{path}.resources", f"holds {resource}, which {_ESCALATING_RESOURCES[resource]}")


def _bindings_to_administrators(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    role = read(manifest, "roleRef", {})
    name = str(role.get("name")) if role.get("kind") == "ClusterRole" else ""
    if kind_of(manifest) in _BINDINGS and (name in _CLUSTER_ADMINISTRATION or name.startswith("system:")):
        yield Finding(manifest, "roleRef.name", f"is {name}")


def _bindings_to_everybody(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) not in _BINDINGS:
        return
    for index, subject in enumerate(manifest.get("subjects") or ()):
        name = str(subject.get("name"))
        default = subject.get("kind") == "ServiceAccount" and name == "default"
        if default or name in _EVERYBODY or name.startswith("system:serviceaccounts:") or name == "system:anonymous":
            yield Finding(manifest, f"subjects[{index}]", f"is {name}, which is more than one workload")


RULES = (
    ObjectRule(
        id="own-service-account",
        title="Every pod has a ServiceAccount of its own.",
        reason="What one workload is allowed, every other pod under the default account would be allowed, too.",
        fix="make a ServiceAccount and name it in serviceAccountName",
        check=each_pod(_default_account),
    ),
    SetRule(
        id="service-account-is-not-shared",
        title="No two applications have the same ServiceAccount.",
        reason="The mesh and the API server tell callers apart by it.",
        fix="make a ServiceAccount for each application",
        check=_shared_accounts,
    ),
    SetRule(
        id="no-token-in-pods",
        title="No pod holds a token of the API server unless its ServiceAccount is on the list.",
        reason="An intruder in the pod could talk to the API server.",
        fix="set automountServiceAccountToken to false, or put the ServiceAccount on token_service_accounts",
        check=_pods_with_token,
    ),
    ObjectRule(
        id="no-token-in-service-accounts",
        title="No ServiceAccount hands out its token unless it is on the list.",
        reason="A pod that says nothing gets what its account says.",
        fix="set automountServiceAccountToken to false, or put the ServiceAccount on token_service_accounts",
        check=_accounts_with_token,
    ),
    ObjectRule(
        id="no-wildcard-in-roles",
        title="No role holds a wildcard.",
        reason="It also allows what does not exist yet.",
        fix="name the groups, resources and verbs that are used",
        check=_wildcards,
    ),
    ObjectRule(
        id="no-cluster-wide-secrets",
        title="No ClusterRole reads the Secrets of every namespace unless it is on the list.",
        reason="One stolen token would open every stack of the cluster.",
        fix="use a Role, name the Secrets in resourceNames, or put the role on secret_readers",
        check=_secret_readers,
    ),
    ObjectRule(
        id="secrets-are-read-by-name",
        title="A role reads Secrets one by one and by name, or not at all, unless it is on the list.",
        reason="An attacker who takes over one workload would know the passwords of all.",
        fix="name the Secrets in resourceNames with the verb get only, or put the role on secret_readers",
        check=_unnamed_secrets,
    ),
    ObjectRule(
        id="no-escalation-in-roles",
        title="No role lets its holder act as another user.",
        reason="Such a right is worth as much as all rights together.",
        fix="remove the verb or the resource",
        check=_escalation,
    ),
    ObjectRule(
        id="no-administrator-bindings",
        title="Nobody is bound to cluster-admin, admin, edit or a role of the system.",
        reason="Workloads and tools need a fraction of these rights.",
        fix="bind a role that names what is used",
        check=_bindings_to_administrators,
    ),
    ObjectRule(
        id="no-bindings-to-everybody",
        title="No role is bound to a group of everybody or to a default ServiceAccount.",
        reason="Pods that come later would have the rights, too.",
        fix="bind the one ServiceAccount that needs the role",
        check=_bindings_to_everybody,
    ),
)
"""Rules about ServiceAccounts and RBAC."""
