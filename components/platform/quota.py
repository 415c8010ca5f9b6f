"""Quota of a stack's namespace: most that its objects may need at a time, by the arithmetic of `altlas capacity`.

A quota counts each pod until it has ended, and refuses one that is too many: of a rollout, an autoscaler, or an
operator in a failover. So it has room for the largest scale while everything rolls.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.load import Amount, StackLoad, stack_load
from components.kubernetes.object import Manifest
from components.kubernetes.quantities import cpu_text, memory_text
from components.settings import PlatformSettings
from components.settings.quota import QuotaSettings, hard, problem
from components.workloads.component import ObjectComponent, Room, Surroundings

NAME = "platform"
"""Name of the ResourceQuota and of the LimitRange."""


@dataclass(frozen=True, kw_only=True)
class QuotaArgs:
    """A quota.

    Attributes:
        surroundings: The stack around it, without the wait of all others for it.
        settings: Settings of the quota.
        room: Objects that it counts, and that wait for it.
    """

    surroundings: Surroundings
    settings: QuotaSettings
    room: Room

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self | None:
        """The arguments, when all else is registered; None where the stack has no quota.

        Raises:
            pulumi.RunError: A figure given by hand is below what the stack may need.
        """
        if platform.quota is None or surroundings.room is None:
            return None
        if found := problem(stack_load(surroundings.room.objects), platform.quota):
            raise pulumi.RunError(f"alt-las:platform.{found}")
        return cls(surroundings=replace(surroundings, room=None), settings=platform.quota, room=surroundings.room)


class PlatformQuota(ObjectComponent):
    """ResourceQuota, and a LimitRange without which it would refuse containers that name no resources.

    Owns what the namespace may hold. Does not own what a cluster's administrator sets beside it: the lower one holds.
    """

    def __init__(self, name: str, args: QuotaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Quota", name, args.surroundings, opts)
        load, namespace = stack_load(args.room.objects), args.surroundings.namespace
        # First, for the quota refuses what it does not complete.
        limits = self._register(f"{name}-limits", limit_range(load, args.settings, namespace))
        self._register(name, resource_quota(load, args.settings, namespace), limits)
        args.room.is_made_by(self)
        self.register_outputs({})


def resource_quota(load: StackLoad, settings: QuotaSettings, namespace: str) -> Manifest:
    """Most that the namespace may hold."""
    spec = {"hard": hard(load, settings)}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": _metadata(namespace), "spec": spec}


def limit_range(load: StackLoad, settings: QuotaSettings, namespace: str) -> Manifest:
    """Resources of containers that name none, and the most of any: those of the stack's largest pod."""
    default_requests, default_limits = settings.default_amounts
    largest = default_limits
    for each in load.workloads:
        largest = largest.at_least(each.pod.limits)
    limits = {
        "type": "Container",
        "defaultRequest": _quantities(default_requests),
        "default": _quantities(default_limits),
        "max": _quantities(largest),
    }
    spec = {"limits": [limits]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": _metadata(namespace), "spec": spec}


def _quantities(amount: Amount) -> dict[str, str]:
    return {"cpu": cpu_text(amount.cpu), "memory": memory_text(amount.memory)}


def _metadata(namespace: str) -> dict[str, Any]:
    return {"name": NAME, "namespace": namespace, "labels": naming.labels("platform", "quota")}
