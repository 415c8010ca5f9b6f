"""The command lines of a control plane: which flags each program gets, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.files import private_directory, write_private
from cluster.kubeconfig import render_kubeconfig
from cluster.ports import LOOPBACK
from cluster.processes import ProcessSpecification
from cluster.trust import Trust
from cluster.variant import API_SERVER, CONTROLLER_MANAGER, ETCD, KWOK, SCHEDULER, SIMULATED, Variant

CONTEXT = SIMULATED.context
PROGRAMS = SIMULATED.programs
# Every listening port, in the order in which they are chosen.
ETCD_PEER = "etcd-peer"
PORTS = (API_SERVER, ETCD, ETCD_PEER, CONTROLLER_MANAGER, SCHEDULER)

SERVICE_CLUSTER_IP_RANGE = "10.96.0.0/16"
STAGES = Path(__file__).parent / "stages"
NODE_LEASE_SECONDS = 40


@dataclass(frozen=True)
class Layout:
    """Paths of one control plane's files; everything is below one directory.

    Attributes:
        root: that directory, absolute.
    """

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def state(self) -> Path:
        """Ports and processes."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held while a command changes the cluster."""
        return self.root / "lock"

    @property
    def certificates(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        """One log file for each program, and that of its previous run."""
        return self.root / "logs"

    @property
    def audit_log(self) -> Path:
        """API requests as JSON lines, where that is asked for."""
        return self.logs / "audit.jsonl"

    @property
    def settings(self) -> Path:
        """Files that programs read: kubeconfigs, audit policy, kwok stages."""
        return self.root / "settings"

    @property
    def data(self) -> Path:
        """The database of etcd."""
        return self.root / "etcd"

    def log_of(self, program: str) -> Path:
        """Return the log file of a program."""
        return self.logs / f"{program}.log"


def write_settings(layout: Layout, trust: Trust, ports: Mapping[str, int], variant: Variant = SIMULATED) -> None:
    """Write the administrator's kubeconfig and all files that the programs read."""
    private_directory(layout.logs)
    private_directory(layout.settings)
    server = f"https://{variant.address}:{ports[API_SERVER]}"
    users = {CONTROLLER_MANAGER: trust.controller_manager, SCHEDULER: trust.scheduler, KWOK: trust.kwok}
    for program, user in users.items():
        write_private(_kubeconfig_of(layout, program), render_kubeconfig(program, server, trust.authority, user))
    write_private(layout.kubeconfig, render_kubeconfig(variant.context, server, trust.authority, trust.administrator))
    write_private(_audit_policy(layout), _AUDIT_POLICY)
    stages = [path.read_text() for path in sorted(STAGES.glob("*.yaml"))]
    write_private(_stages(layout), "\n---\n".join(stages))


def specifications(
    layout: Layout,
    trust: Trust,
    ports: Mapping[str, int],
    programs: Mapping[str, Path],
    *,
    audit_log: bool,
    variant: Variant = SIMULATED,
) -> tuple[ProcessSpecification, ...]:
    """Return what is to run, in the order of starting; the files of `write_settings` must be there."""
    audit = _audit_flags(layout) if audit_log else ()
    return (
        _etcd(layout, trust, ports, programs[ETCD], variant.context),
        _api_server(layout, trust, ports, programs[API_SERVER], variant=variant, audit=audit),
        _controller_manager(layout, trust, ports, programs[CONTROLLER_MANAGER], variant),
        _scheduler(layout, trust, ports, programs[SCHEDULER]),
        *((_kwok(layout, programs[KWOK]),) if variant.simulated else ()),
    )


def _etcd(layout: Layout, trust: Trust, ports: Mapping[str, int], program: Path, member: str) -> ProcessSpecification:
    client, peer = (f"https://{LOOPBACK}:{ports[name]}" for name in (ETCD, ETCD_PEER))
    authority, server = trust.etcd_authority, trust.etcd_server
    command = (
        str(program),
        f"--name={member}",
        f"--data-dir={layout.data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={member}={peer}",
        # Any user of this machine can open a loopback port, and the database holds Secrets.
        "--client-cert-auth",
        f"--trusted-ca-file={authority}",
        f"--cert-file={server.certificate}",
        f"--key-file={server.key}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={authority}",
        f"--peer-cert-file={server.certificate}",
        f"--peer-key-file={server.key}",
        # A single member has nobody to wait for; the defaults would delay each start by a second.
        "--heartbeat-interval=10",
        "--election-timeout=100",
        "--logger=zap",
        "--log-level=warn",
    )
    return ProcessSpecification(ETCD, command, layout.log_of(ETCD), (authority, server.certificate))


def _api_server(
    layout: Layout, trust: Trust, ports: Mapping[str, int], program: Path, *, variant: Variant, audit: tuple[str, ...]
) -> ProcessSpecification:
    command = (
        str(program),
        f"--etcd-servers=https://{LOOPBACK}:{ports[ETCD]}",
        f"--etcd-cafile={trust.etcd_authority}",
        f"--etcd-certfile={trust.etcd_client.certificate}",
        f"--etcd-keyfile={trust.etcd_client.key}",
        f"--bind-address={variant.address}",
        f"--secure-port={ports[API_SERVER]}",
        f"--tls-cert-file={trust.api_server.certificate}",
        f"--tls-private-key-file={trust.api_server.key}",
        "--tls-min-version=VersionTLS12",
        f"--client-ca-file={trust.authority}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        f"--service-cluster-ip-range={SERVICE_CLUSTER_IP_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={trust.service_account_public_key}",
        f"--service-account-signing-key-file={trust.service_account_key}",
        # Extension API servers (metrics-server) recognise the API server by this certificate and name.
        f"--requestheader-client-ca-file={trust.front_proxy_authority}",
        f"--requestheader-allowed-names={trust.front_proxy_name}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={trust.front_proxy.certificate}",
        f"--proxy-client-key-file={trust.front_proxy.key}",
        *variant.api_server_flags(trust),
        "--profiling=false",
        *audit,
    )
    inputs = (
        trust.authority,
        trust.api_server.certificate,
        trust.etcd_authority,
        trust.etcd_client.certificate,
        trust.front_proxy_authority,
        trust.front_proxy.certificate,
        trust.service_account_key,
        _audit_policy(layout),
    )
    return ProcessSpecification(API_SERVER, command, layout.log_of(API_SERVER), inputs, needs=(ETCD,))


def _controller_manager(
    layout: Layout, trust: Trust, ports: Mapping[str, int], program: Path, variant: Variant
) -> ProcessSpecification:
    kubeconfig = _kubeconfig_of(layout, CONTROLLER_MANAGER)
    command = (
        str(program),
        *_client_and_server_flags(kubeconfig, trust, ports[CONTROLLER_MANAGER]),
        f"--service-account-private-key-file={trust.service_account_key}",
        f"--root-ca-file={trust.authority}",
        "--use-service-account-credentials",
        # The default of 20 requests a second would be the slowest part of a deployment.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        # An autoscaler waits one period before its first look; the default of 15 s would be most of a first `make up`.
        "--horizontal-pod-autoscaler-sync-period=1s",
        *variant.controller_flags(),
    )
    inputs = (kubeconfig, trust.service_account_key, trust.authority, trust.api_server.certificate)
    log = layout.log_of(CONTROLLER_MANAGER)
    return ProcessSpecification(CONTROLLER_MANAGER, command, log, inputs, needs=(API_SERVER,))


def _scheduler(layout: Layout, trust: Trust, ports: Mapping[str, int], program: Path) -> ProcessSpecification:
    kubeconfig = _kubeconfig_of(layout, SCHEDULER)
    command = (
        str(program),
        *_client_and_server_flags(kubeconfig, trust, ports[SCHEDULER]),
    )
    inputs = (kubeconfig, trust.api_server.certificate)
    return ProcessSpecification(SCHEDULER, command, layout.log_of(SCHEDULER), inputs, needs=(API_SERVER,))


def _kwok(layout: Layout, program: Path) -> ProcessSpecification:
    kubeconfig, stages = _kubeconfig_of(layout, KWOK), _stages(layout)
    command = (
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=true",
        f"--node-ip={LOOPBACK}",
        f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}",
        "--v=WARN",
    )
    return ProcessSpecification(KWOK, command, layout.log_of(KWOK), (kubeconfig, stages), needs=(API_SERVER,))


def _client_and_server_flags(kubeconfig: Path, trust: Trust, port: int) -> tuple[str, ...]:
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={trust.api_server.certificate}",
        f"--tls-private-key-file={trust.api_server.key}",
        # There is one of each, so there is no other leader.
        "--leader-elect=false",
        "--profiling=false",
    )


def _audit_flags(layout: Layout) -> tuple[str, ...]:
    return (
        f"--audit-policy-file={_audit_policy(layout)}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-format=json",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=1",
    )


def _kubeconfig_of(layout: Layout, program: str) -> Path:
    return layout.settings / f"{program}.kubeconfig"


def _audit_policy(layout: Layout) -> Path:
    return layout.settings / "audit-policy.yaml"


def _stages(layout: Layout) -> Path:
    return layout.settings / "stages.yaml"


# Metadata only: who did what to which object; bodies would write Secrets to the disk.
_AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
"""
