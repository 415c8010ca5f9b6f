"""Names of the Redis servers, as HAProxy's own resolver asks for them: it knows neither search domains nor ndots."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.stores.redis import configuration, objects
from tests.data.debian import haproxy
from tests.support.loopback import Process, addresses, platform_settings, wait_until
from tests.support.program import surroundings_without_engine

pytestmark = pytest.mark.data

_QUESTION_TYPE_A = 1
_NO_SUCH_NAME = 3


@dataclass
class StrictDns:
    """A DNS server on loopback that knows only fully qualified names below one domain, as a cluster's does.

    Attributes:
        domain: The domain.
        answer: Address of every name below it.
        asked: Names that were asked for.
    """

    domain: str
    answer: str
    asked: set[str] = field(default_factory=set)

    def reply(self, question: bytes) -> bytes:
        """Reply to one question."""
        name, position = _name_in(question)
        self.asked.add(name)
        kind = struct.unpack("!H", question[position : position + 2])[0]
        known = name.endswith(self.domain)
        records = b""
        if known and kind == _QUESTION_TYPE_A:
            records = struct.pack("!HHHIH", 0xC00C, _QUESTION_TYPE_A, 1, 1, 4) + socket.inet_aton(self.answer)
        flags = 0x8580 if known else 0x8580 | _NO_SUCH_NAME
        header = question[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0)
        return header + question[12 : position + 4] + records

    def serve(self, server: socket.socket) -> None:
        """Reply until the socket is closed."""
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


@pytest.fixture
def dns() -> Iterator[tuple[StrictDns, int]]:
    """The DNS server, and its port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    made = StrictDns("svc.cluster.local", "127.0.0.1")
    thread = threading.Thread(target=made.serve, args=(server,), daemon=True)
    thread.start()
    try:
        yield made, server.getsockname()[1]
    finally:
        server.close()


def proxy_of_beta(folder: Path, dns_port: int, *, cluster_domain: str | None = None) -> tuple[Process, Path]:
    """HAProxy with the configuration of beta's pods, but for the place of its DNS server; and its admin socket."""
    platform = platform_settings("beta")
    if cluster_domain is not None:
        platform = platform.model_copy(update={"cluster_domain": cluster_domain})
    assert platform.redis is not None
    (entry,) = addresses(1, (configuration.PORT, configuration.PROXY_HEALTH_PORT))
    text = objects.proxy_content(platform.redis, surroundings_without_engine(platform))["haproxy.cfg"]
    control = folder / "control"
    text = text.replace("parse-resolv-conf", f"nameserver test 127.0.0.1:{dns_port}")
    text = text.replace("bind :", f"bind {entry}:")
    text = text.replace("global\n", f"global\n  stats socket {control} level admin\n", 1)
    (folder / "haproxy.cfg").write_text(text)
    program, variables = haproxy()
    variables = {**variables, "REDIS_HEALTH_PASSWORD": "x"}
    return Process([program, "-db", "-f", str(folder / "haproxy.cfg")], folder, "proxy", variables), control


def known_addresses(control: Path) -> list[str]:
    """Address that HAProxy has for each server; `-` for one that it has not resolved."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control))
        client.sendall(b"show servers state primary\n")
        text = b"".join(iter(lambda: client.recv(8192), b"")).decode()
    return [line.split()[4] for line in text.splitlines() if line.startswith(("3 primary", "4 primary", "5 primary"))]


def test_the_proxy_resolves_every_server_by_its_fully_qualified_name(
    dns: tuple[StrictDns, int], tmp_path: Path
) -> None:
    """With names that end in `.svc` no server ever has an address, and every connection ends."""
    server, port = dns
    proxy, control = proxy_of_beta(tmp_path, port)
    proxy.start()
    try:
        wait_until(lambda: known_addresses(control) == ["127.0.0.1"] * 3, "all three servers have an address", 15)
    finally:
        proxy.kill()
    expected = {f"redis-{index}.redis-servers.alt-las-beta.svc.cluster.local" for index in range(3)}
    assert server.asked == expected


def test_names_of_another_domain_are_never_resolved(dns: tuple[StrictDns, int], tmp_path: Path) -> None:
    """The control: the setting `clusterDomain` decides, and a wrong one shows."""
    server, port = dns
    proxy, control = proxy_of_beta(tmp_path, port, cluster_domain="wrong.example")
    proxy.start()
    try:
        wait_until(lambda: len(server.asked) == 3, "the proxy asks for all three servers", 15)
        time.sleep(1)
        assert known_addresses(control) == ["-"] * 3
    finally:
        proxy.kill()


def test_the_proxy_reserves_memory_for_the_connections_that_servers_accept(tmp_path: Path) -> None:
    """Not for as many as there may be open files, which is a million and more in a container."""
    proxy, control = proxy_of_beta(tmp_path, 1)
    limited = ["sh", "-c", f"ulimit -n $(ulimit -Hn); exec {' '.join(proxy.command)}"]
    running = Process(limited, tmp_path, "limited", proxy.environment)
    running.start()
    try:
        wait_until(control.exists, "the proxy runs")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(control))
            client.sendall(b"show info\n")
            text = b"".join(iter(lambda: client.recv(8192), b"")).decode()
    finally:
        running.kill()
    settings = platform_settings("beta").redis
    assert settings is not None
    assert f"Maxconn: {settings.max_clients}\n" in text
    assert "Nbthread: 2\n" in text
