"""The rights of a stack's deployer, as manifests; an end-to-end test works with them on a real API server."""

from collections.abc import Mapping
from typing import Any

import pytest

from altlas.update.deployer_role import deployer_manifests, plural
from rendering.recorder import Recorder
from tests.support.documents import STACKS, platform_of

ALLOWED = {"create", "delete", "get", "list", "patch", "watch"}


def manifests(programs: Mapping[str, Recorder], stack: str, *definitions: str) -> list[dict[str, Any]]:
    """Manifests that an administrator applies for a stack."""
    return deployer_manifests(stack, platform_of(stack)["namespace"], programs[stack].objects, definitions, "deployer")


def role(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only manifest of a kind."""
    (only,) = (each for each in found if each["kind"] == kind)
    return only


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Deployment", "deployments"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("HTTPRoute", "httproutes"),
        ("PodDisruptionBudget", "poddisruptionbudgets"),
    ],
)
def test_kinds_are_named_as_the_api_server_names_them(kind: str, expected: str) -> None:
    """A right to something that has another name would be no right."""
    assert plural(kind) == expected


@pytest.mark.parametrize("stack", STACKS)
def test_every_registered_object_may_be_written_and_nothing_of_another_kind(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """Inside the namespace by kind, outside of it by name."""
    found = manifests(programs, stack)
    inside = {
        (group, resource)
        for rule in role(found, "Role")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "create" in rule["verbs"]
    }
    outside = {
        (rule["apiGroups"][0], rule["resources"][0], name)
        for rule in role(found, "ClusterRole")["rules"]
        for name in rule.get("resourceNames", ())
    }
    expected_inside, expected_outside = set(), set()
    for each in programs[stack].objects:
        group, slash, _ = each["apiVersion"].partition("/")
        kind = (group if slash else "", plural(each["kind"]))
        if "namespace" in each["metadata"]:
            expected_inside.add(kind)
        else:
            expected_outside.add((*kind, each["metadata"]["name"]))
    assert (inside, outside) == (expected_inside, expected_outside)


@pytest.mark.parametrize("stack", STACKS)
def test_there_is_no_wildcard_and_no_verb_that_gives_more_rights(programs: Mapping[str, Recorder], stack: str) -> None:
    """Neither escalate nor impersonate, and bind only the stack's own roles by name, alone in its rule."""
    own = {each["metadata"]["name"] for each in programs[stack].objects if each["kind"] in ("Role", "ClusterRole")}
    for each in manifests(programs, stack):
        for rule in each.get("rules", ()):
            assert set(rule["verbs"]) <= ALLOWED or (rule["verbs"] == ["bind"] and set(rule["resourceNames"]) <= own)
            assert "*" not in [*rule["apiGroups"], *rule["resources"]]


def test_definitions_may_be_looked_for_by_name_only(programs: Mapping[str, Recorder]) -> None:
    """The check before an update asks for exactly these."""
    rules = role(manifests(programs, "alpha", "b.example", "a.example"), "ClusterRole")["rules"]
    assert rules[-1] == {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": ["get"],
        "resourceNames": ["a.example", "b.example"],
    }


def test_rights_that_the_stack_itself_gives_come_with_the_rest(programs: Mapping[str, Recorder]) -> None:
    """Nobody can give away more rights than they have: those of a Role inside, those of a ClusterRole everywhere."""
    rules = {name: {"apiGroups": [""], "resources": [name], "verbs": ["get"]} for name in ("pods/log", "nodes/metrics")}
    version = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    given = [
        version | {"kind": "Role", "metadata": {"name": "a", "namespace": "alt-las"}, "rules": [rules["pods/log"]]},
        version | {"kind": "ClusterRole", "metadata": {"name": "alpha-a"}, "rules": [rules["nodes/metrics"]]},
    ]
    found = deployer_manifests("alpha", "alt-las", [*programs["alpha"].objects, *given], (), "deployer")
    inside, everywhere = (role(found, kind)["rules"] for kind in ("Role", "ClusterRole"))
    assert rules["pods/log"] in inside
    assert rules["pods/log"] not in everywhere
    assert rules["nodes/metrics"] in everywhere
    assert rules["nodes/metrics"] not in inside
    bind = [(rule["resources"], rule["resourceNames"]) for rule in [*inside, *everywhere] if rule["verbs"] == ["bind"]]
    assert (["clusterroles"], ["alpha-a"]) in bind
    assert any(resources == ["roles"] and "a" in names for resources, names in bind)


def test_names_carry_the_stack_and_both_bindings_name_the_user(programs: Mapping[str, Recorder]) -> None:
    """Two stacks on one cluster have two deployers."""
    found = manifests(programs, "beta")
    assert [each["metadata"]["name"] for each in found] == ["alt-las-beta", *["alt-las-beta-deployer"] * 4]
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        assert [subject["name"] for subject in role(found, kind)["subjects"]] == ["deployer"]
