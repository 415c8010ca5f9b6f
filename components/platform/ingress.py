"""The way in from outside."""

import pulumi

from components.kubernetes.object import KubernetesObject
from components.traffic.routes import RouteTable


class PlatformIngress(pulumi.ComponentResource):
    """The objects of the route table.

    Owns what says which requests go where. Does not own the controller that obeys it, the certificates, or the rule
    that lets the controller reach the pods (that is each service's NetworkPolicy).

    Attributes:
        url: Address under which the platform is reached.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, table: RouteTable, namespace: pulumi.Resource, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("alt-las:platform:Ingress", name, None, opts)
        for part, manifest in table.manifests().items():
            options = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
            KubernetesObject(f"{name}-{part}", manifest, options)
        self.url = pulumi.Output.from_input(f"https://{table.settings.host}")
        self.register_outputs({"url": self.url})
