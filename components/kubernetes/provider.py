"""The Kubernetes provider of a program, registered by name: everything that is written goes through it."""

import pulumi

from components.kubernetes.object import PROVIDER_VERSION


class KubernetesProvider(pulumi.ProviderResource):
    """The cluster that a program writes to: the one of KUBECONFIG, as `altlas env` and `altlas up` set it.

    Owns no setting. A kubeconfig given as an input, which is what the typed class does with KUBECONFIG, would put a
    path of one machine, or credentials, into the state.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        pinned = pulumi.ResourceOptions(version=PROVIDER_VERSION)
        super().__init__("kubernetes", name, {}, pulumi.ResourceOptions.merge(opts, pinned))
