"""Identity of Kubernetes objects in the state: aliases and secret outputs are those of the typed classes."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pulumi
import pytest

from components.kubernetes.api_versions import FORMER_VERSIONS
from components.kubernetes.object import KubernetesObject, resource_type
from rendering.recorder import Recorder
from tests.support.program import build

_REQUIRED: Mapping[str, Any] = {"spec": {}, "role_ref": {}, "webhooks": [], "rules": []}
"""Values for the arguments without which a typed class cannot be made."""


def _manifest(kind: str) -> dict[str, Any]:
    api_version, _, name = kind.rpartition(":")
    return {"apiVersion": api_version, "kind": name, "metadata": {"name": "x"}}


def _typed_class(kind: str) -> Any:
    """The class of pulumi_kubernetes for an `apiVersion:kind`, or None for a custom resource."""
    _, _, rest = resource_type(_manifest(kind)).partition(":")
    group, _, version = rest.partition("/")
    try:
        module = import_module(f"pulumi_kubernetes.{group.partition('.')[0]}.{version.partition(':')[0]}")
    except ModuleNotFoundError:
        return None
    return getattr(module, kind.rpartition(":")[2], None)


def _identity(action: Any) -> tuple[str, list[str], list[str]]:
    """Identity and secrets, as the engine gets them, of the only resource that `action` makes."""
    (request,) = build(action).requests
    return request.type, [alias.spec.type for alias in request.aliases], list(request.additionalSecretOutputs)


def _differences(kinds: set[str]) -> dict[str, Any]:
    """Kinds whose registration here is not that of the typed class, with both."""
    found = {}
    for kind in sorted(kinds):
        made = _typed_class(kind)
        if made is None:
            assert kind not in FORMER_VERSIONS, f"{kind} is no kind of Kubernetes itself"
            continue
        wanted = inspect.signature(made._internal_init).parameters
        arguments = {name: value for name, value in _REQUIRED.items() if name in wanted}
        ours = _identity(lambda kind=kind: KubernetesObject("x", _manifest(kind), pulumi.ResourceOptions()))
        typed = _identity(lambda made=made, arguments=arguments: made("x", **arguments))
        if ours != typed:
            found[kind] = (ours, typed)
    return found


def test_every_kind_is_registered_with_the_aliases_and_secrets_of_its_typed_class(
    programs: Mapping[str, Recorder],
) -> None:
    """So the step to a newer API version of a kind is an update, and values of a Secret are encrypted in the state."""
    registered = {f"{each['apiVersion']}:{each['kind']}" for each in programs["alpha"].objects}
    registered |= {f"{each['apiVersion']}:{each['kind']}" for each in programs["beta"].objects}
    assert {"v1:Secret", "autoscaling/v2:HorizontalPodAutoscaler"} <= registered
    assert _differences(registered | FORMER_VERSIONS.keys()) == {}


def test_a_missing_and_a_wrong_alias_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is not empty."""
    monkeypatch.setitem(FORMER_VERSIONS, "policy/v1:PodDisruptionBudget", ())
    assert _differences({"policy/v1:PodDisruptionBudget", "v1:Service"}).keys() == {"policy/v1:PodDisruptionBudget"}


def test_aliases_and_options_of_the_caller_stay() -> None:
    """The project's additions to an object's options take nothing from them."""
    options = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="before")], protect=True)
    program = build(lambda: KubernetesObject("x", _manifest("policy/v1:PodDisruptionBudget"), options))
    request = program.request("kubernetes:policy/v1:PodDisruptionBudget", "x")
    assert [alias.spec.name or alias.spec.type for alias in request.aliases] == [
        "before",
        "kubernetes:policy/v1beta1:PodDisruptionBudget",
    ]
    assert request.protect
    assert options.version is None
