"""The only reader of pulumi.Config: the stack's platform settings and its secrets."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi.runtime import config as pulumi_config

from components.settings import PlatformSettings
from components.settings.secret_forms import placeholder, problem_of
from components.settings.secrets import NOTES, SECOND_IN_USE, SECRETS, noted
from components.stack.loading import parse_platform, with_lock
from components.stack.problems import PLATFORM_KEY, PROJECT, Problem, SettingsError
from components.stack.required_secrets import missing_supplied, plain_secrets
from components.stack.shared_bucket import shared_bucket_problems

PREPARES = "ALT_LAS_PREPARES"
"""Environment variable that `altlas up` sets for the step before an update that changes the number of servers."""


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """The two passwords of a user of a store. The store accepts both, and pods are given the one that is in use.

    Attributes:
        first: The first.
        second: The second.
        second_in_use: Whether pods are given the second.
    """

    first: pulumi.Output[str]
    second: pulumi.Output[str]
    second_in_use: bool

    @property
    def in_use(self) -> pulumi.Output[str]:
        """The password that pods are given."""
        return self.second if self.second_in_use else self.first

    @property
    def both(self) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """Both, first and second."""
        return self.first, self.second


@dataclass(frozen=True, kw_only=True)
class StackConfiguration:
    """Contents of the stack file.

    Attributes:
        platform: The checked settings.
        secrets: Secret values by configuration key; only those that are set.
        second_in_use: Keys of the doubled secrets whose second password is in use.
        prepares: Whether the program only prepares an update that changes the number of servers of a store.
    """

    platform: PlatformSettings
    secrets: Mapping[str, pulumi.Output[str]]
    second_in_use: frozenset[str] = frozenset()
    prepares: bool = False

    def passwords(self, key: str) -> Passwords:
        """Both passwords of a doubled secret."""
        (secret,) = (secret for secret in SECRETS if secret.key == key)
        return Passwords(
            first=self.secrets[key], second=self.secrets[secret.second_key], second_in_use=key in self.second_in_use
        )

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
    problems = [*_unknown_keys(), *_missing_secrets(config), *_plain_secrets(), *_unusable_secrets()]
    platform = None
    text = config.get("platform")
    if text is None:
        problems.insert(0, Problem(PLATFORM_KEY, f"is missing from the stack file Pulumi.{pulumi.get_stack()}.yaml"))
    else:
        try:
            platform = parse_platform(with_lock(_as_document(text), root))
        except SettingsError as error:
            problems = [*error.problems, *problems]
    if platform is not None:
        problems += missing_supplied(platform, pulumi.get_stack(), lambda key: config.get_secret(key) is not None)
        problems += shared_bucket_problems(root, pulumi.get_stack(), platform)
    if problems or platform is None:
        raise pulumi.RunError(str(SettingsError(tuple(problems))))
    secrets = {secret.key: value for secret in SECRETS if (value := config.get_secret(secret.key)) is not None}
    return StackConfiguration(
        platform=platform,
        secrets=secrets,
        second_in_use=frozenset(noted(config.get(SECOND_IN_USE))),
        prepares=bool(os.environ.get(PREPARES)),
    )


def _as_document(text: str) -> object:
    try:
        document: object = json.loads(text)
    except json.JSONDecodeError:
        document = text
    return document


def _unknown_keys() -> list[Problem]:
    known = {name: f"{PROJECT}:{name}" for name in ("platform", *(secret.key for secret in SECRETS), *NOTES)}
    problems = []
    for key in {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}:
        project, _, name = key.partition(":")
        if project == PROJECT and name not in known:
            # The prefix is the same for all, so it must not count as likeness.
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {known[close[0]]!r}? " if close else ""
            problems.append(Problem(key, f"is not a known key; {hint}Known: {', '.join(known.values())}"))
    return problems


def _plain_secrets() -> tuple[Problem, ...]:
    def plain_text(key: str) -> object:
        name = f"{PROJECT}:{key}"
        return None if pulumi_config.is_config_secret(name) else pulumi_config.get_config(name)

    return plain_secrets(pulumi.get_stack(), plain_text)


def _unusable_secrets() -> list[Problem]:
    """Secrets that some place of their use cannot take, by their keys. Their values stand in no message."""
    found = []
    for secret in SECRETS:
        value = pulumi_config.get_config(f"{PROJECT}:{secret.key}")
        problem = problem_of(secret.form, value) if value not in (None, placeholder(secret.key)) else None
        if problem:
            command = f"pulumi config set --secret --stack {pulumi.get_stack()} {PROJECT}:{secret.key}"
            found.append(Problem(f"{PROJECT}:{secret.key}", f"{problem}; set another with `{command}`"))
    return found


def _missing_secrets(config: pulumi.Config) -> list[Problem]:
    command = f"altlas secrets init --stack {pulumi.get_stack()}"
    return [
        Problem(f"{PROJECT}:{secret.key}", f"is missing; create it with `{command}`. {secret.description}")
        for secret in SECRETS
        if secret.required and config.get_secret(secret.key) is None
    ]
