"""Public entry point: what the ingress controller reads."""

from dataclasses import dataclass

import pulumi

from components.traffic.routes import RouteTable
from components.workloads.component import ObjectComponent, Surroundings


@dataclass(frozen=True, kw_only=True)
class IngressArgs:
    """The public entry point of a stack.

    Attributes:
        surroundings: The stack around it.
        routes: Which requests go where.
    """

    surroundings: Surroundings
    routes: RouteTable


class PlatformIngress(ObjectComponent):
    """Objects of the route table.

    Owns what says which requests go where. Does not own the controller that obeys it, the certificates, or the rule
    that lets the controller reach the pods (that is each service's NetworkPolicy).

    Attributes:
        url: Address under which the platform is reached.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Ingress", name, args.surroundings, opts)
        for part, manifest in args.routes.manifests().items():
            self._register(f"{name}-{part}", manifest)
        self.url = pulumi.Output.from_input(f"https://{args.routes.settings.host}")
        self.register_outputs({"url": self.url})
