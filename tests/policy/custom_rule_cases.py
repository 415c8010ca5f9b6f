"""Cases of the rules about data and custom resources."""

from __future__ import annotations

from policy.paths import ABSENT
from tests.policy.manifests import of
from tests.policy.rule_case import Case

CLUSTER, DATABASE, PROMETHEUS, GATEWAY = "Cluster/db", "Database/db-web", "Prometheus/watcher", "Gateway/shop"
MARK = 'metadata.annotations["alt-las/data"]'
HTTPS = "spec.listeners[1]"
TEMPLATES = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}]
VOLUME = {"persistentVolumeReclaimPolicy": "Retain"}

DATA_CASES = (
    *(Case("data-is-guarded", name, MARK, "protected", ABSENT) for name in (CLUSTER, DATABASE)),
    Case("data-is-guarded", "PersistentVolumeClaim/data", MARK, "protected", "yes"),
    Case("data-outlives-its-object", DATABASE, "spec.databaseReclaimPolicy", ABSENT, "delete"),
    Case(
        "data-outlives-its-object",
        "",
        "",
        of("v1", "PersistentVolume", "kept", spec=VOLUME),
        of("v1", "PersistentVolume", "lost", spec={"persistentVolumeReclaimPolicy": "Delete"}),
        "spec.persistentVolumeReclaimPolicy",
        "PersistentVolume/lost",
    ),
    Case(
        "data-outlives-its-object",
        PROMETHEUS,
        "spec.persistentVolumeClaimRetentionPolicy",
        {"whenDeleted": "Retain", "whenScaled": "Retain"},
        {"whenDeleted": "Retain", "whenScaled": "Delete"},
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
    ),
)

OPERATOR_CASES = (
    Case("database-has-no-superusers", CLUSTER, "spec.enableSuperuserAccess", ABSENT, True),
    Case("database-has-no-superusers", CLUSTER, "spec.managed.roles[0].createrole", False, True),
    Case("database-has-no-superusers", CLUSTER, "spec.managed.roles[0].createdb", False, True),
    Case(
        "database-connections-are-encrypted",
        CLUSTER,
        "spec.postgresql.pg_hba[0]",
        "hostssl web web all scram-sha-256",
        "hostssl web web all trust",
    ),
    Case(
        "database-connections-are-encrypted",
        CLUSTER,
        "spec.postgresql.pg_hba[0]",
        "hostnossl all all all reject",
        "host web web all scram-sha-256",
    ),
    Case(
        "database-connections-are-encrypted",
        CLUSTER,
        "spec.postgresql.pg_hba",
        ["host all all all reject"],
        ["hostssl web web all scram-sha-256"],
    ),
    Case("operator-pods-are-restricted", CLUSTER, "spec.seccompProfile.type", "RuntimeDefault", "Unconfined"),
    *(
        Case("operator-pods-are-restricted", PROMETHEUS, f"spec.securityContext.{field}", right, wrong)
        for field, right, wrong in (
            ("runAsNonRoot", True, False),
            ("runAsUser", 1, 0),
            ("runAsGroup", 65534, ABSENT),
            ("fsGroup", 2000, 0),
        )
    ),
    Case(
        "operator-pods-are-restricted",
        PROMETHEUS,
        "spec.securityContext.seccompProfile",
        {"type": "RuntimeDefault"},
        ABSENT,
        "spec.securityContext.seccompProfile.type",
    ),
    Case("operator-pods-are-restricted", PROMETHEUS, "spec.hostNetwork", False, True),
    Case(
        "operator-pods-are-restricted",
        PROMETHEUS,
        "spec.containers[0].securityContext",
        {"readOnlyRootFilesystem": True},
        {"readOnlyRootFilesystem": False},
        "spec.containers[0].securityContext.readOnlyRootFilesystem",
    ),
    Case("metrics-cannot-be-deleted", PROMETHEUS, "spec.enableAdminAPI", False, True),
    Case("image-tag-is-fixed", CLUSTER, "spec.imageName", "team/postgresql:18.4", "team/postgresql"),
    Case("image-repository-is-allowed", PROMETHEUS, "spec.image", "team/x:1", "other/x:1"),
    Case("limits-are-set", CLUSTER, "spec.resources.limits.memory", "1Gi", ABSENT),
    Case("requests-fit-limits", PROMETHEUS, "spec.resources.requests.cpu", "1", "2"),
    Case(
        "no-plain-secret-in-variables",
        CLUSTER,
        "spec.env",
        [{"name": "TZ", "value": "UTC"}],
        [{"name": "PGPASSWORD", "value": "x"}],
        "spec.env[0].value",
    ),
    Case("references-resolve", CLUSTER, "spec.managed.roles[0].passwordSecret.name", "db-web", "gone"),
    Case("references-resolve", DATABASE, "spec.cluster.name", "db", "gone"),
    Case("references-resolve", PROMETHEUS, "spec.serviceAccountName", "store", "gone"),
)

EDGE_CASES = (
    Case("gateway-has-tls", GATEWAY, f"{HTTPS}.hostname", "*.shop.example", ABSENT),
    Case("gateway-has-tls", GATEWAY, f"{HTTPS}.tls.mode", "Terminate", "Passthrough", f"{HTTPS}.tls"),
    Case("gateway-has-tls", GATEWAY, f"{HTTPS}.protocol", "HTTPS", "TCP"),
    Case("gateway-has-tls", GATEWAY, f"{HTTPS}.allowedRoutes.namespaces.from", "Same", "All"),
    Case("routes-are-served-with-tls", "HTTPRoute/shop", "spec.parentRefs[0].sectionName", "https", "http"),
    Case("routes-are-served-with-tls", "HTTPRoute/redirect", "spec.parentRefs[0].sectionName", "http", ABSENT),
    Case("routes-lead-to-services-of-the-stack", "HTTPRoute/redirect", "spec.hostnames", ["shop.example"], []),
    Case("routes-lead-to-services-of-the-stack", "HTTPRoute/shop", "spec.rules[0].backendRefs[0].name", "web", "gone"),
    Case(
        "routes-lead-to-services-of-the-stack",
        "HTTPRoute/shop",
        "spec.rules[0].backendRefs[0].namespace",
        "shop",
        "default",
        "spec.rules[0].backendRefs[0].name",
    ),
    Case("mesh-admits-by-identity", "PeerAuthentication/default", "spec.mtls.mode", "STRICT", "PERMISSIVE"),
    Case(
        "mesh-admits-by-identity",
        "AuthorizationPolicy/store",
        "spec.rules[0].from",
        [{"source": {"principals": ["cluster.local/ns/shop/sa/web"]}}],
        [{"source": {"namespaces": ["shop"]}}],
    ),
    Case(
        "mesh-admits-by-identity",
        "AuthorizationPolicy/store",
        "spec.rules[0].to",
        [{"operation": {"ports": ["1"]}}],
        ABSENT,
    ),
)

CUSTOM_CASES = (*DATA_CASES, *OPERATOR_CASES, *EDGE_CASES)
"""All rows."""
