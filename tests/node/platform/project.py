"""A copy of the project whose stack `local` runs on real nodes, and what tests ask of it."""

import base64
from pathlib import Path
from typing import Any

import tools
from cluster.node.network import Network
from cluster.node.node_cluster import PROGRAMS, NodeCluster
from tests.e2e.conftest import Project
from tests.node.connections import RunningPod
from tests.node.traffic import running

STACK = "local"
NAMESPACE = "alt-las-local"
HOST = "alt-las.localhost"
HOME = "node-a"
"""Node of the users, which does not fail."""

SERVICES = ("ai-orchestrator", "api-gateway", "archive-service", "runner-service", "segmentation-service")


class NodeProject(Project):
    """A copy of the project whose stack `local` runs on real nodes."""

    @property
    def printed(self) -> Path:
        """File with what the first `altlas up` has printed."""
        return self.root / "up.txt"

    def variables(self, **chosen: str) -> dict[str, str]:
        """Output of `altlas env` for real nodes."""
        return super().variables(**{"TARGET": "node"} | chosen)

    def ask(self, *arguments: str) -> str:
        """Output of kubectl in the platform's namespace; it must not fail."""
        done = self.kubectl(f"--namespace={NAMESPACE}", *arguments)
        assert done.code == 0, done.text
        return done.out.strip()

    def pods(self, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
        """Pods that run."""
        return [item for item in self.objects("pods", namespace) if item["status"]["phase"] == "Running"]

    def cluster(self) -> NodeCluster:
        """The nodes of the platform."""
        toolbox = tools.ensure(PROGRAMS)
        return NodeCluster(self.root / ".altlas/node", {name: toolbox.path(name) for name in PROGRAMS}, print)

    def network(self) -> Network:
        """Addresses of the nodes."""
        found = self.cluster().network()
        assert found is not None
        return found

    def running(self) -> list[RunningPod]:
        """Pods of the platform, by the names that the declared traffic has for them."""
        return running(self.pods())

    def address(self, service: str) -> str:
        """Address of a Service."""
        return self.ask("get", "service", service, "--output=jsonpath={.spec.clusterIP}")

    def secret(self, service: str, key: str) -> str:
        """Value that a service gets from its Secret."""
        (found,) = (
            item["data"][key]
            for item in self.objects("secrets", NAMESPACE)
            if item["metadata"]["name"].startswith(f"{service}-secrets-")
        )
        return base64.b64decode(found).decode()

    def exec(self, pod: str, *command: str) -> str:
        """Output of a command in a pod's first container."""
        return self.ask("exec", pod, "--", *command)
