"""The files that one node's daemons read, and the command line of each daemon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.certificates import CertificateRequest, KeyPair
from cluster.control_plane import SERVICE_CLUSTER_IP_RANGE
from cluster.files import private_directory, write_private
from cluster.kubeconfig import render_kubeconfig
from cluster.node.network import DNS_ADDRESS, Network
from cluster.node.packages import NodePackages
from cluster.trust import cluster_authority
from cluster.variant import LEASE_GRACE_SECONDS

KUBELET = "kubelet"
KUBE_PROXY = "kube-proxy"
KUBE_ROUTER = "kube-router"
CONTAINERD = "containerd"
REGION = "local"
PAUSE_IMAGE = "registry.k8s.io/pause:3.10"
NODE_PROGRAMS = (KUBELET, KUBE_PROXY, KUBE_ROUTER)
_SHOWN = {"/proc/sys/kernel/panic": "10", "/proc/sys/kernel/panic_on_oops": "1", "/proc/sys/vm/overcommit_memory": "1"}
"""What kubelet wants these three to be, for the whole machine; it is shown these values instead."""

_KERNEL = {
    "net/ipv4/ip_forward": "1",
    # Without it, policies and Services do not see what passes between two pods of one node.
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    # A refused connection must be told at once each time: the kernel else answers six times and then once a second.
    "net/ipv4/icmp_ratelimit": "0",
}


@dataclass(frozen=True)
class NodeFiles:
    """Settings of a node.

    Attributes:
        name: of the Node.
        folder: everything that the node writes.
        network: its addresses and those of the others.
        server: URL of the API server.
        authority: directory of the cluster's certificate authority.
        packages: programs from Debian.
        programs: the other programs, by name.
        hosts: registries whose images the cluster's own registry has.
    """

    name: str
    folder: Path
    network: Network
    server: str
    authority: Path
    packages: NodePackages
    programs: Mapping[str, Path]
    hosts: Iterable[str]

    @property
    def settings(self) -> Path:
        """The file for the node's first process."""
        return self.folder / "node.json"

    @property
    def group(self) -> str:
        """The node's control group, from the root of each hierarchy."""
        return f"{self.network.bridge}/{self.name}"

    def write(self, cgroups: Iterable[Path]) -> tuple[Path, ...]:
        """Write everything; return the files whose change asks for a restart of the node."""
        for part in ("var/lib/kubelet", "var/log", "var/local", "var/tmp", "pki", "cni"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "var/tmp").chmod(0o1777)
        if not (self.folder / "var/run").is_symlink():
            (self.folder / "var/run").symlink_to("/run")
        write_private(self.folder / "resolv.conf", "options ndots:1\n")
        write_private(self.folder / "containerd.toml", self._containerd())
        self._write_hosts()
        write_private(self.folder / "cni/10-nodes.conflist", json.dumps(self._cni(), indent=2))
        write_private(self.folder / "kubelet.yaml", yaml.safe_dump(self._kubelet()))
        write_private(self.folder / "kube-proxy.yaml", yaml.safe_dump(self._kube_proxy()))
        authority, identities = self._identities()
        for program, identity in identities.items():
            text = render_kubeconfig(program, self.server, authority, identity)
            write_private(self.folder / f"{program}.kubeconfig", text)
        write_private(self.settings, json.dumps(self._first_process(cgroups), indent=2))
        names = ("containerd.toml", "kubelet.yaml", "kube-proxy.yaml", "node.json")
        return (*(self.folder / name for name in names), *(self._kubeconfig(name) for name in identities))

    def _kubeconfig(self, program: str) -> Path:
        return self.folder / f"{program}.kubeconfig"

    def _identities(self) -> tuple[Path, dict[str, KeyPair]]:
        authority = cluster_authority(self.authority)
        address = self.network.address_of(self.name)
        requests = {
            KUBELET: CertificateRequest(
                f"kubelet-{self.name}", f"system:node:{self.name}", "system:nodes", (self.name, address)
            ),
            KUBE_PROXY: CertificateRequest("kube-proxy", "system:kube-proxy"),
            KUBE_ROUTER: CertificateRequest("kube-router", "kube-router"),
        }
        return authority.files.certificate, {name: authority.ensure(request) for name, request in requests.items()}

    def _first_process(self, cgroups: Iterable[Path]) -> dict[str, Any]:
        others = [name for name in self.network.nodes if name != self.name]
        return {
            "name": self.name,
            "folder": str(self.folder),
            "cgroups": [str(path) for path in cgroups],
            "unshare": shutil.which("unshare"),
            "environment": self.packages.environment(self.folder, self.programs),
            "shown": _SHOWN,
            "kernel": _KERNEL,
            "address": f"{self.network.address_of(self.name)}/24",
            "gateway": self.network.gateway,
            "routes": {self.network.pods_of(name): self.network.address_of(name) for name in others},
            "daemons": self._daemons(),
        }

    def _daemons(self) -> dict[str, list[str]]:
        host = f"--hostname-override={self.name}"
        zone = f"zone-{self.name.rpartition('-')[2]}"
        labels = f"topology.kubernetes.io/zone={zone},topology.kubernetes.io/region={REGION}"
        return {
            CONTAINERD: [str(self.packages.program(CONTAINERD)), f"--config={self.folder}/containerd.toml"],
            KUBELET: [
                str(self.programs[KUBELET]),
                f"--config={self.folder}/kubelet.yaml",
                f"--kubeconfig={self._kubeconfig(KUBELET)}",
                host,
                f"--node-ip={self.network.address_of(self.name)}",
                "--root-dir=/var/lib/kubelet",
                f"--cert-dir={self.folder}/pki",
                f"--node-labels={labels}",
            ],
            KUBE_PROXY: [str(self.programs[KUBE_PROXY]), f"--config={self.folder}/kube-proxy.yaml", host],
            # As network policy controller only: routes are fixed, and Services belong to kube-proxy.
            KUBE_ROUTER: [
                str(self.programs[KUBE_ROUTER]),
                "--run-firewall=true",
                "--run-router=false",
                "--run-service-proxy=false",
                "--run-loadbalancer=false",
                f"--kubeconfig={self._kubeconfig(KUBE_ROUTER)}",
                host,
                f"--service-cluster-ip-range={SERVICE_CLUSTER_IP_RANGE}",
                "--enable-ipv6=false",
                "--metrics-port=0",
            ],
        }

    def _kubelet(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.authority / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self.authority / f"kubelet-{self.name}.crt"),
            "tlsPrivateKeyFile": str(self.authority / f"kubelet-{self.name}.key"),
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self.folder / "resolv.conf"),
            # The disk is the machine's own: by the defaults, one that is fuller than 85 % would evict every pod.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "serializeImagePulls": False,
            # A lost node is noticed after this time; it must fit the controllers' own (`cluster.variant`).
            "nodeLeaseDurationSeconds": LEASE_GRACE_SECONDS,
            "nodeStatusUpdateFrequency": f"{LEASE_GRACE_SECONDS // 4}s",
        }

    def _kube_proxy(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self._kubeconfig(KUBE_PROXY))},
            "clusterCIDR": self.network.pods,
            "detectLocalMode": "ClusterCIDR",
            # The size of the table of connections can only be set for the whole machine.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }

    def _cni(self) -> dict[str, Any]:
        addresses = {
            "type": "host-local",
            "ranges": [[{"subnet": self.network.pods_of(self.name)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        # Pods keep their addresses between nodes, so that policies see who calls.
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
        ports = {"type": "portmap", "capabilities": {"portMappings": True}}
        return {"cniVersion": "0.4.0", "name": "nodes", "plugins": [{**bridge, "ipam": addresses}, ports]}

    def _write_hosts(self) -> None:
        for host in self.hosts:
            mirror = f"http://{self.network.registry}/v2/{host}"
            # The server too is the mirror: nothing may be asked of the internet behind its back.
            text = (
                f'server = "{mirror}"\n[host."{mirror}"]\n'
                '  capabilities = ["pull", "resolve"]\n  override_path = true\n'
            )
            write_private(private_directory(self.folder / "hosts" / host) / "hosts.toml", text)

    def _containerd(self) -> str:
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  # Inside a container of its own, root may not lower these scores.
  restrict_oom_score_adj = true
[{cri}.cni]
  bin_dir = "{self.packages.plugins}"
  conf_dir = "{self.folder}/cni"
[{cri}.registry]
  config_path = "{self.folder}/hosts"
[{cri}.containerd]
  snapshotter = "overlayfs"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
  BinaryName = "{self.packages.program("runc")}"
  SystemdCgroup = false
"""
