"""The picture of the allowed connections, and the pages with pictures."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from altlas.pictures.diagram import CLIENTS, CONTROLLER, INTERNET, Arrow, Drawing, Node, drawing_of, mermaid
from altlas.pictures.pages import pages
from altlas.session.workspace import Workspace
from components.services import SERVICES
from components.traffic.stack_graph import service_graph
from rendering.recorder import Recorder
from tests.support.documents import ROOT, STACKS, alpha_settings

REWRITE = "write it again: altlas stack diagram"
SMALL = Drawing(
    "test",
    "space",
    (Node("a", "service"), Node("b", "service", (1,)), Node("c", "store", (2,)), Node(CONTROLLER, "outside")),
    (Arrow("a", "b", "1"), Arrow("a", "c", "2"), Arrow("b", "c", "2"), Arrow(CONTROLLER, "a", "3")),
    (),
)


@pytest.fixture(scope="module")
def drawn(programs: Mapping[str, Recorder]) -> dict[str, Drawing]:
    """The drawing of each stack."""
    return {stack: drawing_of(stack, programs[stack].objects) for stack in STACKS}


@pytest.mark.parametrize("name", ["architecture.md", "dashboard.md"])
def test_the_checked_in_page_is_fresh(name: str) -> None:
    """A change of who reaches whom is seen in review, as text and as a picture."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages(Workspace(ROOT), "beta")[name], REWRITE


@pytest.mark.parametrize("stack", STACKS)
def test_the_arrows_between_services_are_those_of_the_service_graph(drawn: Mapping[str, Drawing], stack: str) -> None:
    """The drawing comes from the policies, the graph from the code: they must say the same."""
    graph = service_graph(SERVICES, alpha_settings())
    names = set(graph.ports)
    found = {(a.source, a.target, a.label) for a in drawn[stack].arrows if {a.source, a.target} <= names}
    assert found == {(call.caller, call.callee, str(graph.ports[call.callee])) for call in graph.calls}
    outside = {(a.source, a.target) for a in drawn[stack].arrows if {a.source, a.target} & {CONTROLLER, INTERNET}}
    assert outside == {(CLIENTS, CONTROLLER), (CONTROLLER, "api-gateway"), ("ai-orchestrator", INTERNET)}


@pytest.mark.parametrize("stack", STACKS)
def test_the_public_entry_point_is_drawn_for_both_apis(drawn: Mapping[str, Drawing], stack: str) -> None:
    """One address, one service."""
    ((url, service),) = drawn[stack].routes
    assert re.fullmatch(r"https://[a-z.-]+/api", url)
    assert service == "api-gateway"


def test_a_gateway_s_routes_are_read_as_well() -> None:
    """The redirect is no way to a service."""
    rule = {"matches": [{"path": {"value": "/x"}}], "backendRefs": [{"name": "web"}]}
    objects: list[dict[str, Any]] = [
        {"kind": "Namespace", "metadata": {"name": "space"}},
        {"kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": {"hostnames": ["h"], "rules": [rule]}},
        {"kind": "HTTPRoute", "metadata": {"name": "s"}, "spec": {"hostnames": ["h"], "rules": [{"filters": []}]}},
    ]
    assert drawing_of("test", objects).routes == (("https://h/x", "web"),)


def test_a_flowchart_names_every_node_and_every_arrow() -> None:
    """Stores have their own shape; identifiers hold no character that Mermaid reads otherwise."""
    assert mermaid(SMALL).splitlines() == [
        "flowchart LR",
        '  ingress_controller(["ingress controller"])',
        '  subgraph namespace["namespace space"]',
        '    a["a"]',
        '    b["b"]',
        '    c[("c")]',
        "  end",
        "  a -->|1| b",
        "  a -->|2| c",
        "  b -->|2| c",
        "  ingress_controller -->|3| a",
    ]
