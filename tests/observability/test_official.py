"""Loki and Alloy are used where they are installed at the deployed version, and missed with a printed reason."""

from pathlib import Path

import pytest

from tests.observability.official import MUST_RUN, official
from tools.manifest import Manifest

DEPLOYED = [("loki", "3.7.8"), ("alloy", "1.18.1")]


def install(folder: Path, name: str, version: str) -> Path:
    """A program that answers with a version."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name}, version v{version} (branch: HEAD)"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _only_this_folder_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(MUST_RUN, raising=False)


@pytest.mark.parametrize(("name", "version"), DEPLOYED)
def test_the_deployed_version_is_taken_from_path(tmp_path: Path, name: str, version: str) -> None:
    """The version is the tag of the image in the settings."""
    path = install(tmp_path, name, version)
    assert official(name) == path


@pytest.mark.parametrize(("name", "version"), DEPLOYED)
def test_without_the_program_a_test_is_skipped_with_the_reason(name: str, version: str) -> None:
    """The reason says what is missing and why it is not built."""
    with pytest.raises(pytest.skip.Exception, match=f"^not proven here: {name} {version} is not on PATH; this project"):
        official(name)


def test_another_version_proves_nothing(tmp_path: Path) -> None:
    """Acceptance by another version says nothing about the deployed one."""
    install(tmp_path, "loki", "2.9.0")
    with pytest.raises(pytest.skip.Exception, match=r"^not proven here: loki on PATH has version 2\.9\.0, not 3\.7\.8"):
        official("loki")


def test_where_the_programs_must_run_a_missing_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the workflow that takes them from their official images."""
    monkeypatch.setenv(MUST_RUN, "loki,alloy")
    with pytest.raises(pytest.fail.Exception, match=f"^alloy 1.18.1 is not on PATH, and {MUST_RUN} asks for it$"):
        official("alloy")


def test_no_go_module_of_this_repository_names_them() -> None:
    """Of Grafana's modules under the AGPL none is compiled; its separately licensed libraries may be."""
    forbidden = ("loki/v3", "alloy ", "grafana ", "tempo", "mimir", "pyroscope ")
    for module in Manifest.load().modules.values():
        text = (module.folder / "go.mod").read_text("utf-8") + (module.folder / "go.sum").read_text("utf-8")
        assert [name for name in forbidden if f"github.com/grafana/{name}" in text] == []
