"""Secrets as a stack file must hold them: those that only a person can supply, and none in plain text."""

from collections.abc import Callable, Iterator

from components.settings.platform import PlatformSettings
from components.settings.secret_forms import placeholder
from components.settings.secrets import SECRETS
from components.stack.problems import PLATFORM_KEY, PROJECT, Problem


def missing_supplied(platform: PlatformSettings, stack: str, is_set: Callable[[str], bool]) -> tuple[Problem, ...]:
    """Every such secret that the settings need and that is not there, with the command that sets it.

    Args:
        platform: The checked settings.
        stack: Name of the stack, for the commands.
        is_set: Whether the configuration has a secret of this key.
    """
    command = f"pulumi config set --secret --stack {stack} {PROJECT}:"
    return (*_of_blocks(platform, command, is_set), *_of_receivers(platform, command, is_set))


def plain_secrets(stack: str, plain_text: Callable[[str], object]) -> tuple[Problem, ...]:
    """Every secret that stands in plain text, with the command that encrypts it. Its value stands in no message.

    Args:
        stack: Name of the stack, for the commands.
        plain_text: Value of the secret of a key where it is not encrypted; None otherwise. A placeholder is no secret.
    """
    return tuple(
        Problem(
            f"{PROJECT}:{secret.key}",
            "is in plain text, so everybody who reads the stack file knows it; give another value with "
            f"`pulumi config set --secret --stack {stack} {PROJECT}:{secret.key}`",
        )
        for secret in SECRETS
        if plain_text(secret.key) not in (None, placeholder(secret.key))
    )


def _of_blocks(platform: PlatformSettings, command: str, is_set: Callable[[str], bool]) -> Iterator[Problem]:
    for secret in SECRETS:
        if secret.needed_by and _has(platform, secret.needed_by) and not is_set(secret.key):
            yield Problem(
                f"{PROJECT}:{secret.key}",
                f"is missing, and {secret.needed_by} needs it; set it with `{command}{secret.key}`, or remove "
                f"{secret.needed_by}. {secret.description}",
            )


def _of_receivers(platform: PlatformSettings, command: str, is_set: Callable[[str], bool]) -> Iterator[Problem]:
    for index, receiver in enumerate(platform.alertmanager.receivers if platform.alertmanager else ()):
        if receiver.needed_secret and not is_set(receiver.needed_secret):
            yield Problem(
                f"{PLATFORM_KEY}.alertmanager.receivers[{index}]",
                f"needs the secret {PROJECT}:{receiver.needed_secret}, which is missing, so {receiver.name!r} could "
                f"not be told; set it with `{command}{receiver.needed_secret}`, or change the receiver",
            )


def _has(platform: PlatformSettings, path: str) -> bool:
    block: object = platform.model_dump(mode="json", by_alias=True)
    for key in path.split("."):
        block = block.get(key) if isinstance(block, dict) else None
    return block is not None
