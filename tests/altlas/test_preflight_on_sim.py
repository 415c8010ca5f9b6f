"""Checks of `altlas preflight` on a real API server: none fails on a sound cluster, and each staged fault is named."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from altlas.preflight.check import Check
from altlas.preflight.run import checks, is_simulated
from altlas.session.kubectl import Kubectl
from tests.support.documents import alpha_settings
from tests.support.own_cluster import NAMESPACE, OwnCluster, own_cluster

pytestmark = pytest.mark.sim

Manifests = tuple[Mapping[str, Any], ...]
DEFAULT = "storageclass.kubernetes.io/is-default-class"
SETTINGS = {"egress.apiServerAddresses": ["10.96.0.1", "172.18.0.3"]}


def manifest(version: str, kind: str, name: str, namespace: str | None = None, **content: Any) -> dict[str, Any]:
    """An object."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata | content.pop("metadata", {}), **content}


def endpoints(namespace: str, service: str, address: str, port: int) -> dict[str, Any]:
    """The EndpointSlice of a Service, as a real cluster publishes it."""
    return manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        service,
        namespace,
        metadata={"labels": {"kubernetes.io/service-name": service}},
        addressType="IPv4",
        endpoints=[{"addresses": [address]}],
        ports=[{"name": "", "port": port, "protocol": "TCP"}],
    )


def controller(**spec: Any) -> dict[str, Any]:
    """A pod of the ingress controller."""
    labels = {"app.kubernetes.io/name": "traefik"}
    pod = {"containers": [{"name": "traefik", "image": "traefik:v3"}], **spec}
    return manifest("v1", "Pod", "traefik", "kube-system", metadata={"labels": labels}, spec=pod)


def dns(**labels: str) -> dict[str, Any]:
    """The Service of the cluster's DNS."""
    spec = {"selector": labels, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}
    return manifest("v1", "Service", "kube-dns", "kube-system", spec=spec)


def storage_class(name: str, *, default: str, grows: bool) -> dict[str, Any]:
    """A StorageClass."""
    return manifest(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        metadata={"annotations": {DEFAULT: default}},
        provisioner="simulated",
        allowVolumeExpansion=grows,
    )


def certificate(kind: str) -> dict[str, Any]:
    """The Secret of the host's certificate; the API server asks for nothing but the keys."""
    return manifest("v1", "Secret", "alt-las-tls", NAMESPACE, type=kind, data={"tls.crt": "", "tls.key": ""})


CACHE_POD = {"containers": [{"name": "cache", "image": "cache:1", "args": ["-localip", "169.254.20.10"]}]}
CACHE = manifest(
    "apps/v1",
    "DaemonSet",
    "node-local-dns",
    "kube-system",
    spec={
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": CACHE_POD},
    },
)
INGRESS_CLASS = manifest("networking.k8s.io/v1", "IngressClass", "traefik", spec={"controller": "traefik.io/x"})
SOUND: Manifests = (
    endpoints("default", "kubernetes", "172.18.0.3", 6443),
    dns(**{"k8s-app": "kube-dns"}),
    endpoints("kube-system", "kube-dns", "10.244.0.5", 53),
    INGRESS_CLASS,
    controller(),
    certificate("kubernetes.io/tls"),
)
"""What a k3d cluster has and the simulated one has not."""


@dataclass(frozen=True)
class Fault:
    """Fault staged on the sound cluster, and the check that must name it."""

    check: str
    without: Manifests = ()
    with_: Manifests = ()
    settings: tuple[tuple[str, Any], ...] = ()
    state: str = "failed"


STANDARD = storage_class("standard", default="true", grows=True)
FAULTS = {
    "the API server has moved": Fault("API server", with_=(endpoints("default", "kubernetes", "172.18.0.4", 6443),)),
    "another port of the API server": Fault(
        "API server", with_=(endpoints("default", "kubernetes", "172.18.0.3", 16443),)
    ),
    "DNS pods with other labels": Fault("cluster DNS", with_=(dns(app="coredns"),)),
    "DNS on another port": Fault("cluster DNS", with_=(endpoints("kube-system", "kube-dns", "10.244.0.5", 5353),)),
    "NodeLocal DNSCache": Fault("cluster DNS", with_=(CACHE,)),
    "no default StorageClass": Fault(
        "default StorageClass", without=(STANDARD,), with_=(storage_class("standard", default="false", grows=True),)
    ),
    "volumes that do not grow": Fault(
        "default StorageClass",
        without=(STANDARD,),
        with_=(storage_class("standard", default="true", grows=False),),
        state="warning",
    ),
    "an unknown StorageClass": Fault("StorageClass fast", settings=(("redis.storageClass", "fast"),)),
    "no IngressClass": Fault("IngressClass traefik", without=(INGRESS_CLASS,)),
    "no GatewayClass": Fault("class traefik", settings=(("ingress.api", "gateway"),)),
    "no controller": Fault("ingress controller", without=(controller(),)),
    "a controller in the host network": Fault(
        "ingress controller", without=(controller(),), with_=(controller(hostNetwork=True),)
    ),
    "no certificate": Fault("certificate of alt-las.local", without=(certificate(""),), state="warning"),
    "a Secret of another type": Fault(
        "certificate of alt-las.local", without=(certificate(""),), with_=(certificate("Opaque"),)
    ),
    "no issuer": Fault("issuer", settings=(("ingress.tls", {"issuer": {"name": "letsencrypt"}}),)),
    "too small a cluster": Fault(
        "capacity",
        settings=(
            ("services.ai-orchestrator.resources.requests.cpu", "64"),
            ("services.ai-orchestrator.resources.limits.cpu", "64"),
        ),
    ),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A cluster with what a sound one has."""
    with own_cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.run("create", "namespace", NAMESPACE)
        replace(made, (), SOUND)
        yield made


def replace(cluster: OwnCluster, without: Manifests, with_: Manifests) -> None:
    """Take objects away, then put others there."""
    for each in without:
        kind, name = each["kind"], each["metadata"]["name"]
        cluster.run("delete", kind, name, *place(each), "--ignore-not-found", "--grace-period=0", "--force")
    for each in with_:
        cluster.run("apply", "--server-side", "--force-conflicts", "--filename=-", *place(each), text=json.dumps(each))


def place(each: Mapping[str, Any]) -> tuple[str, str]:
    """The option that names an object's namespace."""
    return "--namespace", each["metadata"].get("namespace", "default")


def identity(each: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name."""
    return each["kind"], each["metadata"]["name"]


def look(cluster: OwnCluster, settings: Mapping[str, Any]) -> list[Check]:
    """All checks but those of operators, for alpha changed at paths."""
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
    return list(checks(kubectl, "alpha", alpha_settings(SETTINGS | dict(settings)), with_operators=False))


def test_a_sound_cluster_lacks_only_metrics(cluster: OwnCluster) -> None:
    """Nodes that are simulated have no metrics; everything else is as on k3d."""
    assert [(each.name, each.state) for each in look(cluster, {}) if each.state != "ok"] == [("metrics API", "warning")]
    assert is_simulated(Kubectl(cluster.kubectl, cluster.kubeconfig))


@pytest.mark.parametrize("name", FAULTS)
def test_a_staged_fault_is_named(cluster: OwnCluster, name: str) -> None:
    """Alone, with its cure; afterwards the cluster is sound again."""
    fault = FAULTS[name]
    replace(cluster, fault.without, fault.with_)
    try:
        wrong = [each for each in look(cluster, dict(fault.settings)) if each.state != "ok"]
    finally:
        changed = {identity(each) for each in (*fault.without, *fault.with_)}
        replace(cluster, fault.with_, tuple(each for each in (*SOUND, STANDARD) if identity(each) in changed))
    assert [(each.name, each.state) for each in wrong if each.name != "metrics API"] == [(fault.check, fault.state)]
    assert all(each.cure for each in wrong)
