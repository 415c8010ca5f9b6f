"""Ways to make one object less safe, as changes of single values: what people do by mistake or in a hurry."""

from collections.abc import Iterator
from typing import Any

from components.kubernetes.object import DATA_ANNOTATION
from policy.manifests import Manifest
from policy.paths import ABSENT, join, read
from policy.proof.endpoints import NAMESPACE_NAME

POD = "spec.template.spec"
CONTAINER = f"{POD}.containers[0]"
_CONTEXT = f"{CONTAINER}.securityContext"
_POD_CONTEXT = f"{POD}.securityContext"
_RESOURCES = f"{CONTAINER}.resources"
_END = "[99]"  # a list position behind the end appends
_DIGEST = "sha256:" + "0" * 64
_LABELS = tuple(f"app.kubernetes.io/{name}" for name in ("name", "component", "part-of", "managed-by"))
_DATA_MARK = join("metadata.annotations", DATA_ANNOTATION)
_ENFORCE = "pod-security.kubernetes.io/enforce"
PLAIN_SECRETS = {
    "DATABASE_PASSWORD": "hunter2hunter2",
    "JWT_SECRET": "correct horse battery staple",
    "ADMIN_TOKEN": "d41d8cd98f00b204",
    "OPENAI_API_KEY": "0123456789abcdef",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIexample",
    "DATABASE_URL": "postgresql://altlas:hunter2@postgres:5432/altlas",
    "REDIS_URL": "redis://:hunter2@redis:6379",
    "UPSTREAM": "ghp_" + "a1B2" * 9,
    "NOTE": "AKIAIOSFODNN7EXAMPLE",
}

Change = tuple[str, Any]
"""A path and the value that is written there."""

DEPLOYMENT_CHANGES: dict[str, tuple[Change, ...]] = {
    "root user": (
        (f"{_POD_CONTEXT}.runAsNonRoot", ABSENT),
        (f"{_POD_CONTEXT}.runAsNonRoot", False),
        (f"{_CONTEXT}.runAsNonRoot", False),
        (f"{_POD_CONTEXT}.runAsUser", ABSENT),
        (f"{_POD_CONTEXT}.runAsUser", 0),
        (f"{_CONTEXT}.runAsUser", 0),
    ),
    "root group": (
        (f"{_POD_CONTEXT}.runAsGroup", ABSENT),
        (f"{_POD_CONTEXT}.runAsGroup", 0),
        (f"{_POD_CONTEXT}.fsGroup", 0),
        (f"{_POD_CONTEXT}.supplementalGroups", [0]),
        (f"{_CONTEXT}.runAsGroup", 0),
    ),
    "security context dropped": ((_POD_CONTEXT, ABSENT), (_CONTEXT, ABSENT)),
    "privileged": ((f"{_CONTEXT}.privileged", True),),
    "privilege escalation": (
        (f"{_CONTEXT}.allowPrivilegeEscalation", ABSENT),
        (f"{_CONTEXT}.allowPrivilegeEscalation", True),
    ),
    "writable root file system": (
        (f"{_CONTEXT}.readOnlyRootFilesystem", ABSENT),
        (f"{_CONTEXT}.readOnlyRootFilesystem", False),
    ),
    "capabilities": (
        (f"{_CONTEXT}.capabilities", ABSENT),
        (f"{_CONTEXT}.capabilities.drop", ["NET_RAW"]),
        *((f"{_CONTEXT}.capabilities.add", [name]) for name in ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "NET_RAW")),
    ),
    "seccomp": (
        (f"{_POD_CONTEXT}.seccompProfile", ABSENT),
        (f"{_POD_CONTEXT}.seccompProfile.type", "Unconfined"),
        (f"{_CONTEXT}.seccompProfile", {"type": "Unconfined"}),
    ),
    "kernel separation": (
        (f"{_CONTEXT}.appArmorProfile", {"type": "Unconfined"}),
        (f"{_CONTEXT}.seLinuxOptions", {"type": "spc_t"}),
        (f"{_CONTEXT}.procMount", "Unmasked"),
        (f"{_POD_CONTEXT}.sysctls", [{"name": "kernel.msgmax", "value": "65536"}]),
        (f"{POD}.shareProcessNamespace", True),
    ),
    "host namespace": tuple((f"{POD}.{key}", True) for key in ("hostNetwork", "hostPID", "hostIPC")),
    "host port": ((f"{CONTAINER}.ports[0].hostPort", 8080),),
    "volume of the node": tuple(
        (f"{POD}.volumes{_END}", {"name": "node", "hostPath": {"path": path}})
        for path in ("/", "/etc", "/var/run/docker.sock", "/var/lib/kubelet")
    ),
    "volume around the cluster": ((f"{POD}.volumes{_END}", {"name": "node", "nfs": {"server": "nas", "path": "/"}}),),
    "scratch without limit": ((f"{POD}.volumes[0].emptyDir", {}), (f"{POD}.volumes[0].emptyDir", ABSENT)),
    "node, names and priority": (
        (f"{POD}.nodeName", "control-plane"),
        (f"{POD}.tolerations", [{"operator": "Exists"}]),
        (f"{POD}.priorityClassName", "system-cluster-critical"),
        (f"{POD}.enableServiceLinks", ABSENT),
        (f"{POD}.hostAliases", [{"ip": "203.0.113.9", "hostnames": ["ai-orchestrator"]}]),
        (f"{POD}.dnsConfig", {"nameservers": ["203.0.113.9"]}),
        (f"{POD}.dnsPolicy", "Default"),
    ),
    "probe of another host": ((f"{CONTAINER}.readinessProbe.httpGet", {"path": "/", "port": 80, "host": "10.0.0.1"}),),
    "probe dropped": tuple((f"{CONTAINER}.{probe}", ABSENT) for probe in ("livenessProbe", "readinessProbe")),
    "abrupt end": ((f"{POD}.terminationGracePeriodSeconds", 1), (f"{CONTAINER}.lifecycle", ABSENT)),
    "no spread": ((f"{POD}.topologySpreadConstraints", ABSENT),),
    "resources dropped": (
        (_RESOURCES, ABSENT),
        *((f"{_RESOURCES}.{key}", ABSENT) for key in ("requests", "limits")),
        *((f"{_RESOURCES}.{key}.{what}", ABSENT) for key in ("requests", "limits") for what in ("cpu", "memory")),
    ),
    "request above limit": ((f"{_RESOURCES}.requests.cpu", "64"), (f"{_RESOURCES}.requests.memory", "256Gi")),
    "token": (
        (f"{POD}.automountServiceAccountToken", True),
        (
            f"{POD}.volumes{_END}",
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ),
    ),
    "foreign identity": (
        (f"{POD}.serviceAccountName", ABSENT),
        (f"{POD}.serviceAccountName", "default"),
        (f"{POD}.serviceAccountName", "another-account"),
    ),
    "replicas with two owners": (("spec.replicas", 1),),
    "labels of the pods dropped": tuple((join("spec.template.metadata.labels", label), ABSENT) for label in _LABELS),
    "labels of the workload dropped": tuple((join("metadata.labels", label), ABSENT) for label in _LABELS),
    "selector widened": ((join("spec.selector.matchLabels", "app.kubernetes.io/name"), ABSENT),),
    "version in a selector": ((join("spec.selector.matchLabels", "app.kubernetes.io/version"), "1"),),
    "plain secret in a variable": tuple(
        (f"{CONTAINER}.env", [{"name": name, "value": value}]) for name, value in PLAIN_SECRETS.items()
    ),
    "secret in an argument": (
        (f"{CONTAINER}.args", ["--password=hunter2"]),
        (f"{CONTAINER}.args", ["postgresql://altlas:hunter2@postgres/altlas"]),
    ),
    "secret in an annotation": (("metadata.annotations", {"note": PLAIN_SECRETS["UPSTREAM"]}),),
    "lost reference": ((f"{CONTAINER}.envFrom", [{"configMapRef": {"name": "gone"}}]),),
    "container without hardening": tuple(
        (f"{POD}.{role}", [{"name": "helper", "image": "frozen68/helper:1.0.0"}])
        for role in ("initContainers", "ephemeralContainers")
    ),
    "sidecar without hardening": ((f"{POD}.containers[1]", {"name": "helper", "image": "frozen68/helper:1.0.0"}),),
    "other namespace": (("metadata.namespace", "default"), ("metadata.namespace", ABSENT)),
}
"""Changes of a Deployment, by what they amount to."""

OTHER_CHANGES: dict[tuple[str, str], tuple[Change, ...]] = {
    ("Service", "exposed Service"): (
        ("spec.type", "LoadBalancer"),
        ("spec.type", "NodePort"),
        ("spec.type", "ExternalName"),
        ("spec.externalIPs", ["203.0.113.9"]),
    ),
    ("Service", "Service leads elsewhere"): (
        ("spec.selector", ABSENT),
        (join("spec.selector", "app.kubernetes.io/name"), ABSENT),
        (join("spec.selector", "app.kubernetes.io/name"), "gone"),
        ("spec.ports[0].targetPort", "admin"),
        ("spec.ports[0].name", ABSENT),
    ),
    ("ServiceAccount", "token of a ServiceAccount"): (
        ("automountServiceAccountToken", ABSENT),
        ("automountServiceAccountToken", True),
    ),
    ("PodDisruptionBudget", "drain blocked or unguarded"): (
        ("spec.maxUnavailable", ABSENT),
        ("spec.maxUnavailable", 0),
        ("spec.maxUnavailable", "0%"),
        ("spec", {"minAvailable": "100%", "selector": {"matchLabels": {"app.kubernetes.io/part-of": "alt-las"}}}),
        (join("spec.selector.matchLabels", "app.kubernetes.io/name"), "gone"),
    ),
    ("HorizontalPodAutoscaler", "scaling broken"): (
        ("spec.minReplicas", 0),
        ("spec.minReplicas", 1000),
        ("spec.scaleTargetRef.name", "gone"),
    ),
    ("ConfigMap", "plain secret in a ConfigMap"): tuple(
        (f"data.{name}", value) for name, value in PLAIN_SECRETS.items()
    ),
    ("Secret", "empty secret"): (
        ("stringData", {"JWT_SECRET": ""}),
        ("stringData.JWT_SECRET", " "),
    ),
    **{
        (kind, "guard of data lost"): ((_DATA_MARK, ABSENT),)
        for kind in ("PersistentVolumeClaim", "StatefulSet", "Cluster", "Database")
    },
    ("Database", "data lost with its object"): (
        ("spec.databaseReclaimPolicy", "delete"),
        ("spec.cluster.name", "gone"),
    ),
    ("Cluster", "database opened"): (
        ("spec.enableSuperuserAccess", True),
        *((f"spec.managed.roles[0].{right}", True) for right in ("superuser", "replication", "bypassrls")),
        ("spec.postgresql.pg_hba", ABSENT),
        ("spec.postgresql.pg_hba[0]", "host all all all trust"),
        ("spec.postgresql.pg_hba[0]", "host all all all scram-sha-256"),
        ("spec.managed.roles[0].passwordSecret.name", "gone"),
    ),
    ("Cluster", "pods of an operator"): (
        ("spec.imageName", "ghcr.io/cloudnative-pg/postgresql:latest"),
        ("spec.imageName", "registry.example/postgresql:18.4"),
        ("spec.resources", ABSENT),
        ("spec.resources.limits", ABSENT),
        ("spec.seccompProfile", ABSENT),
        ("spec.env", [{"name": "PGPASSWORD", "value": "hunter2"}]),
    ),
    ("Gateway", "TLS of the Gateway"): (
        ("spec.listeners[1].tls", ABSENT),
        ("spec.listeners[1].tls.mode", "Passthrough"),
        ("spec.listeners[1].hostname", ABSENT),
        ("spec.listeners[1].protocol", "HTTP"),
        ("spec.listeners[1].allowedRoutes.namespaces.from", "All"),
    ),
    ("HTTPRoute", "route in the clear or elsewhere"): (
        ("spec.parentRefs[0].sectionName", ABSENT),
        ("spec.hostnames", ABSENT),
        ("spec.rules[0].backendRefs", [{"name": "gone", "port": 80}]),
        ("spec.rules[0].backendRefs", [{"name": "api-gateway", "namespace": "default", "port": 80}]),
    ),
    ("Ingress", "route in the clear or elsewhere"): (
        ("spec.tls", ABSENT),
        ("spec.rules[0].host", ABSENT),
        ("spec.defaultBackend", {"service": {"name": "api-gateway", "port": {"number": 80}}}),
    ),
    ("Namespace", "Pod Security of the namespace"): (
        (join("metadata.labels", _ENFORCE), ABSENT),
        (join("metadata.labels", _ENFORCE), "baseline"),
        (join("metadata.labels", _ENFORCE), "privileged"),
        (join("metadata.labels", f"{_ENFORCE}-version"), ABSENT),
        (join("metadata.labels", f"{_ENFORCE}-version"), "latest"),
    ),
}
"""Changes of objects of one kind, by what they amount to."""


def image_changes(deployment: Manifest) -> Iterator[Change]:
    """Images that name no release, come from elsewhere, or are retired."""
    path = f"{CONTAINER}.image"
    image = str(read(deployment, path))
    name = image.partition("@")[0]
    repository = name.rpartition(":")[0]
    yield path, repository
    yield path, f"{repository}:latest"
    yield path, f"{repository}:latest@{_DIGEST}"
    yield path, name
    yield path, f"other-{image}"
    yield path, f"registry.example/{image}"


def policy_changes(policy: Manifest) -> Iterator[Change]:
    """NetworkPolicies that let more through, or that no longer hold for their pods."""
    for direction in ("Ingress", "Egress"):
        yield "spec.policyTypes", [direction]
        yield f"spec.{direction.lower()}", [{}]
    yield join("spec.podSelector.matchLabels", "app.kubernetes.io/name"), "gone"
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index in range(len(read(policy, f"spec.{direction}") or ())):
            path = f"spec.{direction}[{index}]"
            yield f"{path}.ports", ABSENT
            yield f"{path}.{peers}", ABSENT
            yield f"{path}.{peers}[0]", {"namespaceSelector": {}}
            yield f"{path}.{peers}[0]", {"podSelector": {}}
            yield f"{path}.{peers}[0]", {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "monitoring"}}}
            yield f"{path}.{peers}[0]", {"namespaceSelector": {"matchLabels": {"team": "red"}}}
            yield f"{path}.{peers}[0]", {"ipBlock": {"cidr": "0.0.0.0/0"}}
            yield f"{path}.{peers}[0]", {"ipBlock": {"cidr": "10.0.0.0/8"}}
            yield f"{path}.ports[0]", {"protocol": "TCP", "port": 1, "endPort": 65535}
