"""A second PostgreSQL beside the live one, recovered to a moment from the write-ahead log: as objects to look at first.

Made from what the program itself would deploy. Never touches the live Cluster: services move to the new one by a
change of settings, and the old one stays until a tombstone names it.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from components.settings import PlatformSettings
from release.errors import CommandError, ExitCode

STORES = ("postgres", "redis", "nats")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_ORIGIN = "origin"

Manifest = dict[str, Any]


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a moment of the past with its time zone.

    Raises:
        CommandError: The text is none, names no time zone, or lies in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(
            f"--at {text!r} is not a time with its zone; write one such as 2026-01-31T12:00:00+00:00",
            ExitCode.BAD_INPUT,
        )
    if moment > now:
        raise CommandError(f"--at {text} lies in the future; name a moment of the past", ExitCode.BAD_INPUT)
    return moment.astimezone(UTC)


def check_request(store: str, into: str, platform: PlatformSettings) -> None:
    """Make sure that a store can be recovered to a moment, under a name that is free.

    Raises:
        CommandError: The store is unknown or keeps no log to recover from, or the name cannot be used.
    """
    if store not in STORES:
        raise CommandError(f"{store!r} is not a store; known: {', '.join(STORES)}", ExitCode.BAD_INPUT)
    if store != "postgres":
        raise CommandError(
            f"{store} cannot be recovered to a moment, only postgres can; restore a dump of it", ExitCode.BAD_INPUT
        )
    if platform.postgres is None or platform.backup is None or platform.backup.object_store is None:
        raise CommandError(
            "there is no write-ahead log to recover from: alt-las:platform.backup.objectStore is not set. A dump is "
            "restored by `python -m backup restore` in the backup image",
            ExitCode.BAD_INPUT,
        )
    if not _NAME.fullmatch(into):
        raise CommandError(
            f"--into {into!r} cannot name a Cluster; use up to 50 lower-case letters, digits and '-'",
            ExitCode.BAD_INPUT,
        )


def recovered_cluster(objects: Iterable[Mapping[str, Any]], into: str, moment: datetime) -> list[Manifest]:
    """The objects of the second PostgreSQL.

    Args:
        objects: What the program would deploy.
        into: Name of the new Cluster.
        moment: Moment to recover to.

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
    # The copy must not write into the log that it is made from, and must not take over the address of the live one.
    cluster["spec"]["managed"].pop("services")
    cluster["spec"]["instances"] = 1
    cluster["spec"]["postgresql"].pop("synchronous", None)
    recovery = {"source": _ORIGIN, "recoveryTarget": {"targetTime": moment.isoformat()}}
    plugin = {"name": archiver["name"], "parameters": archiver["parameters"]}
    cluster["spec"] |= {
        "bootstrap": {"recovery": recovery},
        "externalClusters": [{"name": _ORIGIN, "plugin": plugin}],
    }
    policy = next(each for each in everything if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == name)
    return [_renamed(policy, name, into), _renamed(cluster, name, into, keep=("managed", "externalClusters"))]


def _renamed(manifest: Mapping[str, Any], old: str, new: str, keep: Iterable[str] = ()) -> Manifest:
    """The manifest with the labels and selectors of another Cluster."""
    result: Manifest = copy.deepcopy(dict(manifest))
    result["metadata"]["name"] = new
    kept = {key: result["spec"][key] for key in keep}
    result["spec"] = _with_other_cluster(result["spec"], old, new) | kept
    return result


def _with_other_cluster(tree: Any, old: str, new: str) -> Any:
    if isinstance(tree, dict):
        changed = {key: _with_other_cluster(value, old, new) for key, value in tree.items()}
        return changed | ({"cnpg.io/cluster": new} if tree.get("cnpg.io/cluster") == old else {})
    return [_with_other_cluster(item, old, new) for item in tree] if isinstance(tree, list) else tree
