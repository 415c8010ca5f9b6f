"""When a cluster of real nodes is ready: what is asked of its API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.api_client import ApiClient
from cluster.node.network import Network
from cluster.state import load_state
from cluster.trust import administrator_files
from cluster.variant import API_SERVER

_DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
_INGRESS = "/apis/apps/v1/namespaces/kube-system/daemonsets/traefik"
_METRICS = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"


class NodeReadiness:
    """Questions to the API server; owns its connection."""

    def __init__(self, control_plane: Path, network: Network, since: str) -> None:
        """Prepare, without connecting.

        Args:
            control_plane: the control plane's folder.
            network: says where the API server listens, and which nodes there must be.
            since: when the nodes were started, in UTC as the API writes it; what they said earlier does not count.
        """
        authority, administrator = administrator_files(control_plane / "pki")
        port = load_state(control_plane / "state.json").ports[API_SERVER]
        self._client = ApiClient(port, authority, administrator, host=network.gateway)
        self._nodes = network.nodes
        self._since = since

    def lacks(self) -> str | None:
        """Return why pods cannot be used yet, or None if they can.

        Raises:
            ClusterError: the API server does not answer.
        """
        for name in self._nodes:
            if not _holds(self._client.get(f"/api/v1/nodes/{name}"), "Ready", self._since):
                return f"node {name} is not Ready"
        for name in ("coredns", "metrics-server"):
            if not _holds(self._client.get(f"{_DEPLOYMENTS}/{name}"), "Available"):
                return f"Deployment {name} is not available"
        ingress = (self._client.get(_INGRESS) or {}).get("status", {})
        if ingress.get("numberReady", 0) < len(self._nodes):
            return "Traefik does not run on every node"
        if not _holds(self._client.get(_METRICS), "Available"):
            return "metrics are not available"
        return None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _holds(item: dict[str, Any] | None, condition: str, since: str = "") -> bool:
    conditions = (item or {}).get("status", {}).get("conditions", [])
    return any(
        (entry["type"], entry["status"]) == (condition, "True") and (entry.get("lastHeartbeatTime") or "") >= since
        for entry in conditions
    )
