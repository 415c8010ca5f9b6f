"""Operators that make pods out of the stack's custom resources: without one, these are stored and nothing happens."""

from collections.abc import Iterator

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from components.settings.canary import FlaggerSettings

_LABEL = "app.kubernetes.io/name"
_INSTALL = "install it (altlas addons install)"


def operators(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """CloudNativePG in the namespace that policies let in, and Prometheus Operator wherever it is."""
    if platform.postgres:
        namespace = platform.postgres.operator_namespace
        cure = f"{_INSTALL}, or correct postgres.operatorNamespace"
        yield _available(kubectl, "CloudNativePG", f"{_LABEL}=cloudnative-pg", f"--namespace={namespace}", cure)
    if platform.prometheus:
        labels = f"{_LABEL}=prometheus-operator"
        yield _available(kubectl, "Prometheus Operator", labels, "--all-namespaces", _INSTALL)
    if platform.canaries():
        yield _flagger(kubectl, platform.flagger)


def _flagger(kubectl: Kubectl, flagger: FlaggerSettings) -> Check:
    labels = ",".join(f"{name}={value}" for name, value in flagger.pod_labels.items())
    cure = "install Flagger 1.44 there (its Helm chart), or correct flagger.namespace and flagger.podLabels"
    return _available(kubectl, "Flagger", labels, f"--namespace={flagger.namespace}", cure)


def _available(kubectl: Kubectl, title: str, labels: str, where: str, cure: str) -> Check:
    found = kubectl.items("deployments.apps", "default", where, f"--selector={labels}")
    if not found:
        return Check(name=title, state="failed", found=f"no Deployment with {labels} ({where})", cure=cure)
    names = ", ".join(f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found)
    if not any(each.get("status", {}).get("availableReplicas") for each in found):
        cure = "see why its pods do not run: kubectl describe deployment"
        return Check(name=title, state="failed", found=f"{names} has no available pod", cure=cure)
    return Check(name=title, state="ok", found=names)
