"""archive-service's environment."""

from collections.abc import Mapping

import pytest

from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.environment import EVERY_SERVICE, environment_of
from tests.support.program import find


@pytest.mark.parametrize("stack", STACKS)
def test_the_archive_gets_its_port_and_nothing_secret(programs: Mapping[str, Recorder], stack: str) -> None:
    """Database and queue have credentials, so their addresses are secrets."""
    expected = EVERY_SERVICE | {"NODE_ENV": "production", "PORT": "9000"}
    assert find(programs[stack].objects, "ConfigMap", "archive-service")["data"] == expected


def test_the_archive_listens_where_its_settings_say() -> None:
    """The code reads PORT."""
    assert environment_of("archive-service", {".port": 9001})["PORT"] == "9001"
