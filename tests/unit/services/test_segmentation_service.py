"""segmentation-service's environment."""

from collections.abc import Mapping

import pytest

from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.environment import EVERY_SERVICE, environment_of
from tests.support.program import find


@pytest.mark.parametrize(("stack", "low", "high"), [("alpha", "256", "384"), ("beta", "500", "1000")])
def test_segmentation_frees_memory_before_its_limit(
    programs: Mapping[str, Recorder], stack: str, low: str, high: str
) -> None:
    """All of its plain variables; beta has the thresholds that the code has by itself, alpha's fit its small limit."""
    assert find(programs[stack].objects, "ConfigMap", "segmentation-service")["data"] == {
        **EVERY_SERVICE,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": "/app",
        "PORT": "8000",
        "AI_ORCHESTRATOR_URL": "http://ai-orchestrator:8001",
        "NLTK_DATA": "/app/nltk_data",
        "DISABLE_SPACY": "true",
        "MEMORY_THRESHOLD_MB": low,
        "HIGH_MEMORY_THRESHOLD_MB": high,
        "GC_INTERVAL": "60",
        "MAX_CACHE_SIZE": "100",
    }


@pytest.mark.parametrize("stack", STACKS)
def test_segmentation_starts_where_it_may_write_its_log(programs: Mapping[str, Recorder], stack: str) -> None:
    """Its code opens a log file in the working directory when it is imported."""
    for service in ("segmentation-service", "runner-service"):
        spec = find(programs[stack].objects, "Deployment", service)["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        if service == "segmentation-service":
            assert container["workingDir"] in [mount["mountPath"] for mount in container["volumeMounts"]]
        else:
            assert "workingDir" not in container


@pytest.mark.parametrize(
    ("stack", "command"),
    [
        # The documented image has WORKDIR /app and CMD ["python", "main.py"], which finds nothing in /app/run.
        ("beta", ["python", "/app/main.py"]),
        # The one of alpha starts `uvicorn main:app`, which finds its module by PYTHONPATH.
        ("alpha", None),
    ],
)
def test_the_program_is_found_from_the_writable_working_directory(
    programs: Mapping[str, Recorder], stack: str, command: list[str] | None
) -> None:
    """A command that is relative to the image's own working directory is replaced by an absolute one."""
    (container,) = find(programs[stack].objects, "Deployment", "segmentation-service")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container.get("command") == command


def test_spacy_can_be_turned_on_for_an_image_that_has_it() -> None:
    """The variable says the opposite of the setting."""
    assert environment_of("segmentation-service", {".spacyEnabled": True})["DISABLE_SPACY"] == "false"
