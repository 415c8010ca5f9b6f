"""Recording the program: what the engine's stand-in keeps and what it refuses."""

import json
from pathlib import Path

import pytest
from pulumi.runtime.mocks import MockCallArgs

from components.settings.secrets import SECRETS
from rendering.recorder import Recorder, record, run_program
from tests.support.documents import alpha_with, platform_of
from tests.support.program import build, find


def test_generated_secrets_are_placeholders_and_the_rest_is_absent() -> None:
    """A rendering holds no secret."""
    objects = record("alpha", platform_of("alpha")).objects
    gateway = find(objects, "Secret", "api-gateway")["stringData"]
    assert gateway["JWT_SECRET"] == "<apiGatewayJwtSecret>"
    assert gateway["JWT_REFRESH_SECRET"] == gateway["REFRESH_TOKEN_SECRET"] == "<apiGatewayJwtRefreshSecret>"
    assert "OPENAI_API_KEY" not in json.dumps(objects)


def test_a_receiver_whose_address_is_a_secret_can_be_recorded() -> None:
    """`altlas up` records the program before each update, and nobody's secret is at hand there."""
    receivers = [
        {"name": "on-call", "webhook": {}},
        {
            "name": "team",
            "mail": {"to": "t@example.com", "sender": "a@example.com", "host": "mail.example.com", "username": "a"},
        },
    ]
    changes = {"alertmanager.receivers": receivers, "alertmanager.routes": {"page": "on-call", "ticket": "team"}}
    text = json.dumps(find(record("alpha", alpha_with(changes)).objects, "Secret", "alertmanager-configuration"))
    assert "<alertmanagerWebhookUrl>" in text
    assert "<alertmanagerMailPassword>" in text


def test_figures_stay_whole_numbers() -> None:
    """The wire makes them fractions, and Kubernetes refuses 80.0 as a port."""
    service = find(record("alpha", platform_of("alpha")).objects, "Service", "api-gateway")
    port = service["spec"]["ports"][0]["port"]
    assert (port, type(port)) == (80, int)


def test_one_recording_leaves_nothing_behind_for_the_next() -> None:
    """Neither secrets nor settings."""
    values = {secret.key: "given-once-by-a-test" for secret in SECRETS if not secret.form.endswith("url")}
    assert "given-once" in json.dumps(record("alpha", platform_of("alpha"), values).objects)
    after = json.dumps(record("beta", platform_of("beta")).objects)
    assert "given-once" not in after
    assert '"namespace": "alt-las"' not in after


def test_a_call_of_the_program_is_refused() -> None:
    """Nothing could answer it without a cluster."""
    with pytest.raises(NotImplementedError, match="the program calls kubernetes:x, which no recording answers"):
        Recorder().call(MockCallArgs("kubernetes:x", {}, ""))


def test_the_program_is_the_one_in_the_folder(tmp_path: Path) -> None:
    """A copy of the project runs its own program."""
    (tmp_path / "__main__.py").write_text("import pulumi\npulumi.export('a', 1)\n")
    assert build(lambda: run_program(tmp_path)).requests == []
