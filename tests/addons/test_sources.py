"""Sources of the addons' files, and that only the pinned bytes are used."""

import shutil
from pathlib import Path

import pytest

from cluster.addons import AddonFiles
from tests.addons.conftest import CONTENT, manifest_of
from tests.support.sandbox import ReleaseServer, Sandbox
from tools import ToolsUnavailableError

ADDRESS = "/releases.example/boats.yaml"


@pytest.fixture
def files(sandbox: Sandbox) -> AddonFiles:
    """The files of `boats`, with an empty cache and a Go module that has no file."""
    (sandbox.folder / "source" / "releases").mkdir(parents=True)
    return AddonFiles(manifest_of(), go_folder=sandbox.folder)


@pytest.fixture
def module_file(sandbox: Sandbox, files: AddonFiles) -> Path:
    """The file inside the Go module."""
    assert files.go_folder == sandbox.folder
    path = sandbox.folder / "source" / "releases" / "boats.yaml"
    path.write_bytes(CONTENT)
    return path


def provided(files: AddonFiles) -> bytes:
    """Content of the one file."""
    (path,) = files.provide(["boats"])["boats"]
    return path.read_bytes()


def test_a_file_is_downloaded_once_and_then_taken_from_the_cache(files: AddonFiles, releases: ReleaseServer) -> None:
    """The second run asks nobody."""
    releases.files[ADDRESS] = CONTENT
    assert provided(files) == provided(files) == CONTENT
    assert [path for path, _ in releases.requests] == [ADDRESS]
    assert [each.name for each in files.cache.iterdir()] == ["boats@1.2.3@boats.yaml"]


def test_the_download_is_preferred_to_the_go_module(
    files: AddonFiles, releases: ReleaseServer, module_file: Path, sandbox: Sandbox
) -> None:
    """Go is not even needed then."""
    releases.files[ADDRESS] = CONTENT
    (sandbox.folder / "bin" / "go").unlink()
    assert module_file.exists()
    assert provided(files) == CONTENT


def test_without_a_download_the_file_comes_from_the_go_module(
    files: AddonFiles, releases: ReleaseServer, module_file: Path
) -> None:
    """The release server does not have it."""
    assert module_file.exists()
    assert provided(files) == CONTENT
    assert [path for path, _ in releases.requests] == [ADDRESS]


def test_a_tampered_download_is_refused_and_the_go_module_serves(
    files: AddonFiles, releases: ReleaseServer, module_file: Path
) -> None:
    """Other bytes under the right name are not used."""
    releases.files[ADDRESS] = CONTENT + b"# more"
    assert module_file.exists()
    assert provided(files) == CONTENT


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(files: AddonFiles, releases: ReleaseServer) -> None:
    """The checksum is compared at each use."""
    releases.files[ADDRESS] = CONTENT
    (path,) = files.provide(["boats"])["boats"]
    path.write_bytes(CONTENT + b"# more")
    assert provided(files) == CONTENT
    assert len(releases.requests) == 2


def test_tampered_files_on_both_ways_are_refused_with_every_try(
    files: AddonFiles, releases: ReleaseServer, module_file: Path
) -> None:
    """Nothing is left in the cache."""
    releases.files[ADDRESS] = b"tampered"
    module_file.write_bytes(b"tampered too")
    with pytest.raises(ToolsUnavailableError) as caught:
        provided(files)
    text = str(caught.value)
    assert text.startswith("These manifests of addons could not be provided; nothing was changed on the cluster:")
    assert "Boats 1.2.3: releases/boats.yaml" in text
    assert "download: " in text
    assert f"{ADDRESS} is refused: its sha256 is" in text
    assert "module:   releases/boats.yaml of example.org/boats is refused: its sha256 is" in text
    assert "ALT_LAS_ADDONS=0" in text
    assert list(files.cache.iterdir()) == []


def test_without_server_and_without_go_the_message_names_both(
    files: AddonFiles, releases: ReleaseServer, sandbox: Sandbox
) -> None:
    """A person sees what was tried and what can be done."""
    shutil.rmtree(sandbox.folder / "bin")
    assert releases.files == {}
    with pytest.raises(ToolsUnavailableError, match=r"HTTP 404[\s\S]*Go is not installed[\s\S]*HTTPS_PROXY"):
        provided(files)
