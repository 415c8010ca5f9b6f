"""The target k3d: a small k3s cluster in Docker, as developers of the platform use it every day.

Not proven here: k3d and Docker are not at hand where this project is tested. The tests check the commands
and the configuration file, not a running cluster.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
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

BROUGHT = frozenset({"gateway-api"})
"""Addons whose CRDs k3s installs by its own Helm chart, which refuses those of others."""

_MANIFESTS = "/var/lib/rancher/k3s/server/manifests"
_OWN_JOBS = ("helm-install-traefik-crd", "helm-install-traefik")
"""Jobs by which k3s installs its ingress controller, with the CRDs of the Gateway API."""

_TRAEFIK = {
    "apiVersion": "helm.cattle.io/v1",
    "kind": "HelmChartConfig",
    "metadata": {"name": "traefik", "namespace": "kube-system"},
    # k3s leaves it off, and then nobody serves a Gateway.
    "spec": {"valuesContent": "providers:\n  kubernetesGateway:\n    enabled: true\n"},
}

Runner = Callable[[Sequence[str]], str]


def run_command(command: Sequence[str], seconds: int = 2 * CREATE_SECONDS) -> str:
    """Run a command and return what it prints.

    Args:
        command: the command.
        seconds: time after which it is given up.

    Raises:
        ClusterError: with its own error text, if it fails or cannot be run.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
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
        self,
        directory: Path,
        program: Path,
        kubectl: Path,
        report: Callable[[str], None],
        run: Runner = run_command,
    ) -> None:
        """Prepare, without running anything.

        Args:
            directory: for configuration and kubeconfig; made with mode 0700.
            program: path of k3d.
            kubectl: path of kubectl.
            report: told, in sentences, what goes on.
            run: runs a command and returns what it prints.
        """
        self._directory = directory.absolute()
        self._program = str(program)
        self._kubectl = str(kubectl)
        self._report = report
        self._run = run

    @property
    def kubeconfig(self) -> Path:
        """Path to which `up` writes the kubeconfig (mode 0600)."""
        return self._directory / "kubeconfig"

    def up(self) -> Path:
        """Create the cluster, or start it again, write its kubeconfig, and wait for what k3s installs by itself."""
        private_directory(self._directory)
        if self._find() is None:
            self._report(f"Creating the k3d cluster {NAME}; the first time this downloads images.")
            self._imported.unlink(missing_ok=True)
            write_private(self._traefik, yaml.safe_dump(_TRAEFIK, sort_keys=False))
            write_private(self._configuration, yaml.safe_dump(configuration(self._traefik), sort_keys=False))
            self._k3d("cluster", "create", "--config", str(self._configuration))
        else:
            self._k3d("cluster", "start", NAME, "--wait", "--timeout", f"{CREATE_SECONDS}s")
        write_private(self.kubeconfig, self._k3d("kubeconfig", "get", NAME))
        self._wait_for_own_jobs()
        return self.kubeconfig

    def import_images(self, images: Mapping[str, str]) -> tuple[str, ...]:
        """Put images of the Docker engine onto all nodes; those that were put there before are left out.

        Args:
            images: ID of each image by its reference.

        Returns:
            References of the images that the nodes did not have.
        """
        known = self._known_images()
        new = tuple(reference for reference, number in images.items() if known.get(reference) != number)
        if new:
            self._k3d("image", "import", "--cluster", NAME, *new)
            write_private(self._imported, json.dumps(known | dict(images), indent=2) + "\n")
        return new

    def _known_images(self) -> dict[str, str]:
        """IDs by reference; none where the file is missing or damaged, so that all are imported again."""
        try:
            return dict(json.loads(self._imported.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return {}

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
        for file in (self.kubeconfig, self._configuration, self._traefik, self._imported):
            file.unlink(missing_ok=True)

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

    @property
    def _traefik(self) -> Path:
        return self._directory / "traefik.yaml"

    @property
    def _imported(self) -> Path:
        return self._directory / "images.json"

    def _wait_for_own_jobs(self) -> None:
        jobs = tuple(f"job/{name}" for name in _OWN_JOBS)
        options = ("--kubeconfig", str(self.kubeconfig), "--namespace", "kube-system", f"--timeout={CREATE_SECONDS}s")
        for condition in ("create", "condition=complete"):
            self._run((self._kubectl, "wait", *options, f"--for={condition}", *jobs))

    def _find(self) -> dict[str, Any] | None:
        entries: list[dict[str, Any]] = json.loads(self._k3d("cluster", "list", "--output", "json") or "[]")
        return next((entry for entry in entries if entry["name"] == NAME), None)

    def _k3d(self, *arguments: str) -> str:
        return self._run((self._program, *arguments))


def configuration(traefik: Path) -> dict[str, Any]:
    """Return the content of k3d's configuration file.

    Args:
        traefik: file with the settings of k3s' ingress controller, which every server applies at its start.
    """
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
        "volumes": [{"volume": f"{traefik}:{_MANIFESTS}/alt-las-traefik.yaml", "nodeFilters": ["server:*"]}],
        "options": {
            "k3d": {"wait": True, "timeout": f"{CREATE_SECONDS}s"},
            "kubeconfig": {"updateDefaultKubeconfig": False, "switchCurrentContext": False},
        },
    }
