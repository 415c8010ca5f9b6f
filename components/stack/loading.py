"""Reads a stack's platform settings, from a parsed document or from a stack file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.settings.platform import PlatformSettings
from components.stack.documents import UnreadableError, read_yaml, stack_files, stack_of
from components.stack.image_lock import LOCK_NAME, ImageLockError, with_locked_digests
from components.stack.problems import PLATFORM_KEY, PROJECT, Problem, SettingsError, settings_error
from components.stack.required_secrets import plain_secrets
from components.stack.shared_bucket import shared_bucket_problems


def parse_platform(document: object) -> PlatformSettings:
    """Check a document (mappings, lists, text, numbers) and make settings of it.

    Raises:
        SettingsError: Names everything that is wrong, each with the key's full path.
    """
    try:
        # YAML has dates, JSON has not. No setting is a fraction, so a date gets its error where it stands.
        text = json.dumps(document, default=lambda _: 0.5)
    except (TypeError, ValueError, RecursionError):
        message = "holds what is no setting: a key that is not text, or a block that holds itself"
        raise SettingsError((Problem(PLATFORM_KEY, message),)) from None
    try:
        # JSON mode is strict about types, yet takes the lists of a file for tuples.
        return PlatformSettings.model_validate_json(text)
    except ValidationError as error:
        raise settings_error(error, PlatformSettings) from None


def read_stack_document(path: Path) -> Mapping[str, Any]:
    """Read a stack file whole, as plain data.

    Raises:
        SettingsError: The file is missing, cannot be read, is not YAML, or has a key twice.
    """
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        known = ", ".join(other.name for other in stack_files(path.parent).values())
        here = f"stack files in this folder: {known}" if known else f"there is no stack file in {path.parent}"
        message = f"the stack file is missing; {here}"
        raise SettingsError((Problem(path.name, message),)) from None
    except UnreadableError as error:
        raise SettingsError((Problem(path.name, str(error)),)) from None
    if not isinstance(document, dict):
        raise SettingsError((Problem(path.name, "must be a block with the key 'config'"),))
    return document


def read_platform(path: Path) -> PlatformSettings:
    """Read the platform settings of a stack file.

    Raises:
        SettingsError: The file or its settings are not usable.
    """
    configuration = read_stack_document(path).get("config")
    if not isinstance(configuration, dict) or PLATFORM_KEY not in configuration:
        message = f"has no settings; write them below 'config:' under the key {PLATFORM_KEY!r}"
        raise SettingsError((Problem(path.name, message),))
    platform = parse_platform(with_lock(configuration[PLATFORM_KEY], path.parent))
    problems = plain_secrets(stack_of(path), lambda key: _plain_text(configuration.get(f"{PROJECT}:{key}")))
    if problems := (*problems, *shared_bucket_problems(path.parent, stack_of(path), platform)):
        raise SettingsError(problems)
    return platform


def with_lock(document: object, folder: Path) -> object:
    """A document with the digests of the image lock, where it requires digests.

    Args:
        document: What stands below `alt-las:platform`.
        folder: The project's root, which holds the lock.

    Raises:
        SettingsError: The lock is not usable, or does not fit the document.
    """
    try:
        return with_locked_digests(document, folder / LOCK_NAME)
    except ImageLockError as error:
        raise SettingsError((Problem(PLATFORM_KEY, str(error)),)) from None


def _plain_text(value: object) -> object:
    return None if isinstance(value, dict) and value.keys() == {"secure"} else value
