"""The component of the way in."""

from components.platform.ingress import PlatformIngress
from components.traffic.routes import RouteTable
from tests.support.documents import alpha_settings
from tests.support.program import Anchor, build


def test_the_way_in_registers_its_objects_below_itself_and_says_its_address() -> None:
    """One Ingress with alpha's settings."""
    table = RouteTable(settings=alpha_settings().ingress, namespace="alt-las", service_ports={"api-gateway": 80})
    program = build(lambda: PlatformIngress("ingress", table, Anchor()))
    assert program.names() == [("Ingress", "ingress-routes")]
    request = program.request("kubernetes:networking.k8s.io/v1:Ingress", "ingress-routes")
    assert request.parent.endswith("alt-las:platform:Ingress::ingress")
    (outputs,) = (each for urn, each in program.outputs.items() if urn.endswith("::ingress"))
    assert outputs == {"url": "https://alt-las.local"}
