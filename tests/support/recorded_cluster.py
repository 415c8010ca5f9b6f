"""Answers of a cluster as `altlas preflight` asks for them: a sound one, and what it says about one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from altlas.preflight.check import Check
from altlas.preflight.run import checks
from altlas.session.kubectl import Kubectl
from components.stack.image_build import RUNTIME_OF
from rendering.errors import CommandError
from tests.support.documents import alpha_settings

Answers = dict[str, Any]
NODE = "||4|8000000Ki|110"
"""A line for each node: unschedulable, taints, CPU, memory, pods."""


def endpoint_slice(port: int, *addresses: str, name: str = "") -> dict[str, Any]:
    """An EndpointSlice with one port."""
    ports = [{"name": name, "port": port}]
    return {"addressType": "IPv4", "endpoints": [{"addresses": [each]} for each in addresses], "ports": ports}


def sound() -> Answers:
    """A k3d cluster as alpha needs it, by what is asked."""
    return {
        "service default/kubernetes": {"spec": {"clusterIP": "10.43.0.1", "ports": [{"port": 443}]}},
        "endpointslices.discovery.k8s.io default kubernetes": [endpoint_slice(6443, "172.18.0.3")],
        "service kube-system/kube-dns": {
            "metadata": {"namespace": "kube-system", "name": "kube-dns"},
            "spec": {"selector": {"k8s-app": "kube-dns"}},
        },
        "endpointslices.discovery.k8s.io kube-system kube-dns": [
            endpoint_slice(53, "10.42.0.4"),
            endpoint_slice(9153, "10.42.0.4", name="metrics"),
        ],
        "storageclasses.storage.k8s.io default": [
            {
                "metadata": {
                    "name": "local-path",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "allowVolumeExpansion": True,
            }
        ],
        "apiservices.apiregistration.k8s.io v1beta1.metrics.k8s.io": [
            {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
        ],
        "ingressclasses.networking.k8s.io default": [{"metadata": {"name": "traefik"}}],
        "pods kube-system app.kubernetes.io/name=traefik": [{"metadata": {}, "spec": {}}],
        "secret alt-las-tls": "alt-las-tls   kubernetes.io/tls   2     5d\n",
        "images of nodes": "".join(
            f'["registry.invalid/alt-las/{name}"] ["docker.io/library/redis:8"]\n'
            for name in (*(f"{service}:1.0.0-alpha" for service in RUNTIME_OF), "backup:18.6-1")
        ),
        "versions of nodes": "v1.35.4+k3s1\n",
        "platforms of nodes": "linux/amd64\nlinux/amd64\n",
        "nodes": f"{NODE}\n{NODE}\n{NODE}\n",
        "deployments.apps default app.kubernetes.io/name=cloudnative-pg": [
            {"metadata": {"namespace": "cnpg-system", "name": "controller"}, "status": {"availableReplicas": 1}}
        ],
        "deployments.apps default app.kubernetes.io/name=prometheus-operator": [
            {"metadata": {"namespace": "default", "name": "prometheus-operator"}, "status": {"availableReplicas": 1}}
        ],
    }


class Recorded(Kubectl):
    """Answers what was recorded; what was not does not exist."""

    answers: Answers = {}  # set by `recorded`

    def _answer(self, key: str, default: Any) -> Any:
        found = self.answers.get(key, default)
        if isinstance(found, CommandError):
            raise found
        return found

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object."""
        found: dict[str, Any] | None = self._answer(f"{kind} {namespace}/{name}", None)
        return found

    def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:
        """Objects of a kind by namespace and the value of their selector."""
        selector = next((each for each in options if each.startswith("--selector=")), "").removeprefix("--selector=")
        selector = selector.removeprefix("kubernetes.io/service-name=")
        found: list[dict[str, Any]] = self._answer(f"{kind} {namespace} {selector}".strip(), [])
        return found

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Objects by their names."""
        found: list[dict[str, Any]] = self._answer(f"{kind} {' '.join(names)}", [])
        return found

    def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """Lines of a table or of a JSON path."""
        found: str = self._answer(_key(*arguments[1:3]), "")
        return found


def look(answers: Answers, changes: Mapping[str, Any] | None = None) -> list[Check]:
    """All checks of alpha, changed at paths, on a recorded cluster. Its settings name the endpoints of k3d."""
    fitting = {"egress.apiServerAddresses": ["10.43.0.1", "172.18.0.3"]}
    settings = alpha_settings(fitting | dict(changes or {}))
    kubectl = type("Cluster", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    return list(checks(kubectl, "alpha", settings))


def _key(kind: str, what: str) -> str:
    """Name of a query; those of nodes by a JSON path have their own."""
    if kind != "nodes":
        return f"{kind} {what}"
    of_nodes = {
        "kwok": "simulated nodes",
        "images": "images of nodes",
        "architecture": "platforms of nodes",
        "kubeletVersion": "versions of nodes",
    }
    return next((key for word, key in of_nodes.items() if word in what), kind)
