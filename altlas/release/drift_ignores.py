"""Drift that a stack accepts until a day: a file in the repository, so that it is reviewed like the stack file."""

import fnmatch
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from altlas.release.drift import DriftField
from components.stack.documents import UnreadableError, read_yaml
from rendering.errors import CommandError, ExitCode


class Ignore(BaseModel):
    """Drift that is accepted.

    Attributes:
        object: Kind and name, such as `Deployment/grafana`; the name may hold `*`.
        field: Field as `altlas drift` prints it; may hold `*`. `*` alone also means the whole object.
        until: Last day (UTC) on which it is accepted.
        reason: Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    object: str = Field(pattern=r"^[A-Za-z]+/.+$")
    field: str = Field(min_length=1)
    until: date
    reason: str = Field(min_length=1)

    def covers(self, drifted: DriftField) -> bool:
        """Tell whether it is about this field, at any time."""
        kind, _, name = self.object.partition("/")
        same = drifted.object.kind == kind and fnmatch.fnmatchcase(drifted.object.name, name)
        # A path holds brackets, which a pattern would take for a set.
        return same and fnmatch.fnmatchcase(drifted.path, self.field.replace("[", "[[]"))


def ignores_file(root: Path, stack: str) -> Path:
    """File of a stack's accepted drift."""
    return root / f"Drift.{stack}.yaml"


def read_ignores(file: Path) -> tuple[Ignore, ...]:
    """Accepted drift of a stack; none where there is no file.

    Raises:
        CommandError: The file is not usable; names the place.
    """
    try:
        return tuple(TypeAdapter(list[Ignore]).validate_python(read_yaml(file) or []))
    except FileNotFoundError:
        return ()
    except UnreadableError as error:
        raise CommandError(f"{file.name} {error}", ExitCode.BAD_INPUT) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise CommandError(
            f"{file.name}: {place}: {first['msg']}; write a list of object, field, until (a day) and reason",
            ExitCode.BAD_INPUT,
        ) from None


def split(
    fields: Iterable[DriftField], ignores: Sequence[Ignore], today: date
) -> tuple[list[DriftField], list[DriftField], list[Ignore]]:
    """Drift that counts, drift that is accepted today, and entries whose day has passed although they still apply."""
    counted: list[DriftField] = []
    accepted: list[DriftField] = []
    expired: dict[Ignore, None] = {}
    for each in fields:
        covering = [ignore for ignore in ignores if ignore.covers(each)]
        if any(ignore.until >= today for ignore in covering):
            accepted.append(each)
        else:
            counted.append(each)
            expired |= dict.fromkeys(covering)
    return counted, accepted, list(expired)
