"""Turns everything pydantic found wrong into lines a person can act on: where, what, and what would be right."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

PROJECT = "alt-las"
"""Name of the Pulumi project, the prefix of its configuration keys."""

PLATFORM_KEY = f"{PROJECT}:platform"
"""Configuration key of all settings."""

_WANTED = {
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a block of keys",
    "model_attributes_type": "must be a block of keys",
    "dict_type": "must be a block of keys",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the key's full path, and cause and cure in one sentence."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class SettingsError(ValueError):
    """The stack configuration is not usable; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{count} in the stack configuration, nothing was changed:\n{lines}")


def settings_error(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """Describe all errors of a validation against `model`, with key paths as the stack file writes them."""
    return SettingsError(tuple(_problem(dict(details), model) for details in error.errors(include_url=False)))


def reasons(error: Exception) -> str:
    """Faults of a file that is no stack file, in one line; of a validation each place and its reason."""
    if not isinstance(error, ValidationError):
        return str(error).partition("\n")[0]
    found = [(".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
    return "; ".join(f"{path}: {message}" if path else message for path, message in found)


def _problem(details: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    location: tuple[str | int, ...] = details["loc"]
    kind = details["type"]
    if kind == "extra_forbidden":
        return Problem(_path(location), _unknown_key(str(location[-1]), _model_at(model, location[:-1])))
    if kind == "missing":
        return Problem(_path(location), f"is missing; {_described(_model_at(model, location[:-1]), str(location[-1]))}")
    if kind == "value_error":
        return Problem(_path(location), str(details["ctx"]["error"]))
    if kind == "string_pattern_mismatch" and (field := _field(_model_at(model, location[:-1]), location[-1])):
        example = next(iter(field.examples or [field.default]))
        return Problem(
            _path(location), f"has the wrong form; write one such as {example}. It says: {field.description}"
        )
    if kind in _WANTED:
        return Problem(_path(location), f"has the wrong type; it {_WANTED[kind]}")
    message = details["msg"].removeprefix("Input ")
    return Problem(_path(location), message)


def _path(location: tuple[str | int, ...]) -> str:
    path = PLATFORM_KEY
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def _model_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel]:
    for step in location:
        if isinstance(step, str):
            field = next(field for field in model.model_fields.values() if field.alias == step)
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:  # Any: annotations have no common type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, tuple):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None


def _unknown_key(key: str, model: type[BaseModel]) -> str:
    known = [str(field.alias) for field in model.model_fields.values()]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"is not a known key; {hint}Known here: {', '.join(known)}"


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    return next((field for field in model.model_fields.values() if field.alias == key), None)


def _described(model: type[BaseModel], key: str) -> str:
    field = _field(model, key)
    return f"it says: {field.description}" if field and field.description else "add it"
