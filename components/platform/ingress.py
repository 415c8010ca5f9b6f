"""Public entry point: what the ingress controller reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pulumi

from components.settings import PlatformSettings
from components.traffic.observers import GRAFANA, GRAFANA_PORT
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

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings, service_ports: Mapping[str, int]) -> Self:
        """Take from the settings of a stack what its entry point needs.

        Args:
            platform: The settings.
            surroundings: The stack around it.
            service_ports: Port under which each service is reached inside the namespace, by name.
        """
        ports = {**service_ports, GRAFANA: GRAFANA_PORT}
        split = frozenset(platform.canaries())
        routes = RouteTable(settings=platform.entry, namespace=platform.namespace, service_ports=ports, canaries=split)
        return cls(surroundings=surroundings, routes=routes)


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
            # Flagger writes the backends and weights of a service that a canary releases.
            held = ("spec.rules",) if part in args.routes.split_parts() else ()
            self._register(f"{name}-{part}", manifest, held=held)
        self.url = pulumi.Output.from_input(f"https://{args.routes.settings.host}")
        self.register_outputs({"url": self.url})
