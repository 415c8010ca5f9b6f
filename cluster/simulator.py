"""A Kubernetes cluster without root and without Docker: a real control plane with simulated nodes.

The API server, etcd, the controllers and the scheduler are the real programs, so validation, admission,
rollouts, quotas, ownership and storage claims behave as they do elsewhere. Nodes and pods are played by
kwok: no container runs, so traffic, data and probes are not proven here. The same code runs the control plane of
real nodes, as another variant of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path

from cluster.control_plane import ETCD_PEER, PORTS, Layout, specifications, write_settings
from cluster.errors import ClusterError
from cluster.files import private_directory, remove_folder
from cluster.lock import exclusive_lock
from cluster.nodes import apply_objects, release_leases
from cluster.options import check_directory, check_programs, requested_ports
from cluster.ports import is_free, settle_ports
from cluster.processes import (
    ProcessSpecification,
    is_running,
    last_lines,
    memory_mib,
    start_process,
    stop_processes,
    wait_until_gone,
)
from cluster.readiness import Readiness
from cluster.simulator_status import ProcessStatus, SimulatorStatus
from cluster.state import State, load_state
from cluster.trust import ensure_trust
from cluster.variant import API_SERVER, CONTROLLER_MANAGER, ETCD, KWOK, SCHEDULER, SIMULATED, Variant
from cluster.waiting import wait_for

POLL_SECONDS = 0.05
READY_SECONDS = 90
REQUEST_SECONDS = 10
LOCK_SECONDS = 120
GRACE_SECONDS = 10
STATUS_SECONDS = 5
PORT_TRIES = 3


class PortLostError(ClusterError):
    """A port was free when it was chosen, and another program took it before ours listened there."""


class Simulator:
    """One simulated cluster; owns its directory, everything in it, and the five processes it starts."""

    def __init__(
        self,
        directory: Path,
        programs: Mapping[str, Path],
        *,
        api_port: int | None = None,
        audit_log: bool = False,
        variant: Variant = SIMULATED,
        report: Callable[[str], None],
    ) -> None:
        """Prepare, without touching anything.

        Args:
            directory: where all files are; made with mode 0700.
            programs: path of each program of the variant; needed for `start` only.
            api_port: port of the API server; default is that of the environment variable ALT_LAS_API_PORT,
                then that of the last run, then a free one.
            audit_log: write every API request, without bodies, as JSON lines to `logs/audit.jsonl`.
            variant: whether the nodes are simulated, and where the API server listens.
            report: told, in sentences, what goes on.
        """
        self._variant = variant
        self._layout = Layout(directory.absolute())
        self._programs = programs
        self._api_port = api_port
        self._audit_log = audit_log
        self._report = report

    @property
    def audit_log_file(self) -> Path:
        """Path of the log of API requests, if that was asked for."""
        return self._layout.audit_log

    def start(self) -> Path:
        """Start what is not running, restart what would run differently, and wait until pods can run.

        Returns:
            The kubeconfig of the administrator (mode 0600, self-contained, context as the variant says).

        Raises:
            ClusterError: if a program is missing, a port is taken, a process dies or nothing is ready in time.
        """
        requested = requested_ports(self._api_port)
        check_programs(self._programs, self._variant.programs)
        check_directory(self._layout, self._variant.title)
        private_directory(self._layout.root)
        with self._locked():
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._start_with_free_ports(requested)
                    break
                except PortLostError:
                    # Clusters that start at the same time may choose the same port.
                    if not tries_left:
                        raise
        return self._layout.kubeconfig

    def stop(self) -> None:
        """End the processes of this cluster and only those; its data is kept.

        Raises:
            ClusterError: if a process does not end.
        """
        if self._exists():
            with self._locked():
                self._stop_all()
            self._report(f"Stopped the {self._variant.title}. Its data stays in {self._layout.root}.")

    def delete(self) -> None:
        """Stop the cluster and remove its directory with all data.

        Raises:
            ClusterError: if a process does not end; nothing is removed then.
        """
        if self._exists():
            with self._locked():
                self._stop_all()
                # The lock file goes last: it marks the directory as ours until nothing is left in it.
                for entry in set(self._layout.root.iterdir()) - {self._layout.lock}:
                    remove_folder(entry) if entry.is_dir() else entry.unlink()
                remove_folder(self._layout.root)
            self._report(f"Removed the {self._variant.title} and its data.")

    def status(self) -> SimulatorStatus:
        """Return what runs and what it uses; changes nothing and does not wait for other commands."""
        state = load_state(self._layout.state)
        processes = tuple(_process_status(name, state) for name in self._variant.programs)
        all_running = all(process.state == "running" for process in processes)
        kubeconfig = self._layout.kubeconfig if self._layout.kubeconfig.is_file() else None
        return SimulatorStatus(processes, dict(state.ports), all_running and self._answers(state), kubeconfig)

    def _start_with_free_ports(self, requested: Mapping[str, int]) -> None:
        state = load_state(self._layout.state)
        running = self._running(state)
        state.ports = settle_ports(state.ports, running, PORTS, requested, self._report)
        trust = ensure_trust(self._layout.certificates, self._variant.api_server_names)
        write_settings(self._layout, trust, state.ports, self._variant)
        plan = specifications(
            self._layout, trust, state.ports, self._programs, audit_log=self._audit_log, variant=self._variant
        )
        due = _due_for_start(plan, state, running)
        with closing(self._readiness(state, REQUEST_SECONDS)) as readiness:
            self._bring_up(plan, due, state, readiness)

    def _bring_up(
        self, plan: tuple[ProcessSpecification, ...], due: set[str], state: State, readiness: Readiness
    ) -> None:
        self._end(state, due)
        first = {ETCD, API_SERVER}
        self._launch([item for item in plan if item.name in due & first], state)
        self._wait(state, readiness.api_lacks)
        if due and self._variant.simulated:
            apply_objects(readiness.api)
        if KWOK in due:
            release_leases(readiness.api)
        self._launch([item for item in plan if item.name in due - first], state)
        self._wait(state, readiness.cluster_lacks)

    def _launch(self, items: Iterable[ProcessSpecification], state: State) -> None:
        for item in items:
            try:
                state.processes[item.name] = start_process(item)
            except OSError as error:
                message = f"{item.command[0]} cannot be run: {error.strerror}. Install it again, then start again."
                raise ClusterError(message) from error
            # Saved at once: whatever happens next, the process will be found and can be ended.
            state.save(self._layout.state)

    def _wait(self, state: State, what_lacks: Callable[[], str | None]) -> None:
        def lacking() -> str | None:
            lacks = what_lacks()
            self._raise_if_one_died(state)
            return lacks

        lacks = wait_for(lacking, lambda answer: answer is None, seconds=READY_SECONDS, poll_seconds=POLL_SECONDS)
        if lacks is not None:
            message = (
                f"After {READY_SECONDS} seconds {lacks}. The logs are in {self._layout.logs}. "
                "Free some processor time or memory, then start again; the data is kept."
            )
            raise ClusterError(message)

    def _raise_if_one_died(self, state: State) -> None:
        for name, record in state.processes.items():
            if not is_running(record):
                log = self._layout.log_of(name)
                message = (
                    f"{name} ended by itself. The last lines of {log}:\n{last_lines(log)}\n"
                    "Cure what they say, then start again; the data is kept."
                )
                wait_until_gone([record], GRACE_SECONDS)
                is_lost = any(not is_free(state.ports[port]) for port in _ports_of(name))
                raise PortLostError(message) if is_lost else ClusterError(message)

    def _end(self, state: State, names: Container[str]) -> None:
        wanted = {name: record for name, record in state.processes.items() if name in names}
        # The database ends last, and the API server before it: their clients would only log errors.
        for group in ((CONTROLLER_MANAGER, SCHEDULER, KWOK), (API_SERVER,), (ETCD,)):
            members = [name for name in group if name in wanted]
            # The API server keeps nothing itself. Its polite end never finishes without its database, nor where
            # it waits for the answers of pods that are gone.
            orphaned = group == (API_SERVER,) and (
                not self._variant.simulated or (ETCD in wanted and not is_running(wanted[ETCD]))
            )
            grace_seconds = 0 if orphaned else GRACE_SECONDS
            killed = stop_processes([wanted[name] for name in members], grace_seconds)
            if killed and not orphaned:
                self._report(f"{', '.join(members)} did not end within {GRACE_SECONDS} seconds and had to be killed.")
            for name in members:
                self._forget(state, name)

    def _forget(self, state: State, name: str) -> None:
        if is_running(state.processes[name]):
            pid = state.processes[name].pid
            raise ClusterError(f"{name} (process {pid}) does not end. End it by hand: kill -9 {pid}")
        del state.processes[name]
        state.save(self._layout.state)

    def _exists(self) -> bool:
        check_directory(self._layout, self._variant.title)
        if not self._layout.lock.exists():
            self._report(f"There is no {self._variant.title} in {self._layout.root}.")
            return False
        return True

    def _stop_all(self) -> None:
        state = load_state(self._layout.state)
        self._end(state, self._variant.programs)
        still_open = [f"{port} ({name})" for name, port in state.ports.items() if not is_free(port)]
        if still_open:
            self._report(
                f"All processes of this cluster have ended, yet a program listens on port {', '.join(still_open)}. "
                "It is not of this cluster; the next start chooses another port."
            )

    def _running(self, state: State) -> set[str]:
        running = {name for name, record in state.processes.items() if is_running(record)}
        for name in set(state.processes) - running:
            self._report(f"{name} had ended without being stopped; it is started again.")
            # Its ports must be free before anybody asks whether they are.
            wait_until_gone([state.processes[name]], GRACE_SECONDS)
        # The second port of etcd is in use by the same process.
        return running | ({ETCD_PEER} if ETCD in running else set())

    def _answers(self, state: State) -> bool:
        with closing(self._readiness(state, STATUS_SECONDS)) as readiness:
            try:
                return readiness.cluster_lacks() is None
            except ClusterError:
                return False

    def _readiness(self, state: State, timeout_seconds: float) -> Readiness:
        return Readiness(self._layout.certificates, state.ports, timeout_seconds, self._variant)

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._layout.lock, LOCK_SECONDS, self._report)


def _ports_of(name: str) -> tuple[str, ...]:
    return (ETCD, ETCD_PEER) if name == ETCD else tuple({name} & set(PORTS))


def _due_for_start(plan: Iterable[ProcessSpecification], state: State, running: set[str]) -> set[str]:
    due: set[str] = set()
    for item in plan:
        current = item.name in running and state.processes[item.name].fingerprint == item.fingerprint()
        # What depends on a restarted process is restarted too: its own retries would come back at a
        # moment of their choice, up to half a minute later.
        if not current or due.intersection(item.needs):
            due.add(item.name)
    return due


def _process_status(name: str, state: State) -> ProcessStatus:
    record = state.processes.get(name)
    if record is None:
        return ProcessStatus(name, "absent", None, None)
    if not is_running(record):
        return ProcessStatus(name, "dead", record.pid, None)
    return ProcessStatus(name, "running", record.pid, memory_mib(record.pid))
