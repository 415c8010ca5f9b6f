"""Reading the configuration of a stack: what is refused, and what reaches which service."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.settings.secrets import SECRETS
from components.stack.configuration import load
from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from rendering.recorder import record, run_program
from tests.support.documents import BESIDE_SERVICES, ROOT, alpha_with, platform_of
from tests.support.program import build, configure, find, full_configuration

REQUIRED = {secret.key: "given-by-a-test-as-text" for secret in SECRETS if secret.required}
TOKENS = ("apiGatewayJwtSecret", "apiGatewayJwtRefreshSecret")


def configuration(platform: object, secrets: Mapping[str, str] = REQUIRED) -> dict[str, str]:
    """Configuration as the engine hands it over: text by full key."""
    return {PLATFORM_KEY: json.dumps(platform)} | {f"alt-las:{key}": value for key, value in secrets.items()}


def refusal(values: Mapping[str, str]) -> str:
    """Why the whole program refuses to run; nothing may be registered by then."""
    configure(values)
    registered: list[Any] = []

    def run() -> None:
        try:
            run_program(ROOT)
        except pulumi.RunError as error:
            refusals.append(str(error))

    refusals: list[str] = []
    registered += build(run).requests
    assert registered == []
    (text,) = refusals
    return text


def test_a_usable_configuration_gives_settings_and_the_secrets_that_are_set() -> None:
    """A secret that nobody set is absent, not empty."""
    configure(configuration(platform_of("alpha")))
    loaded = load(ROOT)
    assert loaded.platform.namespace == "alt-las"
    assert set(loaded.secrets) == set(REQUIRED)


def test_a_stack_without_settings_is_refused_with_the_name_of_its_file() -> None:
    """The key, what is wrong, and where to write it."""
    text = refusal({f"alt-las:{key}": value for key, value in REQUIRED.items()})
    assert text == (
        "1 problem in the stack configuration, nothing was changed:\n"
        "  alt-las:platform: is missing from the stack file Pulumi.alpha.yaml"
    )


def test_a_misspelt_key_of_the_project_is_refused_with_the_right_one() -> None:
    """Pulumi itself would ignore it, and the service would run without its secret."""
    text = refusal(configuration(platform_of("alpha"), REQUIRED | {"openAiKey": "hidden-value"}))
    assert text.startswith("1 problem in the stack configuration, nothing was changed:\n  alt-las:openAiKey: ")
    assert "is not a known key; did you mean 'alt-las:openaiApiKey'? Known: alt-las:platform, " in text
    assert "hidden-value" not in text


def test_a_secret_in_plain_text_is_refused_without_its_value(tmp_path: Path) -> None:
    """By plain Pulumi and by every command that reads the stack file; encrypted, and as a placeholder, it is taken."""
    values = configuration(platform_of("alpha"), REQUIRED | {"openaiApiKey": "hidden-value"})
    configure(values, [key for key in values if key != "alt-las:openaiApiKey"])
    with pytest.raises(pulumi.RunError) as by_pulumi:
        load(ROOT)
    file = tmp_path / "Pulumi.alpha.yaml"
    written = {PLATFORM_KEY: platform_of("alpha"), "alt-las:openaiApiKey": "hidden-value"}
    file.write_text(json.dumps({"config": written}))
    with pytest.raises(SettingsError) as by_command:
        read_platform(file)
    for text in map(str, (by_pulumi.value, by_command.value)):
        assert text.startswith(
            "1 problem in the stack configuration, nothing was changed:\n  alt-las:openaiApiKey: is in "
        )
        assert text.endswith("`pulumi config set --secret --stack alpha alt-las:openaiApiKey`")
        assert "hidden-value" not in text
    for value in ({"secure": "v1:x"}, "<openaiApiKey>"):
        file.write_text(json.dumps({"config": written | {"alt-las:openaiApiKey": value}}))
        assert read_platform(file).namespace == "alt-las"


def test_an_unknown_key_unlike_any_other_gets_no_suggestion() -> None:
    """A wild guess would only mislead; the list of all keys is given."""
    text = refusal(configuration(platform_of("alpha"), REQUIRED | {"xyz": "hidden-value"}))
    assert "alt-las:xyz: is not a known key; Known: alt-las:platform, alt-las:apiGatewayJwtSecret, " in text
    assert "did you mean" not in text
    assert "hidden-value" not in text


def test_a_key_of_another_project_or_provider_is_not_ours_to_judge() -> None:
    """Providers read their own keys from the same file."""
    configure(configuration(platform_of("alpha")) | {"kubernetes:context": "x", "alt-lass:platform": "y"})
    assert load(ROOT).platform.namespace == "alt-las"


@pytest.mark.parametrize("missing", TOKENS)
def test_a_missing_required_secret_is_refused_with_the_command_that_makes_it(missing: str) -> None:
    """Without it the gateway would end at start, or use a literal that everybody knows."""
    rest = {key: value for key, value in REQUIRED.items() if key != missing}
    text = refusal(configuration(platform_of("alpha"), rest))
    assert text.startswith(
        "1 problem in the stack configuration, nothing was changed:\n"
        f"  alt-las:{missing}: is missing; create it with `altlas secrets init --stack alpha`. Signs the gateway's "
    )


def test_everything_that_is_wrong_is_said_at_once_with_the_settings_first() -> None:
    """One run, one list: settings, unknown keys, missing secrets."""
    document = alpha_with({"namespace": "Alt_Las", "services.runner-service.image.tag": "latest"})
    secrets = {key: value for key, value in REQUIRED.items() if key not in TOKENS}
    lines = refusal(configuration(document, secrets | {"apiGatewayJwtSecrets": "hidden-value"})).splitlines()
    assert lines[0] == "5 problems in the stack configuration, nothing was changed:"
    assert [line.strip().split(" ")[0] for line in lines[1:]] == [
        "alt-las:platform.namespace:",
        "alt-las:platform.services.runner-service.image:",
        "alt-las:apiGatewayJwtSecrets:",
        "alt-las:apiGatewayJwtSecret:",
        "alt-las:apiGatewayJwtRefreshSecret:",
    ]
    assert "hidden-value" not in "".join(lines)


def test_settings_that_are_text_and_not_a_block_are_refused() -> None:
    """Such as after `pulumi config set platform <text>`."""
    text = refusal({PLATFORM_KEY: "not a block", **{f"alt-las:{key}": value for key, value in REQUIRED.items()}})
    assert text.endswith("\n  alt-las:platform: has the wrong type; it must be a block of keys")
    assert "not a block" not in text


def test_the_recorder_refuses_with_the_same_message() -> None:
    """Rendering and previewing see the same program."""
    with pytest.raises(pulumi.RunError, match=r"^1 problem .*\n  alt-las:platform.namespace: is not a DNS label; "):
        record("alpha", alpha_with({"namespace": "-"}))


def test_each_secret_reaches_the_services_and_variables_that_want_it_and_no_other() -> None:
    """Documented names and the names that the code reads, in a stack that runs no store of its own."""
    document = {key: value for key, value in platform_of("alpha").items() if key not in BESIDE_SERVICES}
    objects = objects_of({PLATFORM_KEY: json.dumps(document)})
    expected = {
        "api-gateway": {
            "JWT_SECRET": "value-of-apiGatewayJwtSecret",
            "JWT_REFRESH_SECRET": "value-of-apiGatewayJwtRefreshSecret",
            "REFRESH_TOKEN_SECRET": "value-of-apiGatewayJwtRefreshSecret",
            "REDIS_URL": "redis://value-of-redisUrl",
        },
        "runner-service": {"NATS_URL": "nats://value-of-natsUrl"},
        "segmentation-service": {"DATABASE_URL": "postgresql://value-of-segmentationDatabaseUrl"},
        "ai-orchestrator": {"OPENAI_API_KEY": "value-of-openaiApiKey", "AI_API_KEY": "value-of-openaiApiKey"},
        "archive-service": {
            "NATS_URL": "nats://value-of-natsUrl",
            "DATABASE_URL": "postgresql://value-of-archiveDatabaseUrl",
        },
    }
    for service, variables in expected.items():
        assert find(objects, "Secret", f"{service}")["stringData"] == variables
    assert sum(each["kind"] == "Secret" for each in objects) == 5


def test_a_store_of_the_stack_replaces_the_address_that_a_person_has_set() -> None:
    """Each service has a user and a password of its own."""
    objects = objects_of({})
    expected = {
        ("api-gateway", "REDIS_URL"): "redis://api-gateway:value-of-redisApiGatewayPassword@redis:6379",
        ("runner-service", "NATS_URL"): "nats://runner-service:value-of-natsRunnerPassword@nats:4222",
        ("archive-service", "NATS_URL"): "nats://archive-service:value-of-natsArchivePassword@nats:4222",
    }
    for (service, variable), value in expected.items():
        assert find(objects, "Secret", service)["stringData"][variable] == value


def objects_of(changes: dict[str, str]) -> list[dict[str, Any]]:
    """The objects of alpha with every secret set and some keys of its configuration changed."""
    values = full_configuration("alpha") | changes
    configure(values)
    return build(lambda: run_program(ROOT)).recorder.objects


def test_no_secret_value_stands_outside_of_a_secret() -> None:
    """Not in a ConfigMap, not in an argument, not in a label."""
    values = full_configuration("beta")
    configure(values)
    for manifest in build(lambda: run_program(ROOT), "beta").recorder.objects:
        if manifest["kind"] != "Secret":
            assert not [secret.key for secret in SECRETS if f"value-of-{secret.key}" in json.dumps(manifest)]
