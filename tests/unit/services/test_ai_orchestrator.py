"""ai-orchestrator's environment."""

from collections.abc import Mapping

import pytest

from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.environment import EVERY_SERVICE, environment_of
from tests.support.program import find


@pytest.mark.parametrize("stack", STACKS)
def test_the_orchestrator_gets_the_directories_of_its_models_and_cache(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """All of its plain variables; no GPU, because no pod asks for one."""
    assert find(programs[stack].objects, "ConfigMap", "ai-orchestrator")["data"] == {
        **EVERY_SERVICE,
        "PYTHONUNBUFFERED": "1",
        "PORT": "8001",
        "LOG_LEVEL": "INFO",
        "DEBUG": "false",
        "MODEL_DIR": "/app/models",
        "HF_HOME": "/app/models",
        "XDG_CACHE_HOME": "/app/cache",
        "CACHE_DIR": "/app/cache",
        "MODEL_CACHE_DIR": "/app/cache",
        "CACHE_SIZE_LIMIT": "192",
        "USE_GPU": "false",
        "RUNNER_SERVICE_URL": "http://runner-service:8080",
        "SEGMENTATION_SERVICE_URL": "http://segmentation-service:8000",
    }


def test_debug_gpu_and_cache_are_settings() -> None:
    """The code wants levels in capitals and a switch of its own for debugging."""
    environment = environment_of(
        "ai-orchestrator", {".logLevel": "debug", ".gpuEnabled": True, ".cacheSizeLimitMebibytes": 100}
    )
    assert (environment["LOG_LEVEL"], environment["DEBUG"]) == ("DEBUG", "true")
    assert (environment["USE_GPU"], environment["CACHE_SIZE_LIMIT"]) == ("true", "100")
