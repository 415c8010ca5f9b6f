"""Users of the platform: of each service through the gateway, of each store with a service's own credentials.

Those of the stores are in a pod of another namespace. Owns that pod and the policy that lets it in.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml

from cluster.waiting import wait_for
from tests.data.nats_session import CONSUMER, PUBLISHER, NatsSession
from tests.data.traffic import Traffic
from tests.node.connections import RunningPod
from tests.node.platform.project import NAMESPACE, NodeProject
from tests.node.platform.sessions import (
    PATHS,
    PSQL,
    REST_SECONDS,
    STORES,
    GatewaySession,
    PostgresSession,
    RedisSession,
    join_network,
)
from tests.node.real_cluster import pod_spec, wait_until

CLIENT = "client"
NOTHING_LOST = dict.fromkeys(STORES, 0)
_READ_SECONDS = 30
"""For messages that were published and not read yet, and for a store that takes no new connections for a while."""


class Users:
    """Users of all five services through the gateway, and writers and readers of all three stores.

    Attributes:
        traffic: By the name of the service or store.
        replicas: Copies of Redis that may confirm a write; one of them must.
    """

    def __init__(self, project: NodeProject, pod: RunningPod, node: str) -> None:
        self._pod, self._last, self._seen, self.replicas = pod, pod.process(PSQL[0]), set[int](), 0
        self._postgres = _at(project.secret("archive-service", "DATABASE_URL"), project.address("postgres-db"))
        self._redis = _at(project.secret("api-gateway", "REDIS_URL"), project.address("redis"))
        self._nats = {
            service: _at(project.secret(service, "NATS_URL"), project.address("nats"))
            for service in (PUBLISHER, CONSUMER)
        }
        self.traffic = {
            **{name: Traffic(partial(GatewaySession, node, path), REST_SECONDS) for name, path in PATHS.items()},
            "PostgreSQL": Traffic(self.postgres, REST_SECONDS),
            "Redis": Traffic(self.redis, REST_SECONDS),
            "NATS": Traffic(self.nats, REST_SECONDS),
        }

    def postgres(self) -> PostgresSession:
        """A connection to PostgreSQL's primary."""
        return PostgresSession(self._process(), self._postgres)

    def redis(self) -> RedisSession:
        """A connection to Redis' primary."""
        return RedisSession(self._process(), self._redis, lambda: self.replicas)

    def nats(self) -> NatsSession:
        """A publisher and a consumer of NATS, for a thread that may join the pod's network."""
        join_network(self._process())
        return NatsSession(self._nats, self._seen)

    def forget_pauses(self) -> None:
        """Count pauses from now on."""
        for traffic in self.traffic.values():
            for what in ("write", "read"):
                traffic.unavailable(what)

    def go_on(self, *names: str, seconds: float = 120) -> None:
        """Wait until all of them, or those named, are answered again."""
        for goes_on in [self.traffic[name].goes_on() for name in names or self.traffic]:
            wait_until(goes_on, seconds)

    def pauses(self, what: str = "write") -> dict[str, float]:
        """Longest time without an answer since then, in seconds, by service and store, where there was one."""
        found = {name: round(traffic.unavailable(what)[0], 1) for name, traffic in self.traffic.items()}
        return {name: seconds for name, seconds in found.items() if seconds}

    def lost(self) -> dict[str, int]:
        """Acknowledged numbers that are not there, by store; connections are new ones."""
        written = {name: set(self.traffic[name].answered) for name in STORES}
        wait_for(lambda: written["NATS"] <= self._seen, bool, seconds=_READ_SECONDS, poll_seconds=1)
        # In a thread that may join another network.
        with ThreadPoolExecutor(1) as pool:
            rows = pool.submit(_patiently, self._rows).result()
            keys = pool.submit(_patiently, partial(self._keys, written["Redis"])).result()
        found = {"PostgreSQL": rows, "Redis": keys, "NATS": self._seen}
        return {name: len(written[name] - found[name]) for name in STORES}

    def _process(self) -> int:
        """A process of the client's pod: another one, with another network, after its node has started again."""
        # Looked for only then, because all processes of the machine are read for it.
        if not Path(f"/proc/{self._last}/root{PSQL[0]}").exists():
            self._last = self._pod.process(PSQL[0])
        return self._last

    def _rows(self) -> set[int]:
        with closing(self.postgres()) as session:
            return session.found()

    def _keys(self, numbers: Iterable[int]) -> set[int]:
        with closing(self.redis()) as session:
            return session.found(numbers)


def _patiently(found: Callable[[], set[int]]) -> set[int]:
    """Content of a store as soon as it answers; its users count how long that takes."""
    return wait_for(
        found,
        lambda _: True,
        seconds=_READ_SECONDS,
        poll_seconds=1,
        is_passing=lambda error: isinstance(error, OSError),
    )


def _at(url: str, address: str) -> str:
    """The same URL with an address: names are those of the pod's own namespace."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{address}:{parts.port}"))


@contextmanager
def client_pod(project: NodeProject, node: str) -> Iterator[RunningPod]:
    """A pod on a node that has psql, in a namespace without policies, which may reach the stores until the end."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CLIENT}}
    image = project.ask("get", "cluster.postgresql.cnpg.io", "postgres-db", "--output=jsonpath={.spec.imageName}")
    spec = pod_spec("exec sleep 86400", image=image, resources={}) | {"nodeName": node}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": CLIENT, "namespace": CLIENT}, "spec": spec}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": CLIENT, "namespace": NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "alt-las"}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": CLIENT}}}],
                    "ports": [{"port": port, "protocol": "TCP"} for port in (5432, 6379, 4222)],
                }
            ],
        },
    }
    file = project.root / "client.yaml"
    file.write_text(yaml.safe_dump_all([namespace, pod, policy]))
    try:
        for command in (
            ("apply", f"--filename={file}"),
            ("wait", f"--namespace={CLIENT}", "--for=condition=Ready", "pod", CLIENT),
        ):
            done = project.kubectl(*command)
            assert done.code == 0, done.text
        (item,) = project.objects("pods", CLIENT)
        yield RunningPod.of(item, CLIENT)
    finally:
        project.kubectl("delete", f"--filename={file}", "--wait=false")


@contextmanager
def users(project: NodeProject, node: str) -> Iterator[Users]:
    """Users of everything until the end of the block, from a pod on a node, and through Traefik on that node."""
    with client_pod(project, node) as pod, ExitStack() as running:
        (address,) = {item["status"]["hostIP"] for item in project.objects("pods", CLIENT)}
        made = Users(project, pod, address)
        for traffic in made.traffic.values():
            running.enter_context(traffic)
        made.go_on()
        yield made
