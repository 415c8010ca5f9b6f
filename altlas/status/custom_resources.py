"""Desired and ready servers of custom resources, as their operators report them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.session.kubectl import Kubectl
from altlas.status.rollout import WorkloadStatus
from cluster import Target
from components.settings import PlatformSettings
from rendering.errors import CommandError

_COUNTS = {
    "Cluster": ("instances", "readyInstances", "imageName"),
    "Prometheus": ("replicas", "availableReplicas", "image"),
    "Alertmanager": ("replicas", "availableReplicas", "image"),
}
"""Fields of each kind: desired servers in `spec`, ready servers in `status`, image in `spec`."""

_UNKNOWN_KIND = "the server doesn't have a resource type"


def operated_statuses(kubectl: Kubectl, platform: PlatformSettings, target: Target) -> tuple[WorkloadStatus, ...]:
    """Status of the custom resources that a stack's settings ask for.

    Args:
        kubectl: The cluster.
        platform: Settings of the stack.
        target: Says whether operators really run.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    found = _found(kubectl, platform.namespace, ",".join(_kinds(platform)))
    return tuple(_status(each, operated=target.runs_containers) for each in found)


def _found(kubectl: Kubectl, namespace: str, kinds: str) -> Sequence[Mapping[str, Any]]:
    try:
        return kubectl.items(kinds, namespace) if kinds else ()
    except CommandError as error:
        if _UNKNOWN_KIND in str(error):
            # The stack was never deployed here, so there is nothing to count.
            return ()
        raise


def _kinds(platform: PlatformSettings) -> Iterator[str]:
    if platform.postgres:
        yield "clusters.postgresql.cnpg.io"
    if platform.prometheus and platform.prometheus.is_managed:
        yield "prometheuses.monitoring.coreos.com"
    if platform.alertmanager:
        yield "alertmanagers.monitoring.coreos.com"


def _status(resource: Mapping[str, Any], *, operated: bool) -> WorkloadStatus:
    wanted, ready, image = _COUNTS[resource["kind"]]
    specification, status = resource["spec"], resource.get("status", {})
    return WorkloadStatus(
        name=resource["metadata"]["name"],
        kind=resource["kind"],
        image=specification.get(image, "-"),
        ready=status.get(ready, 0),
        wanted=specification.get(wanted, 1),
        # Operators report ready servers, not their release.
        updated=status.get(ready, 0),
        nodes=(),
        operated=operated,
    )
