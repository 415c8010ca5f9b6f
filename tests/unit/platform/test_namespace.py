"""The namespace of a stack."""

import pytest

from components.platform.namespace import NamespaceArgs, PlatformNamespace
from tests.support.program import Program, build, find

LABELS = {"app.kubernetes.io/part-of": "alt-las", "app.kubernetes.io/managed-by": "pulumi"}


@pytest.fixture(scope="module")
def program() -> Program:
    """A namespace alone."""
    return build(lambda: PlatformNamespace("namespace", NamespaceArgs(namespace="alt-las-beta")))


def test_a_namespace_comes_with_a_policy_that_closes_it(program: Program) -> None:
    """These two objects and no other."""
    assert program.names() == [("Namespace", "namespace"), ("NetworkPolicy", "namespace-deny-all")]
    policy = find(program.recorder.objects, "NetworkPolicy", "deny-all")
    assert policy["metadata"] == {"name": "deny-all", "namespace": "alt-las-beta", "labels": LABELS}
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_namespace_enforces_the_restricted_standard_at_a_fixed_version(program: Program) -> None:
    """In all three modes; `latest` would change under a running platform."""
    labels = find(program.recorder.objects, "Namespace", "alt-las-beta")["metadata"]["labels"]
    assert labels == LABELS | {
        "app.kubernetes.io/instance": "alpha",
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "v1.35",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/audit-version": "v1.35",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "v1.35",
    }


def test_a_namespace_carries_the_labels_that_others_ask_for() -> None:
    """Such as the mesh's."""
    args = NamespaceArgs(namespace="other", labels={"mesh": "on"})
    enrolled = build(lambda: PlatformNamespace("namespace", args), "production")
    labels = find(enrolled.recorder.objects, "Namespace", "other")["metadata"]["labels"]
    assert (labels["mesh"], labels["app.kubernetes.io/instance"]) == ("on", "production")


def test_the_logical_name_stays_when_the_namespace_s_own_name_changes(program: Program) -> None:
    """The name in the cluster is a setting, the name in the program is identity."""
    other = build(lambda: PlatformNamespace("namespace", NamespaceArgs(namespace="elsewhere")))
    assert other.names() == program.names()
    assert find(other.recorder.objects, "Namespace", "elsewhere")["metadata"]["name"] == "elsewhere"


def test_the_namespace_s_name_is_its_only_output(program: Program) -> None:
    """Other stacks and people at the terminal read it."""
    assert [o for urn, o in program.outputs.items() if urn.endswith("::namespace")] == [{"name": "alt-las-beta"}]
