"""Reading of what `altlas capacity --from` is given."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rendering.errors import CommandError, ExitCode


def read_results(file: Path) -> Any:
    """Content of a file of JSON.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"--from {file} cannot be read as JSON: {error}", ExitCode.BAD_INPUT) from None


def numbers_by_service(option: str, given: Sequence[str]) -> dict[str, int]:
    """Numbers by service, of `SERVICE=N`; a bare `N` is that of the empty name.

    Raises:
        CommandError: A text is something else, or a service is named twice.
    """
    found: dict[str, int] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        if not number.isdecimal() or int(number) == 0 or name in found:
            raise CommandError(f"{option} {text} is no number of its own; write SERVICE=N", ExitCode.BAD_INPUT)
        found[name] = int(number)
    return found


def wanted_rates(given: Mapping[str, int], services: Iterable[str]) -> dict[str, int]:
    """Rate of each measured service: its own, else the bare one.

    Raises:
        CommandError: A measured service has none, or another one is named.
    """
    names = tuple(services)
    if unknown := [each for each in given if each and each not in names]:
        raise CommandError(
            f"--target-rps names {', '.join(unknown)}, which the results do not hold; they hold {', '.join(names)}",
            ExitCode.BAD_INPUT,
        )
    if "" not in given and (without := [each for each in names if each not in given]):
        raise CommandError(
            f"--target-rps says nothing of {', '.join(without)}; add --target-rps N for all of them, or SERVICE=N",
            ExitCode.BAD_INPUT,
        )
    return {each: given.get(each, given.get("", 0)) for each in names}
