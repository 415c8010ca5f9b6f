"""Surroundings of a command: closed and full streams, files that cannot be written, and names that hide a message."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from altlas.cli import COMMANDS
from altlas.commands.options import said, writable
from altlas.session.console import report
from altlas.session.durable_file import write_durably
from altlas.session.errors import as_command_error, printable
from cluster import ClusterError, ClusterRequestError, MissingProgramError
from rendering.errors import CommandError, ExitCode
from tests.support.documents import ROOT

Altlas = Callable[..., Any]

ALTLAS = f"{sys.executable} -c 'from altlas.cli import main; main()'"


def in_a_shell(line: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell, in which $ALTLAS is the command."""
    return subprocess.run(
        ["bash", "-c", line.replace("$ALTLAS", ALTLAS)],
        cwd=ROOT,
        env=os.environ | {"ALT_LAS_ROOT": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$ALTLAS ledger verify alpha >&-", 0, ""),
        ("$ALTLAS ledger verify alpha >/dev/full", 1, "error: the command cannot go on: No space left on device"),
        ("$ALTLAS --version >/dev/full", 1, "error: the command cannot go on: No space left on device"),
        ("$ALTLAS ledger verify gamma 2>/dev/full", 2, ""),
        ("$ALTLAS ledger verify gamma 2>&-", 2, ""),
        ("set -o pipefail; $ALTLAS stack schema | true", 1, ""),
    ],
)
def test_closed_and_full_streams_end_in_order(checkout: Path, line: str, code: int, said: str) -> None:
    """One message at most, the documented exit code, and no traceback."""
    done = in_a_shell(line, checkout)
    assert (done.returncode, done.stderr.startswith(said), done.stderr.count("\n")) == (code, True, bool(said))


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, closed: str) -> None:
    """A program that is started later would print into that file. The control opens nothing first."""
    script = tmp_path / "opens.py"
    number = f"n = os.open({str(script)!r}, os.O_RDONLY)\nopen({str(tmp_path / 'number')!r}, 'w').write(str(n))"
    lowest = []
    for first in ("open_standard_streams()", "pass"):
        script.write_text(
            f"import os\nfrom altlas.session.streams import open_standard_streams\n{first}\n{number}\n",
            encoding="utf-8",
        )
        subprocess.run(
            ["bash", "-c", f"{sys.executable} {script} {closed}"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        lowest.append(int((tmp_path / "number").read_text()))
    assert lowest[0] > 2 >= lowest[1]


def test_progress_that_nobody_reads_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `altlas up 2>&1 | head -1`: an update would stop half way."""

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(typer, "echo", broken)
    report("a line")


def parameters(words: str) -> dict[str, Any]:
    """Parameters of all commands in whose help these words are, by the command."""
    found = {}
    for name, entry in COMMANDS.items():
        command: Any = entry.load(name)
        for word, member in getattr(command, "commands", {"": command}).items():
            for each in member.params:
                if words in (getattr(each, "help", None) or ""):
                    found[f"{name} {word} {each.name}".replace("  ", " ")] = each
    return found


def checks_of(parameter: Any) -> list[Any]:
    """Functions that judge the value of a parameter."""
    return [cell.cell_contents for cell in parameter.callback.__closure__] if parameter.callback else []


def test_each_file_to_write_is_tried_before_the_work() -> None:
    """A plan takes minutes, and then there must be a place for it."""
    found = parameters("File to write")
    assert found.keys() == {"plan output", "rollback output", "report file", "github kubeconfig file"}
    assert [name for name, each in found.items() if writable not in checks_of(each)] == []


def test_what_the_ledger_records_says_something(altlas: Altlas, checkout: Path) -> None:
    """Each reason of a person, and the name of an incident."""
    found = parameters("the ledger") | parameters("recorded as a rework")
    assert {"freeze why", "unfreeze why", "promote reason", "up override", "apply incident"} <= found.keys()
    assert [name for name, each in found.items() if said not in checks_of(each)] == []
    done = altlas("freeze", "alpha", "--reason", " ")
    assert (done.code, "is empty; the ledger records it" in done.error) == (2, True)
    assert not (checkout / ".altlas").exists()


@pytest.mark.parametrize(
    ("command", "named"), [(("plan", "alpha", "-o"), "x.json"), (("report",), "x.html"), (("rollback", "-o"), "x.json")]
)
def test_a_place_that_cannot_be_written_is_bad_input(
    altlas: Altlas, checkout: Path, tmp_path: Path, command: tuple[str, ...], named: str
) -> None:
    """A folder, a file where a folder should be, a pipe: nothing is made or replaced."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "file" / named, tmp_path / "pipe"):
        done = altlas(*command, str(place))
        assert (done.code, done.out) == (2, "")
        assert done.error.startswith(f"error: cannot write {place}: ")
        assert done.error.endswith("; name another file. Nothing was changed\n")
    assert (tmp_path / "pipe").is_fifo()
    assert not (checkout / ".altlas").exists()


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    """As root `altlas report /dev/stdout` would have removed the device; the control replaces a file."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        write_durably(tmp_path / "pipe", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    for content in (b"old", b"new"):
        write_durably(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_the_machine_refuses_is_one_message() -> None:
    """Also where no command foresaw it; a defect of the program stays one."""
    full = as_command_error(OSError(errno.ENOSPC, "No space left on device", "/disk/state"))
    assert full
    assert (str(full), full.code) == (
        "the command cannot go on: /disk/state: No space left on device; mend that, then try again",
        ExitCode.FAILED,
    )
    assert as_command_error(KeyError("defect")) is None
    codes = {kind: as_command_error(kind("x")) for kind in (ClusterError, ClusterRequestError, MissingProgramError)}
    assert [failure and failure.code for failure in codes.values()] == [4, 2, 3]
    assert str(as_command_error(CommandError("plain"))) == "plain"


def test_a_message_cannot_be_hidden_by_what_it_repeats() -> None:
    """Long words are shortened and control characters replaced; a digest and lines stay."""
    digest = f"sha256:{'a' * 64}"
    assert printable(f"first {digest}\n  second\tthird") == f"first {digest}\n  second\tthird"
    assert printable(f"{'b' * 400} is long") == f"{'b' * 60}... (400 letters) is long"
    assert printable("a\x1b[31mb\x07") == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}"


def test_a_message_repeats_no_password_of_an_address() -> None:
    """Not one that a person typed; hosts, digests and mail addresses stay."""
    assert printable("s3://user:word@bucket/x is wrong") == "s3://[secret]@bucket/x is wrong"
    assert printable("https://token@h:1 and user:word@h/x:1") == "https://[secret]@h:1 and [secret]@h/x:1"
    plain = "registry.example.org:5000/x:1@sha256:0 of ada@example.org at https://example.org/@x"
    assert printable(plain) == plain


@pytest.mark.parametrize("command", [("capacity",), ("env",), ("addons",), ("up", "alpha")])
def test_an_unknown_target_is_bad_input(altlas: Altlas, command: tuple[str, ...]) -> None:
    """No cluster was asked."""
    done = altlas(*command, "--target", "mars")
    assert (done.code, done.error) == (
        2,
        "error: --target is 'mars'; it must be one of: sim, node, k3d, kubeconfig.\n",
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALT_LAS_ROOT", "/none/checkout", "ALT_LAS_ROOT names /none/checkout, which is no folder; "),
        ("TARGET", "mars", "TARGET is 'mars'; it must be one of: sim, node, k3d, kubeconfig."),
        ("KUBECONFIG", "/none/config", "The kubeconfig /none/config, named by KUBECONFIG, does not exist."),
    ],
)
def test_a_wrong_variable_is_bad_input(
    altlas: Altlas, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """Named with what it may be; nothing was started."""
    monkeypatch.setenv("TARGET", "kubeconfig" if variable == "KUBECONFIG" else "sim")
    monkeypatch.setenv(variable, value)
    done = altlas("addons")
    assert (done.code, done.error.startswith(f"error: {said}"), done.error.count("\n")) == (2, True, 1), done.error


@pytest.mark.parametrize(
    "command", [("ledger", "show"), ("ledger", "verify"), ("ledger", "metrics"), ("state", "recover")]
)
def test_a_stack_that_never_was_is_bad_input(altlas: Altlas, checkout: Path, command: tuple[str, ...]) -> None:
    """An empty ledger would say that all is well."""
    done = altlas(*command, "gamma")
    assert (done.code, done.out) == (2, "")
    assert "Pulumi.gamma.yaml: the stack file is missing; stack files in this folder: " in done.error
    assert not (checkout / ".altlas").exists()


def test_the_ledger_of_a_stack_that_is_gone_can_be_read(altlas: Altlas, checkout: Path) -> None:
    """Its file stays, with or without a stack file; an unknown kind is refused."""
    file = checkout / ".altlas" / "state" / "ledger" / "alt-las" / "gamma.jsonl"
    file.parent.mkdir(parents=True)
    file.touch()
    assert altlas("ledger", "verify", "gamma").code == 0
    done = altlas("ledger", "show", "gamma", "--kind", "nonsense")
    assert (done.code, done.error.startswith("error: --kind 'nonsense' is unknown; use plan, approve, ")) == (2, True)
