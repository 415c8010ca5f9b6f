"""A cluster that somebody else runs, named by a kubeconfig: it is looked at, never started or stopped."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cluster.errors import ClusterError
from cluster.interface import ClusterStatus
from cluster.kubeconfig import Server, read_server

REACH_SECONDS = 10


class ExistingCluster:
    """The cluster of a kubeconfig; owns nothing of it."""

    def __init__(self, kubeconfig: Path, report: Callable[[str], None]) -> None:
        """Prepare, without connecting.

        Args:
            kubeconfig: the user's file; it is only read.
            report: told, in sentences, what goes on.
        """
        self._kubeconfig = kubeconfig
        self._report = report

    def up(self) -> Path:
        """Make sure that the API server answers within ten seconds.

        Any answer will do, also a refusal: whether the user may do what follows shows when it is done.

        Raises:
            ClusterError: if it does not, or if the kubeconfig cannot be used.
        """
        server = read_server(self._kubeconfig)
        try:
            _ask(server)
        except (OSError, ValueError, http.client.HTTPException) as error:
            message = (
                f"The API server {server.url} of {self._kubeconfig} does not answer: {error}. Check that the cluster "
                f"runs and that this machine reaches it: kubectl --kubeconfig {self._kubeconfig} version."
            )
            raise ClusterError(message) from error
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


def _ask(server: Server) -> None:
    address = urlsplit(server.url)
    if address.hostname is None or address.scheme not in {"http", "https"}:
        message = "its address must start with https://"
        raise ValueError(message)
    connection = _connection(server, address, address.hostname)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/version")
        connection.getresponse().read()
    finally:
        connection.close()


def _connection(server: Server, address: SplitResult, host: str) -> http.client.HTTPConnection:
    if address.scheme == "http":
        return http.client.HTTPConnection(host, address.port, timeout=REACH_SECONDS)
    context = ssl.create_default_context(cadata=server.authority)
    # kubectl accepts authorities that lack extensions which the strict check of newer Pythons asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not server.verify or server.server_name:
        context.check_hostname = False
    if not server.verify:
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, address.port, timeout=REACH_SECONDS, context=context)
