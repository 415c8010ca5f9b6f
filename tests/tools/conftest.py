"""Fixtures for the tests of `tools`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http_server import QuietHandler, http_server
from tests.support.sandbox import FAKE_GO, ReleaseServer, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Provide a sandbox with a fake Go; nothing outside of it is on PATH or in the cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_GO_LOG", str(tmp_path / "go.log"))
    monkeypatch.setenv("FAKE_GO_MODULE", str(tmp_path / "source"))
    for name in (
        "FAKE_GO_GATE",
        "FAKE_GO_FAILURE",
        "FAKE_GO_VERSION",
        "FAKE_GO_BUILDS",
        "ALT_LAS_RELEASE_MIRROR",
        "GOCACHE",
    ):
        monkeypatch.delenv(name, raising=False)
    result = Sandbox(tmp_path)
    result.executable("go", FAKE_GO.encode())
    result.save()
    yield result
    result.stop()


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleaseServer]:
    """Provide a release server that is set as the mirror."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            state.answer(self)

    with http_server(Handler) as port:
        state = ReleaseServer(f"http://127.0.0.1:{port}")
        monkeypatch.setenv("ALT_LAS_RELEASE_MIRROR", state.address)
        yield state
