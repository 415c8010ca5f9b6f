"""Image registry of the nodes: Debian's docker-registry as one process, on one address and one folder.

Owns its configuration and start. Does not own the process record (cluster.processes) nor what is in it
(cluster.node.images).
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.files import private_directory, write_private
from cluster.processes import ProcessSpecification, is_running, last_lines
from cluster.state import ProcessRecord
from cluster.waiting import wait_for
from tools.errors import WayFailedError
from tools.pinned_debian import unpacked

_PACKAGE = {"docker-registry=2.8.2+ds1-1": "a9bd06c0e006854608f8469b4371743f40604ad90975532bb3b7ceeb72fe2913"}
"""Package and version, and the SHA-256 of its file for amd64, from Debian 12's signed index."""
_FOLDER_HEADER = "X-Alt-Las-Folder"
_START_SECONDS = 20
_POLL_SECONDS = 0.02


def registry_program() -> Path:
    """Return the registry's program, unpacked from its Debian package at the first call.

    Raises:
        ClusterError: The package cannot be had.
    """
    try:
        return unpacked("docker-registry-2.8.2", _PACKAGE) / "usr/bin/docker-registry"
    except WayFailedError as error:
        raise ClusterError(f"The image registry of the nodes cannot be had: {error}.") from None


@dataclass(frozen=True)
class RegistryServer:
    """One registry.

    Attributes:
        program: From `registry_program`.
        address: Address and port on which it listens; nodes in namespaces of their own need that of their bridge.
        folder: Holds its configuration, its log, and what is pushed to it.
    """

    program: Path
    address: str
    folder: Path

    def specification(self) -> ProcessSpecification:
        """Write the configuration and return how to start the process; a changed one asks for a restart."""
        private_directory(self.folder)
        configuration = self.folder / "configuration.yml"
        document = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "content")}},
            # By the header it is known from another registry that has the address already.
            "http": {"addr": self.address, "headers": {_FOLDER_HEADER: [str(self.folder)]}},
        }
        write_private(configuration, json.dumps(document, indent=2) + "\n")
        # Newer versions of the same program would send traces to a collector on this machine.
        quiet = ("/usr/bin/env", "OTEL_TRACES_EXPORTER=none")
        return ProcessSpecification(
            "registry",
            (*quiet, str(self.program), "serve", str(configuration)),
            self.folder / "registry.log",
            inputs=(configuration,),
        )

    def wait(self, record: ProcessRecord) -> None:
        """Return when the started process answers.

        Raises:
            ClusterError: It does not, or it has ended; the message has the end of its log.
        """

        def settled() -> bool:
            return not is_running(record) or self._answers()

        wait_for(settled, seconds=_START_SECONDS, poll_seconds=_POLL_SECONDS)
        if not self._answers():
            raise ClusterError(
                f"The image registry does not answer on {self.address}. If another program uses this address, end it "
                f"or choose another port. Its log ends with:\n{last_lines(self.folder / 'registry.log')}"
            )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=1) as answer:
                return bool(answer.headers[_FOLDER_HEADER] == str(self.folder))
        except OSError:
            return False
