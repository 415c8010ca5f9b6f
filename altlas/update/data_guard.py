"""Refuses an update or a removal that would lose data."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from altlas.session.engine import Engine
from altlas.update import data_loss as guards
from altlas.update.repositories import check_repositories
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record


def check_update(engine: Engine, stack: str, platform: PlatformSettings, state: Mapping[str, Any]) -> None:
    """Check that neither the settings nor the engine's plan deletes deployed data.

    Args:
        engine: Pulumi.
        stack: The stack to update.
        platform: Its settings.
        state: What `Engine.exported_state` returned.

    Raises:
        SettingsError: The policy in force does not allow an image. Nothing was changed.
        CommandError: Data would be lost; names every object and the alternative. Or the update cannot be planned; holds
            the engine's message. Nothing was changed.
    """
    if not guards.deployed_data(state):
        return
    check_settings(stack, platform, state)
    plan = engine.preview(stack)
    check_plan(plan, platform, state)
    if errors := guards.plan_errors(plan):
        said = "".join(f"\n  {str(each['message']).removeprefix('error: ').strip()}" for each in errors)
        raise CommandError(f"the update cannot be planned, nothing was changed:{said}")


def check_settings(stack: str, platform: PlatformSettings, state: Mapping[str, Any]) -> None:
    """Check that the settings alone delete no deployed data, without the engine.

    Raises:
        SettingsError: The policy in force does not allow an image. Nothing was changed.
        CommandError: Data would be lost; names every object and the alternative.
    """
    if deployed := guards.deployed_data(state):
        check_repositories(state, stack, platform)
        _refuse(_changes(stack, platform, (*deployed.values(), *guards.deployed_measuring(state))))


def check_plan(plan: Mapping[str, Any], platform: PlatformSettings, state: Mapping[str, Any]) -> None:
    """Check that the engine's plan deletes and replaces no deployed data, whatever the engine itself allows.

    Raises:
        CommandError: Data would be lost; names every object and the alternative.
    """
    _refuse(guards.planned_losses(plan, guards.deployed_data(state), platform.tombstones))


def _changes(stack: str, platform: PlatformSettings, deployed: Iterable[guards.Deployed]) -> tuple[guards.Danger, ...]:
    """Losses that follow from the settings alone, found without the engine."""
    registrations = record(stack, platform).registrations
    program = {(each.type, each.name): each.inputs for each in registrations}
    return guards.dangers(deployed, program, platform.tombstones)


def _refuse(found: tuple[guards.Danger, ...]) -> None:
    if found:
        lines = "".join(f"\n  {danger}" for danger in found)
        raise CommandError(f"the update would endanger data, nothing was changed:{lines}", ExitCode.BAD_INPUT)


def check_removal(state: Mapping[str, Any], stack: str, given_up: str | None) -> tuple[str, ...]:
    """Check that the removal of a stack with data is confirmed.

    Args:
        state: What `Engine.exported_state` returned.
        stack: The stack to remove.
        given_up: Name that was typed to confirm the loss of the data.

    Returns:
        Objects with data that will be deleted, so that their protection must be removed first.

    Raises:
        CommandError: There is data, and its loss was not confirmed. Nothing was changed.
    """
    if given_up is not None and given_up != stack:
        raise CommandError(
            f"--with-data names {given_up!r}, but the stack is {stack!r}; type the stack's own name. "
            "Nothing was changed",
            ExitCode.BAD_INPUT,
        )
    held = tuple(each.title for each in guards.deployed_data(state).values())
    if held and given_up is None:
        raise CommandError(
            f"the stack {stack} holds data that cannot be recreated: {', '.join(held)}. Nothing was changed. Make a "
            f"backup, then remove it with its data by `altlas destroy --stack {stack} --with-data {stack}`; to give up "
            "single objects, name them in alt-las:platform.tombstones and deploy",
            ExitCode.BAD_INPUT,
        )
    return held


def release_protection(engine: Engine, stack: str, state: Mapping[str, Any]) -> None:
    """Remove protection and retention from the state, so that the next destroy deletes the data."""
    released = guards.without_protection(state)
    engine.capture("stack", "import", "--stack", stack, text=json.dumps(released))
