"""Environments of Python packages in the cache."""

from pathlib import Path

import pytest

from tools import ToolsUnavailableError, python_packages

pytestmark = pytest.mark.scan


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_environment_is_made_once_for_each_list(tmp_path: Path) -> None:
    """Another list is another environment, and the first one is left alone."""
    requirements = tmp_path / "some.txt"
    requirements.write_text("# nothing\n")
    first = python_packages.ensure(requirements)
    assert first.program("python").exists()
    assert (first.packages / "pip").is_dir()
    (first.folder / "mark").touch()
    assert (python_packages.ensure(requirements).folder / "mark").exists()
    requirements.write_text("# nothing else\n")
    assert python_packages.ensure(requirements).folder != first.folder


def test_a_package_that_is_not_the_pinned_one_is_refused_and_nothing_counts_as_installed(tmp_path: Path) -> None:
    """By its checksum; without one a package is not taken at all."""
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was pinned")
    requirements = tmp_path / "some.txt"
    requirements.write_text(f"demo @ file://{wheel} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ToolsUnavailableError, match=r"(?s)could not be installed.*(?i:hash)"):
        python_packages.ensure(requirements)
    requirements.write_text(f"demo @ file://{wheel}\n")
    with pytest.raises(ToolsUnavailableError, match=r"(?i)hash"):
        python_packages.ensure(requirements)
    assert list((tmp_path / "cache").rglob("finished")) == []
