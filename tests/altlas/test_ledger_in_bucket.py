"""A ledger in a bucket: machines at the same time, lost answers, and servers that lose entries of others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from altlas.release import archive, ledger
from altlas.release.archive import keep_release, open_release, packed, releases
from altlas.release.ledger import Ledger
from altlas.session.errors import as_command_error
from altlas.session.journal import bucket
from altlas.session.journal.bucket import BucketPath, open_bucket
from rendering.errors import CommandError
from tests.support.scratch import copy_program

Put = Callable[..., Any]


@pytest.fixture
def path() -> BucketPath:
    """Place of a ledger in a bucket."""
    return BucketPath(MemoryStore(), "memory://states") / "ledger" / "alpha.jsonl"


class Server:
    """A bucket whose answers to writes a test changes.

    Args:
        behave: Gets the write of the bucket and its arguments, and does it or not.
    """

    def __init__(self, behave: Callable[..., Any]) -> None:
        self._store = MemoryStore()
        self._behave = behave

    def put(self, key: str, content: bytes, **options: Any) -> Any:
        """Write an object."""
        return self._behave(self._store.put, key, content, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def ledger_on(behave: Callable[..., Any]) -> Ledger:
    """A ledger on such a server."""
    return Ledger(BucketPath(Server(behave), "memory://states") / "alpha.jsonl")  # type: ignore[arg-type]  # a stand-in


def test_machines_at_the_same_time_lose_no_entry(path: BucketPath) -> None:
    """Four write ten entries each while a fifth one reads; every state that it sees holds."""

    def write(machine: int) -> None:
        for number in range(10):
            Ledger(path).append("plan", "ada@example.org", {"machine": machine, "number": number})

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, machine) for machine in range(4)]
        seen = []
        while not all(each.done() for each in writers):
            seen.append(Ledger(path).read())
        for each in writers:
            each.result()
    assert {each.problem for each in seen} <= {""}
    entries = Ledger(path).entries()
    assert [each.number for each in entries] == list(range(1, 41))
    assert {(each.body["machine"], each.body["number"]) for each in entries} == {
        (machine, number) for machine in range(4) for number in range(10)
    }
    assert Ledger(path).head_path.read_bytes().startswith(b"40 ")


def test_an_entry_of_another_machine_between_reading_and_writing_comes_first() -> None:
    """Ours follows it; without the condition it would be gone."""
    late: list[str] = []

    def behave(put: Put, key: str, content: bytes, **options: Any) -> Any:
        if key.endswith(".jsonl") and not late:
            late.append(key)
            Ledger(other).append("approve", "bob@example.org", {})
        return put(key, content, **options)

    server = Server(behave)
    other = BucketPath(server._store, "memory://states") / "alpha.jsonl"
    Ledger(other).append("plan", "ada@example.org", {})
    ours = Ledger(BucketPath(server, "memory://states") / "alpha.jsonl")  # type: ignore[arg-type]  # a stand-in
    assert ours.append("apply", "ada@example.org", {}).number == 3
    assert [each.kind for each in ours.entries()] == ["plan", "approve", "apply"]


def test_an_entry_whose_answer_was_lost_is_written_once() -> None:
    """The library sends the write again, which the server then refuses: the entry is ours."""
    lost: list[str] = []

    def behave(put: Put, key: str, content: bytes, **options: Any) -> Any:
        done = put(key, content, **options)
        if key.endswith(".jsonl") and content.count(b"\n") == 2 and not lost:
            lost.append(key)
            return put(key, content, **options)
        return done

    found = ledger_on(behave)
    found.append("plan", "ada@example.org", {})
    assert found.append("apply", "ada@example.org", {}).number == 2
    assert lost
    assert ([each.kind for each in found.entries()], found.read().problem) == (["plan", "apply"], "")


def test_two_commands_that_were_killed_before_their_heads_damage_nothing(
    path: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaves one entry without a head; the next command brings the head up before it writes its own."""
    for place in (path, tmp_path / "alpha.jsonl"):
        Ledger(place).append("plan", "ada@example.org", {})
        for _ in range(2):
            found = Ledger(place)
            with monkeypatch.context() as patch:
                patch.setattr(found, "_completed", lambda _, entry: entry)
                found.append("plan", "ada@example.org", {})
        assert Ledger(place).append("apply", "ada@example.org", {}).number == 4
        assert Ledger(place).read().problem == ""


@pytest.mark.parametrize("ignored", ["create", "update"])
def test_a_server_that_takes_no_notice_of_conditions_is_refused(ignored: str) -> None:
    """With the first entry, which is taken back: two machines could lose each other's."""

    def behave(put: Put, key: str, content: bytes, mode: Any = None, **options: Any) -> Any:
        if (mode == "create") == (ignored == "create"):
            mode = "overwrite"
        return put(key, content, mode=mode, **options)

    found = ledger_on(behave)
    with pytest.raises(CommandError, match=r"does not heed the conditions of a write .*Nothing was changed"):
        found.append("plan", "ada@example.org", {})
    assert found.entries() == ()


def test_a_machine_that_is_always_late_gives_up_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of trying for ever."""
    monkeypatch.setattr(ledger, "_TRIES", 3)
    found = ledger_on(lambda put, key, content, **options: put(key, content, **options))
    found.append("plan", "ada@example.org", {})
    monkeypatch.setattr(BucketPath, "write_over", lambda *_: False)
    with pytest.raises(CommandError, match="3 times in a row; try again"):
        found.append("plan", "ada@example.org", {})


def test_a_bucket_that_does_not_answer_is_a_message_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no traceback."""
    monkeypatch.setattr(bucket, "REQUEST_SECONDS", 0.1)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    closed = Ledger(open_bucket("s3://states?endpoint=http://127.0.0.1:1", keys) / "alpha.jsonl")
    with pytest.raises(OSError, match="Error performing GET") as refused:
        closed.entries()
    said = as_command_error(refused.value)
    assert said is not None
    assert str(said).startswith(
        "the command cannot go on: s3://states/alpha.head: Generic S3 error: Error performing GET"
    )


def test_releases_are_archived_beside_the_ledger(
    path: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any machine can go back to them; the oldest are removed."""
    monkeypatch.setattr(archive, "KEPT", 2)
    source, into = tmp_path / "source", tmp_path / "into"
    source.mkdir()
    into.mkdir()
    copy_program(source, ["Pulumi.alpha.yaml"])
    found = Ledger(path)
    for _ in range(3):
        began = found.append("apply", "ada@example.org", {"result": "started"}).number
        kept = keep_release(found, began, packed(source, source / "Pulumi.alpha.yaml"))
        found.append("apply", "ada@example.org", {"result": "succeeded", "began": began, "archive": kept})
    known = releases(Ledger(path), found.entries())
    assert sorted(known) == [3, 5]
    open_release(Ledger(path), known[5], into)
    assert (into / "Pulumi.alpha.yaml").read_bytes() == (source / "Pulumi.alpha.yaml").read_bytes()
    (Ledger(path).archives / "5.tar.gz").write_bytes(b"changed")
    with pytest.raises(CommandError, match="the archive of release 5 has changed"):
        open_release(Ledger(path), known[5], into)
