"""api-gateway's environment."""

from collections.abc import Mapping

import pytest

from rendering.recorder import Recorder
from tests.support.environment import EVERY_SERVICE, environment_of
from tests.support.program import find


@pytest.mark.parametrize(
    ("stack", "origin"), [("alpha", "https://alt-las.local"), ("beta", "https://beta-api.atlas.example.com")]
)
def test_the_gateway_gets_the_addresses_of_the_services_it_calls(
    programs: Mapping[str, Recorder], stack: str, origin: str
) -> None:
    """All of its plain variables, and no other."""
    assert find(programs[stack].objects, "ConfigMap", "api-gateway")["data"] == {
        **EVERY_SERVICE,
        "NODE_ENV": "production",
        "PORT": "3000",
        "LOG_LEVEL": "info",
        "CORS_ORIGIN": origin,
        "SEGMENTATION_SERVICE_URL": "http://segmentation-service:8000",
        "RUNNER_SERVICE_URL": "http://runner-service:8080",
        "ARCHIVE_SERVICE_URL": "http://archive-service:9000",
        "AI_ORCHESTRATOR_URL": "http://ai-orchestrator:8001",
    }


def test_another_port_of_a_called_service_reaches_the_gateway() -> None:
    """Addresses are made from the settings, not written twice."""
    environment = environment_of("api-gateway", {"services.runner-service.port": 8090, ".port": 3001})
    assert environment["RUNNER_SERVICE_URL"] == "http://runner-service:8090"
    assert environment["PORT"] == "3001"


def test_host_and_log_level_are_settings() -> None:
    """Browsers may call it from the host under which it is reached."""
    environment = environment_of("api-gateway", {"ingress.host": "x.example", ".logLevel": "debug"})
    assert (environment["CORS_ORIGIN"], environment["LOG_LEVEL"]) == ("https://x.example", "debug")
