"""Reach of a pod of each service that was taken over, tried from inside: its kernel rights, files, secrets, network."""

import base64
import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from cluster.node.commands import run
from cluster.node.network import Network
from components.stack.loading import read_platform
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import API_SERVER, INTERNET
from tests.faults.cases import Cases
from tests.node.connections import OPEN, RunningPod
from tests.node.platform.project import NAMESPACE, SERVICES, STACK, NodeProject
from tests.node.traffic import api_servers, around
from tests.observability.loopback_stack import stand_in
from tests.support.figures import Figures

pytestmark = pytest.mark.node

PUBLIC = "192.88.99.9"
"""Address of the internet that nobody has: its range was given back (RFC 7526)."""

DOCUMENTATION = "198.51.100.9"
"""Address that is never the internet (RFC 5737)."""

HTTPS, OTHER_PORT = 443, 8444
LEAST_LETTERS = 16
"""Of a secret; shorter values are names of users and databases."""

FOLDERS = ("", "etc", "usr/bin", "var/run/secrets")
Tried = Callable[[str, str, str], AbstractContextManager[None]]
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


@pytest.fixture(scope="module")
def pods(project: NodeProject) -> dict[str, RunningPod]:
    """One pod of each service."""
    found = {pod.workload: pod for pod in project.running() if pod.workload in SERVICES}
    assert set(found) == set(SERVICES)
    return found


@pytest.fixture(scope="module")
def outside(project: NodeProject) -> Iterator[Network]:
    """The nodes' network, behind which two more addresses answer on two ports each."""
    network = project.network()
    with ExitStack() as answering:
        for address in (PUBLIC, DOCUMENTATION):
            answering.enter_context(_address(network, address))
            for port in (HTTPS, OTHER_PORT):
                answering.enter_context(stand_in(address, port))
        yield network


@contextmanager
def _address(network: Network, address: str) -> Iterator[None]:
    """An address of this machine until the end, on the cluster's own bridge."""
    run(["ip", "address", "add", f"{address}/32", "dev", network.bridge])
    try:
        yield
    finally:
        run(["ip", "address", "delete", f"{address}/32", "dev", network.bridge])


def processes(pod: RunningPod) -> list[Path]:
    """Folders in /proc of a service's processes, without the one that only holds the pod's namespaces."""
    found = [Path(f"/proc/{process}") for process in pod.processes()]
    of_service = [process for process in found if not (process / "root/pause").exists()]
    assert of_service
    return of_service


def rights(process: Path) -> list[str]:
    """Rights of a process, by its folder in /proc, that no process of a service may have."""
    status = dict(re.findall(r"^(\w+):\s+(.*)$", (process / "status").read_text(), re.MULTILINE))
    found = [name for name in ("Uid", "Gid") if "0" in status[name].split()]
    found += [name for name in _CAPABILITIES if int(status[name], 16)]
    return found + [name for name, least in (("NoNewPrivs", 1), ("Seccomp", 2)) if int(status[name]) < least]


@pytest.fixture
def tried(cases_of: Callable[..., Cases]) -> Tried:
    """Block that tries something from inside a pod of a service, as a case."""

    def trying(what: str, promise: str, service: str) -> AbstractContextManager[None]:
        return cases_of(f"inside a pod of a service: {what}", promise, "node").trying(service)

    return trying


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_has_no_right_of_root(pods: dict[str, RunningPod], tried: Tried, service: str) -> None:
    """Another user in every respect, no capability, none to gain, and a filter of system calls; unlike this test."""
    with tried("rights of its processes", "none of root, none to gain", service):
        assert {str(process): rights(process) for process in processes(pods[service]) if rights(process)} == {}
    assert {"Uid", "Gid", "CapPrm", "CapEff", "NoNewPrivs"} <= set(rights(Path("/proc/self")))


@pytest.mark.parametrize("service", SERVICES)
def test_its_file_system_cannot_be_written_and_holds_no_token(
    pods: dict[str, RunningPod], tried: Tried, service: str
) -> None:
    """As root of this machine, who may do more than the process: the mount itself refuses."""
    root = processes(pods[service])[0] / "root"
    with tried("its file system", "cannot be written, and holds no token", service):
        for folder in (root / name for name in FOLDERS):
            if folder.is_dir():
                with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
                    (folder / "written").touch()
        assert list(root.glob("var/run/secrets/kubernetes.io/**/token")) == []
        assert list(root.glob("run/secrets/kubernetes.io/**/token")) == []


def test_its_environment_holds_no_secret_of_others(
    project: NodeProject, pods: dict[str, RunningPod], tried: Tried, figures: Figures
) -> None:
    """Every value of every Secret of the namespace is looked for, and the service's own ones are found."""
    secrets = {
        item["metadata"]["name"]: [base64.b64decode(value) for value in item.get("data", {}).values()]
        for item in project.objects("secrets", NAMESPACE)
    }
    values = {value for each in secrets.values() for value in each if len(value) >= LEAST_LETTERS}
    for service, pod in pods.items():
        own = [value for name, each in secrets.items() if name.startswith(f"{service}-secrets-") for value in each]
        with tried("its environment", "no secret of others", service):
            environment = b"".join((process / "environ").read_bytes() for process in processes(pod))
            held = {value for value in values if value in environment}
            assert [value for value in held if not any(value in mine for mine in own)] == []
            assert {value for value in own if len(value) >= LEAST_LETTERS} <= held
    figures.add("secrets of others in a service's environment", f"0 of {len(values)} values, in each of {len(pods)}")


@pytest.mark.parametrize("service", SERVICES)
def test_it_reaches_nothing_outside_that_is_not_declared(
    project: NodeProject, pods: dict[str, RunningPod], outside: Network, tried: Tried, service: str
) -> None:
    """The API server, the registry of the nodes and addresses outside, which all answer pods without policies."""
    declared = declaration_of(read_platform(project.stack_file(STACK))).edges
    may = {(edge.destination, edge.port) for edge in declared if edge.source == service}
    api_server, *_ = (place.address for place in api_servers(project.objects))
    places = {
        api_server: (API_SERVER, api_server[1]) in may,
        (PUBLIC, HTTPS): (INTERNET, HTTPS) in may,
        (PUBLIC, OTHER_PORT): (INTERNET, OTHER_PORT) in may,
        (DOCUMENTATION, HTTPS): False,
        (DOCUMENTATION, OTHER_PORT): False,
        address_of(outside.registry): False,
    }
    free, *_ = around(project.objects)
    assert free.tries(places) == [OPEN] * len(places)
    with tried("places outside of it", "nothing that is not declared is reached", service):
        found = dict(zip(places, pods[service].tries(places), strict=True))
        assert {place: outcome == OPEN for place, outcome in found.items()} == places
    assert sum(places.values()) == (service == "ai-orchestrator")


def address_of(place: str) -> tuple[str, int]:
    """Address and port of `address:port`."""
    address, _, port = place.partition(":")
    return address, int(port)
