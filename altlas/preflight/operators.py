"""Operators that make pods out of the stack's custom resources: without one, these are stored and nothing happens."""

from collections.abc import Iterator

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings

_LABEL = "app.kubernetes.io/name"


def operators(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """CloudNativePG in the namespace that policies let in, and Prometheus Operator wherever it is."""
    if platform.postgres:
        namespace = platform.postgres.operator_namespace
        yield _operator(kubectl, "CloudNativePG", "cloudnative-pg", f"--namespace={namespace}")
    if platform.prometheus:
        yield _operator(kubectl, "Prometheus Operator", "prometheus-operator", "--all-namespaces")


def _operator(kubectl: Kubectl, title: str, label: str, where: str) -> Check:
    found = kubectl.items("deployments.apps", "default", where, f"--selector={_LABEL}={label}")
    cure = "install it (altlas addons install), or correct postgres.operatorNamespace"
    if not found:
        return Check(name=title, state="failed", found=f"no Deployment with {_LABEL}={label} ({where})", cure=cure)
    names = ", ".join(f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found)
    if not any(each.get("status", {}).get("availableReplicas") for each in found):
        cure = "see why its pods do not run: kubectl describe deployment"
        return Check(name=title, state="failed", found=f"{names} has no available pod", cure=cure)
    return Check(name=title, state="ok", found=names)
