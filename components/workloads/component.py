"""How the stores that the program runs itself register their objects."""

import pulumi

from components.kubernetes.object import KubernetesObject, Manifest
from components.settings import PlatformSettings
from components.workloads.stateful import stateful_options


class StoreComponent(pulumi.ComponentResource):
    """Base of a store's component. Owns the options of what lies in it; its objects are the subclass's.

    Args:
        type_token: Pulumi's type token of the component.
        name: Name of the component, with which the names of its children begin.
        platform: The stack's settings.
        namespace: The namespace as a resource, which everything here must wait for.
        formerly: Type token that the component had before, so that what it holds keeps its identity.
    """

    def __init__(
        self,
        type_token: str,
        name: str,
        platform: PlatformSettings,
        namespace: pulumi.Resource,
        *,
        formerly: str | None = None,
    ) -> None:
        aliases = [pulumi.Alias(type_=formerly)] if formerly else None
        super().__init__(type_token, name, opts=pulumi.ResourceOptions(aliases=aliases))
        self._platform, self._namespace = platform, namespace

    def _register(
        self, name: str, manifest: Manifest, *after: pulumi.Resource, data: bool = False, awaited: bool = False
    ) -> KubernetesObject:
        """Register an object, with the guards of one that holds data, or with the time that a rollout may take."""
        timeout = f"{self._platform.rollout.timeout_seconds}s"
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=[self._namespace, *after],
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if awaited else None,
        )
        if data:
            options = stateful_options(name, self._platform.tombstones, options)
        return KubernetesObject(name, manifest, options)
