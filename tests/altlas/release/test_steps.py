"""Steps of a release: JSON out and in, and the steps that a reader must see first."""

import json
from typing import Any

import pytest

from altlas.release.steps import (
    ChangeSetting,
    CreateObject,
    DeleteObject,
    FieldChange,
    ObjectName,
    RenameObject,
    ReplaceObject,
    Step,
    UpdateObject,
    as_documents,
    is_dangerous,
    read_steps,
)
from rendering.errors import CommandError, ExitCode

NAME = ObjectName(type="kubernetes:apps/v1:Deployment", logical="web", name="web", namespace="alt-las")
FIELDS = (FieldChange(path="spec.replicas", before=1, after=None),)
STEPS: tuple[Step, ...] = (
    ChangeSetting(field="redis.replicas", before=1, after=3, decision="capacity"),
    CreateObject(object=NAME, manifest={"kind": "Deployment", "spec": {"ports": [1, 2.5, None, True]}}),
    UpdateObject(object=NAME, fields=FIELDS, undo="one-way", why="because"),
    RenameObject(object=NAME, former="web-0", fields=()),
    ReplaceObject(object=NAME, fields=FIELDS, why="because"),
    DeleteObject(object=ObjectName(type="kubernetes:core/v1:Namespace", logical="n", name="n"), manifest={}),
)


def documents(number: int, **changes: Any) -> str:
    """JSON of one of the steps, with other values for some keys."""
    return json.dumps([as_documents(STEPS)[number] | changes])


def test_steps_come_back_from_json_as_they_were() -> None:
    """Every kind of step, with numbers, null and nested values."""
    assert read_steps(json.dumps(as_documents(STEPS)), "plan.json") == STEPS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "the whole: Input should be a valid array"),
        ("[", "the whole: Invalid JSON"),
        ('[{"step": "explode"}]', "0: Input tag 'explode'"),
        ('[{"step": "create"}]', "0.create.object: Field required"),
        (documents(0, extra=1), "0.change-setting.extra: Unexpected keyword argument"),
        (documents(0, decision="cost"), "0.change-setting.decision: Input should be 'identity'"),
        (documents(2, undo="maybe"), "0.update.undo: Input should be 'reversible'"),
        (documents(3, former=7), "0.rename.former: Input should be a valid string"),
    ],
)
def test_other_json_is_refused_with_its_place(text: str, problem: str) -> None:
    """A list of another version, cut or edited is never half read."""
    with pytest.raises(CommandError) as refused:
        read_steps(text, "plan.json")
    assert str(refused.value).startswith(f"plan.json is no list of steps of this version: {problem}")
    assert refused.value.code is ExitCode.BAD_INPUT


def test_a_message_never_holds_the_value_that_was_refused() -> None:
    """A plan may be edited by someone who puts a password into it."""
    with pytest.raises(CommandError) as refused:
        read_steps(documents(3, former={"password": "canary"}), "plan.json")
    assert "canary" not in str(refused.value)


def test_deletions_replacements_and_what_has_no_inverse_come_first() -> None:
    """Creations, renames and changes that their inverse takes back do not."""
    assert [is_dangerous(step) for step in STEPS] == [False, False, True, False, True, True]


def test_an_object_is_called_by_kind_and_name() -> None:
    """The kind stands in the type token."""
    assert (NAME.kind, NAME.title) == ("Deployment", "Deployment web")
