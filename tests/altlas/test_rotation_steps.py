"""Progress of a rotation, and the passwords that are out of use."""

from datetime import UTC, datetime
from typing import Any

import pytest

from altlas.update.rotation import FOLLOW_SECONDS, changed_use, old_pods, out_of_use, seconds_to_wait, unfinished
from components.settings.secrets import SECRETS, noted
from rendering.errors import CommandError, ExitCode
from tests.altlas.conftest import Altlas

KEYS = ("natsRunnerPassword", "apiGatewayJwtSecret")


def test_every_rotation_changes_to_the_other_password_and_back() -> None:
    """A secret that no server knows two of has no other one."""
    first = changed_use((), KEYS)
    assert first == ("natsRunnerPassword",)
    assert out_of_use(first, KEYS) == ("natsRunnerPassword",)
    second = changed_use(first, KEYS)
    assert second == ()
    assert out_of_use(second, KEYS) == ("natsRunnerPasswordSecond",)


def test_what_others_use_stays_in_use() -> None:
    """One secret's rotation says nothing about another's."""
    assert changed_use(("natsArchivePassword",), KEYS) == ("natsArchivePassword", "natsRunnerPassword")


def test_services_of_every_store_have_two_passwords() -> None:
    """Those of the stores' own servers have one, and so have keys that are no passwords."""
    doubled = {secret.key for secret in SECRETS if secret.is_doubled}
    assert doubled == {
        "postgresSegmentationPassword",
        "postgresArchivePassword",
        "redisApiGatewayPassword",
        "natsRunnerPassword",
        "natsArchivePassword",
    }
    keys = {secret.key: secret for secret in SECRETS}
    assert all(keys[keys[key].second_key].required for key in doubled)


def test_a_rotation_that_has_begun_must_be_finished_first() -> None:
    """In any order of its secrets; another one is refused with the command that ends the first."""
    configuration = {"alt-las:rotating": "natsRunnerPassword apiGatewayJwtSecret"}
    assert unfinished(configuration, tuple(reversed(KEYS)))
    assert not unfinished({}, KEYS)
    with pytest.raises(CommandError, match="`altlas secrets rotate natsRunnerPassword apiGatewayJwtSecret`") as error:
        unfinished(configuration, ("natsRunnerPassword",))
    assert error.value.code == ExitCode.BAD_INPUT


def test_servers_get_time_to_read_the_youngest_of_their_secrets() -> None:
    """None where the last change is long ago, or where there is no store."""
    now = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
    assert seconds_to_wait(["2026-06-01T11:59:50Z", "2026-05-01T00:00:00Z"], now) == FOLLOW_SECONDS - 10
    assert seconds_to_wait(["2026-05-01T00:00:00Z"], now) < 0
    assert seconds_to_wait([], now) == 0


def manifest(kind: str, name: str, service: str, secret: str, **metadata: str) -> dict[str, Any]:
    """A Deployment or a pod with one Secret, beside those that others inject."""
    sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": secret}}]
    pod = {"spec": {"containers": [{"name": service, "envFrom": sources}, {"name": "of-others"}]}}
    labels = {"app.kubernetes.io/name": service}
    found = {"kind": kind, "metadata": {"name": name, "labels": labels, **metadata}}
    return found | (pod if kind == "Pod" else {"spec": {"template": pod}})


def test_a_rotation_waits_for_every_pod_with_the_old_password() -> None:
    """Also for those that serve until Flagger promotes the release, whose Secrets are copies."""
    deployment, service = manifest("Deployment", "api-gateway", "api-gateway", "new"), "api-gateway-primary"
    primary = manifest("Deployment", service, service, "old-primary")
    new = [manifest("Pod", "a", "api-gateway", "new"), manifest("Pod", "b", service, "new-primary")]
    old = [
        manifest("Pod", "c", "api-gateway", "old"),
        manifest("Pod", "d", service, "old-primary"),
        manifest("Pod", "e", "api-gateway", "new", deletionTimestamp="2026-06-01T12:00:00Z"),
    ]
    ended = manifest("Pod", "f", "api-gateway", "old") | {"status": {"phase": "Failed"}}
    assert old_pods([deployment, primary, *new, ended]) == []
    assert old_pods([deployment, primary, *new, *old, ended]) == ["c", "d", "e"]


def test_notes_are_keys_between_spaces() -> None:
    """An absent note is empty."""
    assert noted("a b") == ("a", "b")
    assert noted(None) == noted("") == ()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("openaiApiKey", "'openaiApiKey' cannot be rotated: it is not generated"),
        ("natsRunnerPasswordSecond", "'natsRunnerPasswordSecond' cannot be rotated: it is unknown"),
    ],
)
def test_the_command_refuses_what_cannot_be_rotated(altlas: Altlas, key: str, message: str) -> None:
    """Before it looks for a cluster."""
    done = altlas("secrets", "rotate", key)
    assert done.code == ExitCode.BAD_INPUT
    assert done.error.startswith(f"error: {message}")
    assert "Generated are: apiGatewayJwtSecret, " in done.error
