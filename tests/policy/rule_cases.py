"""For each rule a value that it lets pass and one that it must refuse, at the same place of the same object."""

from __future__ import annotations

from policy.paths import ABSENT
from tests.policy.custom_rule_cases import CUSTOM_CASES
from tests.policy.manifests import account, selector
from tests.policy.pod_rule_cases import POD_CASES
from tests.policy.rule_case import ENFORCE, MAIN, NAME, POD, WEB, Case

RULES_OF = "rules[0]"

AVAILABILITY_CASES = (
    Case(
        "disruption-budget-exists",
        "PodDisruptionBudget/web",
        "spec.selector.matchLabels",
        selector("web"),
        selector("store"),
        "spec",
        WEB,
    ),
    Case("disruption-budget-lets-nodes-drain", "PodDisruptionBudget/web", "spec.maxUnavailable", "1%", "0%"),
    Case(
        "disruption-budget-lets-nodes-drain",
        "PodDisruptionBudget/web",
        "spec",
        {"minAvailable": 1, "selector": {"matchLabels": selector("web")}},
        {"minAvailable": 2, "selector": {"matchLabels": selector("web")}},
        "spec.minAvailable",
    ),
    Case(
        "disruption-budget-selects-pods",
        "PodDisruptionBudget/web",
        "spec.selector",
        {"matchLabels": selector("web")},
        {"matchLabels": selector("gone")},
    ),
    Case(
        "autoscaler-target-exists",
        "HorizontalPodAutoscaler/web",
        "spec.scaleTargetRef.name",
        "web",
        "gone",
        "spec.scaleTargetRef",
    ),
    Case("autoscaler-range", "HorizontalPodAutoscaler/web", "spec.minReplicas", 4, 5),
    Case("replicas-have-one-owner", WEB, "spec.replicas", ABSENT, 2),
    Case(
        "replicas-are-spread",
        WEB,
        f"{POD}.topologySpreadConstraints[0].labelSelector.matchLabels",
        selector("web"),
        selector("gone"),
        f"{POD}.topologySpreadConstraints",
    ),
    Case("endpoints-drain-before-the-end", WEB, f"{MAIN}.lifecycle.preStop", {"sleep": {"seconds": 1}}, ABSENT),
    Case(
        "selectors-do-not-overlap",
        "Deployment/store",
        "spec.selector.matchLabels",
        selector("store"),
        {"app.kubernetes.io/part-of": "shop"},
        "spec.selector",
    ),
    Case(
        "selector-matches-template",
        WEB,
        "spec.selector.matchLabels",
        selector("web"),
        selector("gone"),
        "spec.selector",
    ),
    Case(
        "single-node-volumes-are-not-scaled",
        "Deployment/store",
        "spec.replicas",
        1,
        2,
        f"{POD}.volumes[0].persistentVolumeClaim.claimName",
    ),
    Case("claimed-volumes-have-one-writer", "Deployment/store", "spec.strategy.type", "Recreate", "RollingUpdate"),
    Case("references-resolve", WEB, f"{MAIN}.envFrom[0].configMapRef.name", "web-environment", "gone"),
    Case(
        "references-resolve",
        WEB,
        f"{MAIN}.envFrom[0].configMapRef",
        {"name": "gone", "optional": True},
        {"name": "gone"},
        f"{MAIN}.envFrom[0].configMapRef.name",
    ),
    Case("mounts-name-volumes", WEB, f"{MAIN}.volumeMounts[0].name", "scratch", "gone"),
    Case("jobs-end", "Job/once", "spec.ttlSecondsAfterFinished", 0, ABSENT),
    Case("jobs-end", "CronJob/nightly", "spec.jobTemplate.spec.backoffLimit", 0, ABSENT),
    Case("schedules-are-bounded", "CronJob/nightly", "spec.timeZone", "Europe/Berlin", ABSENT),
    Case("schedules-are-bounded", "CronJob/nightly", "spec.concurrencyPolicy", "Replace", "Allow"),
)

OTHER_CASES = (
    Case("no-token-in-service-accounts", "ServiceAccount/web", "automountServiceAccountToken", False, ABSENT),
    Case("no-wildcard-in-roles", "Role/watcher", f"{RULES_OF}.verbs", ["get"], ["*"]),
    Case("no-cluster-wide-secrets", "ClusterRole/gamma-watcher", f"{RULES_OF}.resources", ["pods"], ["secrets"]),
    Case(
        "secrets-are-read-by-name",
        "Role/watcher",
        RULES_OF,
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["web-secrets"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        f"{RULES_OF}.resourceNames",
    ),
    *(
        Case(
            "secrets-are-read-by-name",
            "Role/watcher",
            RULES_OF,
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": [verb], "resourceNames": ["web-secrets"]},
            f"{RULES_OF}.verbs",
        )
        for verb in ("list", "watch")
    ),
    Case("no-escalation-in-roles", "Role/watcher", f"{RULES_OF}.verbs", ["get"], ["impersonate"]),
    Case("no-escalation-in-roles", "Role/watcher", f"{RULES_OF}.resources", ["pods/log"], ["pods/exec"]),
    Case("no-administrator-bindings", "RoleBinding/watcher", "roleRef.name", "gamma-reader", "cluster-admin"),
    Case("no-bindings-to-everybody", "RoleBinding/watcher", "subjects[0].name", "web", "default", "subjects[0]"),
    Case("no-plain-secret-in-config-maps", "ConfigMap/web-environment", "data.API_KEY", "", "x"),
    Case(
        "no-plain-secret-in-config-maps",
        "ConfigMap/web-environment",
        "data.CACHE",
        "redis://cache:6379",
        "redis://:x@cache:6379",
    ),
    Case("no-secret-in-annotations", WEB, "metadata.annotations.note", "none", "nats://a:b@nats"),
    Case("secret-values-are-not-empty", "Secret/web-secrets", "stringData.JWT_SECRET", "y", ""),
    Case("recommended-labels", "Service/web", f'metadata.labels["{NAME}"]', "web", ABSENT),
    Case("recommended-labels", WEB, 'spec.template.metadata.labels["app.kubernetes.io/component"]', "web", ABSENT),
    Case("no-version-in-selectors", "Service/web", "spec.selector", selector("web"), {"version": "1"}),
    Case(
        "cluster-scoped-names-carry-the-stack",
        "ClusterRole/gamma-watcher",
        "metadata.name",
        "watcher-gamma",
        "gammawatcher",
        on="ClusterRole/gammawatcher",
    ),
    Case("namespace-belongs-to-the-stack", "ConfigMap/web-environment", "metadata.namespace", "shop", "default"),
    Case("objects-are-unique", "", "", account("other"), account("web"), "metadata.name", "ServiceAccount/web"),
    Case("services-stay-inside", "Service/web", "spec.type", "ClusterIP", "LoadBalancer"),
    Case("services-select-pods", "Service/web", "spec.selector", selector("web"), selector("gone")),
    Case(
        "services-select-pods", "Service/web", "spec.selector", selector("web"), {"app.kubernetes.io/part-of": "shop"}
    ),
    Case("service-target-port-exists", "Service/web", "spec.ports[0].targetPort", "http", "admin"),
    Case("service-ports-are-named", "Service/web", "spec.ports[0].name", "http", ABSENT),
    Case("ingress-has-tls", "Ingress/web", "spec.rules[0].host", "shop.example", "plain.example"),
    Case(
        "pods-have-a-network-policy",
        "NetworkPolicy/web",
        "spec.policyTypes",
        ["Ingress", "Egress"],
        ["Ingress"],
        "spec.template.metadata.labels",
        WEB,
    ),
    Case(
        "namespaces-deny-by-default",
        "NetworkPolicy/deny-all",
        "spec.egress",
        [],
        [{}],
        "metadata.name",
        "Namespace/shop",
    ),
    Case("namespaces-enforce-restricted", "Namespace/shop", ENFORCE, "restricted", "baseline"),
)

CASES = (*POD_CASES, *AVAILABILITY_CASES, *OTHER_CASES, *CUSTOM_CASES)
"""All rows."""
