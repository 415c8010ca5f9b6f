"""Host names in programs' configurations, asked for by real ones of a DNS server that knows fully qualified names only.

HAProxy's resolver knows neither search domains nor ndots; that of the C library (redis-cli) and Go's (nats) do.
Alpine's musl is not tried: nothing here is built with it.
"""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.stores.redis import configuration, objects
from policy.stacks import load_stack
from tests.data.debian import haproxy, redis
from tests.support.dns import Answers, StrictDns, in_a_pod
from tests.support.host_names import Resolver, of_cluster, served, sightings
from tests.support.loopback import Process, addresses, platform_settings, wait_until
from tests.support.program import surroundings_without_engine
from tests.support.programs import program

pytestmark = pytest.mark.data


@pytest.fixture
def dns() -> Iterator[tuple[StrictDns, int]]:
    """The DNS server, and its port."""
    made = StrictDns(lambda name: name.endswith(".svc.cluster.local"))
    with made.serving() as port:
        yield made, port


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
    assert {*server.asked} == expected


def test_names_of_another_domain_are_never_resolved(dns: tuple[StrictDns, int], tmp_path: Path) -> None:
    """The control: the setting `clusterDomain` decides, and a wrong one shows."""
    server, port = dns
    proxy, control = proxy_of_beta(tmp_path, port, cluster_domain="wrong.example")
    proxy.start()
    try:
        wait_until(lambda: len({*server.asked}) == 3, "the proxy asks for all three servers", 15)
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


DOMAIN = "cluster.local"
NAMESPACE = "alt-las-beta"
ABSENT = ("loki.monitoring", "redis-9.redis-servers.alt-las-beta.svc", "nats.alt-las.svc.cluster.local")
PROGRAMS = ("python", "redis-cli", "nats")
REACHED = {"python": "127.0.0.1", "redis-cli": "Connection refused", "nats": "127.0.0.1"}
UNKNOWN = {"python": "gaierror", "redis-cli": "not known", "nats": "no such host"}


def names_of_beta() -> list[str]:
    """All names of the cluster that programs of beta read."""
    return sorted({each.name for each in of_cluster(sightings(load_stack("beta").manifests), DOMAIN)})


def asking(program_name: str, name: str) -> list[str]:
    """A program that looks a name up, and then finds nobody listening there."""
    look_up = f"import socket; print(socket.getaddrinfo({name!r}, 1, socket.AF_INET))"
    return {
        "python": [sys.executable, "-c", look_up],
        "redis-cli": [str(redis() / "redis-cli"), "-h", name, "-p", "1", "ping"],
        "nats": [str(program("nats")), "--server", f"nats://{name}:1", "--timeout=2s", "rtt"],
    }[program_name]


def ask(names: list[str], folder: Path) -> Answers:
    """Answers of each program to the names in a pod of beta."""
    search = [f"{NAMESPACE}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN]
    commands = {f"{each} {name}": asking(each, name) for each in PROGRAMS for name in names}
    known = sorted(served(load_stack("beta").manifests, DOMAIN))
    return in_a_pod(commands, known, search, folder)


def test_programs_with_search_domains_resolve_every_name_of_a_stack(tmp_path: Path) -> None:
    """As the model says, and in its order; names that the cluster does not have are unknown to all."""
    names = names_of_beta()
    found = ask([*names, *ABSENT], tmp_path)
    assert len(names) >= 20
    known = served(load_stack("beta").manifests, DOMAIN)
    for key, said in found.said.items():
        by, _, name = key.partition(" ")
        assert (UNKNOWN if name in ABSENT else REACHED)[by] in said, f"{key}: {said}"
        if by == "python":
            assert list(found.asked[key]) == expected_questions(name, known)


def expected_questions(name: str, known: frozenset[str]) -> list[str]:
    """Names for which the model says that the C library asks: up to the first that exists."""
    candidates = Resolver.GLIBC.candidates(name, NAMESPACE, DOMAIN)
    last = next((index for index, each in enumerate(candidates) if each in known), len(candidates))
    return candidates[: last + 1]
