"""Official releases, taken from a file server on the loopback interface."""

import io
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sandbox import ReleaseServer, Sandbox, program_text, sha256, tar_gz
from tools.__main__ import main
from tools.download import Downloader
from tools.errors import WayFailedError
from tools.manifest import Release, current_platform

PROGRAM = program_text("1.2.3")
PATH = "/releases.example/demo"


def ensure(sandbox: Sandbox) -> int:
    """Run `ensure` in this process."""
    return main(["--manifest", str(sandbox.manifest), "ensure"])


def partial_files(sandbox: Sandbox) -> list[str]:
    """Return the names of the partial downloads that are kept."""
    return sorted(file.name for file in (sandbox.root / "downloads").iterdir())


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip archive, which is also what a Python wheel is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def debian(members: dict[str, bytes]) -> bytes:
    """Return a Debian package; its first member has an odd length, so that padding matters."""
    parts = [b"!<arch>\n"]
    for name, content in {"debian-binary": b"2.0", "data.tar.gz": tar_gz(members)}.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def test_a_release_with_the_right_checksum_is_used(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """The program comes from the download, nothing is built, and no partial file stays."""
    sandbox.package("demo", releases=releases.release("demo", PROGRAM))
    assert ensure(sandbox) == 0
    assert (sandbox.finished("demo")[0] / "demo").read_bytes() == PROGRAM
    assert sandbox.builds == []
    assert partial_files(sandbox) == []


@pytest.mark.parametrize("pack", [tar_gz, zipped, debian])
def test_every_program_of_a_package_is_taken_out_of_its_archive(
    sandbox: Sandbox, releases: ReleaseServer, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    """Tar, zip and Debian archives yield exactly the members that the manifest names."""
    members = {"top/demo": PROGRAM, "top/helper": b"helper", "top/README": b"unwanted"}
    names = {"demo": "top/demo", "demo-helper": "top/helper"}
    entry = releases.release("demo", pack(members), members=names)
    sandbox.package("demo", built=False, programs=["demo", "demo-helper"], releases=entry)
    assert ensure(sandbox) == 0
    (folder,) = sandbox.finished("demo")
    assert sorted(file.name for file in folder.iterdir()) == ["demo", "demo-helper", "origin.json"]
    assert (folder / "demo").read_bytes() == PROGRAM
    assert (folder / "demo-helper").read_bytes() == b"helper"


def test_an_archive_without_the_program_is_refused(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A member that is not there is a reason, not a traceback."""
    entry = releases.release("demo", tar_gz({"top/other": PROGRAM}), members={"demo": "top/demo"})
    sandbox.package("demo", built=False, releases=entry)
    assert ensure(sandbox) == 3
    assert "https://releases.example/demo holds no usable top/demo: " in capsys.readouterr().err


def test_a_release_with_a_wrong_checksum_is_refused_and_removed(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other content than the pinned one never becomes a program; the message names both checksums."""
    entry = releases.release("demo", PROGRAM)
    releases.files[PATH] = PROGRAM + b"#"
    sandbox.package("demo", built=False, releases=entry)
    assert ensure(sandbox) == 3
    reason = f"{PATH} is refused: its sha256 is {sha256(PROGRAM + b'#')}, but {sha256(PROGRAM)} is pinned\n"
    assert reason in capsys.readouterr().err
    assert partial_files(sandbox) == []
    assert sandbox.finished("demo") == []


@pytest.mark.parametrize("fault", ["wrong", "missing"])
def test_after_a_failed_download_the_program_is_built(sandbox: Sandbox, releases: ReleaseServer, fault: str) -> None:
    """A refused or absent release leads to the next way."""
    entry = releases.release("demo", b"something else" if fault == "wrong" else PROGRAM)
    releases.files = {PATH: PROGRAM} if fault == "wrong" else {}
    sandbox.package("demo", releases=entry)
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 1


def test_a_second_release_is_tried_when_the_first_one_is_missing(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """A package may name several downloads, which are tried in turn."""
    first = releases.release("first", PROGRAM)[current_platform()]
    second = releases.release("second", PROGRAM)[current_platform()]
    del releases.files["/releases.example/first"]
    sandbox.package("demo", releases={current_platform(): first + second})
    assert ensure(sandbox) == 0
    assert [path for path, _ in releases.requests] == ["/releases.example/first", "/releases.example/second"]
    assert sandbox.builds == []


def test_a_missing_release_is_named_with_its_status(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 404 names the address that was really asked."""
    entry = releases.release("demo", PROGRAM)
    releases.files.clear()
    sandbox.package("demo", built=False, releases=entry)
    assert ensure(sandbox) == 3
    assert f"  download: {releases.address}{PATH}: HTTP 404 Not Found\n" in capsys.readouterr().err


def test_a_download_that_breaks_off_is_continued_where_it_broke(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """After a truncated answer only the rest is asked for, and the whole has the right checksum."""
    sandbox.package("demo", releases=releases.release("demo", PROGRAM))
    releases.break_after[PATH] = 7
    assert ensure(sandbox) == 0
    assert releases.requests == [(PATH, None), (PATH, "bytes=7-")]
    assert sandbox.builds == []


@pytest.mark.parametrize("have", [1, len(PROGRAM) - 1, len(PROGRAM)])
def test_a_partial_file_of_an_earlier_run_is_continued(sandbox: Sandbox, releases: ReleaseServer, have: int) -> None:
    """Bytes that a killed run has downloaded are not downloaded again, also when only the check was missing."""
    sandbox.package("demo", built=False, releases=releases.release("demo", PROGRAM))
    (sandbox.root / "downloads").mkdir(parents=True)
    (sandbox.root / "downloads" / f"{sha256(PROGRAM)}.partial").write_bytes(PROGRAM[:have])
    assert ensure(sandbox) == 0
    assert releases.requests == [(PATH, f"bytes={have}-")]
    assert (sandbox.finished("demo")[0] / "demo").read_bytes() == PROGRAM


def test_a_damaged_partial_file_does_not_survive(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """A partial file with wrong bytes spoils one run's download only; the next run starts afresh."""
    sandbox.package("demo", built=False, releases=releases.release("demo", PROGRAM))
    (sandbox.root / "downloads").mkdir(parents=True)
    (sandbox.root / "downloads" / f"{sha256(PROGRAM)}.partial").write_bytes(b"wrong")
    assert [ensure(sandbox), ensure(sandbox)] == [3, 0]


def test_a_server_that_always_breaks_off_is_given_up(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """After three tries without an end the next way is taken, and the partial file is kept for the next run."""

    class Breaking(dict[str, int]):
        def pop(self, *_: object) -> int:
            return 5

    releases.break_after = Breaking()
    sandbox.package("demo", built=False, releases=releases.release("demo", PROGRAM))
    assert ensure(sandbox) == 3
    assert f"{PATH} broke off: IncompleteRead" in capsys.readouterr().err
    assert len(releases.requests) == 3
    assert partial_files(sandbox) == [f"{sha256(PROGRAM)}.partial"]


def test_a_release_without_a_known_checksum_is_not_asked_for(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is downloaded that could not be proven; the message says so."""
    entry = releases.release("demo", PROGRAM)
    entry[current_platform()][0]["sha256"] = None
    sandbox.package("demo", built=False, releases=entry)
    assert ensure(sandbox) == 3
    assert releases.requests == []
    assert (
        "  download: https://releases.example/demo is not downloaded, because its checksum is not known here\n"
        in capsys.readouterr().err
    )


def test_a_host_that_cannot_be_reached_is_a_reason_for_every_package(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a network each package says so, and nothing hangs."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ALT_LAS_RELEASE_MIRROR", f"http://127.0.0.1:{port}")
    for name in ("first", "second"):
        release = {"url": f"https://releases.example/{name}", "sha256": sha256(PROGRAM)}
        sandbox.package(name, built=False, releases={current_platform(): [release]})
    assert ensure(sandbox) == 3
    assert capsys.readouterr().err.count(f": 127.0.0.1:{port} cannot be reached: ") == 2


def test_a_server_without_ranges_sends_the_whole_file_again(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """The partial file is then replaced, not extended."""
    releases.knows_ranges = False
    sandbox.package("demo", built=False, releases=releases.release("demo", PROGRAM))
    (sandbox.root / "downloads").mkdir(parents=True)
    (sandbox.root / "downloads" / f"{sha256(PROGRAM)}.partial").write_bytes(PROGRAM[:5])
    assert ensure(sandbox) == 0


def test_a_host_that_cannot_be_reached_is_asked_once_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead host costs its time-out once, not once for each program."""
    calls: list[str] = []

    def dead(request: urllib.request.Request, timeout: int) -> None:
        calls.append(f"{request.full_url} {timeout}")
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", dead)
    downloader = Downloader(tmp_path, None)
    for name in ("first", "second"):
        reason = f"https://releases.example/{name}: releases.example cannot be reached: no route"
        with pytest.raises(WayFailedError, match=f"^{reason}$"):
            downloader.fetch(Release(f"https://releases.example/{name}", sha256(PROGRAM)))
    assert calls == ["https://releases.example/first 15"]
