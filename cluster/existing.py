"""A cluster that is not run by this project, named by a kubeconfig: it is looked at, never started or stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from cluster.errors import ClusterError
from cluster.interface import ClusterStatus

KUBECTL = "kubectl"
REACH_SECONDS = 10
# What kubectl says when a server has answered and does not let this user in.
REFUSALS = ("Error from server", "You must be logged in to the server")


class ExistingCluster:
    """The cluster of a kubeconfig; owns nothing of it."""

    def __init__(self, kubeconfig: Path, kubectl: Path, report: Callable[[str], None]) -> None:
        """Prepare, without connecting.

        Args:
            kubeconfig: the user's file; it is only read.
            kubectl: the program that knows every way to reach a server: proxies, certificates, plugins.
            report: told, in sentences, what goes on.
        """
        self._kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._report = report

    def up(self) -> Path:
        """Make sure that the API server answers within ten seconds.

        Any answer will do, also a refusal: whether the user may do what follows shows when it is done.

        Raises:
            ClusterError: if it does not, or if the kubeconfig cannot be used.
        """
        # Asked first: without a context kubectl would look for a server on port 8080 of this machine.
        server, problem = self._ask("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
        if problem or not server:
            message = (
                f"The kubeconfig {self._kubeconfig} cannot be used: {problem or 'no server'}. It needs a current "
                "context whose cluster has a server; check it with: kubectl config view --minify."
            )
            raise ClusterError(message)
        _, problem = self._ask("get", "--raw=/version", f"--request-timeout={REACH_SECONDS}s")
        if problem and not any(refusal in problem for refusal in REFUSALS):
            message = (
                f"The API server {server} of {self._kubeconfig} does not answer: {problem}. Check that the cluster "
                f"runs and that this machine reaches it: kubectl --kubeconfig {self._kubeconfig} version."
            )
            raise ClusterError(message)
        return self._kubeconfig

    def down(self) -> None:
        """Say that there is nothing to stop."""
        self._report(f"There is nothing to stop: the cluster of {self._kubeconfig} is not run by this project.")

    def delete(self) -> None:
        """Say that there is nothing to delete."""
        self._report(f"There is nothing to delete: the cluster of {self._kubeconfig} is not run by this project.")

    def status(self) -> ClusterStatus:
        """Return whether the API server answers."""
        try:
            self.up()
        except ClusterError as error:
            return ClusterStatus(ready=False, summary=str(error))
        return ClusterStatus(ready=True, summary=f"The API server of {self._kubeconfig} answers.")

    def _ask(self, *arguments: str) -> tuple[str, str]:
        """Return what kubectl prints and, if it fails, what it says about that."""
        command = [str(self._kubectl), f"--kubeconfig={self._kubeconfig}", *arguments]
        # Without credentials kubectl asks for a name and a password.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.stdout, " ".join(done.stderr.split()) if done.returncode else ""
