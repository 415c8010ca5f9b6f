"""Addresses of the API server and of the cluster's DNS, compared with what the NetworkPolicies let through."""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.settings.egress import DnsSettings, EgressSettings
from components.stack.problems import PLATFORM_KEY
from rendering.errors import ExitCode

API_SERVER = "API server"
_DNS = "cluster DNS"
_DNS_SERVICES = (("kube-system", "kube-dns"), ("openshift-dns", "dns-default"))
_CACHE = ("kube-system", "node-local-dns")
_SERVICE_NAME = "--selector=kubernetes.io/service-name="
_LOCAL_ADDRESSES = re.compile(r"^-{1,2}localip[= ]?")
_USUAL_CACHE = "169.254.20.10"


def api_server(kubectl: Kubectl, egress: EgressSettings) -> Iterator[Check]:
    """Compare the settings with the endpoints of the API server, which is what policies see after DNAT."""
    service = kubectl.find("service", "default", "kubernetes")
    endpoints = _endpoints(kubectl, "default", "kubernetes")
    if service is None or not endpoints:
        found = "Service default/kubernetes has no IPv4 endpoint, so nobody can tell where the API server is"
        yield Check(name=API_SERVER, state="unknown", found=found)
        return
    at = sorted({(service["spec"]["clusterIP"], port["port"]) for port in service["spec"]["ports"]})
    text = f"endpoints {_listed(endpoints)}, Service {_listed(at)}"
    if not _covers(egress, endpoints):
        yield Check(
            name=API_SERVER,
            state="failed",
            found=f"{text}, but the settings do not cover the endpoints, so PostgreSQL and monitoring are cut off",
            cure=_lines("egress", _api_server_lines([*at, *endpoints])),
            code=ExitCode.BAD_INPUT,
        )
    elif not _covers(egress, at):
        cure = f"where policies are judged before that, {_lines('egress', _api_server_lines([*at, *endpoints]))}"
        yield Check(name=API_SERVER, state="warning", found=f"{text}; only the endpoints are covered", cure=cure)
    else:
        yield Check(name=API_SERVER, state="ok", found=text)


def api_server_places(kubectl: Kubectl) -> tuple[tuple[str, int], ...]:
    """Addresses and ports of the API server: those of its Service and of the endpoints behind it."""
    service = kubectl.find("service", "default", "kubernetes")
    at = {(service["spec"]["clusterIP"], port["port"]) for port in service["spec"]["ports"]} if service else set()
    return tuple(sorted(at | {*_endpoints(kubectl, "default", "kubernetes")}))


def dns(kubectl: Kubectl, settings: DnsSettings) -> Iterator[Check]:
    """Compare the settings with the pods behind the Service of the cluster's DNS, and with a cache on the nodes."""
    found = next((each for place in _DNS_SERVICES if (each := kubectl.find("service", *place))), None)
    if found is None:
        where = " or ".join("/".join(place) for place in _DNS_SERVICES)
        yield Check(name=_DNS, state="unknown", found=f"there is no Service {where}", cure=_lines("egress.dns", []))
        return
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    ports = sorted({port for _, port in _endpoints(kubectl, namespace, name)})
    labels: Mapping[str, str] = found["spec"].get("selector") or {}
    lines = []
    if (namespace, dict(labels)) != (settings.namespace, settings.labels) and not _selects(
        kubectl, namespace, labels, settings
    ):
        shown = ", ".join(f"{key}: {value}" for key, value in sorted(labels.items()))
        lines += [f"namespace: {namespace}", f"labels: {{{shown}}}"]
    if not {*ports} <= {*settings.ports}:
        lines.append(f"ports: {ports}")
    caches = _cache_addresses(kubectl)
    if not {*caches} <= {*settings.addresses}:
        lines.append(f"addresses: [{', '.join(caches)}]")
    text = f"pods of Service {namespace}/{name} on port {', '.join(map(str, ports)) or 'none'}"
    text += f", and a cache on each node at {', '.join(caches)}" if caches else ""
    if lines:
        text += "; the settings do not cover them, so no pod can resolve a name"
        cure = _lines("egress.dns", lines)
        yield Check(name=_DNS, state="failed", found=text, cure=cure, code=ExitCode.BAD_INPUT)
    else:
        yield Check(name=_DNS, state="ok", found=text)


def _endpoints(kubectl: Kubectl, namespace: str, service: str) -> list[tuple[str, int]]:
    slices = kubectl.items("endpointslices.discovery.k8s.io", namespace, f"{_SERVICE_NAME}{service}")
    return sorted(
        {
            (address, port["port"])
            for each in slices
            if each.get("addressType") == "IPv4"
            for endpoint in each.get("endpoints") or ()
            for address in endpoint["addresses"]
            for port in each.get("ports") or ()
            if port.get("name") != "metrics"
        }
    )


def _covers(egress: EgressSettings, places: Sequence[tuple[str, int]]) -> bool:
    return all(address in egress.api_server_addresses and port in egress.api_server_ports for address, port in places)


def _api_server_lines(places: Sequence[tuple[str, int]]) -> list[str]:
    addresses = sorted({address for address, _ in places}, key=ipaddress.ip_address)
    ports = sorted({port for _, port in places})
    return [f"apiServerAddresses: [{', '.join(addresses)}]", f"apiServerPorts: {ports}"]


def _selects(kubectl: Kubectl, namespace: str, labels: Mapping[str, str], settings: DnsSettings) -> bool:
    """True if every pod of the DNS servers has the labels of the settings, although its Service selects by others."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = kubectl.items("pods", namespace, f"--selector={selector}")
    carried = (pod["metadata"].get("labels", {}) for pod in pods)
    return (
        namespace == settings.namespace
        and bool(pods)
        and all(settings.labels.items() <= each.items() for each in carried)
    )


def _cache_addresses(kubectl: Kubectl) -> list[str]:
    """Addresses on which NodeLocal DNSCache listens on each node, which take the place of the Service's."""
    cache = kubectl.find("daemonset", *_CACHE)
    if cache is None:
        return []
    words: list[str] = []
    for container in cache["spec"]["template"]["spec"]["containers"]:
        words += [word for each in container.get("args") or () for word in str(each).split()]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if _LOCAL_ADDRESSES.match(word):
            listed = _LOCAL_ADDRESSES.sub("", word) or following
            return [address for address in listed.split(",") if _is_address(address)] or [_USUAL_CACHE]
    return [_USUAL_CACHE]


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _listed(places: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{address}:{port}" for address, port in places)


def _lines(block: str, lines: Sequence[str]) -> str:
    where = f"{PLATFORM_KEY}.{block}"
    if not lines:
        return f"compare {where} with the cluster by hand"
    return f"write into {where} of the stack file:\n" + "\n".join(f"      {line}" for line in lines)
