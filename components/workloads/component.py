"""Base of the components that register Kubernetes objects, and the facts of a stack that each of them needs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import KubernetesObject, Manifest
from components.settings import PlatformSettings
from components.settings.rollout import RolloutSettings
from components.settings.workload import NodeAutoscaler
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController
from components.workloads.stateful import stateful_options


class Room:
    """Objects of a stack as its components register them, and the quota that counts them all and exists before them.

    The program runs to its end before the engine hears of any object, so what is made last can still come first.

    Attributes:
        objects: Manifests so far.
        quota: The quota; None for a program that ends early, by an error that must not be hidden by another one.
    """

    def __init__(self) -> None:
        self.objects: list[Manifest] = []
        self._quota: pulumi.Resource | None = None
        self.quota: pulumi.Output[Any] = pulumi.Output.from_input(asyncio.ensure_future(self._at_the_end()))

    def is_made_by(self, quota: pulumi.Resource) -> None:
        """Let every object wait for the quota."""
        self._quota = quota

    async def _at_the_end(self) -> pulumi.Resource | None:
        return self._quota


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Facts of a stack that every component in it needs. The composition makes it once, for all components.

    Attributes:
        namespace: Name of the namespace.
        cluster_domain: DNS domain of the cluster's Services.
        namespace_resource: The namespace as a resource: every object waits for it.
        graph: Which pods may reach which.
        controller: Pods of the ingress controller.
        rollout: How a release replaces the running one.
        released_objects: Names of the objects whose data the stack gives up.
        mesh_opt_out: Labels of pods that stay outside the service mesh; empty without a mesh.
        node_autoscaler: What adds and removes nodes; None where nothing does.
        room: What a quota of the stack's own counts; None without one.
    """

    namespace: str
    cluster_domain: str
    namespace_resource: pulumi.Resource
    graph: ServiceGraph
    controller: IngressController
    rollout: RolloutSettings
    released_objects: tuple[str, ...] = ()
    mesh_opt_out: Mapping[str, str]
    node_autoscaler: NodeAutoscaler | None = None
    room: Room | None = None

    @classmethod
    def of(cls, platform: PlatformSettings, namespace: pulumi.Resource, graph: ServiceGraph) -> Self:
        """Take from the settings of a stack what all its components need."""
        return cls(
            namespace=platform.namespace,
            cluster_domain=platform.cluster_domain,
            namespace_resource=namespace,
            graph=graph,
            controller=IngressController.of(platform.ingress),
            rollout=platform.rollout,
            released_objects=platform.tombstones,
            mesh_opt_out={"istio.io/dataplane-mode": "none"} if platform.mesh.is_on else {},
            node_autoscaler=platform.autoscaling.nodes,
            room=Room() if platform.quota else None,
        )


class ObjectComponent(pulumi.ComponentResource):
    """Base of a component. Owns the options of its objects; which objects there are is the subclass's decision.

    Args:
        type_token: Pulumi's type token of the component.
        name: Name of the component, with which the names of its children begin.
        surroundings: The stack around it.
        opts: The caller's options. Provider, aliases, transformations and protection flow to the children from here.
        formerly: Type token that the component had before, so that its objects keep their identity.
    """

    def __init__(
        self,
        type_token: str,
        name: str,
        surroundings: Surroundings,
        opts: pulumi.ResourceOptions | None = None,
        *,
        formerly: str | None = None,
    ) -> None:
        if formerly:
            earlier = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=formerly)])
            opts = pulumi.ResourceOptions.merge(opts, earlier)
        super().__init__(type_token, name, None, opts)
        self._surroundings = surroundings

    @classmethod
    def optional(cls, name: str, args: Any, opts: pulumi.ResourceOptions | None = None) -> Self | None:
        """The component, or None where a stack does without it: then its arguments are None."""
        return None if args is None else cls(name, args, opts)  # type: ignore[arg-type]  # a subclass takes a name, its arguments and options

    def _register(
        self,
        name: str,
        manifest: Manifest,
        *after: pulumi.Resource,
        data: bool = False,
        awaited: bool = False,
        held: tuple[str, ...] = (),
    ) -> KubernetesObject:
        """Register an object of this component.

        Args:
            name: Logical name.
            manifest: The object.
            after: Objects that must exist before it, besides the namespace.
            data: Whether it holds data: then it is protected, and kept when the program lets go of it.
            awaited: Whether the update waits for it as long as a rollout may take.
            held: Paths of fields that this update leaves as they are on the cluster; no immutable ones, as the
                provider takes their defaults for ours.
        """
        first: list[pulumi.Input[pulumi.Resource]] = [self._surroundings.namespace_resource]
        if room := self._surroundings.room:
            room.objects.append(manifest)
            first.append(room.quota)
        timeout = f"{self._surroundings.rollout.timeout_seconds}s"
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=[*first, *after],
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if awaited else None,
            ignore_changes=list(held) or None,
        )
        if data:
            options = stateful_options(name, self._surroundings.released_objects, options)
        return KubernetesObject(name, manifest, options)
