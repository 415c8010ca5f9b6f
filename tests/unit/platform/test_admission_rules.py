"""The platform's own admission rules as manifests; a real API server judges with them in the end-to-end tests."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from components.platform.admission import AdmissionArgs, PlatformAdmission, binding, policy, policy_name
from tests.support.documents import BESIDE_SERVICES, alpha_settings
from tests.support.program import build


def rules(changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Expression of each rule by its name, with alpha's settings changed at paths."""
    validations = policy(AdmissionArgs.of(alpha_settings(changes)), "alpha")["spec"]["validations"]
    return {each["message"].partition(":")[0]: each["expression"] for each in validations}


def test_the_rules_are_these_and_digests_only_where_a_stack_says_so() -> None:
    """The most telling one first, because only the first that is broken is reported."""
    assert list(rules()) == ["retired-image", "fixed-tag", "known-repository", "required-labels"]
    digest = "sha256:" + "0" * 64
    images = {f"services.{name}.image.digest": digest for name in alpha_settings().services.by_name()}
    stores = dict.fromkeys(BESIDE_SERVICES)
    assert "digest" in rules(images | stores | {"admission": {"requireDigests": True}})


def test_the_allowed_repositories_are_those_of_the_stack_file_and_what_it_adds() -> None:
    """A repository of Docker Hub may be written with its registry or without."""
    expression = rules({"admission": {"additionalRepositories": ["ghcr.io/team/tool"]}})["known-repository"]
    (pattern,) = re.findall(r"matches\(r'(.*)'\)", expression)
    pattern = pattern.replace(re.escape("registry.invalid/alt-las/"), "frozen68/")
    for image in ("frozen68/api-gateway:1", "docker.io/frozen68/runner-service:2", "ghcr.io/team/tool:3"):
        assert re.fullmatch(pattern, image), image
    for image in (
        "frozen68/other:1",
        "ghcr.io/frozen68/api-gateway:1",
        "frozen68/api-gatewayx:1",
        "ghcr.io/team/tool/x:1",
    ):
        assert not re.fullmatch(pattern, image), image


def test_the_rules_hold_in_the_stack_s_namespace_only_and_the_names_carry_the_stack() -> None:
    """Two stacks share a cluster without sharing rules."""
    settings = AdmissionArgs.of(alpha_settings())
    found = binding(settings, "beta")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "alt-las"}}
    assert found["spec"] == {
        "policyName": "alt-las-beta-workloads",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selector},
    }
    assert policy(settings, "beta")["metadata"]["name"] == policy_name("beta") == "alt-las-beta-workloads"
    assert policy_name("My_Stack") == "alt-las-my-stack-workloads"


def test_a_policy_that_cannot_be_judged_refuses() -> None:
    """An error in a rule must not open the door."""
    assert policy(AdmissionArgs.of(alpha_settings()), "alpha")["spec"]["failurePolicy"] == "Fail"


@pytest.mark.parametrize("enabled", [True, False])
def test_a_stack_may_do_without(enabled: bool) -> None:
    """Some deployers may write nothing cluster-wide."""
    settings = AdmissionArgs.of(alpha_settings({"admission": {"enabled": enabled}}))
    expected = [
        ("ValidatingAdmissionPolicy", "admission-policy"),
        ("ValidatingAdmissionPolicyBinding", "admission-binding"),
    ]
    assert build(lambda: PlatformAdmission("admission", settings)).names() == (expected if enabled else [])
