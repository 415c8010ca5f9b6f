"""Secrets in stack files: which are missing, whether they can be read here, and how to start over."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from altlas.session.engine import Engine
from altlas.session.stack_secrets import (
    check_not_reverted,
    check_passphrase,
    check_rotation,
    check_supplied,
    missing_secrets,
    reset_secrets,
    rotate_secrets,
)
from altlas.session.workspace import Workspace
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode
from tests.support.documents import alpha_settings

PLAIN = """\
# The alpha phase.
config:
  alt-las:platform:
    namespace: alt-las  # ours
  kubernetes:context: mine
"""
ENCRYPTED = """\
# Made by a command.
  alt-las:apiGatewayJwtSecret:
    secure: v1:abc==
  alt-las:apiGatewayJwtRefreshSecret:
    secure: v1:def==
encryptionsalt: v1:salt:==
"""


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """A stack file with both generated secrets."""
    path = tmp_path / "Pulumi.alpha.yaml"
    path.write_text(PLAIN + ENCRYPTED)
    return path


def test_required_secrets_that_a_file_does_not_hold_are_missing(stack_file: Path) -> None:
    """Secrets that only a person can supply are not."""
    assert not {"apiGatewayJwtSecret", "apiGatewayJwtRefreshSecret"} & {s.key for s in missing_secrets(stack_file)}
    stack_file.write_text(PLAIN)
    missing = missing_secrets(stack_file)
    assert {"apiGatewayJwtSecret", "apiGatewayJwtRefreshSecret"} <= {secret.key for secret in missing}
    assert all(secret.required for secret in missing)
    stack_file.write_text("config: text\n")
    assert missing_secrets(stack_file) == missing


@pytest.mark.parametrize(
    ("changes", "needed", "path"),
    [
        (
            {"alertmanager.receivers": [{"name": "a", "webhook": {}}]},
            ["alertmanagerWebhookUrl"],
            "alertmanager.receivers",
        ),
        (
            {"loki.objectStore": {"endpoint": "https://s3.example.com", "bucket": "logs", "since": "2026-01-01"}},
            ["lokiS3AccessKeyId", "lokiS3SecretAccessKey"],
            "loki.objectStore",
        ),
    ],
    ids=["receiver", "bucket"],
)
def test_what_only_a_person_can_supply_is_asked_for_before_anything_is_started(
    tmp_path: Path, changes: dict[str, Any], needed: list[str], path: str
) -> None:
    """All at once, each with its command; a file that has them, or an environment that may, goes on."""
    stack_file, platform = tmp_path / "Pulumi.alpha.yaml", alpha_settings(changes)
    check_supplied(_written(stack_file, {}), "alpha", alpha_settings())
    with pytest.raises(SettingsError) as caught:
        check_supplied(stack_file, "alpha", platform)
    assert path in str(caught.value)
    assert len(caught.value.problems) == len(needed)
    for key in needed:
        assert f"`pulumi config set --secret --stack alpha alt-las:{key}`" in str(caught.value)
    given = {f"alt-las:{key}": {"secure": "v1:abc=="} for key in needed}
    check_supplied(_written(stack_file, {"config": given}), "alpha", platform)
    check_supplied(_written(stack_file, {"environment": ["ours"]}), "alpha", platform)


def _written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_file_that_lost_the_secrets_of_a_running_stack_is_refused(stack_file: Path) -> None:
    """A reverted file has no salt, so that a release may still bring a new secret."""
    check_not_reverted(stack_file, "alpha")
    stack_file.write_text(PLAIN + "encryptionsalt: v1:salt:==\n")
    check_not_reverted(stack_file, "alpha")
    stack_file.write_text(PLAIN)
    with pytest.raises(CommandError, match="has lost the secrets of the running stack alpha") as refused:
        check_not_reverted(stack_file, "alpha")
    assert "altlas secrets init --stack alpha" in str(refused.value)
    assert refused.value.code == ExitCode.BAD_INPUT


def test_a_reset_removes_encrypted_values_and_salt_and_nothing_else(stack_file: Path) -> None:
    """Comments, settings and the keys of others stay as they are."""
    removed = reset_secrets(stack_file)
    assert removed == ("alt-las:apiGatewayJwtSecret", "alt-las:apiGatewayJwtRefreshSecret", "encryptionsalt")
    assert stack_file.read_text() == PLAIN + "# Made by a command.\n"


def test_a_reset_keeps_what_stands_below_the_secrets(stack_file: Path) -> None:
    """The next key is not taken for a part of them."""
    stack_file.write_text(PLAIN + ENCRYPTED + "secretsprovider: passphrase\n")
    reset_secrets(stack_file)
    document = yaml.safe_load(stack_file.read_text())
    assert document == yaml.safe_load(PLAIN) | {"secretsprovider": "passphrase"}


def test_a_second_reset_removes_nothing(stack_file: Path) -> None:
    """And leaves the file as it is."""
    reset_secrets(stack_file)
    before = stack_file.read_bytes()
    assert reset_secrets(stack_file) == ()
    assert stack_file.read_bytes() == before


@pytest.mark.parametrize(
    "secrets",
    [
        '  "alt-las:apiGatewayJwtSecret":\n    secure: v1:abc\n',
        "  alt-las:apiGatewayJwtSecret:\n\n    secure: v1:abc\n",
        "  ? alt-las:apiGatewayJwtSecret\n  : {secure: v1:abc}\n",
    ],
    ids=["quoted key", "blank line", "explicit key"],
)
def test_secrets_in_another_form_are_left_for_a_person(tmp_path: Path, secrets: str) -> None:
    """Rather than to break the file, or to say that they are gone."""
    path = tmp_path / "Pulumi.alpha.yaml"
    path.write_text(PLAIN + secrets)
    with pytest.raises(
        CommandError, match=r"in another form than Pulumi writes; remove by hand: alt-las:api"
    ) as caught:
        reset_secrets(path)
    assert caught.value.code == ExitCode.BAD_INPUT
    assert path.read_text() == PLAIN + secrets


def test_an_encrypted_file_without_its_passphrase_is_refused_with_both_cures(stack_file: Path) -> None:
    """A checkout that lost its folder lost its passphrase."""
    workspace = Workspace(stack_file.parent)
    with pytest.raises(CommandError) as caught:
        check_passphrase(workspace, stack_file, {})
    assert caught.value.code == ExitCode.BAD_INPUT
    assert str(caught.value) == (
        "Pulumi.alpha.yaml is encrypted with a passphrase that is not on this machine. Give it with "
        "PULUMI_CONFIG_PASSPHRASE_FILE=<file>, or start over with `altlas secrets reset alpha`, which removes "
        "the encrypted values from the file"
    )


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"])
def test_a_user_who_brings_passphrase_or_backend_is_not_asked(stack_file: Path, name: str) -> None:
    """Pulumi will say whether it is the right one."""
    check_passphrase(Workspace(stack_file.parent), stack_file, {name: "theirs"})


def test_a_checkout_with_its_passphrase_or_without_secrets_goes_on(stack_file: Path) -> None:
    """The controls."""
    workspace = Workspace(stack_file.parent)
    workspace.create()
    workspace.passphrase_file.write_text("ours")
    check_passphrase(workspace, stack_file, {})
    workspace.passphrase_file.unlink()
    stack_file.write_text(PLAIN)
    check_passphrase(workspace, stack_file, {})


def test_a_rotation_makes_new_values_for_what_is_named_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values go by standard input, never by the command line."""
    calls: list[tuple[tuple[str, ...], str | None]] = []

    def capture(_: Engine, *arguments: str, text: str | None = None) -> str:
        calls.append((arguments, text))
        return ""

    monkeypatch.setattr(Engine, "capture", capture)
    for _ in range(2):
        rotate_secrets(Engine(Path(), {}), "alpha", ["postgresArchivePassword"])
    command = ("config", "set", "--secret", "alt-las:postgresArchivePassword", "--stack", "alpha")
    assert [arguments for arguments, _ in calls] == [command, command]
    first, second = (text for _, text in calls)
    assert first is not None
    assert len(first) == 43
    assert first != second


@pytest.mark.parametrize(
    ("key", "why"),
    [("openaiApiKey", "is not generated; set it with `pulumi config set --secret`"), ("nobody", "is unknown")],
)
def test_only_generated_secrets_can_be_rotated(key: str, why: str) -> None:
    """With what is wrong and which there are."""
    check_rotation(["apiGatewayJwtSecret", "backupEncryptionKey"])
    with pytest.raises(CommandError) as error:
        check_rotation(["apiGatewayJwtSecret", key])
    assert str(error.value).startswith(f"'{key}' cannot be rotated: it {why}. Generated are: apiGatewayJwtSecret, ")
    assert error.value.code == ExitCode.BAD_INPUT
