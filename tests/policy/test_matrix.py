"""The hardening matrix: every answer that applies is yes, a wrong value costs one, opting out is counted apart."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from policy import matrix
from policy.manifests import Manifest, ManifestSet
from policy.matrix_questions import QUESTIONS
from policy.operator_pods import operator_pod_of
from policy.paths import ABSENT, write
from policy.rules import Parameters
from policy.stacks import Stack, load_stack, read_document, stack_names
from tests.policy.manifests import NAMESPACE, labels, of
from tests.policy.manifests import monitoring as hardened_monitoring
from tests.policy.settings_variations import repeatable, with_digests
from tests.support.documents import STACKS
from tests.support.figures import Figures

MONITORING_SPEC: dict[str, Any] = hardened_monitoring()[0]["spec"] | {
    "image": "team/prometheus:3.0.0",
    "imagePullPolicy": "IfNotPresent",
    "serviceAccountName": "watcher",
    "podMetadata": {"labels": labels("prometheus") | {"app.kubernetes.io/version": "3.0.0"}},
    "topologySpreadConstraints": [
        {"topologyKey": key, "labelSelector": {"matchLabels": {"prometheus": "watcher"}}}
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ],
}


def monitoring(kind: str, spec: dict[str, Any]) -> Manifest:
    """A custom resource of the Prometheus Operator."""
    return of("monitoring.coreos.com/v1", kind, "watcher", spec=copy.deepcopy(spec))


@pytest.fixture(scope="module", params=stack_names())
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack of the platform, rendered once."""
    return load_stack(request.param)


def test_every_answer_that_applies_is_yes(stack: Stack, figures: Figures) -> None:
    """Points that the stack file leaves to a later day (digests of images) count as opted out by name, not as yes."""
    judged = matrix.matrix_of(stack.manifests, stack.parameters)
    assert [row.question for row in judged.rows if not all(row.answers.values())] == []
    assert judged.passed == judged.cells > 400
    workloads = len(judged.checks())
    services = stack.platform.services.by_name() if stack.name not in STACKS else ()
    assert {name: count for name, count in judged.opted_out.items() if not name.startswith("a token for ")} == {
        "admission.requireDigests is false": workloads,
        **{f"one pod of services.{name}": 1 for name in services},
    }
    out = sum(judged.opted_out.values())
    figures.add(f"hardening matrix of {stack.name}", f"{judged.passed} of {judged.cells} yes, {out} opted out by name")


def test_every_workload_is_asked_and_most_of_them_everything(stack: Stack) -> None:
    """Forty questions or more where a manifest shows the pods, and what the custom resource says where none does."""
    checks = matrix.matrix_of(stack.manifests, stack.parameters).checks()
    shown = ManifestSet(stack.manifests).pods
    made = [each for each in map(operator_pod_of, stack.manifests) if each]
    assert len(checks) == len(shown) + len(made)
    assert len(made) >= 1
    assert len(QUESTIONS) >= 40
    assert sum(count >= 40 for count in checks.values()) == len(shown)
    assert min(checks.values()) >= 15


def test_digests_are_asked_for_once_the_stack_requires_them(stack: Stack) -> None:
    """Then nothing is opted out of, and with them everything is yes."""
    document = with_digests(read_document(stack.name), repeatable(1))
    held = load_stack(stack.name, document, require_digests=True)
    judged = matrix.matrix_of(held.manifests, held.parameters)
    assert judged.percentage == 100.0
    assert "admission.requireDigests is false" not in judged.opted_out
    without = matrix.matrix_of(stack.manifests, held.parameters)
    assert {row.question for row in without.rows if not all(row.answers.values())} == {"The image is held to a digest"}


@pytest.mark.parametrize(
    ("path", "value", "question"),
    [
        ("spec.enablePDB", False, "One disruption budget lets nodes drain"),
        ("spec.seccompProfile.type", "Unconfined", "Seccomp is RuntimeDefault"),
        ("spec.resources.limits.memory", "1Mi", "Memory request within the limit"),
        ("spec.affinity.enablePodAntiAffinity", False, "Spread over nodes"),
        ("spec.env", [{"name": "PGPASSWORD", "value": "x"}], "No plain secret in a variable"),
        ("spec.managed.services.additional[0].serviceTemplate.spec.type", "NodePort", "Its Services stay inside"),
    ],
)
def test_pods_that_an_operator_makes_are_judged_by_their_custom_resource(path: str, value: Any, question: str) -> None:
    """One wrong value of the database's Cluster costs exactly one answer."""
    stack = load_stack("beta")
    (cluster,) = (each for each in stack.manifests if each["kind"] == "Cluster")
    write(cluster, path, value)
    judged = matrix.matrix_of(stack.manifests, stack.parameters)
    wrong = [(row.question, name) for row in judged.rows for name, answer in row.answers.items() if not answer]
    assert wrong == [(question, "postgres-db")]


def test_a_prometheus_and_an_alertmanager_are_asked_what_their_custom_resource_says() -> None:
    """The hardened one is all yes but for what the namespace around it would bring; the bare one is not."""
    hardened = monitoring("Prometheus", MONITORING_SPEC)
    around = [
        of("v1", "ServiceAccount", "watcher", automountServiceAccountToken=False),
        of(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "watcher",
            spec={"podSelector": {"matchLabels": {"prometheus": "watcher"}}, "policyTypes": ["Ingress", "Egress"]},
        ),
    ]
    parameters = Parameters(token_service_accounts=frozenset({f"{NAMESPACE}/watcher"}))
    judged = matrix.matrix_of([hardened, *around], parameters)
    wrong = {row.question for row in judged.rows if not all(row.answers.values())}
    of_namespace = ("The namespace", "The enforced version", "Violations are audited")
    assert wrong == {question for question in QUESTIONS if question.startswith(of_namespace)}
    assert judged.opted_out == {"a token for shop/watcher": 1, "admission.requireDigests is false": 1}
    bare = matrix.matrix_of([monitoring("Alertmanager", {})])
    yes = {row.question for row in bare.rows if any(row.answers.values())}
    absence = ("No ", "Only ", "Scratch", "Its Services stay")
    assert {question for question in yes if not question.startswith(absence)} == set()
    assert sum(bare.checks().values()) == sum(judged.checks().values())


def test_two_workloads_of_one_name_have_a_column_each() -> None:
    """The servers of beta's Redis and a Deployment of the same name are not taken for one another."""
    stack = load_stack("alpha")
    (gateway,) = (m for m in stack.manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "api-gateway"))
    twin = copy.deepcopy(gateway) | {"kind": "StatefulSet"}
    checks = matrix.matrix_of([*stack.manifests, twin], stack.parameters).checks()
    assert {"Deployment/api-gateway", "StatefulSet/api-gateway"} <= checks.keys()


def test_the_matrix_says_no_where_something_is_missing(stack: Stack) -> None:
    """The control: a privileged container loses exactly its own cell, and the table shows it."""
    document = with_digests(read_document(stack.name), repeatable(1))
    held = load_stack(stack.name, document, require_digests=True)
    manifests = held.manifests
    (gateway,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "api-gateway"))
    write(gateway, "spec.template.spec.containers[0].securityContext.privileged", True)
    judged = matrix.matrix_of(manifests, held.parameters)
    assert [(row.question, row.answers.get("api-gateway")) for row in judged.rows if not all(row.answers.values())] == [
        ("No container is privileged", False)
    ]
    assert judged.passed == judged.cells - 1
    assert " NO" in matrix.as_text(judged)


def test_every_question_can_be_answered_with_no() -> None:
    """A question that a bare Deployment passes anyway is only fine where absence is the hardened answer."""
    stack = load_stack("alpha")
    (gateway,) = (m for m in stack.manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "api-gateway"))
    write(gateway, "spec.template.spec", {"containers": [{"name": "bare", "image": "bare"}]})
    write(gateway, "spec.template.metadata.labels", ABSENT)
    answered_yes = {row.question for row in matrix.matrix_of([gateway]).rows if row.answers.get("api-gateway")}
    absence = ("No ", "Only ", "/proc", "The scheduler", "Scratch", "A rollout", "Old revisions", "Its Services stay")
    assert {question for question in answered_yes if not question.startswith(absence)} == set()


@pytest.mark.parametrize(("held", "code"), [(True, 0), (False, 1)])
def test_the_matrix_command_ends_well_only_when_every_answer_is_yes(
    held: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last line has the figures of the stack."""
    document = with_digests(read_document("alpha"), repeatable(1))
    if not held:
        del document["services"]["api-gateway"]["image"]["digest"]
    stack = load_stack("alpha", document, require_digests=True)
    monkeypatch.setattr(matrix, "load_stacks", lambda _: iter([stack]))
    with pytest.raises(SystemExit) as ended:
        matrix.main(["alpha"])
    judged = matrix.matrix_of(stack.manifests, stack.parameters)
    assert ended.value.code == code
    assert judged.passed == judged.cells - code
    assert f"{judged.passed} of {judged.cells} = " in capsys.readouterr().out
