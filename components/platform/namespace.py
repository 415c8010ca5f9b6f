"""The namespace of a stack, closed by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pulumi

from components.kubernetes.naming import PLATFORM
from components.kubernetes.object import KubernetesObject
from components.platform.mesh import namespace_labels
from components.settings import PlatformSettings
from components.traffic.network_policy import deny_all
from components.workloads.objects import network_policy

POD_SECURITY_VERSION = "v1.35"
"""Kubernetes minor whose Pod Security Standards are enforced: the one that the tests run against."""


@dataclass(frozen=True, kw_only=True)
class NamespaceArgs:
    """A namespace.

    Attributes:
        namespace: Its name in the cluster.
        labels: Further labels, such as the mesh's.
    """

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, platform: PlatformSettings) -> Self:
        """Take from the settings of a stack what its namespace needs."""
        return cls(namespace=platform.namespace, labels=namespace_labels(platform.mesh))


class PlatformNamespace(pulumi.ComponentResource):
    """A namespace that admits only restricted pods and in which no traffic flows unless a policy allows it.

    Owns the namespace and its default-deny policy. Does not own the policies that allow traffic.

    Attributes:
        resource: The namespace, for others to wait for.
        name: Its name in the cluster.
    """

    resource: KubernetesObject
    name: pulumi.Output[str]

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Namespace", name, None, opts)
        labels = {"app.kubernetes.io/part-of": PLATFORM, "app.kubernetes.io/managed-by": "pulumi"}
        self.resource = KubernetesObject(
            name,
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": args.namespace,
                    "labels": {
                        **labels,
                        # Tells who owns it, so that no other stack takes it over unasked.
                        "app.kubernetes.io/instance": pulumi.get_stack(),
                        **_pod_security(),
                        **args.labels,
                    },
                },
            },
            pulumi.ResourceOptions(parent=self),
        )
        KubernetesObject(
            f"{name}-deny-all",
            network_policy({"name": "deny-all", "namespace": args.namespace, "labels": labels}, deny_all()),
            pulumi.ResourceOptions(parent=self, depends_on=[self.resource]),
        )
        self.name = pulumi.Output.from_input(args.namespace)
        self.register_outputs({"name": self.name})


def _pod_security() -> dict[str, Any]:
    return {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", "restricted"), ("-version", POD_SECURITY_VERSION))
    }
