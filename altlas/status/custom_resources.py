"""Desired and ready servers of custom resources, as their operators report them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.session.kubectl import Kubectl
from altlas.status.rollout import WorkloadStatus
from components.settings import PlatformSettings
from rendering.errors import CommandError

_COUNTS = {
    "Cluster": ("instances", "readyInstances", "readyInstances", "imageName"),
    "Prometheus": ("replicas", "availableReplicas", "updatedReplicas", "image"),
    "Alertmanager": ("replicas", "availableReplicas", "updatedReplicas", "image"),
}
"""Fields of each kind: desired servers in `spec`, ready and updated servers in `status`, image in `spec`."""

_HEALTHY = "Cluster in healthy state"
"""Phase of a CloudNativePG Cluster (api/v1 `PhaseHealthy`) in which its operator has nothing left to do."""

_UNKNOWN_KIND = "the server doesn't have a resource type"


def operated_statuses(kubectl: Kubectl, platform: PlatformSettings, *, operated: bool) -> tuple[WorkloadStatus, ...]:
    """Status of the custom resources that a stack's settings ask for.

    Args:
        kubectl: The cluster.
        platform: Settings of the stack.
        operated: Whether operators really run.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    found = _found(kubectl, platform.namespace, ",".join(_kinds(platform)))
    return tuple(_status(each, operated=operated) for each in found)


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
    wanted, ready, updated, image = _COUNTS[resource["kind"]]
    specification, status = resource["spec"], resource.get("status", {})
    said = _phase(status) if resource["kind"] == "Cluster" else _conditions(status)
    return WorkloadStatus(
        name=resource["metadata"]["name"],
        kind=resource["kind"],
        image=specification.get(image, "-"),
        ready=status.get(ready, 0),
        wanted=specification.get(wanted, 1),
        updated=status.get(updated, 0),
        nodes=(),
        observed=_observed(resource),
        operated=operated,
        said=said,
    )


def _observed(resource: Mapping[str, Any]) -> bool:
    """True if the operator has acted on the newest settings, as far as it says so."""
    status = resource.get("status", {})
    if resource["kind"] == "Cluster":
        return status.get("phase") in (None, _HEALTHY)
    generation = resource["metadata"].get("generation", 0)
    return all(each.get("observedGeneration", generation) >= generation for each in status.get("conditions") or ())


def _phase(status: Mapping[str, Any]) -> str:
    parts = (status.get("phase"), status.get("phaseReason"))
    return ": ".join(part for part in parts if part)


def _conditions(status: Mapping[str, Any]) -> str:
    """Conditions that do not hold, which are empty of words where all is well."""
    bad = (each for each in status.get("conditions") or () if each["status"] != "True")
    return "; ".join(
        f"{each['type']} is {each['status']}: " + ": ".join(filter(None, (each.get("reason"), each.get("message"))))
        for each in bad
    )
