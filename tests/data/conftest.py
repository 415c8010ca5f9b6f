"""Folders for real servers, and the clients of their version."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres_servers import own, programs


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the servers' user can reach, with short names for sockets; removed with its content."""
    made = Path(tempfile.mkdtemp(prefix="alt-las-data-"))
    own(made).chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres_clients() -> Iterator[None]:
    """The pinned clients come first on PATH."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs()}{os.pathsep}{os.environ['PATH']}")
        yield
