"""The table of secrets."""

from components.services import SERVICES
from components.settings.secrets import SECRETS
from tests.support.settings_models import fields


def test_keys_are_unique_and_none_is_a_setting() -> None:
    """A secret is never a field of a model."""
    keys = [secret.key for secret in SECRETS]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {path.rpartition(".")[2] for path, _ in fields()}


def test_what_the_gateway_cannot_start_without_is_generated() -> None:
    """Long enough for HMAC-SHA256, and nothing that is generated is shorter than a key of 256 bits."""
    generated = {secret.key: secret.generated_bytes for secret in SECRETS if secret.required}
    assert (generated["apiGatewayJwtSecret"], generated["apiGatewayJwtRefreshSecret"]) == (48, 48)
    assert all(length is not None and length >= 32 for length in generated.values())
    assert all(secret.generated_bytes is None for secret in SECRETS if not secret.required)


def test_every_secret_reaches_a_known_service_and_no_variable_twice() -> None:
    """Two secrets in one variable would overwrite each other."""
    known = {service.service_name for service in SERVICES}
    reached = [
        (service, variable)
        for secret in SECRETS
        for service, variables in secret.variables.items()
        for variable in variables
    ]
    assert {service for service, _ in reached} == known
    assert len(set(reached)) == len(reached) == 10


def test_every_secret_is_described() -> None:
    """The description ends the message about a missing one."""
    assert all(secret.description.endswith(".") for secret in SECRETS)
