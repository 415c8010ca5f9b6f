"""Faults of a recorded cluster: how each is made, and what must be said of it."""

from collections.abc import Callable
from typing import Any

from tests.support.recorded_cluster import Answers, endpoint_slice

GATEWAY = "gatewayclasses.gateway.networking.k8s.io"


def moved(key: str, value: Any) -> Callable[[Answers], None]:
    """A fault: something else is found there, or nothing."""
    return lambda answers: answers.update({key: value}) if value is not None else answers.pop(key)


OPENSHIFT = {
    "metadata": {"namespace": "openshift-dns", "name": "dns-default"},
    "spec": {"selector": {"dns.operator.openshift.io/daemonset-dns": "default"}},
}
CACHE = {"spec": {"template": {"spec": {"containers": [{"args": ["-localip", "169.254.25.10,10.96.0.10"]}]}}}}


def to_openshift(answers: Answers) -> None:
    """DNS elsewhere: another namespace, other labels, another port."""
    del answers["service kube-system/kube-dns"]
    answers["service openshift-dns/dns-default"] = OPENSHIFT
    answers["endpointslices.discovery.k8s.io openshift-dns dns-default"] = [endpoint_slice(5353, "10.128.0.4")]


HOST_NETWORK = [{"metadata": {}, "spec": {"hostNetwork": True}}]
NO_GROWTH = [{"metadata": {"name": "a", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}]
TAINTED = '|[{"effect":"NoSchedule","key":"node-role.kubernetes.io/control-plane"}]|64|640000000Ki|110'
GATEWAY_CLASS = {"metadata": {"name": "traefik"}, "status": {"conditions": [{"type": "Accepted", "status": "False"}]}}

FAULTS: dict[str, tuple[Callable[[Answers], None], dict[str, Any], str, str, str]] = {
    "API server moved": (
        moved("endpointslices.discovery.k8s.io default kubernetes", [endpoint_slice(16443, "172.18.0.4")]),
        {},
        "failed",
        "API server",
        "apiServerAddresses: [10.43.0.1, 172.18.0.4]\n      apiServerPorts: [443, 16443]",
    ),
    "DNS elsewhere": (
        to_openshift,
        {},
        "failed",
        "cluster DNS",
        "labels: {dns.operator.openshift.io/daemonset-dns: default}\n      ports: [5353]",
    ),
    "NodeLocal DNSCache": (
        moved("daemonset kube-system/node-local-dns", CACHE),
        {},
        "failed",
        "cluster DNS",
        "addresses: [169.254.25.10, 10.96.0.10]",
    ),
    "images that nobody has": (
        moved("images of nodes", '["docker.io/library/redis:8"]\n\n'),
        {},
        "failed",
        "images",
        "no node names the images of services.api-gateway.image, ",
    ),
    "nodes that cannot name all their images": (
        moved("images of nodes", " ".join(f'["docker.io/library/image:{number}"]' for number in range(50))),
        {},
        "warning",
        "images",
        "push images to a registry of yours",
    ),
    "no StorageClass": (
        moved("storageclasses.storage.k8s.io default", []),
        {},
        "failed",
        "default StorageClass",
        "the cluster has none",
    ),
    "a StorageClass that does not exist": (
        lambda _: None,
        {"redis.storageClass": "fast"},
        "failed",
        "StorageClass fast",
        "or write local-path into `storageClass` of each store",
    ),
    "volumes that do not grow": (
        moved("storageclasses.storage.k8s.io default", NO_GROWTH),
        {},
        "warning",
        "default StorageClass",
        "does not let volumes grow",
    ),
    "no metrics": (
        moved("apiservices.apiregistration.k8s.io v1beta1.metrics.k8s.io", None),
        {},
        "warning",
        "metrics API",
        "install metrics-server",
    ),
    "no IngressClass": (
        moved("ingressclasses.networking.k8s.io default", [{"metadata": {"name": "nginx"}}]),
        {},
        "failed",
        "IngressClass traefik",
        "or write nginx into ingress.className",
    ),
    "a GatewayClass that nobody serves": (
        moved(f"{GATEWAY} default", [GATEWAY_CLASS]),
        {"ingress.api": "gateway"},
        "failed",
        "GatewayClass traefik",
        "no controller has accepted it",
    ),
    "no controller": (
        moved("pods kube-system app.kubernetes.io/name=traefik", None),
        {},
        "failed",
        "ingress controller",
        "ingress.controllerRanges",
    ),
    "a controller in the host network": (
        moved("pods kube-system app.kubernetes.io/name=traefik", HOST_NETWORK),
        {},
        "failed",
        "ingress controller",
        "are in the host network",
    ),
    "no certificate": (
        moved("secret alt-las-tls", None),
        {},
        "warning",
        "certificate of alt-las.local",
        "create secret tls alt-las-tls",
    ),
    "a Secret of another type": (
        moved("secret alt-las-tls", "alt-las-tls   Opaque   2     5d\n"),
        {},
        "failed",
        "certificate of alt-las.local",
        "is of type Opaque",
    ),
    "no issuer": (
        lambda _: None,
        {"ingress.tls": {"issuer": {"name": "letsencrypt"}}},
        "failed",
        "issuer",
        "there is no ClusterIssuer letsencrypt",
    ),
    "no network plugin that enforces policies": (
        moved("versions of nodes", "v1.35.4\n"),
        {},
        "warning",
        "network plugin",
        "altlas preflight --probe",
    ),
    "too small a cluster": (
        moved("nodes", f"||1|2000000Ki|110\n{TAINTED}\n"),
        {},
        "failed",
        "capacity",
        "1 nodes have 1.00 CPU",
    ),
    "no operator": (
        moved("deployments.apps default app.kubernetes.io/name=cloudnative-pg", None),
        {},
        "failed",
        "CloudNativePG",
        "altlas addons install",
    ),
    "an operator that does not run": (
        moved(
            "deployments.apps default app.kubernetes.io/name=prometheus-operator",
            [{"metadata": {"namespace": "default", "name": "prometheus-operator"}, "status": {}}],
        ),
        {},
        "failed",
        "Prometheus Operator",
        "has no available pod",
    ),
}
"""By a short name: how it is made, changes of the settings, state and name of the check, and a part of its text."""
