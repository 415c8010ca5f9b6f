"""A cluster of real nodes on this machine: control plane, image registry, nodes, DNS, metrics, policies, volumes."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path

from cluster.errors import ClusterError, ClusterRequestError
from cluster.files import private_directory, remove_folder, write_private
from cluster.interface import ClusterStatus
from cluster.lock import exclusive_lock
from cluster.node.cgroups import remove_groups
from cluster.node.commands import run
from cluster.node.images import IMAGES, chosen, full_name, push
from cluster.node.machine import Machine
from cluster.node.machine_settings import NODE_PROGRAMS, NodeFiles
from cluster.node.network import API_PORT, MOST_NODES, Network, claim_network, read_network
from cluster.node.objects import images_offered, objects
from cluster.node.packages import NodePackages, node_packages
from cluster.node.ready import NodeReadiness
from cluster.node.registry import RegistryServer, registry_program
from cluster.node.requirements import check
from cluster.ports import is_free
from cluster.processes import ProcessSpecification, is_running, start_process, stop_processes
from cluster.simulator import Simulator
from cluster.state import ProcessRecord, State, load_state
from cluster.variant import API_SERVER, Variant
from cluster.waiting import wait_for

TITLE = "cluster of real nodes"
CONTEXT = "alt-las-node"
KUBECTL = "kubectl"
REGISTRY = "registry"
PROGRAMS = (*Variant(simulated=False).programs, *NODE_PROGRAMS, KUBECTL)
DEFAULT_NODES = 3
LOCK_SECONDS = 300
READY_SECONDS = 180
POLL_SECONDS = 0.2
NODES_VARIABLE = "ALT_LAS_NODES"
NEEDED_IMAGES = ("pause", "coredns", "metrics-server", "traefik")


class NodeCluster:
    """One cluster; owns its folder, and of this machine a bridge, control groups and the processes it starts."""

    def __init__(
        self, directory: Path, programs: Mapping[str, Path], report: Callable[[str], None], nodes: int = DEFAULT_NODES
    ) -> None:
        """Prepare, without touching anything.

        Args:
            directory: where all files are; made with mode 0700.
            programs: path of each program in `PROGRAMS`; needed for `up` only.
            report: told, in sentences, what goes on.
            nodes: how many nodes.

        Raises:
            ClusterRequestError: there cannot be so many nodes.
        """
        if not 1 <= nodes <= MOST_NODES:
            raise ClusterRequestError(f"{nodes} nodes are asked for; there can be from 1 to {MOST_NODES}.")
        self._root = directory.absolute()
        self._programs = programs
        self._report = report
        self._count = nodes

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, once the cluster has been up (mode 0600, context `alt-las-node`)."""
        return self._root / "kubeconfig"

    def up(self) -> Path:
        """Start what is not running, and wait until pods run on every node, names resolve and policies are enforced.

        Raises:
            ClusterError: this machine cannot run nodes, or something does not become ready in time.
        """
        packages = node_packages()
        check(self._root, packages.environment(self._root, {}))
        private_directory(self._root)
        with self._locked():
            network = claim_network(self._kept(), self._count, self._root)
            write_private(self._network_file, json.dumps({"number": network.number, "count": network.count}))
            write_private(self.kubeconfig, self._control_plane(network).start().read_text())
            state = load_state(self._state)
            self._start_registry(network, state)
            machines = self._machines(network, packages)
            since = self._start_nodes(network, machines, state)
            run(self._kubectl("apply", "--server-side", "--force-conflicts", "--filename=-"), text=objects(network))
            self._wait(network, machines, state, since)
        return self.kubeconfig

    def push_images(self) -> None:
        """Put every image that can be assembled here into the registry, and tell users of the cluster which they are.

        Raises:
            ClusterError: the cluster is not up, or an image cannot be assembled or pushed.
        """
        kept = self.network()
        if kept is None:
            raise ClusterError(f"There is no {TITLE} in {self._root}. Start it first.")
        sent = [pushed.reference for pushed in push(kept.registry, IMAGES) if pushed.sent]
        if sent:
            self._report(f"Assembled and pushed into the registry of the nodes: {len(sent)} images.")
        names = [name for image in IMAGES for name in image.references]
        run(self._kubectl("apply", "--server-side", "--force-conflicts", "--filename=-"), text=images_offered(names))

    def down(self) -> None:
        """End every process and remove what is outside the folder; what the folder holds is kept.

        Raises:
            ClusterError: something cannot be removed; the rest is.
        """
        if not self._state_exists():
            return
        with self._locked():
            self._end()
        self._report(f"Stopped the {TITLE}. Its data stays in {self._root}.")

    def delete(self) -> None:
        """Stop the cluster and remove its folder with all data."""
        if not self._state_exists():
            return
        with self._locked():
            self._end()
            remove_folder(self._root)
        self._report(f"Removed the {TITLE} and its data.")

    def status(self) -> ClusterStatus:
        """Return what runs; changes nothing and does not wait for other commands."""
        kept = self.network()
        if kept is None:
            return ClusterStatus(ready=False, summary=f"There is no {TITLE} in {self._root}.")
        plane = self._control_plane(kept).status()
        processes = load_state(self._state).processes
        running = {name: name in processes and is_running(processes[name]) for name in (REGISTRY, *kept.nodes)}
        lines = [f"  {name:24} {'running' if runs else 'not running'}" for name, runs in running.items()]
        return ClusterStatus(plane.ready and all(running.values()), "\n".join([plane.describe(), *lines]))

    def node(self, name: str) -> tuple[Machine, ProcessRecord]:
        """Return a node of a running cluster, and the process that holds it.

        Raises:
            ClusterError: there is no such node, or it was never started.
        """
        kept, record = self.network(), load_state(self._state).processes.get(name)
        if kept is None or record is None or name not in kept.nodes:
            raise ClusterError(f"There is no node {name} in {self._root}.")
        return self._machines(kept, node_packages())[kept.nodes.index(name)], record

    @property
    def _state(self) -> Path:
        return self._root / "state.json"

    @property
    def _network_file(self) -> Path:
        return self._root / "network.json"

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._root / "lock", LOCK_SECONDS, self._report)

    def _kept(self) -> int | None:
        kept = self.network()
        return kept.number if kept else None

    def network(self) -> Network | None:
        """Addresses of the nodes; None before the first `up`."""
        return read_network(self._network_file)

    def _state_exists(self) -> bool:
        if self._network_file.exists():
            return True
        self._report(f"There is no {TITLE} in {self._root}.")
        return False

    def _control_plane(self, network: Network) -> Simulator:
        variant = Variant(f"control plane of the {TITLE}", CONTEXT, network.gateway, simulated=False)
        # Each cluster has an address of its own; only a program that listens on all of them can be in the way.
        port = API_PORT if is_free(API_PORT) else None
        folder = self._root / "control-plane"
        return Simulator(folder, self._programs, api_port=port, variant=variant, report=self._report)

    def _machines(self, network: Network, packages: NodePackages) -> list[Machine]:
        port = load_state(self._root / "control-plane" / "state.json").ports[API_SERVER]
        hosts = sorted({full_name(name).partition("/")[0] for image in IMAGES for name in image.references})
        return [
            Machine(
                NodeFiles(
                    name=name,
                    folder=self._root / "nodes" / name,
                    network=network,
                    server=f"https://{network.gateway}:{port}",
                    authority=self._root / "control-plane" / "pki",
                    packages=packages,
                    programs={program: self._programs[program] for program in NODE_PROGRAMS if self._programs},
                    hosts=hosts,
                )
            )
            for name in network.nodes
        ]

    def _start_registry(self, network: Network, state: State) -> None:
        server = RegistryServer(registry_program(), network.registry, self._root / REGISTRY)
        specification = server.specification()
        if not _is_current(state, specification):
            self._kill(state, [REGISTRY])
            self._remember(state, REGISTRY, start_process(specification))
        server.wait(state.processes[REGISTRY])
        for pushed in push(network.registry, chosen(IMAGES, NEEDED_IMAGES)):
            if pushed.sent:
                self._report(f"Put together and pushed: {pushed.reference}.")

    def _start_nodes(self, network: Network, machines: list[Machine], state: State) -> str:
        """Start the nodes that are due; return since when what nodes say of themselves counts."""
        plans = {machine: machine.specification(Path(sys.executable).resolve()) for machine in machines}
        due = [machine for machine, plan in plans.items() if not _is_current(state, plan)]
        self._kill(state, [machine.name for machine in due])
        self._kill(state, [name for name in state.processes if name not in {REGISTRY, *network.nodes}])
        for machine in due:
            machine.make_groups()
            self._remember(state, machine.name, start_process(plans[machine]))
        for machine in due:
            machine.connect(state.processes[machine.name])
        return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if due else ""

    def _wait(self, network: Network, machines: list[Machine], state: State, since: str) -> None:
        with closing(NodeReadiness(self._root / "control-plane", network, since)) as ready:

            def lacks() -> str | None:
                for machine in machines:
                    record = state.processes[machine.name]
                    if not is_running(record):
                        raise ClusterError(f"{machine.name} ended by itself. Its logs are in {self._root / 'nodes'}.")
                    if not machine.judges(record):
                        return f"network policies are not enforced on {machine.name}"
                return ready.lacks()

            lacking = wait_for(lacks, lambda text: text is None, seconds=READY_SECONDS, poll_seconds=POLL_SECONDS)
        if lacking:
            raise ClusterError(
                f"After {READY_SECONDS} seconds {lacking}. The logs are in {self._root / 'nodes'}. Free some processor "
                "time or memory, then start again; the data is kept."
            )

    def _end(self) -> None:
        network = self.network()
        state = load_state(self._state)
        # Killing a node's first process ends everything in it at once; there is nobody to ask politely.
        self._kill(state, list(state.processes))
        if network is not None:
            remove_groups(network.bridge)
            network.remove(self._root)
            self._control_plane(network).stop()

    def _kill(self, state: State, names: list[str]) -> None:
        records = [state.processes[name] for name in names if name in state.processes]
        stop_processes(records, grace_seconds=0)
        for name in names:
            record = state.processes.get(name)
            if record is not None and is_running(record):
                raise ClusterError(f"{name} (process {record.pid}) does not end. End it by hand: kill -9 {record.pid}")
            state.processes.pop(name, None)
        state.save(self._state)

    def _remember(self, state: State, name: str, record: ProcessRecord) -> None:
        # Saved at once: whatever happens next, the process will be found and can be ended.
        state.processes[name] = record
        state.save(self._state)

    def _kubectl(self, *arguments: str) -> tuple[str, ...]:
        options = (f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._root / 'kubectl'}")
        return (str(self._programs[KUBECTL]), *options, *arguments)


def requested_nodes() -> int:
    """Return how many nodes the environment variable ALT_LAS_NODES asks for; three by default.

    Raises:
        ClusterRequestError: it is not a number.
    """
    value = os.environ.get(NODES_VARIABLE, "")
    if value and not value.isdecimal():
        raise ClusterRequestError(f"{NODES_VARIABLE} is {value!r}; it must be a number from 1 to {MOST_NODES}.")
    return int(value) if value else DEFAULT_NODES


def _is_current(state: State, plan: ProcessSpecification) -> bool:
    record = state.processes.get(plan.name)
    return record is not None and is_running(record) and record.fingerprint == plan.fingerprint()
