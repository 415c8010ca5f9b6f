"""Desired and ready servers of custom resources, and databases in them, as their operators report them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

OPERATED = frozenset(_COUNTS)
"""Kinds of the custom resources whose servers operators make."""

_HEALTHY = "Cluster in healthy state"
"""Phase of a CloudNativePG Cluster (api/v1 `PhaseHealthy`) in which its operator has nothing left to do."""

_UNKNOWN_KIND = "the server doesn't have a resource type"


def operated_statuses(kubectl: Kubectl, platform: PlatformSettings, *, operated: bool) -> tuple[WorkloadStatus, ...]:
    """Status of all custom resources of the kinds that a stack's settings ask for, copies of a restore included.

    Args:
        kubectl: The cluster.
        platform: Settings of the stack.
        operated: Whether operators really run.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    found = _found(kubectl, platform.namespace, ",".join(_kinds(platform)))
    databases = [each for each in found if each["kind"] == "Database"]
    return tuple(_status(each, databases, operated=operated) for each in found if each["kind"] != "Database")


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
        yield "databases.postgresql.cnpg.io"
    if platform.prometheus and platform.prometheus.is_managed:
        yield "prometheuses.monitoring.coreos.com"
    if platform.alertmanager:
        yield "alertmanagers.monitoring.coreos.com"


def _status(resource: Mapping[str, Any], databases: Iterable[Mapping[str, Any]], *, operated: bool) -> WorkloadStatus:
    wanted, ready, updated, image = _COUNTS[resource["kind"]]
    specification, status = resource["spec"], resource.get("status", {})
    said = _phase(status) if resource["kind"] == "Cluster" else _conditions(status)
    unmade = tuple(_unmade(resource["metadata"]["name"], databases)) if resource["kind"] == "Cluster" else ()
    return WorkloadStatus(
        name=resource["metadata"]["name"],
        kind=resource["kind"],
        image=specification.get(image, "-"),
        ready=status.get(ready, 0),
        wanted=specification.get(wanted, 1),
        updated=status.get(updated, 0),
        nodes=(),
        observed=_observed(resource) and not unmade,
        operated=operated,
        said="; ".join(filter(None, (said, *unmade))),
    )


def _observed(resource: Mapping[str, Any]) -> bool:
    """True if the operator has acted on the newest settings, as far as it says so."""
    status = resource.get("status", {})
    if resource["kind"] == "Cluster":
        return status.get("phase") in (None, _HEALTHY)
    generation = resource["metadata"].get("generation", 0)
    return all(each.get("observedGeneration", generation) >= generation for each in status.get("conditions") or ())


def _unmade(cluster: str, databases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Words about each Database of a Cluster that its operator has not made as the newest settings say.

    Servers are ready before: the operator makes databases one after the other in servers that answer already.
    """
    for each in databases:
        status, metadata = each.get("status", {}), each["metadata"]
        generation = metadata.get("generation", 0)
        is_made = status.get("applied") is True and status.get("observedGeneration", generation) >= generation
        if each["spec"]["cluster"]["name"] == cluster and not is_made:
            yield f"database {metadata['name']} is not made: {status.get('message') or 'not tried yet'}"


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
