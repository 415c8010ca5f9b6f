"""The five images, really built and run here; what every line of `make images` must be."""

import json
import re

import pytest

from cluster.node.images.bases import RUNTIMES
from cluster.node.images.builder import BuildFailedError, default_cache
from components.stack.image_build import RUNTIME_OF
from tests.images.bounds import MOST_MEBIBYTES, violations
from tests.images.proof import ALPHA, METRICS_PATHS, REVISION, WRITABLE, Seen, built_for, prove
from tests.tiers import sampled
from tools.errors import ToolsUnavailableError

pytestmark = pytest.mark.e2e

_BUILT_TWICE = 2
"""Services that `make verify` builds twice; `make verify-all` builds all of them twice."""


@pytest.fixture(scope="module")
def images(*, whole: bool) -> list[Seen]:
    """Observations of the five images; in a sample, only some are built twice to compare their digests."""
    services = list(RUNTIME_OF)
    twice = services if whole else [services[position] for position in sampled(len(services), _BUILT_TWICE)]
    try:
        return prove(default_cache(), twice)[1]
    except ToolsUnavailableError as error:
        reason = f"not proven here: images are not built and not run, because {error}"
        print(reason)
        pytest.skip(reason)


def test_no_line_of_the_table_is_worse_than_its_bound(images: list[Seen]) -> None:
    """Size, layers, user, start, health, end, and the digest of two builds."""
    assert [image.service for image in images] == list(MOST_MEBIBYTES)
    assert {image.service: found for image in images if (found := list(violations(image)))} == {}


def test_services_that_differ_have_images_that_differ(images: list[Seen]) -> None:
    """Otherwise equal digests would prove nothing."""
    assert len({image.digests[0] for image in images}) == len(images)


def test_the_services_that_have_figures_answer_for_them(images: list[Seen]) -> None:
    """Metrics of the gateway, memory figures of segmentation."""
    assert {image.service: image.metrics for image in images if image.metrics} == dict.fromkeys(METRICS_PATHS, 200)


def test_nothing_can_be_written_but_the_named_paths(images: list[Seen]) -> None:
    """The root file system is mounted read-only; the paths are those that the services declare."""
    assert {image.service: set(image.writable) for image in images} == {
        name: set(paths) for name, paths in WRITABLE.items()
    }


def test_every_line_on_standard_output_is_json_and_the_last_tells_of_the_signal(images: list[Seen]) -> None:
    """Logs go to standard output, never to files."""
    for image in images:
        lines = [json.loads(line) for line in image.logs]
        assert lines[0]["message"].startswith("listening on"), image
        assert lines[-1]["message"].startswith("SIGTERM"), image


def test_no_image_holds_a_shell_a_package_manager_or_a_compiler(images: list[Seen]) -> None:
    """The last stage starts from a bare base and copies only what the service needs."""
    assert {image.service: image.programs for image in images if image.programs} == {}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("service", list(RUNTIME_OF))
def test_a_base_of_another_version_than_the_settings_name_ends_the_build(service: str) -> None:
    """Alpha wants newer runtimes than those of the bases that are put together here."""
    runtime = RUNTIME_OF[service]
    wanted = getattr(ALPHA.builds.runtimes, runtime)
    with pytest.raises(BuildFailedError) as failed:
        built_for(default_cache(), service, ALPHA)
    has = re.escape(RUNTIMES[runtime])
    said = rf"BUILD_IMAGE has .*\b[a-z]*{has}\..*, but builds\.runtimes\.{runtime} is {re.escape(wanted)}"
    assert re.search(said, str(failed.value))


def test_every_image_says_what_it_was_built_from(images: list[Seen]) -> None:
    """Labels of the Open Container Initiative."""
    for image in images:
        labels = {name.removeprefix("org.opencontainers.image."): text for name, text in image.labels.items()}
        assert labels["title"] == image.service
        assert (labels["version"], labels["revision"]) == (REVISION[:12], REVISION)
        assert labels["created"] == "2023-11-14T22:13:20Z"
        assert labels["source"].startswith("https://")
        assert "@sha256:" in labels["base.name"]
