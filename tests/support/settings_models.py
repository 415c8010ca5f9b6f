"""Walks the settings models, so that rules about every field are checked for every field."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from components.settings import PlatformSettings, Settings


def fields(model: type[Settings] = PlatformSettings, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field below a model with its path as the stack file writes it, sections included."""
    for field in model.model_fields.values():
        here = f"{path}.{field.alias}" if path else str(field.alias)
        yield here, field
        for nested in models_in(field.annotation):
            yield from fields(nested, here)


def leaf_fields() -> list[tuple[str, FieldInfo]]:
    """Every field that is not a block of others; a table of blocks counts as one."""
    return [(path, field) for path, field in fields() if not models_in(field.annotation) or _is_table(field)]


def models_in(annotation: Any) -> list[type[Settings]]:  # Any: annotations have no common type
    """The settings models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, tuple):
        return [model for part in get_args(annotation) for model in models_in(part)]
    return []


def _is_table(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple
