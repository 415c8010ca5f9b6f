"""runner-service's environment."""

from collections.abc import Mapping

import pytest

from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.environment import EVERY_SERVICE, environment_of
from tests.support.program import find


@pytest.mark.parametrize("stack", STACKS)
def test_the_runner_gets_both_names_of_the_ai_address_and_its_directories(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """The documented name and the one that the code reads, with the port that is right."""
    assert find(programs[stack].objects, "ConfigMap", "runner-service")["data"] == {
        **EVERY_SERVICE,
        "RUST_LOG": "info",
        "BIND_ADDRESS": "0.0.0.0:8080",
        "AI_SERVICE_URL": "http://ai-orchestrator:8001",
        "RUNNER_AI_SERVICE_URL": "http://ai-orchestrator:8001",
        "AI_TIMEOUT_SECONDS": "60",
        "MAX_CONCURRENT_TASKS": "4",
        "MAX_CONCURRENT_AI_TASKS": "4",
        "ALT_FILES_DIR": "/data/alt",
        "LAST_FILES_DIR": "/data/last",
        "ARTIFACTS_DIR": "/data/artifacts",
    }


def test_the_runner_s_figures_are_settings() -> None:
    """Each reaches the variable of its own."""
    changes = {".maxConcurrentTasks": 8, ".maxConcurrentAiTasks": 2, ".aiTimeoutSeconds": 30, ".port": 8090}
    environment = environment_of("runner-service", changes)
    assert environment["MAX_CONCURRENT_TASKS"] == "8"
    assert environment["MAX_CONCURRENT_AI_TASKS"] == "2"
    assert environment["AI_TIMEOUT_SECONDS"] == "30"
    assert environment["BIND_ADDRESS"] == "0.0.0.0:8090"
