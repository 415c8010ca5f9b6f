"""The typed difference of two stacks' settings: which field, from what, to what, and which kind of decision it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from altlas.release.steps import ChangeSetting
from altlas.release.undo import undo_of_setting
from components.settings import FieldClass, PlatformSettings, Settings
from components.settings.base import FIELD_CLASSES


@dataclass(frozen=True)
class Leaf:
    """One setting that is not a block of others.

    Attributes:
        value: The value as plain data.
        field_class: The kind of decision.
    """

    value: Any
    field_class: FieldClass


def leaves(settings: Settings, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """All leaves of a settings tree with their paths, in the order of declaration."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        here = f"{path}.{field.alias}" if path else str(field.alias)
        extra = field.json_schema_extra
        if isinstance(value, Settings):
            yield from leaves(value, here)
        elif isinstance(extra, dict):
            plain = settings.model_dump(mode="json", by_alias=True, include={name})
            yield here, Leaf(plain[str(field.alias)], _field_class(extra))


def compare(before: PlatformSettings, after: PlatformSettings) -> tuple[ChangeSetting, ...]:
    """Everything that two stacks decide differently, by class and then in the order of the settings."""
    first, second = dict(leaves(before)), dict(leaves(after))
    found = []
    for path in dict.fromkeys([*first, *second]):
        one, other = first.get(path), second.get(path)
        known = one or other
        from_value, to_value = one.value if one else None, other.value if other else None
        if known and from_value != to_value:
            undo, why = undo_of_setting(path, from_value, to_value)
            kind = known.field_class
            found.append(
                ChangeSetting(field=path, before=from_value, after=to_value, decision=kind, undo=undo, why=why)
            )
    return tuple(sorted(found, key=lambda change: FIELD_CLASSES.index(change.decision)))


def as_document(change: ChangeSetting) -> dict[str, Any]:
    """The difference as `altlas stack diff --json` prints it."""
    return {"field": change.field, "from": change.before, "to": change.after, "class": change.decision}


def as_text(differences: tuple[ChangeSetting, ...], before: str, after: str) -> str:
    """The difference for people: one line a field, grouped by class, the same bytes each time."""
    if not differences:
        return f"{before} and {after} have the same settings\n"
    width = max(len(difference.field) for difference in differences)
    lines = [f"{before} -> {after}: {len(differences)} settings differ"]
    for field_class in FIELD_CLASSES:
        group = [difference for difference in differences if difference.decision == field_class]
        if group:
            stays = ", stays with its stack" if field_class == "identity" else ""
            lines += ["", f"{field_class} ({len(group)}{stays})"]
            lines += [f"  {d.field:<{width}}  {shown(d.before)} -> {shown(d.after)}" for d in group]
    return "\n".join(lines) + "\n"


def _field_class(extra: dict[str, Any]) -> FieldClass:
    field_class: FieldClass = extra["class"]
    return field_class


def shown(value: Any) -> str:
    """A value of a setting for people."""
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
