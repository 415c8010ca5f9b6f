"""References between the resources of a state: dependencies, parents, providers, aliases; and whether they hold.

Follows `NormalizeURNReferences` and `VerifyIntegrity` of Pulumi's CLI 3.259 and the replayer's `rebuildDependencies`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_ROOT_TYPE = "pulumi:pulumi:Stack"
_PROVIDER_TYPE = "pulumi:providers:"
_SEPARATOR = "::"


def rebuild_dependencies(resources: Sequence[dict[str, Any]]) -> None:
    """Drop references to resources that a refresh found gone; children of these move up to the next parent."""
    known: set[str] = set()
    for one in resources:
        for key in ("dependencies", "replaceWith"):
            if one.get(key):
                _set_or_drop(one, key, [urn for urn in one[key] if urn in known])
        if one.get("propertyDependencies"):
            kept = {
                name: [urn for urn in urns or () if urn in known] for name, urns in one["propertyDependencies"].items()
            }
            _set_or_drop(one, "propertyDependencies", {name: urns for name, urns in kept.items() if urns})
        if one.get("deletedWith") not in known:
            one.pop("deletedWith", None)
        known.add(one["urn"])
    parents: dict[str, str] = {}
    for one in resources:
        if one.get("parent", "") not in known:
            _set_or_drop(one, "parent", parents.get(one.get("parent", ""), ""))
        parents[one["urn"]] = one.get("parent", "")


def follow_aliases(body: dict[str, Any]) -> None:
    """Let every reference name a resource by its own URN, and drop the aliases.

    Raises:
        ValueError: Two resources have the same alias.
    """
    resources = body.get("resources") or []
    aliased = _aliased(resources)

    def follow(urn: str) -> str:
        return aliased.get(urn, urn)

    for one in resources:
        _rename(one, follow)
        one.pop("aliases", None)
    for snippet in body.get("snippets") or ():
        if snippet.get("references"):
            snippet["references"] = {key: follow(urn) for key, urn in snippet["references"].items()}


def _aliased(resources: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    aliased: dict[str, str] = {}
    for one in resources:
        for alias in one.get("aliases") or ():
            if aliased.setdefault(alias, one["urn"]) != one["urn"]:
                raise ValueError(f"{aliased[alias]} and {one['urn']} have the same alias {alias}")
        parent = aliased.get(one.get("parent", ""))
        if parent and _qualified_type(parent) != _ROOT_TYPE:
            stack, project, kind, name = one["urn"].split(_SEPARATOR, 3)
            moved = f"{_qualified_type(parent)}${kind.rpartition('$')[2]}"
            aliased[one["urn"]] = _SEPARATOR.join((stack, project, moved, name))
    return aliased


def _rename(one: dict[str, Any], follow: Callable[[str], str]) -> None:
    one["urn"] = follow(one["urn"])
    for key in ("parent", "deletedWith", "viewOf"):
        if one.get(key):
            one[key] = follow(one[key])
    if one.get("provider"):
        urn, _, identifier = one["provider"].rpartition(_SEPARATOR)
        one["provider"] = f"{follow(urn)}{_SEPARATOR}{identifier}"
    if one.get("dependencies"):
        one["dependencies"] = [follow(urn) for urn in one["dependencies"]]
    if one.get("propertyDependencies"):
        one["propertyDependencies"] = {
            name: [follow(urn) for urn in urns] if urns else urns for name, urns in one["propertyDependencies"].items()
        }


def _qualified_type(urn: str) -> str:
    return urn.split(_SEPARATOR, 3)[2]


def _set_or_drop(one: dict[str, Any], key: str, value: Any) -> None:
    if value:
        one[key] = value
    else:
        one.pop(key, None)


def broken_reference(body: Mapping[str, Any]) -> str | None:
    """First fault for which the engine would refuse to read this state, or None."""
    return next(_broken(body.get("resources") or []), None)


def _broken(resources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known: set[str] = set()
    providers: set[str] = set()
    for index, one in enumerate(resources):
        yield from _malformed(index, one)
        urn = one.get("urn", "")
        if one.get("type", "").startswith(_PROVIDER_TYPE):
            providers.add(f"{urn}{_SEPARATOR}{one.get('id')}")
        if one.get("provider") and one["provider"] not in providers and not one.get("pendingReplacement"):
            yield f"{urn} names the unknown provider {one['provider']}"
        for relation, other in references(one):
            if other not in known:
                later = any(after.get("urn") == other for after in resources[index + 1 :])
                yield f"{urn}: its {relation} {other} {'comes after it' if later else 'is missing'}"
        known.add(urn)
    alive = Counter(one["urn"] for one in resources if not one.get("delete"))
    yield from (f"{urn} stands there twice" for urn, count in alive.items() if count > 1)


def _malformed(index: int, one: Mapping[str, Any]) -> Iterator[str]:
    for key in ("urn", "type"):
        if not one.get(key):
            yield f"resource {index} has no {key}"
    if not one.get("custom") and one.get("id"):
        yield f"{one.get('urn')} is a component and has an id"


def references(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """References of a resource, but for its provider: the relation and the URN."""
    for relation, key in (("parent", "parent"), ("owner", "deletedWith")):
        if one.get(key):
            yield relation, one[key]
    for urn in one.get("dependencies") or ():
        yield "dependency", urn
    for urns in (one.get("propertyDependencies") or {}).values():
        for urn in urns or ():
            yield "dependency", urn
