"""The five images, really built and run here; what every line of `make images` must be."""

import json

import pytest

from tests.images.debian import NoBuilderError
from tests.images.proof import METRICS_PATHS, REVISION, WRITABLE, Seen, default_cache, prove

pytestmark = pytest.mark.e2e

MOST_MEBIBYTES = {
    "api-gateway": 48,
    "runner-service": 7,
    "segmentation-service": 22,
    "ai-orchestrator": 22,
    "archive-service": 6,
}
"""A fifth above what was measured with Debian 12's packages."""
MOST_LAYERS = 4
MOST_START_MS = 10_000
MOST_STOP_MS = 5_000


@pytest.fixture(scope="module")
def images() -> list[Seen]:
    """What was seen of the five images; they are built once for this module."""
    try:
        return prove(default_cache())[1]
    except NoBuilderError as error:
        reason = f"not proven here: images are not built and not run, because {error}"
        print(reason)
        pytest.skip(reason)


def test_every_service_has_an_image_within_its_size_and_number_of_layers(images: list[Seen]) -> None:
    """Size counts compressed layers."""
    assert [image.service for image in images] == list(MOST_MEBIBYTES)
    for image in images:
        assert image.size < MOST_MEBIBYTES[image.service] << 20, image
        assert image.layers <= MOST_LAYERS, image


def test_two_builds_give_the_same_digest(images: list[Seen]) -> None:
    """Both builds start without cache."""
    assert [image.service for image in images if image.digests[0] != image.digests[1]] == []


def test_services_that_differ_have_images_that_differ(images: list[Seen]) -> None:
    """Otherwise equal digests would prove nothing."""
    assert len({image.digests[0] for image in images}) == len(images)


def test_every_image_answers_its_health_path_and_its_own_health_check(images: list[Seen]) -> None:
    """The health check runs in the image as its user, over its own loopback."""
    for image in images:
        assert (image.health, image.health_check) == (200, 0), image
        assert image.start_ms < MOST_START_MS, image


def test_the_services_that_have_figures_answer_for_them(images: list[Seen]) -> None:
    """Metrics of the gateway, memory figures of segmentation."""
    assert {image.service: image.metrics for image in images if image.metrics} == dict.fromkeys(METRICS_PATHS, 200)


def test_every_process_runs_as_the_user_of_its_image(images: list[Seen]) -> None:
    """A number, so that a cluster can tell that it is not root."""
    assert {(image.user, image.process_user) for image in images} == {("10001:10001", 10001)}


def test_nothing_can_be_written_but_the_named_paths(images: list[Seen]) -> None:
    """The root file system is mounted read-only; the paths are those that the services declare."""
    assert {image.service: set(image.writable) for image in images} == {
        name: set(paths) for name, paths in WRITABLE.items()
    }


def test_sigterm_ends_every_process_cleanly(images: list[Seen]) -> None:
    """The process is the first of its namespace, where a signal without handler would be lost."""
    for image in images:
        assert image.stop_code == 0, image
        assert image.stop_ms < MOST_STOP_MS, image


def test_every_line_on_standard_output_is_json_and_the_last_tells_of_the_signal(images: list[Seen]) -> None:
    """Logs go to standard output, never to files."""
    for image in images:
        lines = [json.loads(line) for line in image.logs]
        assert lines[0]["message"].startswith("listening on"), image
        assert lines[-1]["message"].startswith("SIGTERM"), image


def test_no_image_holds_a_shell_a_package_manager_or_a_compiler(images: list[Seen]) -> None:
    """The last stage starts from a bare base and copies only what the service needs."""
    assert {image.service: image.programs for image in images if image.programs} == {}


def test_every_image_says_what_it_was_built_from(images: list[Seen]) -> None:
    """Labels of the Open Container Initiative."""
    for image in images:
        labels = {name.removeprefix("org.opencontainers.image."): text for name, text in image.labels.items()}
        assert labels["title"] == image.service
        assert (labels["version"], labels["revision"]) == (REVISION[:12], REVISION)
        assert labels["created"] == "2023-11-14T22:13:20Z"
        assert labels["source"].startswith("https://")
        assert "@sha256:" in labels["base.name"]
