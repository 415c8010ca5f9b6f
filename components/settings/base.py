"""The closed, read-only base of all settings models, and the one way to declare a field."""

from collections.abc import Iterator
from typing import Any, Literal, TypeVar, get_args

from annotated_types import Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

FieldClass = Literal["identity", "capacity", "feature", "security", "data"]
"""What kind of decision a field is.

`identity` names where a stack lives and stays with it; `capacity` is how much; `feature` is what it does and which
release runs; `security` is who may do what; `data` decides how stored data is kept.
"""

FIELD_CLASSES: tuple[FieldClass, ...] = get_args(FieldClass)
_REQUIRED: Any = ...
_Wanted = TypeVar("_Wanted", bound="Settings")


LARGEST_NUMBER = 2**31 - 1
"""Largest value of a 32-bit field, as those of replicas, seconds and percentages are."""


class Settings(BaseModel):
    """Base of every settings model: unknown keys are errors, values are read-only and never echoed in errors.

    In the stack file keys are camelCase, as in Kubernetes and Pulumi.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, alias_generator=to_camel
    )

    @field_validator("*")
    @classmethod
    def _number_fits_an_object(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a number that the API server would cut off to 32 bits, where the setting has no bound of its own."""
        if isinstance(value, int) and value > LARGEST_NUMBER:
            metadata = cls.model_fields[str(info.field_name)].metadata
            if not any(isinstance(each, Le | Lt) for each in metadata):
                raise ValueError(f"is above {LARGEST_NUMBER}, the largest number of a Kubernetes object; lower it")
        return value


def blocks(settings: Settings, wanted: type[_Wanted], path: str = "") -> Iterator[tuple[str, _Wanted]]:
    """Every block of a kind below `settings` with its path, such as all images of a platform; lists are not entered."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        here = f"{path}.{field.alias}" if path else str(field.alias)
        if isinstance(value, wanted):
            yield here, value
        elif isinstance(value, Settings):
            yield from blocks(value, wanted, here)


def setting(
    field_class: FieldClass, description: str, default: Any = _REQUIRED, *, unit: str | None = None, **constraints: Any
) -> Any:  # Any: pydantic's own Field is typed the same way
    """Declare a leaf field of a settings model.

    Args:
        field_class: The kind of decision, read by `altlas diff`.
        description: What the field decides, in one sentence; shown in errors and by editors.
        default: Value that is right in every phase; left out when each phase must decide.
        unit: Unit of the value, such as seconds or Mi.
        constraints: Bounds as pydantic knows them (`ge`, `le`, `min_length`, `pattern`, ...); a `pattern` without a
            default needs `examples`, which errors show.
    """
    extra: dict[str, Any] = {"class": field_class} | ({"unit": unit} if unit else {})
    return Field(default, description=description, json_schema_extra=extra, **constraints)


def section(description: str, default: Any = _REQUIRED, **options: Any) -> Any:  # Any: see setting()
    """Declare a field that holds a nested settings model (or a table of them)."""
    return Field(default, description=description, **options)
