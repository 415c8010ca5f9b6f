"""A small set of manifests that breaks no rule and has every kind that a rule looks at, for tests to change."""

from __future__ import annotations

import copy
from typing import Any

from components.kubernetes.object import DATA_ANNOTATION
from policy.manifests import Manifest
from policy.rules import Parameters

NAMESPACE = "shop"
DIGEST = "sha256:" + "a" * 64
PARAMETERS = Parameters(
    stack="gamma",
    require_digests=True,
    allowed_repositories=("team/",),
    retired_images=frozenset({"team/old:1"}),
    token_service_accounts=frozenset({"shop/operator"}),
    exposed_services=frozenset({"shop/door"}),
    secret_readers=frozenset({"gamma-reader"}),
)


def labels(name: str, component: str = "web", part_of: str = "shop") -> dict[str, str]:
    """The recommended labels of an application."""
    prefix = "app.kubernetes.io"
    return {
        f"{prefix}/name": name,
        f"{prefix}/component": component,
        f"{prefix}/part-of": part_of,
        f"{prefix}/managed-by": "pulumi",
    }


def selector(name: str) -> dict[str, str]:
    """The label that selects an application."""
    return {"app.kubernetes.io/name": name}


def of(api_version: str, kind: str, name: str, application: str | None = None, **body: Any) -> Manifest:
    """An object in the namespace of the set."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels(application or name)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def guarded(manifest: Manifest) -> Manifest:
    """The object with the mark of one that Pulumi protects."""
    manifest["metadata"]["annotations"] = {DATA_ANNOTATION: "protected"}
    return manifest


def cluster_scoped(api_version: str, kind: str, name: str, **body: Any) -> Manifest:
    """An object without namespace."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels(name)}, **body}


def container(name: str, *, long_running: bool = True) -> Manifest:
    """A hardened container."""
    kinds = ("readinessProbe", "livenessProbe") if long_running else ()
    probes = {kind: {"tcpSocket": {"port": "http"}} for kind in kinds}
    return {
        "name": name,
        "image": f"team/{name}:1.0@{DIGEST}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        **probes,
    }


def pod_spec(name: str, *, long_running: bool = True) -> Manifest:
    """A hardened pod."""
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container(name, long_running=long_running)],
    }


def template(name: str, *, long_running: bool = True) -> Manifest:
    """A pod template."""
    return {"metadata": {"labels": labels(name)}, "spec": pod_spec(name, long_running=long_running)}


def account(name: str) -> Manifest:
    """A ServiceAccount without token."""
    return of("v1", "ServiceAccount", name, automountServiceAccountToken=False)


def network_policy(name: str) -> Manifest:
    """A NetworkPolicy of an application's own."""
    spec = {"podSelector": {"matchLabels": selector(name)}, "policyTypes": ["Ingress", "Egress"]}
    return of("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def web() -> list[Manifest]:
    """A scaled Deployment with everything around it."""
    pods = template("web")
    pods["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "web-environment"}},
        {"secretRef": {"name": "web-secrets"}},
    ]
    pods["spec"]["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
    pods["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}]
    pods["spec"]["topologySpreadConstraints"] = [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": selector("web")}}
    ]
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    tls = [{"hosts": ["shop.example"], "secretName": "shop-tls"}]
    return [
        of("apps/v1", "Deployment", "web", spec={"selector": {"matchLabels": selector("web")}, "template": pods}),
        of("v1", "ConfigMap", "web-environment", "web", data={"LOG_LEVEL": "info", "TOKEN_TTL": "60"}),
        of("v1", "Secret", "web-secrets", "web", stringData={"JWT_SECRET": "x"}),
        of("v1", "Service", "web", spec={"selector": selector("web"), "ports": [{"name": "http", "port": 8080}]}),
        of(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            spec={"maxUnavailable": 1, "selector": {"matchLabels": selector("web")}},
        ),
        of(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "web",
            spec={"scaleTargetRef": scaled, "minReplicas": 2, "maxReplicas": 4},
        ),
        of("networking.k8s.io/v1", "Ingress", "web", spec={"tls": tls, "rules": [{"host": "shop.example"}]}),
    ]


def store() -> list[Manifest]:
    """A Deployment that writes a claimed volume."""
    pods = template("store")
    pods["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector("store")},
        "template": pods,
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return [
        of("apps/v1", "Deployment", "store", spec=spec),
        guarded(of("v1", "PersistentVolumeClaim", "data", "store", spec=claim)),
    ]


def jobs() -> list[Manifest]:
    """A Job and a CronJob."""
    job = {"activeDeadlineSeconds": 60, "backoffLimit": 1, "ttlSecondsAfterFinished": 60}
    pods = {name: {**template(name, long_running=False)} for name in ("once", "nightly")}
    for each in pods.values():
        each["spec"]["restartPolicy"] = "Never"
    schedule = {
        "schedule": "0 3 * * *",
        "timeZone": "Etc/UTC",
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {"spec": {**job, "template": pods["nightly"]}},
    }
    return [
        of("batch/v1", "Job", "once", spec={**job, "template": pods["once"]}),
        of("batch/v1", "CronJob", "nightly", spec=schedule),
    ]


def database() -> list[Manifest]:
    """A database cluster of an operator with one database."""
    role = {"name": "web", "login": True, "superuser": False, "passwordSecret": {"name": "db-web"}}
    spec = {
        "instances": 3,
        "imageName": f"team/postgresql:18.4@{DIGEST}",
        "enableSuperuserAccess": False,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "seccompProfile": {"type": "RuntimeDefault"},
        "managed": {"roles": [role]},
        "postgresql": {"pg_hba": ["hostssl web web all scram-sha-256", "host all all all reject"]},
    }
    databases = {"name": "web", "owner": "web", "cluster": {"name": "db"}, "databaseReclaimPolicy": "retain"}
    return [
        guarded(of("postgresql.cnpg.io/v1", "Cluster", "db", spec=spec)),
        guarded(of("postgresql.cnpg.io/v1", "Database", "db-web", spec=databases)),
        of("v1", "Secret", "db-web", "db", stringData={"username": "web", "password": "x"}),
    ]


def monitoring() -> list[Manifest]:
    """A monitoring server of an operator."""
    spec = {
        "image": f"team/prometheus:3.0.0@{DIGEST}",
        "serviceAccountName": "web",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "containers": [{"name": "prometheus"}],
    }
    return [of("monitoring.coreos.com/v1", "Prometheus", "watcher", spec=spec)]


def edge() -> list[Manifest]:
    """A Gateway with a route to the web pods, a redirect, and the mesh's policies."""
    group = "gateway.networking.k8s.io"
    listeners = [
        {"name": "http", "hostname": "shop.example", "port": 80, "protocol": "HTTP"},
        {
            "name": "https",
            "hostname": "shop.example",
            "port": 443,
            "protocol": "HTTPS",
            "allowedRoutes": {"namespaces": {"from": "Same"}},
            "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "shop-tls"}]},
        },
    ]
    parts = {
        "shop": ("https", {"backendRefs": [{"name": "web", "port": 8080}]}),
        "redirect": ("http", {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}),
    }
    routes = [
        of(
            f"{group}/v1",
            "HTTPRoute",
            name,
            spec={
                "parentRefs": [{"kind": "Gateway", "name": "shop", "sectionName": listener}],
                "hostnames": ["shop.example"],
                "rules": [rule],
            },
        )
        for name, (listener, rule) in parts.items()
    ]
    caller = {"source": {"principals": ["cluster.local/ns/shop/sa/web"]}}
    allow = {"action": "ALLOW", "rules": [{"from": [caller], "to": [{"operation": {"ports": ["8080"]}}]}]}
    return [
        of(f"{group}/v1", "Gateway", "shop", spec={"gatewayClassName": "any", "listeners": listeners}),
        *routes,
        of("security.istio.io/v1", "PeerAuthentication", "default", spec={"mtls": {"mode": "STRICT"}}),
        of("security.istio.io/v1", "AuthorizationPolicy", "store", spec=allow),
    ]


def rights() -> list[Manifest]:
    """A role that reads pods, and who has it."""
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": "gamma-reader"}
    subjects = [{"kind": "ServiceAccount", "name": "web", "namespace": NAMESPACE}]
    return [
        cluster_scoped(f"{group}/v1", "ClusterRole", "gamma-watcher", rules=rules),
        of(f"{group}/v1", "Role", "watcher", rules=rules),
        of(f"{group}/v1", "RoleBinding", "watcher", roleRef=reference, subjects=subjects),
    ]


def good_manifests() -> list[Manifest]:
    """The whole set."""
    enforce = "pod-security.kubernetes.io/enforce"
    namespace = cluster_scoped("v1", "Namespace", NAMESPACE)
    namespace["metadata"]["labels"] |= {enforce: "restricted", f"{enforce}-version": "v1.35"}
    deny = of("networking.k8s.io/v1", "NetworkPolicy", "deny-all")
    deny["spec"] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names = ("web", "store", "once", "nightly")
    around = [make(name) for name in names for make in (account, network_policy)]
    # Copies, because a test that changes one object must not change another one that was built from the same part.
    return [
        copy.deepcopy(each)
        for each in (
            namespace,
            deny,
            *around,
            *web(),
            *store(),
            *jobs(),
            *database(),
            *monitoring(),
            *edge(),
            *rights(),
        )
    ]
