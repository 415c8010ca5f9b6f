"""Differences between a control plane of simulated nodes and one that real nodes reach over a network."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.ports import LOOPBACK
from cluster.trust import Trust

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
_CONTROL_PLANE = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER)

LEASE_GRACE_SECONDS = 16
"""Time without news after which a node counts as lost; the default of 50 would be most of a test that loses one."""


@dataclass(frozen=True)
class Variant:
    """A kind of control plane.

    Attributes:
        title: what people call the cluster.
        context: name in the kubeconfig, and of the database's only member.
        address: where the API server listens: this machine alone, or an address that nodes reach too.
        simulated: whether kwok plays the nodes.
    """

    title: str = "simulated cluster"
    context: str = "alt-las-sim"
    address: str = LOOPBACK
    simulated: bool = True

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that run."""
        return (*_CONTROL_PLANE, KWOK) if self.simulated else _CONTROL_PLANE

    @property
    def api_server_names(self) -> tuple[str, ...]:
        """Names and addresses of the API server beside the usual ones."""
        return () if self.address == LOOPBACK else (self.address,)

    def api_server_flags(self, trust: Trust) -> tuple[str, ...]:
        """Return the flags that say where nodes and the pods behind Services are reached."""
        if self.simulated:
            # A loopback address may not be an endpoint of the Service "kubernetes"; without this the log fills with it.
            return (f"--advertise-address={LOOPBACK}", "--endpoint-reconciler-type=none")
        return (
            f"--advertise-address={self.address}",
            "--enable-admission-plugins=NodeRestriction",
            f"--kubelet-client-certificate={trust.kubelet_client.certificate}",
            f"--kubelet-client-key={trust.kubelet_client.key}",
            f"--kubelet-certificate-authority={trust.authority}",
            "--kubelet-preferred-address-types=InternalIP",
            # Webhooks and metrics-server are dialled at their pods: no kube-proxy runs beside the API server.
            "--enable-aggregator-routing=true",
        )

    def controller_flags(self) -> tuple[str, ...]:
        """Return the flags of the controllers that decide when a node counts as lost."""
        if self.simulated:
            return ()
        return (f"--node-monitor-grace-period={LEASE_GRACE_SECONDS}s", "--node-monitor-period=2s")


SIMULATED = Variant()
