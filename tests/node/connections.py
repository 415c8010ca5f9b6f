"""Connections tried from inside running pods, whatever their images hold.

A pod's own network is entered from the machine, where every container is a process; what is tried goes through the
pod's interface and is judged like the pod's own traffic.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPEN, REFUSED, SILENT = "open", "refused", "silent"
"""Outcomes: something answers; refused at once, by a policy or because nothing listens; no answer in time."""

_SCRIPT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

QUERY = bytes.fromhex("0001 0100 0001 0000 0000 0000 0000 0002 0001")  # the servers of the root

def connected(place):
    if protocol == "TCP":
        socket.create_connection(place, 2).close()
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect(place)
        client.send(QUERY)
        client.recv(512)

def tried(place):
    for _ in range(2):
        try:
            connected(tuple(place))
            return "open"
        except ConnectionError:
            found = "refused"
        except OSError:
            found = "silent"
    return found

protocol, places = json.load(sys.stdin)
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(tried, places))))
"""


@dataclass(frozen=True, order=True)
class RunningPod:
    """A pod whose containers run.

    Attributes:
        name: Name of the pod.
        workload: Name that its workload gives it, by which the declared traffic knows it.
        address: Address of the pod.
        uid: Stands in the names of its control groups.
        ports: TCP ports that its containers name.
    """

    name: str
    workload: str
    address: str
    uid: str
    ports: tuple[int, ...]

    @classmethod
    def of(cls, item: Mapping[str, Any], workload: str) -> "RunningPod":
        """Read it from the API server's answer."""
        containers = item["spec"]["containers"]
        ports = {port["containerPort"] for each in containers for port in each.get("ports", ())}
        metadata = item["metadata"]
        return cls(metadata["name"], workload, item["status"]["podIP"], metadata["uid"], tuple(sorted(ports)))

    def process(self, program: str = "") -> int:
        """Number of one of its processes on this machine.

        Args:
            program: Path of a program that the process's container must have.

        Raises:
            LookupError: There is none.
        """
        for process in self.processes():
            if Path(f"/proc/{process}/root{program}").exists():
                return process
        raise LookupError(f"no process of the pod {self.name}")

    def processes(self) -> Iterator[int]:
        """Numbers of all of its processes on this machine."""
        marks = (self.uid, self.uid.replace("-", "_"))
        for groups in Path("/proc").glob("[0-9]*/cgroup"):
            try:
                text = groups.read_text()
            except OSError:  # it has just ended
                continue
            if any(f"pod{mark}" in text for mark in marks):
                yield int(groups.parent.name)

    def tries(self, places: Iterable[tuple[str, int]], protocol: str = "TCP") -> Sequence[str]:
        """Outcome of one connection, or by UDP of one DNS query, for each address: `open`, `refused` or `silent`."""
        command = ["nsenter", f"--target={self.process()}", "--net", "--", sys.executable, "-I", "-S", "-c", _SCRIPT]
        done = subprocess.run(
            command, input=json.dumps([protocol, list(places)]), capture_output=True, text=True, check=True
        )
        found: list[str] = json.loads(done.stdout)
        return found
