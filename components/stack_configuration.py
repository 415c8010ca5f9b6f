"""The only reader of pulumi.Config: the stack's platform settings and its secrets."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi.runtime import config as pulumi_config

from components.settings import PlatformSettings, SettingsError, parse_platform
from components.settings.errors import PLATFORM_KEY, PROJECT, Problem
from components.settings.loading import with_lock
from components.settings.secrets import SECRETS


@dataclass(frozen=True, kw_only=True)
class StackConfiguration:
    """What the stack file says.

    Attributes:
        platform: The checked settings.
        secrets: Secret values by configuration key; only those that are set.
    """

    platform: PlatformSettings
    secrets: Mapping[str, pulumi.Output[str]]

    def secret_environment(self, service: str) -> dict[str, pulumi.Output[str]]:
        """Secret environment variables of a service."""
        return {
            variable: self.secrets[secret.key]
            for secret in SECRETS
            if secret.key in self.secrets
            for variable in secret.variables.get(service, ())
        }


def load(root: Path) -> StackConfiguration:
    """Read and check the configuration of the running stack.

    Args:
        root: The project's root, which holds the image lock.

    Raises:
        pulumi.RunError: Names everything that is wrong; raised before any object is registered and
            shown without traceback.
    """
    config = pulumi.Config(PROJECT)
    problems = [*_unknown_keys(), *_missing_secrets(config)]
    platform = None
    text = config.get("platform")
    if text is None:
        problems.insert(0, Problem(PLATFORM_KEY, f"is missing from the stack file Pulumi.{pulumi.get_stack()}.yaml"))
    else:
        try:
            platform = parse_platform(with_lock(_as_document(text), root))
        except SettingsError as error:
            problems = [*error.problems, *problems]
    if problems or platform is None:
        raise pulumi.RunError(str(SettingsError(tuple(problems))))
    secrets = {secret.key: value for secret in SECRETS if (value := config.get_secret(secret.key)) is not None}
    return StackConfiguration(platform=platform, secrets=secrets)


def _as_document(text: str) -> object:
    try:
        document: object = json.loads(text)
    except json.JSONDecodeError:
        document = text
    return document


def _unknown_keys() -> list[Problem]:
    known = {name: f"{PROJECT}:{name}" for name in ("platform", *(secret.key for secret in SECRETS))}
    problems = []
    for key in {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}:
        project, _, name = key.partition(":")
        if project == PROJECT and name not in known:
            # The prefix is the same for all, so it must not count as likeness.
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {known[close[0]]!r}? " if close else ""
            problems.append(Problem(key, f"is not a known key; {hint}Known: {', '.join(known.values())}"))
    return problems


def _missing_secrets(config: pulumi.Config) -> list[Problem]:
    command = f"altlas secrets init --stack {pulumi.get_stack()}"
    return [
        Problem(f"{PROJECT}:{secret.key}", f"is missing; create it with `{command}`. {secret.description}")
        for secret in SECRETS
        if secret.required and config.get_secret(secret.key) is None
    ]
