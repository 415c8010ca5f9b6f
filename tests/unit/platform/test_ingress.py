"""The component of the public entry point."""

from components.platform.ingress import IngressArgs, PlatformIngress
from components.traffic.routes import RouteTable
from tests.support.documents import alpha_settings
from tests.support.program import build, surroundings


def test_the_ingress_registers_its_objects_below_itself_and_says_its_address() -> None:
    """One Ingress with alpha's settings."""
    platform = alpha_settings()
    table = RouteTable(settings=platform.ingress, namespace="alt-las", service_ports={"api-gateway": 80})
    program = build(lambda: PlatformIngress("ingress", IngressArgs(surroundings=surroundings(platform), routes=table)))
    assert program.names() == [("Ingress", "ingress-routes")]
    request = program.request("kubernetes:networking.k8s.io/v1:Ingress", "ingress-routes")
    assert request.parent.endswith("alt-las:platform:Ingress::ingress")
    (outputs,) = (each for urn, each in program.outputs.items() if urn.endswith("::ingress"))
    assert outputs == {"url": "https://alt-las.local"}
