"""The target k3d: a small k3s cluster in Docker, as developers of the platform use it every day.

Not proven here: k3d and Docker are not at hand where this project is tested. The tests check the commands
and the configuration file, not a running cluster.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError
from cluster.files import private_directory, write_private
from cluster.interface import ClusterStatus

NAME = "alt-las"
IMAGE = "rancher/k3s:v1.35.5-k3s1"
SERVERS = 1
AGENTS = 2
CREATE_SECONDS = 300

Runner = Callable[[Sequence[str]], str]


def run_command(command: Sequence[str]) -> str:
    """Run a command and return what it prints.

    Raises:
        ClusterError: with its own error text, if it fails or cannot be run.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * CREATE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{command[0]} cannot be run: {error}. Install the project's tools again.") from error
    if result.returncode != 0:
        message = (
            f"{' '.join(command)} failed:\n{result.stderr.strip()}\n"
            "Check that Docker runs (docker info) and that ports 80 and 443 are free."
        )
        raise ClusterError(message)
    return result.stdout


class K3dCluster:
    """One k3d cluster; owns it, and the directory with its configuration and kubeconfig.

    The user's own kubeconfig is neither read nor changed.
    """

    def __init__(
        self, directory: Path, program: Path, report: Callable[[str], None], run: Runner = run_command
    ) -> None:
        """Prepare, without running anything.

        Args:
            directory: for configuration and kubeconfig; made with mode 0700.
            program: path of k3d.
            report: told, in sentences, what goes on.
            run: runs a command and returns what it prints.
        """
        self._directory = directory.absolute()
        self._program = str(program)
        self._report = report
        self._run = run

    @property
    def kubeconfig(self) -> Path:
        """Where `up` writes the kubeconfig (mode 0600)."""
        return self._directory / "kubeconfig"

    def up(self) -> Path:
        """Create the cluster, or start it again, and write its kubeconfig."""
        private_directory(self._directory)
        if self._find() is None:
            self._report(f"Creating the k3d cluster {NAME}; the first time this downloads images.")
            write_private(self._configuration, yaml.safe_dump(configuration(), sort_keys=False))
            self._k3d("cluster", "create", "--config", str(self._configuration))
        else:
            self._k3d("cluster", "start", NAME, "--wait", "--timeout", f"{CREATE_SECONDS}s")
        write_private(self.kubeconfig, self._k3d("kubeconfig", "get", NAME))
        return self.kubeconfig

    def down(self) -> None:
        """Stop the cluster and keep its data."""
        if self._find() is None:
            self._report(f"There is no k3d cluster {NAME}.")
        else:
            self._k3d("cluster", "stop", NAME)

    def delete(self) -> None:
        """Delete the cluster, its configuration and its kubeconfig."""
        if self._find() is not None:
            self._k3d("cluster", "delete", NAME)
        self.kubeconfig.unlink(missing_ok=True)
        self._configuration.unlink(missing_ok=True)

    def status(self) -> ClusterStatus:
        """Return how many of its servers and agents run."""
        found = self._find()
        if found is None:
            return ClusterStatus(ready=False, summary=f"There is no k3d cluster {NAME}.")
        servers, agents = found.get("serversRunning", 0), found.get("agentsRunning", 0)
        summary = f"k3d cluster {NAME}: {servers} of {SERVERS} servers and {agents} of {AGENTS} agents run."
        return ClusterStatus(ready=(servers, agents) == (SERVERS, AGENTS), summary=summary)

    @property
    def _configuration(self) -> Path:
        return self._directory / "k3d.yaml"

    def _find(self) -> dict[str, Any] | None:
        entries: list[dict[str, Any]] = json.loads(self._k3d("cluster", "list", "--output", "json") or "[]")
        return next((entry for entry in entries if entry["name"] == NAME), None)

    def _k3d(self, *arguments: str) -> str:
        return self._run((self._program, *arguments))


def configuration() -> dict[str, Any]:
    """Return the content of k3d's configuration file."""
    return {
        "apiVersion": "k3d.io/v1alpha5",
        "kind": "Simple",
        "metadata": {"name": NAME},
        "servers": SERVERS,
        "agents": AGENTS,
        "image": IMAGE,
        # The API must not be open to the network that this machine is in.
        "kubeAPI": {"hostIP": "127.0.0.1"},
        "ports": [{"port": f"{port}:{port}", "nodeFilters": ["loadbalancer"]} for port in (80, 443)],
        "options": {
            "k3d": {"wait": True, "timeout": f"{CREATE_SECONDS}s"},
            "kubeconfig": {"updateDefaultKubeconfig": False, "switchCurrentContext": False},
        },
    }
