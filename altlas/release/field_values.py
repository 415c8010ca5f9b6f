"""Values of fields as they were sent and as a cluster has them: the same, added to, or removed.

Pure functions. The API server writes defaults into what was sent, leaves out what is empty, and spells quantities in
its own way; none of that is a difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.release.owned_fields import EntryKey, Owner, Path, read
from components.kubernetes.quantities import mebibytes, millicores
from rendering.recorder import WRAPPED

SECRET_BLOCKS = ("data", "stringData")
"""Blocks of a Secret; the cluster has the second one's keys in the first."""


def removed(sent: Mapping[str, Any], live: Mapping[str, Any], owned: Sequence[Owner]) -> Iterator[Path]:
    """Fields and entries that were sent and that the cluster does not have.

    Args:
        sent: Object as the last update sent it.
        live: Object of the cluster.
        owned: Owners of its fields.
    """
    own = [path for owner in owned if owner.is_pulumi for path in owner.paths]
    kept = frozenset(own) if own else None
    keys = _keys_of_lists(owned)
    if sent.get("kind") == "Secret":
        blocks = [sent.get(block) or {} for block in SECRET_BLOCKS]
        names = {name for block in blocks if WRAPPED not in block for name in block}
        yield from (("data", name) for name in sorted(names - set(live.get("data") or ())))
        sent = {name: value for name, value in sent.items() if name not in SECRET_BLOCKS}
    for path in _removed(sent, live, (), keys):
        # The API server leaves out empty values, of which the update stays the owner; one that another writer has
        # removed has no owner any more.
        value = read(sent, path)
        if value or (_is_scalar(value) and kept is not None and path not in kept):
            yield path


def _is_scalar(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | list)


def _keys_of_lists(owned: Sequence[Owner]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Names of the keys of lists' entries, by the names of the fields above."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in (path for owner in owned for path in owner.paths):
        names: tuple[str, ...] = ()
        for part in path:
            if isinstance(part, EntryKey):
                found[names] = tuple(name for name, _ in part.fields)
            else:
                names = (*names, part)
    return found


def _removed(sent: Any, live: Any, path: Path, keys: Mapping[tuple[str, ...], tuple[str, ...]]) -> Iterator[Path]:
    if isinstance(sent, Mapping) and isinstance(live, Mapping):
        for key, value in sent.items():
            yield from _removed(value, live.get(key), (*path, key), keys)
    elif isinstance(sent, list) and isinstance(live, list) and all(isinstance(each, Mapping) for each in sent):
        of_list = keys.get(tuple(part for part in path if isinstance(part, str)), ("name",))
        if all(of_list[0] in each for each in sent):
            for each in sent:
                entry = EntryKey(tuple((name, each[name]) for name in of_list if name in each))
                yield from _removed(each, read(live, (entry,)), (*path, entry), keys)
    elif live is None and sent is not None and not _is_empty(sent):
        yield path


def _is_empty(value: Any) -> bool:
    """True for a block without any value."""
    return not any(value.values()) if isinstance(value, Mapping) else isinstance(value, list) and not value


def is_same(wanted: Any, found: Any) -> bool:
    """True if a value of the cluster is the one that was sent, with what the API server adds."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(is_same(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(is_same, wanted, found))
    if found is None:
        return not wanted or _is_empty(wanted)
    return bool(wanted == found) or str(wanted) == str(found) or _same_quantity(wanted, found)


def adds(wanted: Any, found: Any, applied: Any) -> bool:
    """True if a value of the cluster holds keys that were neither sent nor added by the API server.

    Args:
        wanted: As it was sent.
        found: As the cluster has it; the same as far as it was sent.
        applied: As the cluster answered the update that sent it.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        known = applied if isinstance(applied, Mapping) else {}
        return any(
            adds(wanted[key], value, known.get(key)) if key in wanted else value != known.get(key)
            for key, value in found.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        known_entries = applied if isinstance(applied, list) and len(applied) == len(found) else [None] * len(found)
        return any(map(adds, wanted, found, known_entries))
    return False


def _same_quantity(wanted: Any, found: Any) -> bool:
    """True for two spellings of a quantity: the API server writes `1000m` as `1` and `1024Mi` as `1Gi`."""
    for parse in (mebibytes, millicores):
        try:
            return parse(str(wanted)) == parse(str(found))
        except ValueError:
            continue
    return False
