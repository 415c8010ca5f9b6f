"""Questions before an update, their order, and what a plan must not say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from altlas.session.engine import Engine
from altlas.update.data_guard import check_plan, check_update
from components.stack.loading import parse_platform
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode
from tests.altlas.test_guards import program
from tests.support.data_documents import exported_state, postgres_document
from tests.support.documents import BESIDE_SERVICES, alpha_with, platform_of

DOCUMENT = alpha_with(dict.fromkeys(BESIDE_SERVICES) | {"postgres": postgres_document()})


class Answering(Engine):
    """An engine with a state and a plan."""

    def __init__(self, exported: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
        super().__init__(Path(), {})
        self.__dict__.update({"exported": exported, "plan": plan, "asked": list[str]()})

    def stack_exists(self, stack: str) -> bool:
        """Always."""
        return bool(stack)

    def capture(self, *arguments: str, text: str | None = None) -> str:
        """Only the state is asked for."""
        assert arguments[:2] == ("stack", "export")
        assert text is None
        return json.dumps(self.__dict__["exported"])

    def preview(self, stack: str, *options: str) -> Mapping[str, Any]:
        """The plan."""
        assert options == ()
        self.asked.append(stack)
        plan: Mapping[str, Any] = self.__dict__["plan"]
        return plan

    @property
    def asked(self) -> list[str]:
        """Stacks whose plan was asked for."""
        found: list[str] = self.__dict__["asked"]
        return found


def check(exported: Mapping[str, Any], plan: Mapping[str, Any], document: Mapping[str, Any] = DOCUMENT) -> Answering:
    """Ask the guard and return the engine."""
    engine = Answering(exported, plan)
    check_update(engine, "alpha", parse_platform(document), engine.exported_state("alpha"))
    return engine


@pytest.fixture(scope="module")
def deployed() -> dict[str, Any]:
    """Alpha with PostgreSQL, as it was deployed."""
    return exported_state(program())


def test_an_update_whose_plan_takes_nothing_goes_on(deployed: dict[str, Any]) -> None:
    """The control run; a stack without data costs no plan."""
    assert check(deployed, {"steps": [], "diagnostics": []}).asked == ["alpha"]
    assert check({"deployment": {"resources": []}}, {}).asked == []


def test_a_plan_that_takes_data_is_refused(deployed: dict[str, Any]) -> None:
    """Although the settings alone say nothing of it."""
    (urn,) = (r["urn"] for r in deployed["deployment"]["resources"] if r["urn"].endswith("Cluster::postgres-db"))
    with pytest.raises(CommandError, match="Cluster postgres-db: the plan would replace it; to give up") as error:
        check(deployed, {"steps": [{"op": "replace", "urn": urn}]})
    assert error.value.code == ExitCode.BAD_INPUT


def test_what_the_settings_would_take_is_refused_before_a_plan_is_made(deployed: dict[str, Any]) -> None:
    """With the way to do it, which no plan knows."""
    engine = Answering(deployed, {})
    smaller = DOCUMENT | {"postgres": postgres_document(storageSize="4Gi")}
    with pytest.raises(CommandError, match="shrinks from 5Gi to 4Gi"):
        check_update(engine, "alpha", parse_platform(smaller), engine.exported_state("alpha"))
    assert engine.asked == []


@pytest.mark.parametrize("allowed", [False, True], ids=["unknown", "allowed before"])
def test_an_image_that_the_policy_in_force_does_not_know_is_allowed_first(allowed: bool) -> None:
    """Else the cluster refuses even the preview: of another repository, and of all that a new block brings."""
    moved = {"services.runner-service.image": {"repository": "ghcr.io/acme/runner", "tag": "1.0.0"}}
    after = DOCUMENT | {"services": alpha_with(moved)["services"], "redis": platform_of("alpha")["redis"]}
    cure = ["ghcr.io/cloudnative-pg/cloudnative-pg", "ghcr.io/acme/runner", "haproxy", "redis"]
    known = {"admission.additionalRepositories": cure} if allowed else {}
    before = exported_state(program(known), protect=False)
    if allowed:
        assert check(before, {"steps": []}, after).asked == ["alpha"]
        return
    with pytest.raises(SettingsError) as caught:
        check(before, {}, after)
    (problem,) = caught.value.problems
    assert problem.path == "alt-las:platform.admission.additionalRepositories"
    assert problem.message.startswith("lacks ghcr.io/acme/runner, ")
    named = platform_of("alpha")["admission"]["additionalRepositories"]
    assert f"write [{', '.join([*named, *cure[1:]])}] here" in problem.message


def test_a_plan_that_fails_for_another_reason_stops_the_update_before_it_begins(deployed: dict[str, Any]) -> None:
    """With what the engine said, once and without its marks."""
    plan = {"diagnostics": [{"severity": "error", "message": "error: the API server refuses it\n"}]}
    with pytest.raises(CommandError) as error:
        check(deployed, plan)
    assert str(error.value) == "the update cannot be planned, nothing was changed:\n  the API server refuses it"
    assert error.value.code == ExitCode.FAILED


@pytest.mark.parametrize("operation", ["delete", "replace", "delete-replaced", "create-replacement"])
@pytest.mark.parametrize("protected", [True, False])
def test_the_guard_does_not_rely_on_protection(operation: str, protected: bool) -> None:
    """With `pulumi --ignore-protect` the engine refuses nothing: its plan has the step and no error."""
    exported = exported_state(program(), protect=protected)
    (urn,) = (r["urn"] for r in exported["deployment"]["resources"] if r["urn"].endswith("Cluster::postgres-db"))
    with pytest.raises(CommandError, match=f"Cluster postgres-db: the plan would {operation} it"):
        check_plan({"steps": [{"op": operation, "urn": urn}]}, parse_platform(DOCUMENT), exported)
    check_plan({"steps": [{"op": "update", "urn": urn}]}, parse_platform(DOCUMENT), exported)
