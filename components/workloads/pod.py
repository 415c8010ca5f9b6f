"""Pod template: hardened by default, spread over the cluster, with an orderly end. Every pod comes from here.

Pods inside custom resources get the same parts from `operated`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.kubernetes.naming import HOST, ZONE
from components.kubernetes.quantities import mebibytes
from components.settings.image import has_no_registry
from components.workloads.container import EPHEMERAL_STORAGE

SECCOMP_PROFILE = {"type": "RuntimeDefault"}


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """A pod, but for its name and labels, which are those of its `PodSet`.

    Attributes:
        version: Release of the program, for the version label.
        user: Numeric user of all containers, who also owns the volumes.
        containers: Containers, see `container`.
        volumes: Volumes besides the claims.
        grace_period_seconds: Time from the decision to end a pod until it is killed.
        apart: Whether two of these pods must never run on one node. Servers that elect a leader must not: one lost node
            would take the majority with it, and a pod that waits for a node is better than that.
        spread_each_revision: Whether the pods of a new release are spread without regard to those of the old one.
        restart_policy: Restart policy where it is not the workload's own.
        token: Whether the pod asks for the API server's token of its ServiceAccount.
    """

    version: str
    user: int
    containers: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]]
    grace_period_seconds: int
    apart: bool = False
    spread_each_revision: bool = False
    restart_policy: str | None = None
    token: bool = False


def pod_template(
    args: PodArgs,
    account: str,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    image_pull_policy: str,
    *,
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """Pod template that the `restricted` Pod Security Standard admits.

    Args:
        args: The pod.
        account: Name of its ServiceAccount.
        labels: Its labels.
        selector: Labels that select it and the other replicas.
        image_pull_policy: When a node asks the registry for an image.
        annotations: Its annotations.
    """
    metadata = {"labels": dict(labels), **({"annotations": dict(annotations)} if annotations else {})}
    spec = {
        "serviceAccountName": account,
        **token(used=args.token),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": args.grace_period_seconds,
        "securityContext": pod_security_context(args.user),
        "topologySpreadConstraints": [
            spread(ZONE, selector, each_revision=args.spread_each_revision),
            spread(HOST, selector, each_revision=args.spread_each_revision),
        ],
        "affinity": _apart_from(selector, required=args.apart),
        "containers": [
            {**each, "imagePullPolicy": pull_policy(each["image"], image_pull_policy)}
            for each in with_scratch(args.containers, args.volumes)
        ],
        "volumes": list(args.volumes),
        **({"restartPolicy": args.restart_policy} if args.restart_policy else {}),
    }
    return {"metadata": metadata, "spec": spec}


def pull_policy(image: object, wanted: str) -> str:
    """When a node asks the registry for an image: never for one that none has and that was put onto the node."""
    return "IfNotPresent" if has_no_registry(image) else wanted


def token(*, used: bool) -> dict[str, bool]:
    """Say whether pods get the API server's token of their ServiceAccount."""
    return {"automountServiceAccountToken": used}


def pod_security_context(user: int) -> dict[str, Any]:
    """Security context of a pod that runs as one unprivileged user, who also owns its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": dict(SECCOMP_PROFILE),
    }


def spread(topology_key: str, selector: Mapping[str, str], *, each_revision: bool = False) -> dict[str, Any]:
    """Spread constraint: replicas stand apart from each other.

    Args:
        topology_key: Label of the nodes that they are spread over.
        selector: Labels of the replicas.
        each_revision: Whether each revision of a Deployment is spread on its own.
    """
    return {
        "maxSkew": 1,
        "topologyKey": topology_key,
        # A cluster without zones, or with one node down, must still be able to run every pod.
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
        **({"matchLabelKeys": ["pod-template-hash"]} if each_revision else {}),
    }


def with_scratch(
    containers: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The containers of a pod, the first of which may fill the pod's scratch directories in addition to its own share.

    The kubelet evicts a pod that uses more disk than its containers may together, scratch directories included.
    """
    first, *others = containers
    directories = [volume["emptyDir"] for volume in volumes if "emptyDir" in volume]
    scratch = sum(mebibytes(each["sizeLimit"]) for each in directories if each.get("medium") != "Memory")
    limits = first["resources"]["limits"]
    limit = f"{int(mebibytes(limits[EPHEMERAL_STORAGE]) + scratch)}Mi"
    return [{**first, "resources": {**first["resources"], "limits": {**limits, EPHEMERAL_STORAGE: limit}}}, *others]


def _apart_from(labels: Mapping[str, str], *, required: bool) -> dict[str, Any]:
    """Affinity of a pod that avoids nodes that already run a replica: where another has room, or always.

    A spread constraint cannot forbid it: `maxSkew: 1` counts only the nodes that are there, so that two of three
    servers meet on one node once another is gone, and a tainted control plane counts as an empty node.
    """
    term = {"labelSelector": {"matchLabels": dict(labels)}, "topologyKey": HOST}
    if required:
        return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }
