"""Leftovers of a crash among Kubernetes objects: operations that were cut off, and deletions still to do.

The identifier of a Kubernetes object is its name, so that two steps of the engine can mean the same object. The engine
does not see that, so this module does:

- A creation that was cut off stays pending with the engine until a person says what became of it, and is forgotten
  when the program wants another object meanwhile. Here a new object is taken into the state as one that the engine
  reads first; what was never created drops out again. One that was to replace another waits for the next program:
  only that knows which of the two is wanted. The other one is listed for deletion; a removal of the stack wants none.
- An update or a deletion that was cut off is forgotten by the engine, although the object may have changed or be gone.
  Here the engine reads such an object first. The same goes for operations that failed.
- An object that was deleted to be made again, and was not made, would be made by the next update and then deleted once
  more, by its name. Here it, too, is read first.
- An object that is listed for deletion, as after a replacement that was cut off, may be wanted again by the next
  program. The engine would create it once more, find it there, and then delete it. Here the engine does not see such
  deletions until it has done everything else, and then only those that are not wanted.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from altlas.session.journal.references import references
from altlas.session.journal.replay import VERSION_WITH_FEATURES, StackState

_KUBERNETES = "kubernetes:"
_READ_FIRST = "refreshBeforeUpdate"
_ORDER = ("dependencies", "propertyDependencies", "deletedWith", "replaceWith")
"""What says when a resource is created or replaced; a deletion that comes last needs none of it."""


def with_cut_off_operations(
    deployment: StackState, failed: Sequence[Mapping[str, Any]], decided: Collection[str], before: StackState
) -> StackState:
    """The state with what is known of operations that failed or were cut off.

    Those of other providers stay as they are. A failed operation may have taken place, too: its provider may have died.

    Args:
        deployment: The state after an update; what was cut off is pending there.
        failed: Operations that failed.
        decided: URNs about which the update's program has said what it wants.
        before: The state before the update, of whose providers one may be needed again.
    """
    resources = [dict(one) for one in deployment.resources]
    kubernetes = [one for one in failed if _identifier(one["resource"])]
    open_still = [one for one in (*deployment.pending, *kubernetes) if not _is_settled(one, resources, decided)]
    for one in resources:
        if one["type"].startswith(_KUBERNETES) and one.pop("pendingReplacement", False):
            one[_READ_FIRST] = True
    resources = [*_removed_providers(resources, before), *resources]
    body = _without_empty(deployment, resources, open_still)
    if not any(one.get(_READ_FIRST) for one in resources):
        return replace(deployment, body=body)
    return StackState(body, VERSION_WITH_FEATURES, tuple(sorted({*deployment.features, _READ_FIRST})))


def _without_empty(deployment: StackState, resources: Sequence[Any], pending: Sequence[Any]) -> dict[str, Any]:
    """Body of a state with other resources and pending operations; without their keys where there are none."""
    body = {**deployment.body, "resources": resources, "pending_operations": pending}
    return {key: value for key, value in body.items() if value or key not in ("resources", "pending_operations")}


def _is_settled(operation: Mapping[str, Any], resources: list[dict[str, Any]], decided: Collection[str]) -> bool:
    """Note in the resources what an operation may have done; False where nobody can tell yet."""
    urn, identifier = operation["resource"]["urn"], _identifier(operation["resource"])
    alive = [one for one in resources if one["urn"] == urn and not one.get("delete")]
    if not operation["resource"].get("custom"):
        # A component is nothing outside the state; the next program registers it again.
        return True
    if identifier is None:
        return False
    if operation["type"] != "creating":
        # The object may be as before, as wanted, or gone.
        for one in alive:
            one[_READ_FIRST] = True
    elif not alive:
        whole = _taken_in(operation, identifier, **{_READ_FIRST: True})
        resources.append(whole if _has_all(whole, resources) else _alone(whole, resources))
    elif identifier not in (one.get("id") for one in alive):
        if urn not in decided:
            return False
        # What it depended on may be gone, or be listed for deletion after it.
        resources.append(_alone(_taken_in(operation, identifier, delete=True), resources))
    return True


def _has_all(resource: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]) -> bool:
    """True if the state has everything that a resource refers to, but for its provider."""
    known = {one["urn"] for one in resources}
    return all(urn in known for _, urn in references(resource))


def _alone(resource: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A resource without what it waits for, and without its parent if that is not among the others."""
    known = {one["urn"] for one in others}
    return {key: one for key, one in resource.items() if key not in _ORDER and (key != "parent" or one in known)}


def _removed_providers(resources: Sequence[Mapping[str, Any]], before: StackState) -> list[dict[str, Any]]:
    """Providers of the state before that resources still name: an update has removed them as if nothing needed them."""
    known = {_provider_name(one) for one in resources}
    named = {one["provider"] for one in resources if one.get("provider")} - known
    return [_alone(one, ()) for one in before.resources if _provider_name(one) in named]


def _provider_name(resource: Mapping[str, Any]) -> str:
    """Name of a provider as its resources give it."""
    return f"{resource['urn']}::{resource.get('id')}"


def with_creations_listed(deployment: StackState) -> StackState:
    """The state before a removal of the stack: what may have been created and waits for a program is deleted, too."""
    waiting = [one for one in deployment.pending if _identifier(one["resource"]) and one["type"] == "creating"]
    if not waiting:
        return deployment
    whole = [_taken_in(one, _identifier(one["resource"]) or "", delete=True) for one in waiting]
    listed = [_alone(one, deployment.resources) for one in whole]
    left = [one for one in deployment.pending if one not in waiting]
    return replace(deployment, body=_without_empty(deployment, [*deployment.resources, *listed], left))


def _taken_in(operation: Mapping[str, Any], identifier: str, **mark: bool) -> dict[str, Any]:
    resource = operation["resource"]
    return {**resource, "id": identifier, "outputs": resource.get("inputs") or {}, **mark}


def without_deletions(deployment: StackState) -> StackState:
    """The state as the engine shall see it first: without Kubernetes objects that are listed for deletion."""
    return replace(
        deployment, body={**deployment.body, "resources": [one for one in deployment.resources if not _is_listed(one)]}
    )


def with_deletions(deployment: StackState, before: StackState) -> StackState:
    """The state after an update, with what was listed for deletion before it and is not wanted.

    Args:
        deployment: The state after an update of `without_deletions(before)`.
        before: The state before it.
    """
    alive = {(one["type"], one.get("id")) for one in deployment.resources}
    listed = [
        _alone(one, deployment.resources)
        for one in before.resources
        if _is_listed(one) and (one["type"], one["id"]) not in alive
    ]
    if not listed:
        return deployment
    resources = [*deployment.resources, *listed]
    providers = _removed_providers(resources, before)
    return replace(deployment, body={**deployment.body, "resources": [*providers, *resources]})


def has_deletions(deployment: StackState) -> bool:
    """Tell whether Kubernetes objects are listed for deletion."""
    return any(map(_is_listed, deployment.resources))


def _is_listed(resource: Mapping[str, Any]) -> bool:
    return bool(resource.get("delete")) and resource["type"].startswith(_KUBERNETES) and bool(resource.get("id"))


def _identifier(resource: Mapping[str, Any]) -> str | None:
    """Identifier that the provider gives a Kubernetes object; None for anything else."""
    if not resource["type"].startswith(_KUBERNETES) or not resource.get("custom"):
        return None
    metadata = (resource.get("inputs") or {}).get("metadata") or {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not name:
        return None
    return f"{namespace}/{name}" if namespace else str(name)
