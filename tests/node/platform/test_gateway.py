"""The Gateway API on real nodes: Traefik splits what enters from outside by the weights of a route."""

import http.client
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.addons import AddonFiles, load_manifest
from components.traffic.routes import path_match
from tests.node.platform.project import HOME, NAMESPACE, NodeProject
from tests.node.platform.sessions import PATHS
from tests.node.real_cluster import wait_until
from tests.support.custom_resources import DEFINITIONS, wait_until_served
from tests.support.figures import Figures
from tests.support.gateway_api import GROUP, gateway_class, tls_secret

pytestmark = pytest.mark.node

GATEWAY = "trial"
HOST = "trial.localhost"
WEIGHTS = {"api-gateway": (80, 75), "segmentation-service": (8000, 25)}
"""Port and weight of each Service. Only the first one has an answer for Traefik."""

REQUESTS = 200


def manifests(folder: Path) -> list[dict[str, Any]]:
    """A class that Traefik accepts, a Gateway with a certificate, and a route to two Services."""
    metadata = {"name": GATEWAY, "namespace": NAMESPACE}
    listener = {"name": "https", "hostname": HOST, "port": 8443, "protocol": "HTTPS"}
    listener |= {"tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": GATEWAY}]}}
    backends = [{"name": name, "port": port, "weight": weight} for name, (port, weight) in WEIGHTS.items()]
    rule = {"matches": [path_match("/api")], "backendRefs": backends}
    parents = [{"name": GATEWAY, "sectionName": "https"}]
    return [
        gateway_class(),
        tls_secret(folder, NAMESPACE, GATEWAY, HOST),
        {
            "apiVersion": GROUP,
            "kind": "Gateway",
            "metadata": metadata,
            "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
        },
        {
            "apiVersion": GROUP,
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {"parentRefs": parents, "hostnames": [HOST], "rules": [rule]},
        },
    ]


def change(project: NodeProject, command: str, file: Path, *options: str) -> None:
    """Apply or delete what a file has."""
    done = project.kubectl(command, f"--filename={file}", *options)
    assert done.code == 0, done.text


@pytest.fixture
def gateway(whole: bool, project: NodeProject, tmp_path: Path) -> Iterator[None]:
    """The CRDs of the Gateway API, which nodes begin without, and a Gateway that Traefik serves."""
    if not whole:
        pytest.skip("a sample: the Gateway API on real nodes is part of `make test-node` alone")
    crds, trial = tmp_path / "crds.yaml", tmp_path / "trial.yaml"
    crds.write_text("\n---\n".join(file.read_text() for file in definitions()))
    trial.write_text(yaml.safe_dump_all(manifests(tmp_path)))
    try:
        change(project, "apply", crds, "--server-side")
        wait_until_served(lambda: project.objects(DEFINITIONS, "default"))
        change(project, "apply", trial, "--server-side")
        yield
    finally:
        change(project, "delete", crds, "--ignore-not-found", "--wait=false")
        project.ask("delete", "secret", GATEWAY, "--ignore-not-found")


def definitions() -> list[Path]:
    """Files of the pinned CRDs."""
    files = AddonFiles(load_manifest()).provide(["gateway-api"])["gateway-api"]
    return [file for file in files if "CustomResourceDefinition" in file.read_text()]


def answers(address: str, requests: int) -> Mapping[bool, int]:
    """Requests from outside by whether the gateway has answered."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE  # its authority is known to nobody
    connection = http.client.HTTPSConnection(address, context=unchecked, timeout=10)
    found = Counter[bool]()
    for _ in range(requests):
        connection.request("GET", PATHS["api-gateway"], headers={"Host": HOST})
        answer = connection.getresponse()
        answer.read()
        found[answer.status == HTTPStatus.OK] += 1
    return found


@pytest.mark.usefixtures("gateway")
def test_requests_from_outside_are_split_by_weight(project: NodeProject, figures: Figures) -> None:
    """Once Traefik has found the CRDs, and accepted class and Gateway; each request goes to one Service."""
    address = project.network().address_of(HOME)
    seconds = wait_until(lambda: answers(address, 1)[True], 180)
    found = answers(address, REQUESTS)
    share = 100 * found[True] / REQUESTS
    _, weight = WEIGHTS["api-gateway"]
    figures.add(
        "Gateway API on real nodes", f"{share:g} % of {REQUESTS} by a weight of {weight}, after {seconds:.0f} s"
    )
    assert weight - 5 <= share <= weight + 5
