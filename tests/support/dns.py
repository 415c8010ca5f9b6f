"""A DNS server on loopback that knows fully qualified names only, as a cluster's does, and programs that ask it.

Owns the server, and namespaces of their own in which programs find it by an ordinary resolv.conf. As a program: reads
a question as JSON, and writes what programs said and which names they asked for. Answers over UDP, IPv4 only.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.images.namespaces import MS_BIND, bring_loopback_up, mount

_QUESTION_TYPE_A = 1
_NO_SUCH_NAME = 3
_SECONDS = 120


@dataclass
class StrictDns:
    """The server.

    Attributes:
        knows: Tells whether a name exists; as it stands, because a server adds no search domain.
        answer: Address of every name that exists.
        asked: Names that were asked for, in their order.
    """

    knows: Callable[[str], bool]
    answer: str = "127.0.0.1"
    asked: list[str] = field(default_factory=list)

    def reply(self, question: bytes) -> bytes:
        """Reply to one question."""
        name, position = _name_in(question)
        self.asked.append(name)
        kind = struct.unpack("!H", question[position : position + 2])[0]
        known = self.knows(name)
        records = b""
        if known and kind == _QUESTION_TYPE_A:
            records = struct.pack("!HHHIH", 0xC00C, _QUESTION_TYPE_A, 1, 1, 4) + socket.inet_aton(self.answer)
        flags = 0x8580 if known else 0x8580 | _NO_SUCH_NAME
        header = question[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0)
        return header + question[12 : position + 4] + records

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[int]:
        """Serve on loopback while the block runs, and give the port."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", port))
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()
            yield server.getsockname()[1]

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                question, client = server.recvfrom(8192)
            except OSError:
                return
            server.sendto(self.reply(question), client)


def _name_in(question: bytes) -> tuple[str, int]:
    labels, position = [], 12
    while length := question[position]:
        labels.append(question[position + 1 : position + 1 + length].decode())
        position += 1 + length
    return ".".join(labels).lower(), position + 1


@dataclass(frozen=True)
class Answers:
    """Output of a program for each name, and the names for which it asked the server meanwhile."""

    said: Mapping[str, str]
    asked: Mapping[str, Sequence[str]]


def in_a_pod(
    commands: Mapping[str, Sequence[str]], served: Sequence[str], search: Sequence[str], folder: Path
) -> Answers:
    """Run programs with the resolv.conf of a pod, whose DNS server knows some names.

    Args:
        commands: A program and its arguments, by what is asked.
        served: Names that the server knows.
        search: Search domains.
        folder: Folder for the resolv.conf.
    """
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver 127.0.0.1\nsearch {' '.join(search)}\noptions ndots:5 timeout:2\n")
    request = json.dumps({"settings": str(settings), "served": list(served), "commands": dict(commands)})
    own = ("unshare", "--map-root-user", "--net", "--mount", sys.executable, "-m", "tests.support.dns")
    done = subprocess.run(own, input=request, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"not proven here: resolvers of programs: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return Answers(**json.loads(done.stdout))


def main() -> None:
    """Serve names, run the programs one after the other, and print what they said."""
    request: dict[str, Any] = json.load(sys.stdin)
    bring_loopback_up()
    mount(request["settings"], Path("/etc/resolv.conf"), flags=MS_BIND)
    server = StrictDns(frozenset(request["served"]).__contains__)
    said, asked = {}, {}
    with server.serving(port=53):
        for key, command in request["commands"].items():
            server.asked.clear()
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
            said[key] = done.stdout + done.stderr
            asked[key] = list(dict.fromkeys(server.asked))
    json.dump({"said": said, "asked": asked}, sys.stdout)


if __name__ == "__main__":
    main()
