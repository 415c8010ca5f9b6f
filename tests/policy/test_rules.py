"""Every rule lets the right value pass and refuses the wrong one, and says where and how to mend it."""

from __future__ import annotations

import contextlib
import copy
import re
from dataclasses import replace
from typing import Any

import pytest

from policy.manifests import Manifest
from policy.paths import write
from policy.rules import RULES, Violation, evaluate, rule
from tests.policy.manifests import PARAMETERS, good_manifests, of, selector
from tests.policy.rule_case import POD, Case
from tests.policy.rule_cases import CASES


def changed(case: Case, value: Any) -> list[Manifest]:
    """The good set with one value at the place of a case."""
    manifests = good_manifests()
    if not case.target:
        return [*manifests, copy.deepcopy(value)]
    kind, name = case.target.split("/")
    (target,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    with contextlib.suppress(KeyError):  # what is absent already need not be removed
        write(target, case.path, copy.deepcopy(value))
    return manifests


def violations(case: Case, value: Any) -> list[Violation]:
    """Violations that the case's rule finds in a value."""
    return evaluate(changed(case, value), PARAMETERS, [rule(case.rule)])


def identifier(case: Case) -> str:
    """Name of a row."""
    return f"{case.rule}-{case.target}-{case.path}"


def test_the_good_set_breaks_no_rule() -> None:
    """The tests change one thing at a time, so nothing else may be wrong."""
    assert evaluate(good_manifests(), PARAMETERS) == []


def test_every_rule_has_a_case() -> None:
    """A rule that nobody has seen pass and fail proves nothing."""
    assert {each.id for each in RULES} == {case.rule for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_a_rule_lets_the_right_value_pass(case: Case) -> None:
    """The passing half of each row."""
    assert violations(case, case.passes) == []


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_a_rule_refuses_the_wrong_value_and_names_the_place(case: Case) -> None:
    """The failing half of each row: one violation, at the expected object and path, with the rule's fix."""
    found = violations(case, case.fails)
    kind, name = (case.on or case.target).split("/")
    assert [(v.rule, v.kind, v.name, v.path) for v in found] == [(case.rule, kind, name, case.found or case.path)]
    assert found[0].fix == rule(case.rule).fix
    assert found[0].problem


def test_identifiers_are_unique_and_every_rule_explains_itself() -> None:
    """An identifier becomes the name of a policy; reason and fix are what people read."""
    identifiers = [each.id for each in RULES]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in identifiers)
    assert all(each.title.endswith(".") and each.reason.endswith(".") and each.fix for each in RULES)


def test_a_violation_reads_as_one_sentence_with_its_cure() -> None:
    """Rule, object, path, what is wrong, what would be right."""
    (case,) = (case for case in CASES if case.rule == "services-stay-inside")
    (violation,) = violations(case, case.fails)
    assert str(violation) == (
        "services-stay-inside: Service shop/web: spec.type is LoadBalancer; "
        "use ClusterIP, or put the Service on exposed_services"
    )


def test_digests_are_required_only_where_the_stack_says_so() -> None:
    """The parameter decides, not the name of a phase."""
    (case,) = (case for case in CASES if case.rule == "image-has-a-digest")
    manifests = changed(case, case.fails)
    assert evaluate(manifests, replace(PARAMETERS, require_digests=False), [rule(case.rule)]) == []


@pytest.mark.parametrize(
    ("case", "field", "entry"),
    [
        (Case("services-stay-inside", "Service/web", "spec.type", None, "NodePort"), "exposed_services", "shop/web"),
        (
            Case("no-token-in-pods", "Deployment/web", f"{POD}.automountServiceAccountToken", None, True),
            "token_service_accounts",
            "shop/web",
        ),
        (
            Case("no-cluster-wide-secrets", "ClusterRole/gamma-watcher", "rules[0].resources", None, ["secrets"]),
            "secret_readers",
            "gamma-watcher",
        ),
    ],
)
def test_an_exception_is_made_by_name(case: Case, field: str, entry: str) -> None:
    """The same object is refused without its entry on the list and passes with it."""
    manifests = changed(case, case.fails)
    assert len(evaluate(manifests, PARAMETERS, [rule(case.rule)])) == 1
    listed = replace(PARAMETERS, **{field: frozenset({entry})})  # type: ignore[arg-type]  # the field is a parameter
    assert evaluate(manifests, listed, [rule(case.rule)]) == []


def test_bare_pods_and_other_kinds_that_make_pods_are_judged_too() -> None:
    """A pod spec is a pod spec, whatever it stands in."""
    spec = {"hostNetwork": True, "containers": []}
    template = {"metadata": {"labels": {}}, "spec": spec}
    manifests = [
        of("v1", "Pod", "bare", spec=spec),
        of("v1", "PodTemplate", "kept", template=template),
        *(of("apps/v1", kind, "made", spec={"template": template}) for kind in ("StatefulSet", "DaemonSet")),
    ]
    found = evaluate(manifests, PARAMETERS, [rule("no-host-namespaces")])
    assert [(v.kind, v.path) for v in found] == [
        ("Pod", "spec.hostNetwork"),
        ("PodTemplate", "template.spec.hostNetwork"),
        ("StatefulSet", "spec.template.spec.hostNetwork"),
        ("DaemonSet", "spec.template.spec.hostNetwork"),
    ]


def test_two_budgets_on_the_same_pods_are_refused() -> None:
    """Kubernetes evicts no pod that two budgets select."""
    second = of("policy/v1", "PodDisruptionBudget", "second", "web")
    second["spec"] = {"maxUnavailable": 1, "selector": {"matchLabels": selector("web")}}
    (found,) = evaluate([*good_manifests(), second], PARAMETERS, [rule("disruption-budget-exists")])
    assert "several PodDisruptionBudgets (second, web)" in found.problem


def test_an_unknown_rule_is_a_key_error() -> None:
    """A typing error in a rule's identifier does not select nothing."""
    with pytest.raises(KeyError):
        rule("no-such-rule")
