"""Real traffic of a running stack held against its declared traffic, on any cluster whose nodes run on this machine.

`python -m tests.node.traffic STACK KUBECONFIG`, as root, with kubectl on PATH. Three real nodes and k3d are such
clusters: processes of their pods are processes of this machine. Ends with 1 if a connection is not as declared.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from components.settings import PlatformSettings
from components.stack.loading import read_platform
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import API_SERVER, DNS, INGRESS
from rendering.root import ROOT
from tests.node.connections import OPEN, RunningPod

Objects = Callable[[str, str], list[dict[str, Any]]]
"""Objects of a kind in a namespace, as the API server has them."""

STRANGER = "a pod of another namespace"
_AROUND = {"traefik": INGRESS, "coredns": STRANGER}


@dataclass(frozen=True)
class Place:
    """Something that listens.

    Attributes:
        workload: Who listens, by the name that the declared traffic has for it.
        port: Port that policies judge: the listener's own, also behind a Service.
        address: Address and port to connect to.
        pod: Address of the pod that listens, where a Service stands before it.
    """

    workload: str
    port: int
    address: tuple[str, int]
    pod: str = ""


@dataclass
class Compared:
    """Outcomes of connections, by what is declared.

    Attributes:
        outcomes: Number of connections by whether they are declared and whether they were possible.
        wrong: Connections that were not as declared.
        without_listener: Workloads of which no port answers, so that nothing is known about traffic to them.
    """

    outcomes: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    without_listener: set[str] = field(default_factory=set)

    @property
    def allowed(self) -> int:
        """Declared connections that were possible."""
        return self.outcomes[True, True]

    @property
    def denied(self) -> int:
        """Connections that are not declared and were not possible."""
        return self.outcomes[False, False]

    def __str__(self) -> str:
        """Both numbers, each of all that were tried."""
        declared, others = self.allowed + self.outcomes[True, False], self.denied + self.outcomes[False, True]
        return f"allowed {self.allowed} of {declared}, denied {self.denied} of {others}"


def running(pods: Sequence[Mapping[str, Any]]) -> list[RunningPod]:
    """Pods of the platform that run, by the names that the declared traffic has for them."""
    found = []
    for item in pods:
        labels = item["metadata"]["labels"]
        workload = "postgres" if "cnpg.io/cluster" in labels else labels["app.kubernetes.io/name"]
        found += [RunningPod.of(item, workload)] if item["status"]["phase"] == "Running" else []
    return found


def compare(platform: PlatformSettings, objects: Objects) -> Compared:
    """Try a connection from every pod to every port that is known to answer, to DNS and to the API server.

    Args:
        platform: Settings of the stack, with one server of Redis.
        objects: Reads the cluster.
    """
    declared = declaration_of(platform).edges
    edges = {(edge.source, edge.destination, edge.port) for edge in declared if edge.protocol == "TCP"}
    pods = running(objects("pods", platform.namespace))
    others = around(objects)
    places = [
        Place(pod.workload, port, (pod.address, port))
        for pod in pods
        for port, found in zip(pod.ports, pod.tries((pod.address, port) for port in pod.ports), strict=True)
        if found == OPEN
    ]
    compared = Compared(without_listener={pod.workload for pod in pods} - {place.workload for place in places})
    places += [Place(DNS, 53, (pod.address, 53)) for pod in others if pod.workload == STRANGER]
    places += [*api_servers(objects), *_by_services(platform, objects, {place.address: place for place in places})]
    for source in (*pods, *others):
        targets = [
            place
            for place in places
            if source.address not in {place.pod, place.address[0]} and _is_judged(source, place)
        ]
        for place, found in zip(targets, source.tries(place.address for place in targets), strict=True):
            is_declared = (source.workload, place.workload, place.port) in edges
            compared.outcomes[is_declared, found == OPEN] += 1
            # Who is known to answer and does not is kept away, by a reset or, on a busy machine, by silence.
            compared.wrong += [f"{source.name} -> {place}: {found}"] if (found == OPEN) != is_declared else []
    return compared


def around(objects: Objects) -> list[RunningPod]:
    """Pods beside the platform: Traefik, which may reach the gateway, and the cluster's DNS, which may nothing."""
    return [
        RunningPod.of(item, _AROUND[name])
        for item in objects("pods", "kube-system")
        if (name := item["metadata"]["name"].partition("-")[0]) in _AROUND and item["status"]["phase"] == "Running"
    ]


def api_servers(objects: Objects) -> Iterator[Place]:
    """Every address at which the API server listens."""
    for item in objects("endpointslices", "default"):
        if item["metadata"]["labels"]["kubernetes.io/service-name"] == "kubernetes":
            for end, port in product(item["endpoints"], item["ports"]):
                yield Place(API_SERVER, port["port"], (end["addresses"][0], port["port"]))


def _by_services(
    platform: PlatformSettings, objects: Objects, listeners: Mapping[tuple[str, int], Place]
) -> Iterator[Place]:
    """The same listeners behind the addresses of their Services, of which each names one workload."""
    services = {item["metadata"]["name"]: item["spec"] for item in objects("services", platform.namespace)}
    for item in objects("endpointslices", platform.namespace):
        spec = services[item["metadata"]["labels"]["kubernetes.io/service-name"]]
        ports = {port.get("name"): port["port"] for port in spec["ports"]}
        for end, port in product(item["endpoints"] or (), item["ports"] or ()):
            place = listeners.get((end["addresses"][0], port["port"]))
            if place and spec["clusterIP"] != "None":
                yield replace(place, address=(spec["clusterIP"], ports[port.get("name")]), pod=place.address[0])


def _is_judged(source: RunningPod, place: Place) -> bool:
    """True where a policy of the platform has a say: pods of other namespaces may do outside it what they like."""
    return source.workload not in {INGRESS, STRANGER} or place.workload not in {DNS, API_SERVER}


def main(stack: str, kubeconfig: str) -> int:
    """Compare the traffic of a stack file's stack; print the numbers and what is wrong."""
    with tempfile.TemporaryDirectory() as cache:

        def objects(kind: str, namespace: str) -> list[dict[str, Any]]:
            options = (f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}", f"--namespace={namespace}")
            command = ["kubectl", *options, "get", kind, "--output=json"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
            return items

        found = compare(read_platform(ROOT / f"Pulumi.{stack}.yaml"), objects)
    print(found)
    print(*found.wrong, *(f"no port answers: {name}" for name in sorted(found.without_listener)), sep="\n")
    return int(bool(found.wrong or found.without_listener) or not (found.allowed and found.denied))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
