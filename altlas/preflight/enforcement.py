"""Enforcement of NetworkPolicies, shown by connections of two short-lived pods: what is installed proves nothing.

Owns a namespace of its own, in which one pod is denied everything and another nothing, and removes it again, also after
an interruption. Does not own the stack's namespace or policies. Both pods connect to the API server's Service, which
every pod can reach that no policy stops.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from altlas.preflight.check import Check
from altlas.session.interruption import termination_as_interruption
from altlas.session.kubectl import Kubectl
from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.settings.image import ImageSettings
from components.settings.redis import RedisSettings
from rendering.errors import CommandError

_NAME = "policy enforcement"
_DENIED, _FREE = "denied", "free"
_ROLE = "alt-las.io/probe"
_USER = 65534
# A new pod may be open for a second or more until its rules exist.
_COMMAND = 'sleep 5; nc -w 3 -z "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT"'
_SECONDS, _POLL_SECONDS = 120, 2.0
_DEADLINE_SECONDS = 60
_PLUGINS = ("antrea-agent", "aws-node", "calico-node", "canal", "cilium", "kube-router", "weave-net")
"""DaemonSets of network plugins that can enforce policies, if they are configured to."""

_K3S = "+k3s"
"""Part of a kubelet's version where k3s enforces policies by itself, unless it was switched off."""

_VERSIONS = '{range .items[*]}{.status.nodeInfo.kubeletVersion}{"\\n"}{end}'


def installed(kubectl: Kubectl) -> Iterator[Check]:
    """Name the network plugin, which tells only that policies may be enforced."""
    sets = kubectl.items("daemonsets.apps", "kube-system", "--all-namespaces")
    found = sorted({each["metadata"]["name"] for each in sets} & {*_PLUGINS})
    if _K3S in kubectl.text("get", "nodes", f"--output=jsonpath={_VERSIONS}"):
        found.append("k3s itself")
    proof = "no proof that policies are enforced: `altlas preflight --probe` tries it"
    if found:
        yield Check(name="network plugin", state="ok", found=f"{', '.join(found)}; {proof}")
    else:
        yield Check(
            name="network plugin",
            state="warning",
            found="none is known to enforce policies; where none does, every pod reaches every other",
            cure="try it by `altlas preflight --probe`, or install one that does, such as Calico or Cilium",
        )


def enforcement(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """Let a pod connect that a policy denies everything, and one that nothing denies, and compare.

    Raises:
        CommandError: The cluster does not answer or refuses; nothing of the attempt is left, or what is left is named.
    """
    with _namespace(kubectl) as namespace:
        for manifest in _objects(namespace, _image(platform)):
            kubectl.create(manifest)
        ends = wait_for(
            lambda: _ends(kubectl, namespace),
            lambda found: all(isinstance(end, int) for end in found.values()),
            seconds=_SECONDS,
            poll_seconds=_POLL_SECONDS,
        )
    yield _judged(ends)


def _judged(ends: Mapping[str, int | str]) -> Check:
    denied, free = ends[_DENIED], ends[_FREE]
    if waiting := [f"{role}: {end}" for role, end in ends.items() if isinstance(end, str)]:
        found = f"the pods did not end within {_SECONDS} s ({', '.join(waiting)})"
        return Check(name=_NAME, state="unknown", found=found, cure="the pods need the image of Redis, and a node")
    if denied == 0:
        found = "a connection that a NetworkPolicy denies was made"
        cure = "install a network plugin that enforces NetworkPolicies, or switch that on (EKS, GKE, k3s)"
        return Check(name=_NAME, state="failed", found=found, cure=cure)
    if free != 0:
        found = "no connection was made, not even one that nothing denies"
        return Check(name=_NAME, state="unknown", found=found, cure="see whether pods reach the API server's Service")
    return Check(name=_NAME, state="ok", found="a denied connection failed, and one that nothing denies was made")


@contextmanager
def _namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"alt-las-probe-{secrets.token_hex(4)}"
    with termination_as_interruption():
        try:
            kubectl.create(_namespace_manifest(name))
            yield name
        finally:
            _remove(kubectl, name)


def _remove(kubectl: Kubectl, name: str) -> None:
    try:
        kubectl.text("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    except CommandError as error:
        raise CommandError(f"{error}\nRemove the namespace by `kubectl delete namespace {name}`", error.code) from None


def _ends(kubectl: Kubectl, namespace: str) -> dict[str, int | str]:
    """Exit code of each pod, or why it has none yet."""
    return {role: _end(kubectl.find("pod", namespace, role) or {}) for role in (_DENIED, _FREE)}


def _end(pod: Mapping[str, Any]) -> int | str:
    status = pod.get("status", {})
    (state,) = [each.get("state", {}) for each in status.get("containerStatuses", ())] or [{}]
    if "terminated" in state:
        return int(state["terminated"]["exitCode"])
    return str(state.get("waiting", {}).get("reason") or status.get("reason") or status.get("phase") or "no pod")


def _image(platform: PlatformSettings) -> str:
    """An image with a shell and `nc` that the stack needs anyway: that of Redis."""
    image: ImageSettings = platform.redis.image if platform.redis else RedisSettings.model_fields["image"].default
    return image.reference


def _namespace_manifest(name: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/part-of": "alt-las"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _objects(namespace: str, image: str) -> Iterator[dict[str, Any]]:
    selector = {"matchLabels": {_ROLE: _DENIED}}
    yield {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _DENIED, "namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]},
    }
    for role in (_DENIED, _FREE):
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": role, "namespace": namespace, "labels": {_ROLE: role}},
            "spec": _pod(image),
        }


def _pod(image: str) -> dict[str, Any]:
    resources = {"cpu": "50m", "memory": "32Mi"}
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _DEADLINE_SECONDS,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "probe",
                "image": image,
                "command": ["sh", "-c", _COMMAND],
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
