"""Host names in what a stack renders, the program that reads each, and what that program's resolver makes of it.

Owns where names are found, who reads them, and how resolvers differ. Does not own a DNS server (tests/support/dns.py).
A name of the cluster is one that its DNS serves: `SERVICE.NAMESPACE.svc.DOMAIN`, and one for each pod of a StatefulSet.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from policy.manifests import Manifest, ManifestSet, Pod, group_of, kind_of, name_of, namespace_of
from policy.paths import read

NDOTS = 5
"""Of the resolv.conf that a kubelet gives to pods."""

_URL = re.compile(r"\b(?!s3:)(\w+)://(?:[^/@\s\"']*@)?([a-z0-9][a-z0-9.-]*[a-z0-9.])(?::(\d+))?")
_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "nats": 4222, "postgresql": 5432, "redis": 6379}
_ADDRESS = re.compile(r"(?<![\w./@:-])([a-z](?:[a-z0-9.-]*[a-z0-9])?):(\d{2,5})(?!\d)")
_CLUSTER_NAME = re.compile(r"(?<![\w.-])((?:[a-z0-9-]+\.)+svc(?:\.[a-z0-9.-]*[a-z0-9])?)(?![\w-])")
_PUBLIC = frozenset({"com", "local", "org"})
"""Last labels of names outside the cluster that stacks have; any other name must be one of the cluster."""

_ONLY_DIGITS = re.compile(r"[\d.]+")


class Resolver(Enum):
    """A kind of resolver, by how it treats a name that is not fully qualified."""

    OWN = "asks for the name as it stands (HAProxy, nginx, Envoy and c-ares without search domains)"
    GLIBC = "search domains first below ndots, then the name as it stands (glibc, and Go's, which does the same)"
    MUSL = "search domains below ndots, else only the name as it stands (musl)"

    def candidates(self, name: str, namespace: str, domain: str) -> list[str]:
        """Names that it asks for in a pod, in their order."""
        if self is Resolver.OWN or name.endswith("."):
            return [name.rstrip(".")]
        searched = [f"{name}.{suffix}" for suffix in (f"{namespace}.svc.{domain}", f"svc.{domain}", domain)]
        if name.count(".") < NDOTS:
            return [*searched, name]
        return [name] if self is Resolver.MUSL else [name, *searched]


RESOLVERS: Mapping[str, Resolver] = {
    "haproxy": Resolver.OWN,
    "redis": Resolver.MUSL,
    "postgresql": Resolver.GLIBC,
    "nats": Resolver.GLIBC,
    "nats-box": Resolver.GLIBC,
    "backup": Resolver.GLIBC,
    "grafana": Resolver.GLIBC,
    "loki": Resolver.GLIBC,
    "alloy": Resolver.GLIBC,
    "prometheus": Resolver.GLIBC,
    "alertmanager": Resolver.GLIBC,
    "blackbox-exporter": Resolver.GLIBC,
    "barman": Resolver.GLIBC,
    # Node.js, Python and Go: getaddrinfo or Go's own; gRPC's c-ares asks with search domains as glibc does.
    "api-gateway": Resolver.MUSL,
    "ai-orchestrator": Resolver.GLIBC,
    "segmentation-service": Resolver.GLIBC,
    "runner-service": Resolver.MUSL,
    "archive-service": Resolver.MUSL,
}
"""Resolver by program: the last part of its image's repository. A program that reads a name must be in it."""


_READ_BY_PEOPLE = frozenset({"PrometheusRule"})
"""Their addresses are links in messages."""


@dataclass(frozen=True, order=True)
class Sighting:
    """A host name that a program reads.

    Attributes:
        program: The program, or the object that holds the name where nobody is known to read it.
        name: The name as it is written.
        workload: Name of the pods that it runs in.
        port: TCP port that stands with the name, or follows from its scheme; 0 where none does.
    """

    program: str
    name: str
    workload: str = ""
    port: int = 0


class Reader(NamedTuple):
    """A program, and the name of the pods that it runs in."""

    program: str
    workload: str


_CUSTOM: Mapping[str, Reader] = {
    "Cluster": Reader("postgresql", "postgres"),
    "Database": Reader("postgresql", "postgres"),
    "ObjectStore": Reader("barman", "postgres"),
    "Prometheus": Reader("prometheus", "prometheus"),
    "Alertmanager": Reader("alertmanager", "alertmanager"),
}
"""Program that gets what a custom resource says, and the pods as the graph names them."""


def sightings(manifests: Iterable[Manifest]) -> frozenset[Sighting]:
    """All host names, each with every program that reads it."""
    objects = ManifestSet(list(manifests))
    return frozenset(
        Sighting(reader.program, name, reader.workload, port)
        for reader, text in (*_texts(objects), *_custom_texts(objects))
        for name, port in _names(text)
    )


def served(manifests: Iterable[Manifest], domain: str) -> frozenset[str]:
    """Names that the cluster's DNS serves for a stack, also those of what operators make, and of the ingress."""
    names = {f"traefik.kube-system.svc.{domain}"}
    for each in manifests:
        place = f"{namespace_of(each)}.svc.{domain}"
        if kind_of(each) == "Service":
            names.add(f"{name_of(each)}.{place}")
        elif kind_of(each) == "StatefulSet":
            replicas, service = read(each, "spec.replicas"), read(each, "spec.serviceName")
            names |= {f"{name_of(each)}-{index}.{service}.{place}" for index in range(replicas)}
        elif kind_of(each) in {"Prometheus", "Alertmanager"}:
            operated = kind_of(each).lower()
            names.add(f"{operated}-operated.{place}")
            replicas = read(each, "spec.replicas")
            names |= {f"{operated}-{name_of(each)}-{index}.{operated}-operated.{place}" for index in range(replicas)}
        elif kind_of(each) == "Cluster":
            added = read(each, "spec.managed.services.additional") or ()
            names |= {f"{read(one, 'serviceTemplate.metadata.name')}.{place}" for one in added}
            names |= {f"{name_of(each)}-{suffix}.{place}" for suffix in ("rw", "r", "ro")}
    return frozenset(names)


def problems(found: Iterable[Sighting], known: frozenset[str], namespace: str, domain: str) -> list[str]:
    """Names that nobody classified, and names that their program's resolver does not find in the cluster."""
    found_wrong = []
    for each in sorted(found):
        resolver = RESOLVERS.get(each.program)
        if resolver is None:
            found_wrong.append(f"{each.name}: read by {each.program}, whose resolver is not in RESOLVERS")
        elif _is_of_cluster(each.name, domain) and not known & {*resolver.candidates(each.name, namespace, domain)}:
            found_wrong.append(f"{each.name}: {each.program} cannot resolve it: {resolver.value}")
    return list(dict.fromkeys(found_wrong))


def of_cluster(found: Iterable[Sighting], domain: str) -> frozenset[Sighting]:
    """Those whose names the cluster's DNS must serve."""
    return frozenset(each for each in found if _is_of_cluster(each.name, domain))


def _is_of_cluster(name: str, domain: str) -> bool:
    """Tell a name of the cluster from a public one: it has no dot, or names `svc` or a headless Service."""
    labels = name.rstrip(".").split(".")
    return "svc" in labels or labels[-1] not in _PUBLIC or name.endswith(f".{domain}")


def _texts(objects: ManifestSet) -> Iterator[tuple[Reader, str]]:
    """Reader and text of all that programs read; an object that no container reads stands for itself."""
    holders = {(kind_of(each), name_of(each)): each for kind in ("ConfigMap", "Secret") for each in objects.of(kind)}
    read_by: dict[tuple[str, str], set[Reader]] = {key: set() for key in holders}
    for pod in objects.pods:
        for container in pod.containers:
            reader = Reader(program_of(str(container.spec.get("image"))), name_of(pod.owner))
            yield from ((reader, text) for text in _own_texts(container.spec))
            for key in _read(pod, container.spec):
                read_by.get(key, set()).add(reader)
    for (kind, name), readers in read_by.items():
        for reader in readers or {_known_reader(name) or Reader(f"{kind} {name}", name)}:
            for text in _content(holders[kind, name]):
                yield reader, text


def _custom_texts(objects: ManifestSet) -> Iterator[tuple[Reader, str]]:
    """Reader and text of what custom resources say: a program behind each operator, until it is named."""
    for each in objects.manifests:
        if kind_of(each) == "Probe":
            prober = str(read(each, "spec.prober.url"))
            yield Reader("prometheus", "prometheus"), prober
            for target in read(each, "spec.targets.staticConfig.static"):
                yield Reader("blackbox-exporter", prober.partition(".")[0]), target
        elif "." in group_of(each) and kind_of(each) not in _READ_BY_PEOPLE:
            reader = _CUSTOM.get(kind_of(each), Reader(f"{kind_of(each)} {name_of(each)}", name_of(each)))
            yield from ((reader, text) for text in _leaves(each.get("spec")))


def _leaves(value: object) -> Iterator[str]:
    """All texts in a document."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str):
        yield value


def program_of(image: str) -> str:
    """Program of an image: the last part of its repository."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _known_reader(name: str) -> Reader | None:
    """Reader that no pod template shows: operators hand these objects to the servers that they make."""
    if name.startswith("postgres-db-"):
        return _CUSTOM["Cluster"]
    return _CUSTOM["Alertmanager"] if name.startswith("alertmanager-") else None


def _own_texts(container: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(each) for key in ("command", "args") for each in container.get(key) or ())
    for each in container.get("env") or ():
        # A variable such as PGHOST holds a name and nothing else.
        is_host = each["name"].endswith(("HOST", "HOSTS", "SERVER"))
        yield f"host://{each['value']}" if is_host and each.get("value") else str(each.get("value", ""))


def _read(pod: Pod, container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """ConfigMaps and Secrets that a container mounts or takes variables from."""
    mounted = {each["name"] for each in container.get("volumeMounts") or ()}
    for volume in pod.spec.get("volumes") or ():
        if volume["name"] in mounted:
            for source in (volume, *(read(volume, "projected.sources") or ())):
                yield "ConfigMap", str(read(source, "configMap.name"))
                yield "Secret", str(read(source, "secret.secretName") or read(source, "secret.name"))
    for each in container.get("envFrom") or ():
        yield "ConfigMap", str(read(each, "configMapRef.name"))
        yield "Secret", str(read(each, "secretRef.name"))
    for each in container.get("env") or ():
        yield "ConfigMap", str(read(each, "valueFrom.configMapKeyRef.name"))
        yield "Secret", str(read(each, "valueFrom.secretKeyRef.name"))


def _content(holder: Manifest) -> Iterator[str]:
    for field in ("data", "stringData"):
        yield from map(str, (holder.get(field) or {}).values())


def _names(text: str) -> Iterator[tuple[str, int]]:
    found = [(name, int(port or _PORTS.get(scheme, 0))) for scheme, name, port in _URL.findall(text)]
    found += [(name, int(port)) for name, port in _ADDRESS.findall(text)]
    found += [(name, 0) for name in _CLUSTER_NAME.findall(text)]
    yield from (each for each in found if not _ONLY_DIGITS.fullmatch(each[0]))
