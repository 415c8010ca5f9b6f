"""Messages to the user: progress, and the one message when a program cannot be had."""

import io
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.support.sandbox import REPOSITORY, ReleaseServer, Sandbox, program_text, wait_until
from tools.__main__ import main
from tools.progress import Reporter


def ensure(sandbox: Sandbox, *names: str) -> int:
    """Run `ensure` in this process."""
    return main(["--manifest", str(sandbox.manifest), "ensure", *names])


def test_when_all_ways_fail_one_message_lists_every_try(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names each program, each way with its reason, and what the user can do; the exit code is 3."""
    sandbox.executable("first", program_text("1.0.0"))
    (sandbox.folder / "bin" / "go").unlink()
    sandbox.package("first", releases=releases.release("first", b""))
    releases.files.clear()
    sandbox.package("second", built=False)
    assert ensure(sandbox) == 3
    message = capsys.readouterr().err.partition("tools: These programs")[2]
    platform = next(iter(sandbox.document["packages"]["first"]["releases"]))
    assert message == (
        " could not be provided:\n\n"
        "first 1.2.3\n"
        f"  PATH:     {sandbox.folder}/bin/first has version 1.0.0\n"
        f"  cache:    not in {sandbox.root}\n"
        f"  download: {releases.address}/releases.example/first: HTTP 404 Not Found\n"
        "  build:    Go is not installed (no `go` on PATH)\n\n"
        "second 1.2.3\n"
        "  PATH:     not found\n"
        f"  cache:    not in {sandbox.root}\n"
        f"  download: no official release is known for {platform}\n"
        "  build:    there is no recipe for a build\n\n"
        "What you can do:\n"
        "  - put the program on PATH at exactly the version named above\n"
        "  - install Go 1.26 or newer (https://go.dev/dl/), so that missing programs can be built\n"
        "  - behind a proxy, set HTTPS_PROXY (and GOPROXY for Go modules),"
        " or point ALT_LAS_RELEASE_MIRROR to a mirror\n"
    )


@pytest.mark.parametrize(("version", "code"), [("1.25.9", 3), ("1.9", 3), ("1.26", 0), ("1.26.0", 0), ("2.0", 0)])
def test_go_must_be_as_new_as_the_go_mod_says(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, version: str, code: int
) -> None:
    """An older Go is refused before anything is built, with both versions in the message."""
    monkeypatch.setenv("FAKE_GO_VERSION", version)
    sandbox.package("demo")
    assert ensure(sandbox) == code
    refused = f"/bin/go is Go {version}, but at least Go 1.26 is needed\n" in capsys.readouterr().err
    assert refused == (code == 3)
    assert len(sandbox.builds) == (0 if refused else 1)


def test_a_failed_build_shows_the_end_of_the_compiler_s_message(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last eight lines are enough to act on, and the earlier ones are left out."""
    monkeypatch.setenv("FAKE_GO_FAILURE", "\n".join(f"line {number}" for number in range(1, 21)))
    sandbox.package("demo")
    assert ensure(sandbox) == 3
    shown = "".join(f"            line {number}\n" for number in range(13, 21))
    assert f"  build:    `go build` ended with status 1:\n{shown}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "JSONDecodeError("), ('{"packages": {"demo": {}}}', "KeyError('version')"), (None, "FileNotFoundError(")],
)
def test_an_unusable_manifest_is_one_line(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
) -> None:
    """A manifest that cannot be read ends the run with exit code 2 and the file's name."""
    if content is None:
        sandbox.manifest.unlink()
    else:
        sandbox.manifest.write_text(content, "utf-8")
    assert ensure(sandbox) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tools: cannot read the manifest {sandbox.manifest}: {reason}")
    assert error.count("\n") == 1


def test_an_unknown_program_is_named_with_the_known_ones(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error is answered with what could have been meant."""
    sandbox.package("demo")
    assert ensure(sandbox, "dmeo") == 2
    assert capsys.readouterr().err == "tools: unknown program 'dmeo'; known are: demo\n"


@pytest.fixture
def _no_time_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, what was just begun has run for 0 s."""
    monkeypatch.setattr("tools.progress.time", SimpleNamespace(monotonic=lambda: 0.0))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.mark.usefixtures("_no_time_goes_by")
def test_without_a_terminal_an_activity_is_one_line_at_its_start_and_one_at_its_end() -> None:
    """However long it runs: a log shows no line in between, and no control characters."""
    stream = io.StringIO()
    reporter = Reporter(stream, interval_seconds=0.01)
    reporter.expect(["demo", "other"])
    with reporter.activity("demo: building", provides=["demo"]):
        time.sleep(0.1)
    with reporter.activity("other: building", provides=["other"]):
        pass
    assert stream.getvalue().splitlines() == [
        "tools: demo: building ...",
        "tools: demo: building: done after 0.0 s; left: other",
        "tools: other: building ...",
        "tools: other: building: done after 0.0 s; nothing left",
    ]


def test_a_build_from_source_is_announced_once_for_all_programs(
    sandbox: Sandbox, releases: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release that cannot be downloaded has no lines of its own."""
    for name in ("first", "second"):
        sandbox.package(name, releases=releases.release(name, b""))
    releases.files.clear()
    assert ensure(sandbox) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tools: no official release could be downloaded, so these are built from source: first, second"
    assert len(lines) == 5
    assert lines[-1].endswith("; nothing left")


@pytest.mark.usefixtures("_no_time_goes_by")
def test_on_a_terminal_one_status_line_is_rewritten() -> None:
    """The status has no line end, and the next line that stays clears it."""
    stream = Terminal()
    reporter = Reporter(stream, interval_seconds=0.01)
    with reporter.activity("first"), reporter.activity("second"):
        wait_until(lambda: "first: 0 s; second: 0 s" in stream.getvalue())
    assert "\r\x1b[2Kfirst: 0 s; second: 0 s" in stream.getvalue()
    assert "\r\x1b[2Ktools: second: done after 0." in stream.getvalue()


@pytest.mark.usefixtures("_no_time_goes_by")
def test_an_activity_that_raises_is_told_as_failed() -> None:
    """The last line says failed, and the error goes on."""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="broken"), Reporter(stream).activity("demo"):
        raise ValueError("broken")
    assert stream.getvalue().splitlines()[-1].startswith("tools: demo: failed after 0.")


def test_a_warm_run_loads_no_network_modules() -> None:
    """Modules that only a download or a build needs load only then, which keeps a warm run far below a second."""
    code = "import sys, tools.__main__; print(sorted({'ssl', 'urllib.request', 'tarfile'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_a_cache_that_cannot_be_written_is_one_line(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the cache folder should be ends the run with exit code 2, without a traceback."""
    (sandbox.folder / "home").write_bytes(b"")
    sandbox.package("demo")
    assert ensure(sandbox) == 2
    assert capsys.readouterr().err.startswith(f"tools: cannot work in the cache {sandbox.root}: ")


def test_without_a_writable_cache_programs_on_path_are_still_found(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Installed programs need no cache."""
    (sandbox.folder / "home").write_bytes(b"")
    program = sandbox.executable("demo", program_text("1.2.3"))
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    assert capsys.readouterr().out == f"{program}\n"
