"""The gates over the platform: its stacks break no rule, regressions are caught, valid settings raise no alarm."""

from __future__ import annotations

import pytest

from components.settings import parse_platform
from policy import matrix, regressions
from policy.manifests import ManifestSet
from policy.matrix_questions import QUESTIONS
from policy.paths import ABSENT, write
from policy.rules import evaluate
from policy.settings_variations import repeatable, variation, with_digests
from policy.stacks import Stack, load_stack, read_document, stack_names


@pytest.fixture(scope="module", params=stack_names())
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack of the platform, rendered once."""
    return load_stack(request.param)


def test_a_stack_breaks_no_rule(stack: Stack) -> None:
    """Everything that the program renders passes every rule."""
    assert [str(violation) for violation in evaluate(stack.manifests, stack.parameters)] == []


@pytest.mark.gate
def test_at_least_99_percent_of_the_regressions_are_caught() -> None:
    """Hundreds of seeded changes for the worse; what slips through is named."""
    outcomes = regressions.judge(regressions.regressions())
    missed = [outcome.regression.change for outcome in outcomes if not outcome.gates]
    assert len(outcomes) == regressions.REGRESSIONS >= 500
    assert len(missed) <= len(outcomes) // 100, missed
    assert sum("prover" in outcome.gates for outcome in outcomes) > 100
    themes = {outcome.regression.theme for outcome in outcomes}
    assert len(themes) > 50
    table = regressions.as_table(outcomes).splitlines()
    assert len(table) == len(themes) + 1


@pytest.mark.gate
def test_the_same_seed_makes_the_same_regressions() -> None:
    """A regression that slipped through can be looked at again."""
    first, again, other = (regressions.regressions(20, seed) for seed in (1, 1, 2))
    assert [each.change for each in first] == [each.change for each in again]
    assert [each.change for each in first] != [each.change for each in other]


@pytest.mark.gate
def test_no_gate_objects_to_valid_settings() -> None:
    """A hundred documents that a stack file may hold, none of them like another."""
    assert regressions.false_alarms() == []


@pytest.mark.gate
def test_variations_are_valid_and_differ() -> None:
    """The control run is only worth something if it varies what the gates look at."""
    chance = repeatable(7)
    documents = [variation(read_document("alpha"), chance) for _ in range(30)]
    platforms = [parse_platform(document) for document in documents]
    assert len({platform.services.api_gateway.port for platform in platforms}) > 20
    assert {platform.services.api_gateway.autoscaling is None for platform in platforms} == {True, False}
    assert {bool(platform.additional_calls) for platform in platforms} == {True, False}


def test_a_stack_that_is_not_clean_is_no_base_for_regressions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that objects anyway would seem to catch everything."""
    monkeypatch.setattr(regressions, "with_digests", lambda document, _: document)
    with pytest.raises(ValueError, match="image-has-a-digest object to alpha as it is"):
        regressions.regressions()


def test_the_matrix_is_full_once_images_are_held_to_digests(stack: Stack) -> None:
    """More than forty questions for each of the workloads; only digests are for the stack file to add."""
    judged = matrix.matrix_of(stack.manifests)
    open_questions = {row.question for row in judged.rows if not all(row.answers.values())}
    assert len(judged.rows) == len(QUESTIONS) >= 40
    deployments = [m["metadata"]["name"] for m in stack.manifests if m["kind"] == "Deployment"]
    assert all(set(deployments) <= row.answers.keys() for row in judged.rows)
    assert judged.cells == sum(len(row.answers) for row in judged.rows) >= 40 * len(ManifestSet(stack.manifests).pods)
    assert open_questions <= {"The image is held to a digest"}
    held = load_stack(stack.name, with_digests(read_document(stack.name), repeatable(1)))
    assert matrix.matrix_of(held.manifests).percentage == 100.0


def test_the_matrix_says_no_where_something_is_missing(stack: Stack) -> None:
    """The control: a privileged container loses exactly its own cell, and the table shows it."""
    document = with_digests(read_document(stack.name), repeatable(1))
    manifests = load_stack(stack.name, document).manifests
    (gateway,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", "api-gateway"))
    write(gateway, "spec.template.spec.containers[0].securityContext.privileged", True)
    judged = matrix.matrix_of(manifests)
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
    stack = load_stack("alpha", document)
    monkeypatch.setattr(matrix, "load_stacks", lambda _: iter([stack]))
    with pytest.raises(SystemExit) as ended:
        matrix.main(["alpha"])
    judged = matrix.matrix_of(stack.manifests)
    assert ended.value.code == code
    assert judged.passed == judged.cells - code
    assert f"{judged.passed} of {judged.cells} = " in capsys.readouterr().out


def test_the_regressions_command_fails_below_99_percent_and_names_what_was_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of ten caught is not enough; the nine others are listed."""
    few = regressions.regressions(10)
    outcomes = [regressions.Outcome(each, frozenset({"prover"} if each is few[0] else ())) for each in few]
    monkeypatch.setattr(regressions, "regressions", lambda: few)
    monkeypatch.setattr(regressions, "judge", lambda _: outcomes)
    monkeypatch.setattr(regressions, "false_alarms", list)
    with pytest.raises(SystemExit) as ended:
        regressions.main()
    printed = capsys.readouterr().out
    assert ended.value.code == 1
    assert printed.count("missed: ") == 9
    assert "caught 1 of 10 = 10.0 %" in printed
