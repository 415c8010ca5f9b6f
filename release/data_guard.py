"""Asks the guards before an update or a removal, and refuses with what they found."""

import json
from collections.abc import Mapping
from typing import Any

from components.settings import PlatformSettings
from release import guards
from release.engine import Engine
from release.errors import CommandError, ExitCode


def check_update(engine: Engine, stack: str, platform: PlatformSettings) -> None:
    """Make sure that the program as it is now takes no data that is deployed.

    Raises:
        CommandError: It would; names every object and what to do instead. Nothing was changed.
    """
    from release.program import record  # noqa: PLC0415  # costs half a second, and most stacks need it only now

    deployed = guards.deployed_data(exported_state(engine, stack))
    if not deployed:
        return
    registrations = record(stack, platform.model_dump(mode="json", by_alias=True)).registrations
    program = {(each.type, each.name): each.inputs for each in registrations}
    found = guards.dangers(deployed, program, platform.tombstones)
    if found:
        lines = "".join(f"\n  {danger}" for danger in found)
        raise CommandError(f"the update would endanger data, nothing was changed:{lines}", ExitCode.BAD_INPUT)


def check_removal(engine: Engine, stack: str, given_up: str | None) -> bool:
    """Make sure that a stack is not removed together with its data by mistake.

    Args:
        engine: Pulumi.
        stack: The stack to remove.
        given_up: What was typed to confirm that the data goes, too.

    Returns:
        Whether there is data that goes, so that its protection must be taken off.

    Raises:
        CommandError: There is data, and its loss was not confirmed. Nothing was changed.
    """
    if given_up is not None and given_up != stack:
        raise CommandError(
            f"--with-data names {given_up!r}, but the stack is {stack!r}; type the stack's own name. "
            "Nothing was changed",
            ExitCode.BAD_INPUT,
        )
    held = [each.title for each in guards.deployed_data(exported_state(engine, stack))]
    if held and given_up is None:
        raise CommandError(
            f"the stack {stack} holds data that cannot be made again: {', '.join(held)}. Nothing was changed. Make a "
            f"backup, then remove it with its data by `altlas destroy --stack {stack} --with-data {stack}`; to give up "
            "single objects, name them in alt-las:platform.tombstones and deploy",
            ExitCode.BAD_INPUT,
        )
    return bool(held)


def release_protection(engine: Engine, stack: str) -> None:
    """Let the next destroy take the data: neither protected nor kept."""
    state = guards.without_protection(exported_state(engine, stack))
    engine.capture("stack", "import", "--stack", stack, text=json.dumps(state))


def exported_state(engine: Engine, stack: str) -> Mapping[str, Any]:
    """The state of a stack, secrets encrypted; empty where the backend does not know the stack."""
    if not engine.stack_exists(stack):
        return {}
    state: Mapping[str, Any] = json.loads(engine.capture("stack", "export", "--stack", stack))
    return state
