"""Readiness of a control plane: each part is asked for its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cluster.api_client import ApiClient
from cluster.nodes import missing_node
from cluster.ports import LOOPBACK
from cluster.trust import administrator_files
from cluster.variant import API_SERVER, CONTROLLER_MANAGER, SCHEDULER, Variant

DEFAULT_SERVICE_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class Readiness:
    """Questions to the servers of one control plane; owns their connections."""

    def __init__(self, certificates: Path, ports: Mapping[str, int], timeout_seconds: float, variant: Variant) -> None:
        """Prepare, without connecting.

        Args:
            certificates: directory of the certificates; they must be there.
            ports: loopback ports by program.
            timeout_seconds: limit for each question.
            variant: says where the API server listens, and whether the nodes are simulated.
        """
        authority, administrator = administrator_files(certificates)
        hosts = {API_SERVER: variant.address, CONTROLLER_MANAGER: LOOPBACK, SCHEDULER: LOOPBACK}
        self._simulated = variant.simulated
        self._clients = {
            name: ApiClient(ports[name], authority, administrator, timeout_seconds, host)
            for name, host in hosts.items()
        }

    @property
    def api(self) -> ApiClient:
        """The client of the API server."""
        return self._clients[API_SERVER]

    def api_lacks(self) -> str | None:
        """Return why the API server cannot be used yet, or None if it can."""
        return None if self.api.says_ok("/readyz") else "the API server is not ready"

    def cluster_lacks(self) -> str | None:
        """Return why pods cannot be placed yet, or None if they can; real nodes are not asked for.

        Raises:
            ClusterError: if the API server answered before and does not answer now.
        """
        lacking = self.api_lacks() or (missing_node(self.api) if self._simulated else None)
        if lacking:
            return lacking
        # The scheduler says so only when it knows all nodes and pods.
        if not self._clients[SCHEDULER].says_ok("/readyz"):
            return "the scheduler is not ready"
        if not self._clients[CONTROLLER_MANAGER].says_ok("/healthz"):
            return "the controllers are not healthy"
        if self.api.get(DEFAULT_SERVICE_ACCOUNT) is None:
            return "the default ServiceAccount is not there"
        return None

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()
