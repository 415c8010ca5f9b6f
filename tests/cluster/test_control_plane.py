"""The command lines of the simulated control plane, and the stages of its nodes and pods."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from cluster.control_plane import PORTS, PROGRAMS, STAGES, Layout, specifications, write_settings
from cluster.nodes import NODES, ZONES
from cluster.processes import ProcessSpecification
from cluster.trust import Trust, ensure_trust

Plan = dict[str, ProcessSpecification]
NUMBERS = {name: 20_001 + number for number, name in enumerate(PORTS)}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The files of a cluster that is never started."""
    return Layout(tmp_path / "sim")


@pytest.fixture
def trust(layout: Layout) -> Trust:
    """Its certificates, with its settings written."""
    made = ensure_trust(layout.certificates)
    write_settings(layout, made, NUMBERS)
    return made


def _plan(layout: Layout, trust: Trust, *, audit_log: bool = False) -> Plan:
    programs = {name: Path("/programs") / name for name in PROGRAMS}
    return {item.name: item for item in specifications(layout, trust, NUMBERS, programs, audit_log=audit_log)}


def test_every_program_is_started_in_the_order_of_its_needs(layout: Layout, trust: Trust) -> None:
    """The needs of a process are there before it."""
    plan = _plan(layout, trust)
    assert tuple(plan) == PROGRAMS
    for number, item in enumerate(plan.values()):
        assert set(item.needs) <= set(PROGRAMS[:number])


def test_every_address_to_listen_on_is_a_loopback_address(layout: Layout, trust: Trust) -> None:
    """Nothing is open to the network, and no port is a default of its program."""
    plan = _plan(layout, trust)
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert "--bind-address=127.0.0.1" in plan[name].command
        assert f"--secure-port={NUMBERS[name]}" in plan[name].command
    listening = [flag for flag in plan["etcd"].command if flag.startswith("--listen-")]
    assert len(listening) == 2
    assert all("=https://127.0.0.1:" in flag for flag in listening)


def test_the_database_opens_only_to_its_own_certificates(layout: Layout, trust: Trust) -> None:
    """Any user of the machine can reach a loopback port, and Secrets are in there."""
    command = _plan(layout, trust)["etcd"].command
    assert {"--client-cert-auth", "--peer-client-cert-auth"} <= set(command)
    assert f"--trusted-ca-file={trust.etcd_authority}" in command
    assert not any("fsync" in flag for flag in command)


def test_the_front_proxy_has_an_authority_and_a_name_of_its_own(layout: Layout, trust: Trust) -> None:
    """A metrics-server can tell the API server from anybody else."""
    command = _plan(layout, trust)["kube-apiserver"].command
    assert f"--requestheader-client-ca-file={trust.front_proxy_authority}" in command
    assert "--requestheader-allowed-names=front-proxy-client" in command
    assert {"--authorization-mode=Node,RBAC", "--anonymous-auth=false"} <= set(command)


@pytest.mark.parametrize("audit_log", [True, False])
def test_the_audit_log_is_written_only_when_asked_for(layout: Layout, trust: Trust, audit_log: bool) -> None:
    """It costs time and space."""
    command = _plan(layout, trust, audit_log=audit_log)["kube-apiserver"].command
    assert (f"--audit-log-path={layout.audit_log}" in command) is audit_log


def test_a_new_port_changes_what_must_be_restarted(layout: Layout, trust: Trust) -> None:
    """The programs that read a kubeconfig follow the API server to its new port."""
    before = {name: item.fingerprint() for name, item in _plan(layout, trust).items()}
    write_settings(layout, trust, {**NUMBERS, "kube-apiserver": 29_999})
    after = {name: item.fingerprint() for name, item in _plan(layout, trust).items()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"kube-controller-manager", "kube-scheduler", "kwok"}


def test_the_kubeconfig_names_the_server_and_holds_its_authority(layout: Layout, trust: Trust) -> None:
    """So that the file can be copied to where its reader is."""
    written = yaml.safe_load(layout.kubeconfig.read_text())
    cluster, user = written["clusters"][0]["cluster"], written["users"][0]["user"]
    assert cluster["server"] == f"https://127.0.0.1:{NUMBERS['kube-apiserver']}"
    assert base64.b64decode(cluster["certificate-authority-data"]) == trust.authority.read_bytes()
    assert base64.b64decode(user["client-key-data"]) == trust.administrator.key.read_bytes()


@pytest.mark.usefixtures("trust")
def test_all_stage_files_reach_kwok_with_names_of_their_own(layout: Layout) -> None:
    """A stage that is overwritten by another of the same name would be missing without a word."""
    written = list(yaml.safe_load_all((layout.settings / "stages.yaml").read_text()))
    names = [stage["metadata"]["name"] for stage in written]
    single = [stage for path in STAGES.glob("*.yaml") for stage in yaml.safe_load_all(path.read_text())]
    assert len(names) == len(set(names)) == len(single)
    assert {stage["kind"] for stage in written} == {"Stage"}


def test_there_are_three_nodes_in_three_zones() -> None:
    """Each node has a zone of its own."""
    assert sorted(NODES.values()) == sorted(ZONES)
    assert len(set(ZONES)) == 3
