"""Steps of a release: small frozen records, built once; what shows a plan and what applies it walk the same list.

Owns the types and their JSON. Does not own how steps are found (`changes`), shown (`text`, `markdown`) or applied.
A new kind of step is one more class here and one more member of `Step`; values of secrets never stand in a step, only
their fingerprints (`fingerprints`).
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.settings import FieldClass
from rendering.errors import CommandError, ExitCode

Undo = Literal["reversible", "replaces", "restore", "one-way"]
"""Effort to undo a step.

`reversible`: the inverse step. `replaces`: the object is deleted and created, there and back. `restore`: the inverse
step and a backup, because the step deletes data. `one-way`: nothing brings the old state back in place.
"""

UNDO: tuple[Undo, ...] = get_args(Undo)
"""Efforts to undo a step, from the least to the impossible."""


class _Record:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True)
class ObjectName(_Record):
    """Name of a Kubernetes object for Pulumi and for the cluster.

    Attributes:
        type: Pulumi's type token, such as `kubernetes:apps/v1:Deployment`.
        logical: Pulumi's name.
        name: Name in the cluster.
        namespace: Namespace; None for a cluster-scoped object.
    """

    type: str
    logical: str
    name: str
    namespace: str | None = None

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self.type.rpartition(":")[2]

    @property
    def title(self) -> str:
        """Kind and name, for people."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class FieldChange(_Record):
    """One field of an object with both values.

    Attributes:
        path: Path from the root of the manifest; an entry of a list is named by its key, such as
            `spec.template.spec.containers[api-gateway].image`.
        before: Value as plain data, None where there was none.
        after: Value as plain data, None where there will be none.
    """

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class _Undoable(_Record):
    undo: Undo = "reversible"
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class ChangeSetting(_Undoable):
    """One setting that is decided differently.

    Attributes:
        field: Path below `alt-las:platform`.
        before: Value as plain data, None where it was not decided.
        after: Value as plain data, None where it is no longer decided.
        decision: Kind of decision: the class of the field.
        undo: Effort to undo the step.
        why: Reason for anything but `reversible`.
    """

    field: str
    before: Any
    after: Any
    decision: FieldClass
    step: Literal["change-setting"] = "change-setting"


@dataclass(frozen=True, kw_only=True)
class CreateObject(_Undoable):
    """An object that is new.

    Attributes:
        object: Its name.
        manifest: The object, secrets as fingerprints.
        undo: Effort to undo the step.
        why: Reason for anything but `reversible`.
    """

    object: ObjectName
    manifest: Mapping[str, Any]
    step: Literal["create"] = "create"


@dataclass(frozen=True, kw_only=True)
class UpdateObject(_Undoable):
    """An object that is changed in place.

    Attributes:
        object: Its name.
        fields: Changed fields.
        undo: Effort to undo the step.
        why: Reason for anything but `reversible`.
    """

    object: ObjectName
    fields: tuple[FieldChange, ...]
    step: Literal["update"] = "update"


@dataclass(frozen=True, kw_only=True)
class RenameObject(_Undoable):
    """An object whose name follows its content: it is created under the new name, then the old one is deleted.

    Attributes:
        object: Its new name.
        former: Its name in the cluster until now.
        fields: Changed fields, without the name.
        undo: Effort to undo the step.
        why: Reason for anything but `reversible`.
    """

    object: ObjectName
    former: str
    fields: tuple[FieldChange, ...]
    step: Literal["rename"] = "rename"


@dataclass(frozen=True, kw_only=True)
class ReplaceObject(_Undoable):
    """An object that cannot be changed in place: it is deleted and created.

    Attributes:
        object: Its name.
        fields: Changed fields.
        undo: Effort to undo the step; never `reversible`.
        why: Fields that cannot be changed in place, and the cost.
    """

    object: ObjectName
    fields: tuple[FieldChange, ...]
    undo: Undo = "replaces"
    step: Literal["replace"] = "replace"


@dataclass(frozen=True, kw_only=True)
class DeleteObject(_Undoable):
    """An object that is deleted.

    Attributes:
        object: Its name.
        manifest: The object, secrets as fingerprints.
        undo: Effort to undo the step.
        why: Reason for anything but `reversible`.
    """

    object: ObjectName
    manifest: Mapping[str, Any]
    step: Literal["delete"] = "delete"


ObjectStep = CreateObject | UpdateObject | RenameObject | ReplaceObject | DeleteObject
Step = ChangeSetting | ObjectStep


def is_dangerous(step: Step) -> bool:
    """Tell whether a reader must see the step first: it deletes, replaces, or cannot be undone by its inverse."""
    return isinstance(step, DeleteObject | ReplaceObject) or step.undo != "reversible"


def as_documents(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Steps as plain data, which `read_steps` takes back."""
    documents: list[dict[str, Any]] = _adapter().dump_python(tuple(steps), mode="json")
    return documents


def steps_of_objects(steps: Iterable[Step]) -> tuple[ObjectStep, ...]:
    """Steps of objects among all steps."""
    return tuple(step for step in steps if step.step != "change-setting")


def read_steps(documents: str | bytes, name: str) -> tuple[Step, ...]:
    """Read the JSON of a list of steps.

    Args:
        documents: JSON text.
        name: What is read, for the message.

    Raises:
        CommandError: It is no list of steps of this version; names the first problem and its place.
    """
    try:
        return _adapter().validate_json(documents)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise CommandError(
            f"{name} is no list of steps of this version: {place}: {first['msg']}", ExitCode.BAD_INPUT
        ) from None


@functools.cache
def _adapter() -> TypeAdapter[tuple[Step, ...]]:
    return TypeAdapter(tuple[Annotated[Step, Field(discriminator="step")], ...])
