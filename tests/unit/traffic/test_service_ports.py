"""Gate: every address that the platform itself uses leads to a port of pods with the same number.

EKS' network policies judge a connection before its Service's address is replaced, by the number of the Service's port.
"""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rendering.recorder import record
from tests.support.documents import STACKS, platform_of

DOCUMENTED = {("api-gateway", 80)}
"""Ports of Services that differ from those of the pods because callers outside know them."""

_ADDRESS = re.compile(r"(?<![\w.-])([a-z][a-z0-9-]*)(?:\.[a-z0-9.-]+)?:(\d{2,5})(?!\d)")


@pytest.mark.parametrize("stack", STACKS)
def test_every_service_has_the_port_of_its_pods(stack: str) -> None:
    """A documented port with another number has one beside it that is equal."""
    ports = ports_of(objects_of(stack))
    assert {
        (name, port) for name, numbers in ports.items() for port, own in numbers.items() if port != own
    } == DOCUMENTED
    assert ports["api-gateway"] == {80: 3000, 3000: 3000}


@pytest.mark.parametrize("stack", STACKS)
def test_the_platform_uses_equal_ports_only(stack: str) -> None:
    """In variables, configuration files and probes."""
    used = set(addresses(objects_of(stack)))
    assert {("api-gateway", 3000), ("prometheus", 9090), ("loki", 3100), ("nats", 4222)} <= used
    assert used & DOCUMENTED == set()


def test_an_address_with_another_port_is_found() -> None:
    """As the probe of the gateway was."""
    objects = copy.deepcopy(objects_of("alpha"))
    (probe,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == ("Probe", "api-gateway"))
    probe["spec"]["targets"]["staticConfig"]["static"] = ["http://api-gateway.alt-las.svc:80/health"]
    assert set(addresses(objects)) & DOCUMENTED == DOCUMENTED


def objects_of(stack: str) -> list[dict[str, Any]]:
    """Objects of a stack."""
    return record(stack, platform_of(stack)).objects


def ports_of(objects: list[dict[str, Any]]) -> dict[str, dict[int, int]]:
    """Number of the pods' port by that of the Service, for Services whose pods are known here."""
    pods = [each["spec"]["template"] for each in objects if each["kind"] in {"Deployment", "StatefulSet"}]
    found: dict[str, dict[int, int]] = {}
    for service in objects:
        if service["kind"] == "Service":
            selector = service["spec"]["selector"].items()
            named = {
                port["name"]: port["containerPort"]
                for pod in pods
                if selector <= pod["metadata"]["labels"].items()
                for container in pod["spec"]["containers"]
                for port in container.get("ports", ())
            }
            numbers = {each["port"]: named[each["targetPort"]] for each in service["spec"]["ports"] if named}
            found[service["metadata"]["name"]] = numbers
    return found


def addresses(objects: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Services with ports that stand anywhere in an object that configures a program."""
    services = {each["metadata"]["name"] for each in objects if each["kind"] == "Service"}
    for each in objects:
        if each["kind"] in {"ConfigMap", "Secret", "Probe", "Deployment", "StatefulSet", "Job", "CronJob"}:
            for name, port in _ADDRESS.findall(json.dumps(each)):
                if name in services:
                    yield name, int(port)
