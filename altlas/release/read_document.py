"""Reader of the JSON that `altlas diff` prints: what another program wrote, taken as data.

Owns the check that it has the form of `document`, and nothing else of it is used. Does not own whether it is true: it
says what the program of that checkout rendered.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from altlas.release.outages import Figure, Outage
from altlas.release.stack_change import StackChange
from altlas.release.steps import ChangeSetting, read_steps, steps_of_objects
from components.kubernetes.load import Load
from components.settings import FieldClass
from rendering.errors import CommandError, ExitCode

_MOST_BYTES = 20_000_000
"""Longest document that is read; that of alpha to beta has 300,000 bytes."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


class _Setting(_Read):
    field: str
    before: Any = Field(alias="from")
    after: Any = Field(alias="to")
    decision: FieldClass = Field(alias="class")


class _Restart(_Read):
    workload: str
    pods: int
    seconds: float | None
    source: str


class _Scales(_Read):
    rest: Load
    update: Load
    peak: Load
    jobs: Load


class _Loads(_Read):
    before: _Scales = Field(alias="from")
    after: _Scales = Field(alias="to")


class _Document(_Read):
    before: str = Field(alias="from")
    after: str = Field(alias="to")
    identity: tuple[_Setting, ...]
    steps: list[dict[str, Any]]
    load: _Loads
    first: tuple[str, ...] = Field((), alias="firstSteps")
    restarts: tuple[_Restart, ...]
    notes: tuple[str, ...]


def read_document(text: bytes, name: str) -> StackChange:
    """The change that a document describes.

    Args:
        text: The document.
        name: What is read, for the message.

    Raises:
        CommandError: It is too long, or has another form; names the first problem and its place, never its content.
    """
    if len(text) > _MOST_BYTES:
        raise CommandError(f"{name} has more than {_MOST_BYTES} bytes", ExitCode.BAD_INPUT)
    try:
        found = _Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise CommandError(
            f"{name} is not what `altlas diff --json` prints: {place}: {first['msg']}", ExitCode.BAD_INPUT
        ) from None
    steps = read_steps(json.dumps(found.steps), name)
    objects = steps_of_objects(steps)
    settings = tuple(each for each in steps if each.step == "change-setting")
    restarts = tuple(Outage(each.workload, each.pods, Figure(each.seconds, each.source)) for each in found.restarts)
    loads = found.load.before, found.load.after
    return StackChange(
        found.before,
        found.after,
        tuple(_setting(each) for each in found.identity),
        settings,
        objects,
        loads,
        restarts,
        (),
        found.notes,
        first=found.first,
    )


def _setting(read: _Setting) -> ChangeSetting:
    return ChangeSetting(field=read.field, before=read.before, after=read.after, decision=read.decision)
