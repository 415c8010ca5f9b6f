"""Services that a cluster gives to all: volumes, metrics for autoscaling, and the controller of the ingress."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from rendering.errors import ExitCode

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_METRICS = "v1beta1.metrics.k8s.io"
_TLS = "kubernetes.io/tls"


def storage_classes(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """StorageClasses of all volumes of the stack: they exist, and let a volume grow."""
    existing = {each["metadata"]["name"]: each for each in kubectl.items("storageclasses.storage.k8s.io", "default")}
    defaults = [name for name, each in existing.items() if _annotations(each).get(_DEFAULT) == "true"]
    for wanted in sorted({_class_of(claim) for each in objects for claim in _claims(each)}, key=str):
        name = wanted or next(iter(defaults), None)
        label = f"StorageClass {wanted}" if wanted else "default StorageClass"
        if name not in existing:
            cure = "install a provisioner with a default class"
            cure += f", or write {' or '.join(sorted(existing))} into `storageClass` of each store" if existing else ""
            yield Check(name=label, state="failed", found="the cluster has none", cure=cure)
        elif not existing[name].get("allowVolumeExpansion"):
            cure = "choose volumes that are large enough from the start, or a class with allowVolumeExpansion"
            yield Check(name=label, state="warning", found=f"{name} does not let volumes grow", cure=cure)
        else:
            yield Check(name=label, state="ok", found=f"{name} lets volumes grow")


def metrics(kubectl: Kubectl) -> Iterator[Check]:
    """The resource metrics API, without which a HorizontalPodAutoscaler never scales beyond its minimum."""
    name, cure = "metrics API", "install metrics-server, or services stay at their smallest number of pods"
    for found in kubectl.named("apiservices.apiregistration.k8s.io", _METRICS):
        if _condition(found, "Available") == "True":
            yield Check(name=name, state="ok", found=f"{_METRICS} is available")
        else:
            yield Check(name=name, state="warning", found=f"{_METRICS} is not available", cure=cure)
        return
    yield Check(name=name, state="warning", found=f"there is no {_METRICS}", cure=cure)


def ingress_class(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """The class of the routes exists, and for a GatewayClass its controller has accepted it."""
    wanted, gateway = platform.ingress.class_name, platform.ingress.api == "gateway"
    kind = "GatewayClass" if gateway else "IngressClass"
    kinds = "gatewayclasses.gateway.networking.k8s.io" if gateway else "ingressclasses.networking.k8s.io"
    existing = {each["metadata"]["name"]: each for each in kubectl.items(kinds, "default")}
    name = f"{kind} {wanted}"
    if wanted not in existing:
        cure = "install a controller that serves it"
        cure += f", or write {' or '.join(sorted(existing))} into ingress.className" if existing else ""
        yield Check(name=name, state="failed", found=f"the cluster has no {kind} of that name", cure=cure)
    elif gateway and _condition(existing[wanted], "Accepted") != "True":
        cure = "switch the Gateway provider of its controller on (k3s: HelmChartConfig), or write `api: ingress`"
        yield Check(name=name, state="failed", found="no controller has accepted it, so nobody serves it", cure=cure)
    else:
        yield Check(name=name, state="ok", found="exists and is accepted" if gateway else "exists")


def controller(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """Pods of the ingress controller have the labels by which policies let them in."""
    ingress = platform.ingress
    selector = ",".join(f"{key}={value}" for key, value in ingress.controller_labels.items())
    pods = kubectl.items("pods", ingress.controller_namespace, f"--selector={selector}")
    in_host_network = [pod for pod in pods if pod["spec"].get("hostNetwork")]
    name, where = "ingress controller", f"with {selector} in {ingress.controller_namespace}"
    cure = "correct ingress.controllerNamespace and controllerLabels, or name its addresses by ingress.controllerRanges"
    if ingress.controller_ranges:
        yield Check(
            name=name, state="ok", found=f"{len(pods)} pods {where}, and {', '.join(ingress.controller_ranges)}"
        )
    elif not pods:
        found = f"no pod {where}, so no request from outside is let in"
        yield Check(name=name, state="failed", found=found, cure=cure, code=ExitCode.BAD_INPUT)
    elif in_host_network:
        found = f"{len(in_host_network)} pods {where} are in the host network, where labels mean nothing to a policy"
        yield Check(name=name, state="failed", found=found, cure=cure, code=ExitCode.BAD_INPUT)
    else:
        yield Check(name=name, state="ok", found=f"{len(pods)} pods {where}")


def certificates(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """The Secret of each host's certificate; by name and type, its content is not read."""
    for host, secret in platform.ingress.secret_names().items():
        name = f"certificate of {host}"
        # Printed as a table, so that the API server sends names and no content.
        line = kubectl.text(
            "get", "secret", secret, f"--namespace={platform.namespace}", "--ignore-not-found", "--no-headers"
        ).split()
        if line and line[1] != _TLS:
            cure = f"replace it by one of the type {_TLS}"
            yield Check(name=name, state="failed", found=f"Secret {secret} is of type {line[1]}", cure=cure)
        elif line or platform.ingress.tls.issuer:
            yield Check(name=name, state="ok", found=f"Secret {secret}" + ("" if line else ", which the issuer makes"))
        else:
            cure = f"kubectl --namespace {platform.namespace} create secret tls {secret} --cert cert.pem --key key.pem"
            yield Check(name=name, state="warning", found=f"there is no Secret {secret}", cure=cure)


def issuer(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """cert-manager's issuer, where a stack names one for the whole cluster."""
    wanted = platform.ingress.tls.issuer
    if wanted is None or wanted.kind != "ClusterIssuer":
        return
    existing = [each["metadata"]["name"] for each in kubectl.items("clusterissuers.cert-manager.io", "default")]
    if wanted.name in existing:
        yield Check(name="issuer", state="ok", found=f"ClusterIssuer {wanted.name}")
    else:
        cure = "make it, or correct ingress.tls.issuer"
        found = f"there is no ClusterIssuer {wanted.name}; the cluster has {', '.join(existing) or 'none'}"
        yield Check(name="issuer", state="failed", found=found, cure=cure)


def gateway_shim(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """The part of cert-manager that looks at Gateways, which is off unless its configuration says otherwise."""
    if platform.ingress.tls.issuer is None or platform.ingress.api != "gateway":
        return
    name, selector = "cert-manager", "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller"
    controllers = kubectl.items("deployments.apps", "cert-manager", "--all-namespaces", f"--selector={selector}")
    cure = (
        "set `config.enableGatewayAPI: true` in cert-manager's chart, or make the Secrets of the certificates yourself"
    )
    if not controllers:
        yield Check(name=name, state="warning", found=f"no Deployment with {selector}, so nobody issues", cure=cure)
    elif any(_looks_at_gateways(kubectl, each) for each in controllers):
        yield Check(name=name, state="ok", found="looks at Gateways")
    else:
        found = "does not look at Gateways, so it ignores the issuer that the Gateway names"
        yield Check(name=name, state="warning", found=found, cure=cure)


def _looks_at_gateways(kubectl: Kubectl, controller: Mapping[str, Any]) -> bool:
    """True if its arguments, or a ConfigMap that it mounts, switch Gateways on."""
    pod = controller["spec"]["template"]["spec"]
    said = [str(each) for container in pod["containers"] for each in container.get("args") or ()]
    for volume in pod.get("volumes") or ():
        if held := volume.get("configMap"):
            found = kubectl.find("configmap", controller["metadata"]["namespace"], held["name"]) or {}
            said += map(str, (found.get("data") or {}).values())
    return any(_GATEWAYS_ON.search(text) for text in said)


_GATEWAYS_ON = re.compile(
    r"enableGatewayAPI:\s*true|--enable-gateway-api(?:=true)?$|ExperimentalGatewayAPISupport=true"
)


def mesh(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """Istio's control plane and the two programs on each node that carry an ambient mesh, where the stack is in one."""
    if not platform.mesh.is_on:
        return
    cure = "install Istio in ambient mode (istioctl install --set profile=ambient), or write `mesh: {mode: off}`"
    for kind, selector, ready, wanted in _MESH:
        program = selector.partition("=")[2]
        found = kubectl.items(kind, "istio-system", "--all-namespaces", f"--selector={selector}")
        missing = [each for each in found if not _is_served(each.get("status", {}), ready, wanted)]
        if not found:
            yield Check(name=f"mesh: {program}", state="failed", found=f"there is no {selector}", cure=cure)
        elif missing:
            text = f"{missing[0]['metadata']['namespace']}/{missing[0]['metadata']['name']} has pods that are not ready"
            yield Check(name=f"mesh: {program}", state="failed", found=text, cure="see why: kubectl describe")
        else:
            yield Check(name=f"mesh: {program}", state="ok", found=found[0]["metadata"]["namespace"])


_MESH = (
    ("deployments.apps", "app=istiod", "availableReplicas", "replicas"),
    ("daemonsets.apps", "app=ztunnel", "numberReady", "desiredNumberScheduled"),
    ("daemonsets.apps", "k8s-app=istio-cni-node", "numberReady", "desiredNumberScheduled"),
)
"""Programs of an ambient mesh: kind, label, and the fields of the status that count ready and wanted pods."""


def _is_served(status: Mapping[str, int], ready: str, wanted: str) -> bool:
    return status.get(ready, 0) >= max(status.get(wanted, 0), 1)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    annotations: Mapping[str, str] = manifest["metadata"].get("annotations") or {}
    return annotations


def _condition(manifest: Mapping[str, Any], wanted: str) -> str:
    conditions = manifest.get("status", {}).get("conditions") or ()
    return next((str(each["status"]) for each in conditions if each["type"] == wanted), "Unknown")


def _claims(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Specs of the volumes that an object asks for, by itself or through its operator."""
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "PersistentVolumeClaim":
        yield spec
    elif manifest["kind"] == "Cluster":
        yield {"storageClassName": spec["storage"].get("storageClass")}
    elif manifest["kind"] in {"Prometheus", "Alertmanager"} and "storage" in spec:
        yield spec["storage"]["volumeClaimTemplate"]["spec"]
    for template in spec.get("volumeClaimTemplates") or ():
        yield template["spec"]


def _class_of(claim: Mapping[str, Any]) -> str | None:
    name: str | None = claim.get("storageClassName")
    return name
