"""Generated secrets of a stack, in the encrypted configuration of its stack file: create, rotate, reset."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from altlas.session.engine import Engine
from altlas.session.workspace import Workspace
from components.settings import PlatformSettings
from components.settings.secrets import SECRETS, SecretSetting
from components.stack.loading import read_stack_document
from components.stack.problems import PROJECT, SettingsError
from components.stack.required_secrets import missing_supplied
from rendering.errors import CommandError, ExitCode

_TOKENS = "tokens that were signed before are refused, because the gateway knows one key at a time; users log in again"
_SERVERS = (
    "the servers themselves were restarted: a single one was away for some seconds, and of several each one until it "
    "and the others knew the new passwords"
)
ROTATION_WARNINGS = {
    "apiGatewayJwtSecret": _TOKENS,
    "apiGatewayJwtRefreshSecret": _TOKENS,
    "redisInternalSecret": _SERVERS,
    "natsInternalSecret": _SERVERS,
    "postgresBackupPassword": "a backup that ran in the meantime may have failed; the next one has the new password",
    "backupEncryptionKey": "earlier backups still need the earlier key; keep a copy of it as long as you keep them",
}
"""Consequences of rotating secrets of which a server accepts only one value at a time."""


def missing_secrets(stack_file: Path) -> tuple[SecretSetting, ...]:
    """Required secrets that a stack file does not hold.

    Raises:
        SettingsError: The stack file cannot be read.
    """
    configuration = _configuration(read_stack_document(stack_file))
    return tuple(secret for secret in SECRETS if secret.required and f"{PROJECT}:{secret.key}" not in configuration)


def check_supplied(stack_file: Path, stack: str, platform: PlatformSettings) -> None:
    """Check that a stack file holds the secrets that cannot be generated, before anything is started.

    A file with a Pulumi `environment` may get them from there, so only the program can check it.

    Raises:
        SettingsError: Secrets are missing; names each with the command that sets it.
    """
    document = read_stack_document(stack_file)
    configuration = _configuration(document)
    problems = missing_supplied(platform, stack, lambda key: f"{PROJECT}:{key}" in configuration)
    if problems and "environment" not in document:
        raise SettingsError(problems)


def check_not_reverted(stack_file: Path, stack: str) -> None:
    """Check that the file of a running stack still holds its secrets, before new ones are generated.

    Generated secrets live in the stack file only; `git checkout` of the file loses them.

    Raises:
        CommandError: The file holds no generated secret and nothing that could decrypt one.
    """
    document = read_stack_document(stack_file)
    required = [secret for secret in SECRETS if secret.required]
    if missing_secrets(stack_file) == tuple(required) and not {"encryptionsalt", "encryptedkey"} & document.keys():
        raise CommandError(
            f"{stack_file.name} has lost the secrets of the running stack {stack}; was it reverted by git? Restore "
            "the file as the last update left it, or, to give every store and service a new secret, run "
            f"`altlas secrets init --stack {stack}` and try again",
            ExitCode.BAD_INPUT,
        )


def check_rotation(keys: Sequence[str]) -> None:
    """Check that secrets can be rotated.

    Raises:
        CommandError: One is unknown, or only a person can supply it.
    """
    seconds = {secret.second_key for secret in SECRETS if secret.is_doubled}
    generated = [secret.key for secret in SECRETS if secret.required and secret.key not in seconds]
    for key in keys:
        if key not in generated:
            supplied = any(secret.key == key and not secret.required for secret in SECRETS)
            why = "is not generated; set it with `pulumi config set --secret`" if supplied else "is unknown"
            raise CommandError(
                f"{key!r} cannot be rotated: it {why}. Generated are: {', '.join(generated)}", ExitCode.BAD_INPUT
            )


def rotate_secrets(engine: Engine, stack: str, keys: Sequence[str]) -> None:
    """Generate new values of secrets. They go to Pulumi by standard input and are printed nowhere."""
    for secret in SECRETS:
        if secret.key in keys:
            _generate(engine, stack, secret)


def create_missing_secrets(engine: Engine, stack: str, stack_file: Path) -> tuple[str, ...]:
    """Generate missing secrets and return their keys. Values go to Pulumi by standard input and are printed nowhere."""
    created = []
    for secret in missing_secrets(stack_file):
        created.append(_generate(engine, stack, secret))
    return tuple(created)


def check_passphrase(workspace: Workspace, stack_file: Path, outside: Mapping[str, str]) -> None:
    """Check that the stack file's secrets can be decrypted here, before anything is started.

    A checkout that lost its `.altlas` folder lost its passphrase with it.

    Raises:
        CommandError: The stack file was encrypted with a passphrase that is not here.
    """
    own_backend = "PULUMI_BACKEND_URL" not in outside
    given = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & outside.keys()
    document = read_stack_document(stack_file)
    if own_backend and not given and "encryptionsalt" in document and not workspace.passphrase_file.exists():
        raise CommandError(
            f"{stack_file.name} is encrypted with a passphrase that is not on this machine. Give it with "
            "PULUMI_CONFIG_PASSPHRASE_FILE=<file>, or start over with `altlas secrets reset "
            f"{stack_file.name.split('.')[1]}`, which removes the encrypted values from the file",
            ExitCode.BAD_INPUT,
        )


def reset_secrets(stack_file: Path) -> tuple[str, ...]:
    """Remove the encrypted values and the salt from a stack file and return the removed keys.

    Works on lines, so that comments stay. Nothing else is touched.

    Raises:
        CommandError: The file is not written line by line, as Pulumi does; nothing was changed.
    """
    document = read_stack_document(stack_file)
    encrypted = [key for key, value in _configuration(document).items() if _is_encrypted(value)]
    removed_keys = [*encrypted, *(["encryptionsalt"] if "encryptionsalt" in document else [])]
    kept: list[str] = []
    removing_below: int | None = None
    for line in stack_file.read_text(encoding="utf-8").splitlines(keepends=True):
        indentation = len(line) - len(line.lstrip())
        if removing_below is not None and line.strip() and indentation > removing_below:
            continue
        removing_below = indentation if any(line.strip().startswith(f"{key}:") for key in removed_keys) else None
        if removing_below is None:
            kept.append(line)
    text = "".join(kept)
    if not _is_without(text, document, removed_keys):
        raise CommandError(
            f"{stack_file.name} holds its encrypted values in another form than Pulumi writes; remove by hand: "
            f"{', '.join(removed_keys)}",
            ExitCode.BAD_INPUT,
        )
    stack_file.write_text(text, encoding="utf-8")
    return tuple(removed_keys)


def _generate(engine: Engine, stack: str, secret: SecretSetting) -> str:
    key, value = f"{PROJECT}:{secret.key}", secrets.token_urlsafe(secret.generated_bytes or 0)
    engine.capture("config", "set", "--secret", key, "--stack", stack, text=value)
    return key


def _is_without(text: str, document: Mapping[str, Any], removed_keys: Sequence[str]) -> bool:
    def rest(whole: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        others = {key: value for key, value in whole.items() if key not in (*removed_keys, "config")}
        return others, {key: value for key, value in _configuration(whole).items() if key not in removed_keys}

    try:
        left = yaml.load(text, yaml.CSafeLoader) or {}
    except yaml.YAMLError:
        return False
    return rest(left) == rest(document) and not {*left, *_configuration(left)} & {*removed_keys}


def _configuration(document: Mapping[str, Any]) -> Mapping[str, Any]:
    configuration = document.get("config")
    return configuration if isinstance(configuration, dict) else {}


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}
