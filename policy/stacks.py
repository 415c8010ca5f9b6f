"""Loads what a stack declares and what its program renders: the only place where rules and prover meet the platform."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from components.settings import PlatformSettings
from components.settings.secrets import SECRETS
from components.stack.documents import stack_files
from components.stack.loading import parse_platform, read_stack_document
from components.stack.problems import PLATFORM_KEY
from policy.manifests import Manifest, kind_of, name_of
from policy.pack.parameters import parameters_of
from policy.rules import Parameters
from rendering.recorder import record
from rendering.root import checkout


@dataclass(frozen=True)
class Stack:
    """A stack as the gates see it.

    Attributes:
        name: Name of the stack.
        platform: Its settings.
        manifests: Everything that its program renders.
        parameters: What it allows by name.
    """

    name: str
    platform: PlatformSettings
    manifests: list[Manifest]
    parameters: Parameters = field(default_factory=Parameters)


def stack_names() -> list[str]:
    """Names of all stacks of the checkout that have a file, in alphabetical order."""
    return list(stack_files(checkout()))


def read_document(name: str) -> dict[str, Any]:
    """Return the block `alt-las:platform` of a stack file.

    Raises:
        SettingsError: The file cannot be read.
    """
    return dict(read_stack_document(checkout() / f"Pulumi.{name}.yaml")["config"][PLATFORM_KEY])


def all_secrets() -> dict[str, str]:
    """A placeholder for every secret that a stack may have, so that the optional ones are judged, too."""
    return {secret.key: f"<{secret.key}>" for secret in SECRETS}


def load_stack(name: str, document: object = None, *, require_digests: bool = False) -> Stack:
    """Render a stack and read what it allows.

    Args:
        name: Name of the stack.
        document: What stands below `alt-las:platform`; read from the stack file when left out.
        require_digests: Whether every image must be held to a digest.

    Raises:
        SettingsError: The settings are not usable.
    """
    chosen = read_document(name) if document is None else document
    platform = parse_platform(chosen)
    # Registrations arrive in an order that differs from run to run.
    manifests = sorted(record(name, chosen, all_secrets()).objects, key=lambda each: (kind_of(each), name_of(each)))
    return Stack(name, platform, manifests, parameters_of(name, platform, require_digests=require_digests))


def load_stacks(names: list[str]) -> Iterator[Stack]:
    """Render the named stacks, or all when none is named.

    Raises:
        SettingsError: The settings of a stack are not usable.
    """
    for name in names or stack_names():
        yield load_stack(name)
