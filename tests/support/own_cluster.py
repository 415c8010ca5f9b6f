"""A simulated cluster for one test file alone, asked by kubectl in the namespace of the stack."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import tools
from cluster.control_plane import PROGRAMS
from cluster.simulator import Simulator

NAMESPACE = "alt-las"
_SECONDS = 180


@dataclass(frozen=True)
class OwnCluster:
    """A running cluster.

    Attributes:
        kubectl: The pinned program.
        kubeconfig: How to reach the cluster as its administrator.
    """

    kubectl: Path
    kubeconfig: Path

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the namespace and return what it prints."""
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), "--namespace", NAMESPACE, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests."""
        self.run("apply", "--server-side", "--filename=-", text=yaml.safe_dump_all(manifests))

    def set_status(self, kind: str, name: str, status: str) -> None:
        """Say how an object is, as its kubelet would."""
        self.run("patch", kind, name, "--subresource=status", "--type=merge", "--patch", status)


@contextmanager
def own_cluster(folder: Path) -> Iterator[OwnCluster]:
    """A cluster until the end of the block; nothing of it stays."""
    toolbox = tools.ensure((*PROGRAMS, "kubectl"))
    made = Simulator(folder / "sim", {name: Path(toolbox.path(name)) for name in PROGRAMS}, report=print)
    try:
        made.start()
        kubeconfig = made.status().kubeconfig
        assert kubeconfig is not None
        yield OwnCluster(Path(toolbox.path("kubectl")), kubeconfig)
    finally:
        made.delete()
