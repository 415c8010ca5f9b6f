"""What all tests share: the program as it registers itself for each stack, recorded once."""

from collections.abc import Mapping

import pytest
from hypothesis import settings

from release.program import Recorder, record
from tests.stacks.documents import STACKS, platform_of

# The same examples in every run: a test fails because of the code, never because of the day.
settings.register_profile("suite", deadline=None, database=None, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def programs() -> Mapping[str, Recorder]:
    """What the whole program registers, by stack. Read-only: all tests share it."""
    return {stack: record(stack, platform_of(stack)) for stack in STACKS}
