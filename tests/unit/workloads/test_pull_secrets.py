"""Credentials of registries: every identity of pods has them, also where an operator makes the identity."""

from typing import Any

from rendering.recorder import record
from tests.support.documents import alpha_with

NAMES = ["team", "operators"]
FIELD = [{"name": name} for name in NAMES]


def fields(changes: dict[str, Any]) -> dict[str, Any]:
    """Field of each object that gives pods an identity."""
    objects = record("alpha", alpha_with(changes)).objects
    accounts = {each["metadata"]["name"]: each for each in objects if each["kind"] == "ServiceAccount"}
    found = {f"ServiceAccount {name}": each.get("imagePullSecrets") for name, each in accounts.items()}
    clusters = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Cluster"}
    return found | {f"Cluster {name}": spec.get("imagePullSecrets") for name, spec in clusters.items()}


def test_every_identity_of_pods_has_the_credentials_that_the_stack_names() -> None:
    """Each pod has an identity of its own, so a secret at the namespace's default identity would help none."""
    found = fields({"rollout.imagePullSecrets": NAMES})
    assert len(found) > 15
    assert {"ServiceAccount api-gateway", "ServiceAccount prometheus", "ServiceAccount alertmanager"} <= found.keys()
    assert "Cluster postgres-db" in found
    assert {name for name, field in found.items() if field != FIELD} == set()


def test_no_pod_runs_with_another_identity() -> None:
    """A pod without a ServiceAccount of ours would be left out without a word."""
    objects = record("alpha", alpha_with({"rollout.imagePullSecrets": NAMES})).objects
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    named = {account for each in objects for account in _accounts(each)}
    assert len(named) > 15
    assert named <= accounts


def test_a_stack_that_names_none_has_no_such_field() -> None:
    """Which identities are there already stay as they are."""
    assert set(map(str, fields({}).values())) == {"None"}


def _accounts(value: Any) -> list[str]:
    """Every ServiceAccount that a manifest names for its pods."""
    if isinstance(value, list):
        return [name for item in value for name in _accounts(item)]
    if not isinstance(value, dict):
        return []
    own = [value["serviceAccountName"]] if "serviceAccountName" in value else []
    return own + [name for inner in value.values() for name in _accounts(inner)]
