"""The rules as policies of a pack: one policy for each rule, the same words, unknown values told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("pulumi_policy", reason="the policy SDK is not installed")

from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policy.manifests import UNKNOWN
from policy.pack.crossguard import parameters_from, plain, policies, stack_of
from policy.paths import write
from policy.rules import RULES, Parameters
from tests.policy.manifests import good_manifests


def options(*, protect: bool = False) -> PolicyResourceOptions:
    """Options of a resource as the engine hands them over."""
    return PolicyResourceOptions(
        protect=protect,
        ignore_changes=[],
        delete_before_replace=None,
        aliases=[],
        custom_timeouts=PolicyCustomTimeouts(0, 0, 0),
        additional_secret_outputs=[],
        parent="",
    )


OPTIONS = options()
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "door", "namespace": "shop"},
    "spec": {"type": "NodePort", "selector": {"app": "nobody"}},
}


@dataclass
class Listener:
    """Keeps what a policy reports."""

    said: list[str] = field(default_factory=list)

    def __call__(self, message: str, urn: str | None = None) -> None:  # noqa: ARG002  # the protocol has it
        """Take one report."""
        self.said.append(message)


def said_about_one(identifier: str, resource_type: str, props: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Reports of a rule's policy about one resource."""
    (policy,) = (each for each in policies() if each.name == identifier)
    assert isinstance(policy, ResourceValidationPolicy)
    listener = Listener()
    args = ResourceValidationArgs(resource_type, unknown_checking_proxy(props), "urn", "name", OPTIONS, None, config)
    policy.validate(args, listener)
    return listener.said


def said_about_all(identifier: str, manifests: list[dict[str, Any]]) -> list[str]:
    """Reports of a rule's policy about a whole stack."""
    (policy,) = (each for each in policies() if each.name == identifier)
    assert isinstance(policy, StackValidationPolicy)
    resources = [
        PolicyResource("kubernetes:any", unknown_checking_proxy(each), "urn", "name", OPTIONS, None, None, [], {})
        for each in manifests
    ]
    listener = Listener()
    policy.validate(StackValidationArgs(resources, {}), listener)
    return listener.said


def test_every_rule_is_a_policy_that_refuses() -> None:
    """Same identifiers in the same order, none of them only advice."""
    found = policies()
    assert [policy.name for policy in found] == [rule.id for rule in RULES]
    assert {policy.enforcement_level for policy in found} == {EnforcementLevel.MANDATORY}


def test_a_rule_about_one_object_judges_each_kubernetes_resource() -> None:
    """Resources of other providers are not looked at; an exception comes from the pack's configuration."""
    identifier = "services-stay-inside"
    (message,) = said_about_one(identifier, "kubernetes:core/v1:Service", SERVICE, {})
    assert message.startswith("services-stay-inside: Service shop/door: spec.type is NodePort; use ClusterIP")
    assert said_about_one(identifier, "random:index:Service", SERVICE, {}) == []
    listed = {"exposed_services": ["shop/door"]}
    assert said_about_one(identifier, "kubernetes:core/v1:Service", SERVICE, listed) == []


def test_a_rule_about_all_objects_judges_the_stack() -> None:
    """A good set passes; a Service that selects nothing is found."""
    assert said_about_all("services-select-pods", good_manifests()) == []
    (message,) = said_about_all("services-select-pods", [*good_manifests(), SERVICE])
    assert "Service shop/door: spec.selector selects no pod" in message


def test_what_a_running_cluster_has_filled_in_is_not_judged() -> None:
    """An autoscaler has chosen the replicas of a running stack; the program has not, and is judged by that."""
    manifests = good_manifests()
    (web,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "web"))
    running = web | {"spec": web["spec"] | {"replicas": 3}, "status": {"replicas": 3}}
    pack = policies()
    (about_one, *_) = (each for each in pack if isinstance(each, ResourceValidationPolicy))
    (about_all,) = (each for each in pack if each.name == "replicas-have-one-owner")
    assert isinstance(about_all, StackValidationPolicy)

    def said(first: dict[str, Any], then: dict[str, Any]) -> list[str]:
        """Reports about the whole where the program says the one and the cluster has the other."""
        urns = [f"urn:{number}" for number in range(len(manifests))]
        for urn, each in zip(urns, (first if each is web else each for each in manifests), strict=True):
            args = ResourceValidationArgs(
                "kubernetes:any", unknown_checking_proxy(each), urn, "name", OPTIONS, None, {}
            )
            about_one.validate(args, Listener())
        resources = [
            PolicyResource("kubernetes:any", unknown_checking_proxy(each), urn, "name", OPTIONS, None, None, [], {})
            for urn, each in zip(urns, (then if each is web else each for each in manifests), strict=True)
        ]
        listener = Listener()
        about_all.validate(StackValidationArgs(resources, {}), listener)
        return listener.said

    assert said(web, running) == []
    assert len(said(running, web)) == 1


def test_what_a_preview_cannot_know_is_no_violation() -> None:
    """Before its first update an auto-named Secret has no name yet, and the pods that use it are fine."""
    manifests = good_manifests()
    (web,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "web"))
    (secret,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Secret", "web-secrets"))
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"][1]["secretRef"]["name"] = UNKNOWN_STRING_VALUE
    secret["metadata"]["name"] = UNKNOWN_STRING_VALUE
    twins = [*manifests, secret]
    assert said_about_all("references-resolve", manifests) == []
    assert said_about_all("objects-are-unique", twins) == []


def deployment(path: str) -> dict[str, Any]:
    """The good Deployment with a value at a path that a preview cannot know."""
    (web,) = (m for m in good_manifests() if (m["kind"], m["metadata"]["name"]) == ("Deployment", "web"))
    write(web, path, UNKNOWN_STRING_VALUE)
    return web


@pytest.mark.parametrize("identifier", ["image-tag-is-fixed", "image-repository-is-allowed"])
def test_an_image_whose_digest_the_update_will_learn_waits_for_the_update(identifier: str) -> None:
    """Images that the update builds have no name in a preview; the next value beside it is judged all the same."""
    token, image = "kubernetes:apps/v1:Deployment", "spec.template.spec.containers[0].image"
    unknown = deployment(image)
    assert said_about_one(identifier, token, unknown, {}) == []
    write(unknown, "spec.template.spec.initContainers", [{"name": "helper", "image": "elsewhere/helper:latest"}])
    (message,) = said_about_one(identifier, token, unknown, {})
    assert "initContainers[0].image is elsewhere/helper" in message


def test_a_rule_that_cannot_count_with_an_unknown_value_says_that_it_waits() -> None:
    """The SDK makes an advice of it, naming the place; without an unknown value a mistake of a rule stays one."""
    token, grace = "kubernetes:apps/v1:Deployment", "spec.template.spec.terminationGracePeriodSeconds"
    identifier = "grace-period-outlasts-the-hook"
    with pytest.raises(UnknownValueError) as raised:
        said_about_one(identifier, token, deployment(grace), {})
    assert f"Deployment shop web {grace} can't be known during preview" in raised.value.message
    broken = deployment(grace)
    write(broken, grace, "soon")
    with pytest.raises(TypeError):
        said_about_one(identifier, token, broken, {})


@pytest.mark.parametrize("protected", [True, False])
def test_the_mark_of_data_counts_only_where_pulumi_really_protects(protected: bool) -> None:
    """In the engine the options are known, so a mark that was written by hand guards nothing."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop", "annotations": {"alt-las/data": "protected"}},
        "spec": {},
    }
    (policy,) = (each for each in policies() if each.name == "data-is-guarded")
    assert isinstance(policy, ResourceValidationPolicy)
    listener = Listener()
    token, given = "kubernetes:core/v1:PersistentVolumeClaim", options(protect=protected)
    args = ResourceValidationArgs(token, unknown_checking_proxy(claim), "urn", "data", given, None, {})
    policy.validate(args, listener)
    assert bool(listener.said) is not protected


def test_values_arrive_as_plain_data() -> None:
    """The wire turns whole numbers into floats; the provider's own marks are no part of the object."""
    given = {"port": 80.0, "share": 0.5, "list": [1.0, UNKNOWN_STRING_VALUE], "__inputs": {}}
    assert plain(unknown_checking_proxy(given)) == {"port": 80, "share": 0.5, "list": [1, UNKNOWN]}


def test_the_configuration_of_the_pack_becomes_parameters() -> None:
    """Lists of names, and whether digests are required; what is left out keeps its default."""
    chosen = parameters_from({"require_digests": True, "secret_readers": ["x"], "allowed_repositories": ["a/"]}, "gone")
    assert chosen == Parameters(
        stack="gone", require_digests=True, secret_readers=frozenset({"x"}), allowed_repositories=("a/",)
    )
    assert parameters_from({}, None) == Parameters()


def test_the_stack_file_decides_what_is_allowed() -> None:
    """The engine does not tell a pack which stack it judges; the URN of every resource does."""
    stack = stack_of("urn:pulumi:alpha::alt-las::kubernetes:core/v1:Service::web")
    assert stack == "alpha"
    assert stack_of("urn") is None
    chosen = parameters_from({}, stack)
    assert chosen.stack == "alpha"
    assert "registry.invalid/alt-las/api-gateway" in chosen.allowed_repositories
