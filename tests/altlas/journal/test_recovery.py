"""A journal that was left behind: cut, damaged, foreign or whole; and the locks of who wrote it."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from socket import gethostname

import pytest

from altlas.session.journal.bucket import StatePath
from altlas.session.journal.journal_file import Heading, JournalWriter, digest, line_of, read_journal
from altlas.session.journal.locks import check_free, locks_of, take_lock
from altlas.session.journal.recovery import recover
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles, as_json, write_whole
from rendering.errors import CommandError, ExitCode
from tests.altlas.journal.documents import begun, entry, resource, state


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Files of a stack with one resource."""
    made = StackFiles(tmp_path, "alt-las", "alpha")
    made.write(made.content(StackState(state(resource("old")))))
    return made


def _journal(files: StackFiles, *batches: list[dict[str, object]], **heading: object) -> JournalWriter:
    first = {"stack": "alt-las/alpha", "base": digest(files.state.read_bytes()), "cli_version": "v3.259.0"}
    made = Heading(**{**first, "kind": "update", "started": 1, **heading})  # type: ignore[arg-type]
    writer = JournalWriter(files.journal, made)
    for batch in batches:
        writer.append(as_json({"entries": batch}))
    return writer


def _names(files: StackFiles) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in files.read().resources]


def _created(number: int) -> list[dict[str, object]]:
    made = resource(f"new-{number}")
    return [begun(number, "creating", made), entry(1, number, state=made)]


def test_a_whole_journal_becomes_the_state(files: StackFiles) -> None:
    """Recovery writes the state once, keeps the one before, and says what was in flight."""
    before = files.state.read_bytes()
    _journal(files, _created(1), [begun(2, "creating", resource("lost"))])
    recovered = recover(files)
    assert str(recovered) == (
        "recovered the state from the journal of an interrupted update: 3 entries; in flight when it ended: lost"
    )
    assert _names(files) == ["new-1", "old"]
    assert [one["type"] for one in files.read().pending] == ["creating"]
    assert not files.journal.exists()
    assert files.state.with_name("alpha.json.bak").read_bytes() == before
    assert recover(files) is None


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_line_that_was_cut_never_reached_the_engine(files: StackFiles, kept: int) -> None:
    """A batch that was cut half way was never acknowledged, so it is left out."""
    _journal(files, _created(1), _created(2))
    whole = files.journal.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    files.journal.write_bytes(whole[: last + kept])
    assert recover(files) is not None
    assert _names(files) == ["new-1", "old"]


@pytest.mark.parametrize("content", [b"", b'{"stack": "alt-las/al'], ids=["empty", "cut heading"])
def test_a_journal_without_entries_is_dropped(files: StackFiles, content: bytes) -> None:
    """A crash before the first entry leaves nothing to recover."""
    write_whole(files.journal, content)
    assert recover(files) is None
    assert not files.journal.exists()
    assert _names(files) == ["old"]


def test_a_state_that_was_already_written_is_not_written_again(files: StackFiles) -> None:
    """A crash between the write of the state and the removal of the journal."""
    writer = _journal(files, _created(1))
    content = files.content(StackState(state(resource("new-1"), resource("old"))))
    writer.announce(digest(content))
    files.write(content)
    assert recover(files) is None
    assert files.state.read_bytes() == content
    assert not files.journal.exists()


def _damage(files: StackFiles) -> None:
    lines = files.journal.read_bytes().splitlines(keepends=True)
    files.journal.write_bytes(b"".join([lines[0], lines[1][:9] + b"\n", *lines[2:]]))


def _of_a_newer_program(files: StackFiles) -> None:
    first, rest = files.journal.read_bytes().split(b"\n", 1)
    files.journal.write_bytes(as_json({**json.loads(first), "format": 3}) + b"\n" + rest)


def _move_on(files: StackFiles) -> None:
    files.write(files.content(StackState(state(resource("another")))))


def _lose_the_state(files: StackFiles) -> None:
    files.state.unlink()


def _break(files: StackFiles) -> None:
    broken = resource("new-3", dependencies=["urn:pulumi:alpha::alt-las::x:y:Z::nobody"])
    files.journal.write_bytes(files.journal.read_bytes() + line_of(as_json({"entries": [entry(1, 3, state=broken)]})))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_damage, "line 2 of"),
        (_of_a_newer_program, "has the format 3, known is 2"),
        (_move_on, "the state has moved on"),
        (_lose_the_state, "No such file"),
        (_break, "nobody is missing"),
    ],
)
def test_a_journal_that_cannot_be_replayed_changes_nothing(files: StackFiles, fault: object, said: str) -> None:
    """State and journal stay, and the message names the next command."""
    _journal(files, _created(1), _created(2))
    fault(files)  # type: ignore[operator]
    journal = files.journal.read_bytes()
    before = files.state.read_bytes() if files.state.exists() else None
    with pytest.raises(CommandError) as refused:
        recover(files)
    assert said in str(refused.value)
    assert "Nothing was changed" in str(refused.value)
    cure = "altlas state recover alpha" if fault is _lose_the_state else f"move {files.journal} away"
    assert cure in str(refused.value)
    assert files.journal.read_bytes() == journal
    assert (files.state.read_bytes() if files.state.exists() else None) == before


def test_a_full_disk_takes_the_batch_back(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of which only a part fits leaves no half line behind."""
    writer = _journal(files, _created(1))
    before = files.journal.read_bytes()
    write, calls = os.write, []

    def full(descriptor: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:10])

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.append(as_json({"entries": _created(2)}))
    monkeypatch.undo()
    assert files.journal.read_bytes() == before
    writer.append(as_json({"entries": _created(3)}))
    journal = read_journal(files.journal)
    assert journal is not None
    assert [one["operationID"] for one in journal.entries] == [1, 1, 3, 3]


def test_a_second_journal_is_never_begun_over_the_first(files: StackFiles) -> None:
    """A journal that was left behind is evidence."""
    _journal(files, _created(1))
    with pytest.raises(FileExistsError):
        _journal(files)


def test_a_lock_of_a_living_process_holds(files: StackFiles) -> None:
    """It holds while its process lives, and is cleared afterwards."""
    own = take_lock(files)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        _lock_of(files, other.pid, gethostname())
        with pytest.raises(CommandError) as refused:
            check_free(files, own)
        other.communicate(b"\n")
    assert f"process {other.pid} of" in str(refused.value)
    assert refused.value.code == ExitCode.BUSY
    own.path.unlink()
    assert recover(files) is None
    assert list(locks_of(files)) == []


@pytest.mark.parametrize("host", ["another-machine", None], ids=["another machine", "unreadable"])
def test_a_lock_of_whom_nobody_knows_holds(files: StackFiles, host: str | None) -> None:
    """Of another machine nobody can say whether its process lives."""
    path = _lock_of(files, 1, host or "")
    if host is None:
        path.write_bytes(b"{")
    with pytest.raises(CommandError, match="pulumi cancel --yes --stack alpha"):
        recover(files)
    assert path.exists()


def _lock_of(files: StackFiles, pid: int, host: str) -> StatePath:
    path = files.locks / f"{pid}.json"
    said = {"pid": pid, "username": "another", "hostname": host, "timestamp": "2026-11-27T00:00:00Z"}
    write_whole(path, as_json(said))
    return path


def _creating(name: str, key: str = "lost", **more: object) -> dict[str, object]:
    inputs = {"metadata": {"name": name, "namespace": "alt-las"}}
    return begun(9, "creating", {**resource(key), "id": "", "inputs": inputs, **more})


def _cut_off(what: str, name: str) -> dict[str, object]:
    return begun(9, what, resource(name, inputs={"metadata": {"name": name, "namespace": "alt-las"}}))


def _kept(files: StackFiles) -> list[tuple[str, bool, bool]]:
    """Id of each resource, whether it is to be deleted, and whether the engine reads it first."""
    found = files.read().resources
    return [(one["id"], bool(one.get("delete")), bool(one.get("refreshBeforeUpdate"))) for one in found]


@pytest.mark.parametrize(
    ("operation", "kept", "pending"),
    [
        (_creating("lost"), [("alt-las/old", False, False), ("alt-las/lost", False, True)], 0),
        (_creating("old-b", "old"), [("alt-las/old", False, False)], 1),
        (_creating("old", "old"), [("alt-las/old", False, False)], 0),
        (_creating("lost", type="pulumi-python:dynamic:Resource"), [("alt-las/old", False, False)], 1),
        (_creating(""), [("alt-las/old", False, False)], 1),
        (_cut_off("deleting", "old"), [("alt-las/old", False, True)], 0),
        (_cut_off("updating", "old"), [("alt-las/old", False, True)], 0),
        (begun(9, "deleting", resource("old")), [("alt-las/old", False, False)], 1),
    ],
    ids=["new object", "replacement", "known object", "another provider", "no name", "deletion", "update", "nameless"],
)
def test_an_object_whose_operation_was_cut_off_is_read_before_the_next_update(
    files: StackFiles, operation: dict[str, object], kept: list[tuple[str, bool, bool]], pending: int
) -> None:
    """Only of Kubernetes is the identifier known. An operation that failed may have taken place, too."""
    before = files.state.read_bytes()
    _journal(files, [operation])
    assert recover(files) is not None
    assert _kept(files) == kept
    assert len(files.read().pending) == pending
    files.write(before)
    _journal(files, [operation, entry(2, 9)])
    assert recover(files) is not None
    assert _kept(files) == kept
    assert files.read().features == (("refreshBeforeUpdate",) if any(read for _, _, read in kept) else ())


def test_a_replacement_that_was_cut_off_is_deleted_unless_the_next_program_wants_it(files: StackFiles) -> None:
    """Only the next program knows which of the two objects it wants."""
    _journal(files, [_creating("old-b", "old")])
    assert recover(files) is not None
    undecided = files.state.read_bytes()
    _journal(files, [entry(1, 1, state=resource("another"))])
    assert recover(files) is not None
    assert len(files.read().pending) == 1
    for wanted, kept in (
        ("old", [("alt-las/old", False, False), ("alt-las/old-b", True, False)]),
        ("old-b", [("alt-las/old-b", False, False)]),
    ):
        files.write(undecided)
        _journal(files, [entry(1, 1, removeOld=0, state={**resource("old"), "id": f"alt-las/{wanted}"})])
        assert recover(files) is not None
        assert _kept(files) == kept
        assert files.read().pending == []


def test_an_object_that_was_deleted_to_be_made_again_is_read_first(files: StackFiles) -> None:
    """The engine would make it and then delete it by its name; so its mark is taken away."""
    _journal(files, [_cut_off("deleting", "old"), entry(1, 9, pendingReplacementOld=0), _creating("old", "old")])
    assert recover(files) is not None
    assert _kept(files) == [("alt-las/old", False, True)]
    assert "pendingReplacement" not in files.read().resources[0]
    assert files.read().pending == []


def test_a_lock_is_given_back_where_another_process_holds_the_stack(files: StackFiles) -> None:
    """Two that take it at once find each other, and neither goes on."""
    other = _lock_of(files, os.getppid(), gethostname())
    with pytest.raises(CommandError, match=f"process {os.getppid()} of"):
        take_lock(files)
    assert list(files.locks.glob("*")) == [other]


def test_a_lock_outlives_a_journal_that_cannot_be_replayed(files: StackFiles) -> None:
    """Plain Pulumi must not begin from a state that is older than the cluster."""
    own = take_lock(files)
    _journal(files, _created(1), _created(2))
    _damage(files)
    with pytest.raises(CommandError, match="line 2 of"):
        recover(files, own)
    assert own.path.exists()
