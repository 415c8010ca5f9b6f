"""Point-in-time recovery (PITR) of PostgreSQL into a second Cluster.

Derived from the objects that the program would deploy. Never touches the live Cluster: services move to the new one by
a change of settings, and the old one stays until its name is in `tombstones`.
"""

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from altlas.backup.copy import MANAGER_LABEL
from components.kubernetes.naming import NAME
from rendering.errors import CommandError, ExitCode

OBJECT_STORE = "objectstores.barmancloud.cnpg.io"
"""Kind of the object in whose status the plugin writes its recovery window."""

_ORIGIN = "origin"

Manifest = dict[str, Any]


def check_window(object_store: Mapping[str, Any], archive: str, moment: datetime) -> None:
    """Check that a time lies in the recovery window that the plugin has written.

    Args:
        object_store: The ObjectStore as the cluster has it.
        archive: Name of the archive in it.
        moment: Time to recover to.

    Raises:
        CommandError: It lies before the window, or no base backup has ended yet, so that there is no window.
    """
    windows = object_store.get("status", {}).get("serverRecoveryWindow", {})
    first = windows.get(archive, {}).get("firstRecoverabilityPoint")
    if not first:
        known = ", ".join(sorted(windows)) or "none"
        raise CommandError(
            f"the archive {archive} has no recovery window, so no base backup in it has ended yet, and there is "
            f"nothing to recover from; archives with a window: {known}. Look at `kubectl get backups`, or restore a "
            "dump with --backup. Nothing was changed",
            ExitCode.BAD_INPUT,
        )
    if moment < datetime.fromisoformat(first).astimezone(UTC):
        raise CommandError(
            f"--at {moment.isoformat()} lies before the recovery window, which begins at {first}; name "
            "a later time, or restore an earlier dump with --backup. Nothing was changed",
            ExitCode.BAD_INPUT,
        )


def recovered_cluster(
    objects: Iterable[Mapping[str, Any]], into: str, moment: datetime, archive: str
) -> list[Manifest]:
    """The objects of the second PostgreSQL.

    Args:
        objects: Objects of the program.
        into: Name of the new Cluster.
        moment: Time to recover to.
        archive: Name of the archive to recover from: that of the live Cluster, or of an earlier life of the stack.

    Raises:
        CommandError: The name is that of the live Cluster.
    """
    everything = list(objects)
    live = next(each for each in everything if each["kind"] == "Cluster")
    name = live["metadata"]["name"]
    if into == name:
        raise CommandError(
            f"--into {into} is the live Cluster, which is never overwritten; choose another name, look at what was "
            "recovered, and only then let the services use it",
            ExitCode.BAD_INPUT,
        )
    cluster = copy.deepcopy(dict(live))
    (archiver,) = cluster["spec"].pop("plugins")
    cluster["metadata"]["name"] = into
    # The copy must not archive into the live WAL archive, and must not take over the address of the live Cluster.
    cluster["spec"]["managed"].pop("services")
    cluster["spec"]["instances"] = 1
    cluster["spec"]["postgresql"].pop("synchronous", None)
    recovery = {"source": _ORIGIN, "recoveryTarget": {"targetTime": moment.isoformat()}}
    plugin = {"name": archiver["name"], "parameters": archiver["parameters"] | {"serverName": archive}}
    cluster["spec"] |= {
        "bootstrap": {"recovery": recovery},
        "externalClusters": [{"name": _ORIGIN, "plugin": plugin}],
    }
    policy = next(each for each in everything if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == name)
    return [_renamed(policy, name, into), _renamed(cluster, name, into, keep=("managed", "externalClusters"))]


def _renamed(manifest: Mapping[str, Any], old: str, new: str, keep: Iterable[str] = ()) -> Manifest:
    """The manifest with the labels and selectors of another Cluster, which no update manages."""
    result: Manifest = copy.deepcopy(dict(manifest))
    result["metadata"]["name"] = new
    result["metadata"]["labels"] |= {NAME: new, MANAGER_LABEL: "altlas"}
    kept = {key: result["spec"][key] for key in keep}
    result["spec"] = _with_other_cluster(result["spec"], old, new) | kept
    return result


def _with_other_cluster(tree: Any, old: str, new: str) -> Any:
    if isinstance(tree, dict):
        changed = {key: _with_other_cluster(value, old, new) for key, value in tree.items()}
        return changed | {label: new for label in ("cnpg.io/cluster", NAME) if tree.get(label) == old}
    return [_with_other_cluster(item, old, new) for item in tree] if isinstance(tree, list) else tree
