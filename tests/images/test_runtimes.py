"""Which runtime an image has, and the day after which nobody mends it."""

from datetime import date
from pathlib import Path

import pytest

from altlas.images.runtimes import end_of_life, runtime_reports
from components.stack.image_build import RUNTIME_OF
from components.stack.loading import read_platform
from tests.images.conftest import Altlas
from tests.support.documents import ROOT


def versions(stack: str) -> dict[str, str]:
    """Version of each service's runtime."""
    return {each.service: each.version for each in runtime_reports(read_platform(ROOT / f"Pulumi.{stack}.yaml"))}


def test_the_recorded_beta_images_have_the_versions_of_their_report() -> None:
    """And every service has a runtime."""
    recorded = dict(zip(RUNTIME_OF, ("18", "1.75", "3.9", "3.10", "1.20"), strict=True))
    assert versions("beta") == recorded


def test_an_image_that_is_still_to_be_built_has_the_versions_of_the_settings() -> None:
    """Those that are supported."""
    assert versions("alpha") == dict(zip(RUNTIME_OF, ("24", "1.95", "3.14", "3.14", "1.26"), strict=True))


@pytest.mark.parametrize(
    ("runtime", "version", "expected"),
    [
        ("node", "18", date(2025, 4, 30)),
        ("node", "18.20.4", date(2025, 4, 30)),
        ("python", "3.10", date(2026, 10, 31)),
        ("python", "3.1", None),
        ("go", "1.20.14", date(2024, 2, 6)),
        ("go", "1.26", None),
    ],
)
def test_the_end_of_life_is_that_of_the_line(runtime: str, version: str, expected: date | None) -> None:
    """Unknown where no line fits."""
    assert end_of_life(runtime, version) == expected


def test_the_last_day_still_counts() -> None:
    """Support ends with the day."""
    (segmentation,) = [
        each
        for each in runtime_reports(read_platform(ROOT / "Pulumi.beta.yaml"))
        if each.service == "segmentation-service"
    ]
    assert not segmentation.is_past(date(2025, 10, 31))
    assert segmentation.is_past(date(2025, 11, 1))


def test_the_command_names_every_runtime_past_its_end_with_its_date(altlas: Altlas, checkout: Path) -> None:
    """All five of the recorded beta images."""
    assert checkout
    done = altlas("images", "runtimes", "beta")
    assert done.code == 0
    days = ("2025-04-30", "2024-02-08", "2025-10-31", "2026-10-31", "2024-02-06")
    for line, day in zip(done.out.splitlines()[1:], days, strict=True):
        assert f"END OF LIFE since {day}" in line
