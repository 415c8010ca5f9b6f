"""The ledger of a stack: every way to falsify it is named, and what a kill leaves behind is not taken for one."""

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from altlas.release.ledger import Ledger, ledger_of
from altlas.session.journal.bucket import BucketPath, StatePath
from altlas.session.workspace import Workspace
from rendering.errors import CommandError
from tests.altlas.conftest import Altlas

Edit = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StatePath:
    """Place of a ledger: beside a state in a folder, or in a bucket."""
    return tmp_path / "ledger" if request.param == "folder" else BucketPath(MemoryStore(), "memory://states") / "ledger"


@pytest.fixture
def ledger(place: StatePath) -> Ledger:
    """A ledger of four entries."""
    found = Ledger(place / "alpha.jsonl")
    for number, kind in enumerate(("plan", "approve", "apply", "drift"), 1):
        found.append(kind, "ada@example.org", {"step": number})  # type: ignore[arg-type]  # one of the kinds
    return found


def edited(ledger: Ledger, edit: Edit) -> str:
    """Change the lines of the file; what the ledger says about it."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(edit(lines)))
    return ledger.read().problem


def test_a_ledger_as_it_was_written_holds(ledger: Ledger) -> None:
    """The control: entries come back with their bodies, each with the hash of the one before it."""
    assert ledger.read().problem == ""
    entries = ledger.entries()
    assert [(each.number, each.kind, each.body) for each in entries] == [
        (1, "plan", {"step": 1}),
        (2, "approve", {"step": 2}),
        (3, "apply", {"step": 3}),
        (4, "drift", {"step": 4}),
    ]
    assert [each.previous for each in entries[1:]] == [each.hash for each in entries[:-1]]
    if isinstance(ledger.path, Path):
        assert ledger.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda lines: [*lines[:1], lines[1].replace(b'"step":2', b'"step":7'), *lines[2:]], "line 2 was changed"),
        (lambda lines: [*lines[:1], b" " + lines[1], *lines[2:]], "line 2 was changed"),
        (lambda lines: [*lines[:1], *lines[2:]], "line 2 holds entry 3: entry 2 was cut out"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "line 2 holds entry 3: lines 2 and 3 were swapped"),
        (lambda lines: lines[:3], "entry 4 is missing at the end"),
        (lambda lines: lines[:1], "entries 2 to 4 are missing at the end"),
        (lambda _: [], "entries 1 to 4 are missing at the end"),
        (lambda lines: [*lines, b"{}\n"], "line 5 was changed"),
    ],
    ids=["changed", "reformatted", "cut out", "swapped", "cut off", "cut off three", "emptied", "added"],
)
def test_a_falsified_line_is_named(ledger: Ledger, edit: Edit, said: str) -> None:
    """And nothing is written to a ledger that does not hold."""
    assert said in edited(ledger, edit)
    content = ledger.path.read_bytes()
    with pytest.raises(CommandError, match=r"is damaged: .*Nothing was changed"):
        ledger.append("apply", "ada@example.org", {})
    assert ledger.path.read_bytes() == content


def test_a_line_with_a_right_hash_of_its_own_does_not_fit_into_the_chain(ledger: Ledger, tmp_path: Path) -> None:
    """A forged entry has its own hash, but not that which the next one holds, or the head."""
    other = Ledger(tmp_path / "other" / "alpha.jsonl")
    for number in range(4):
        other.append("apply", "eve@example.org", {"step": number})
    forged = other.path.read_bytes().splitlines(keepends=True)
    assert "line 2 does not follow line 1" in edited(ledger, lambda lines: [lines[0], forged[1], *lines[2:]])
    assert "line 4 was replaced: its hash is not the one of the head" in edited(ledger, lambda _: forged)


def test_a_removed_head_is_noticed(ledger: Ledger) -> None:
    """Without the head, entries could be cut off unseen."""
    ledger.head_path.unlink()
    assert "without the head" in ledger.read().problem


DAMAGED = b"", b"garbage\n", b"4\n", b"\xff\xfe 1", b"4 hash\n", b"9" * 9999 + b" " + b"0" * 64, b"-1 " + b"0" * 64


@pytest.mark.parametrize("content", DAMAGED, ids=["empty", "word", "count", "bytes", "hash", "long", "negative"])
def test_a_damaged_head_is_refused(ledger: Ledger, content: bytes) -> None:
    """As a damaged line is; a head without its line break is none."""
    ledger.head_path.write_bytes(ledger.head_path.read_bytes().strip())
    assert ledger.read().problem == ""
    ledger.head_path.write_bytes(content)
    assert ledger.read().problem.startswith("the head is damaged")
    with pytest.raises(CommandError, match=r"the head is damaged: .*Nothing was changed.* and its head alpha\.head "):
        ledger.append("apply", "ada@example.org", {})
    assert ledger.head_path.read_bytes() == content


def test_what_a_kill_leaves_behind_is_mended_by_the_next_entry(ledger: Ledger) -> None:
    """A torn last line is removed; an entry whose head was not written yet counts."""
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"body":{"st')
    assert (ledger.read().problem, ledger.read().torn) == ("", 12)
    assert ledger.append("plan", "ada@example.org", {}).number == 5
    head = ledger.head_path.read_bytes()
    ledger.append("plan", "ada@example.org", {})
    ledger.head_path.write_bytes(head)
    assert ledger.append("plan", "ada@example.org", {}).number == 7
    assert (ledger.read().problem, ledger.read().torn) == ("", 0)


def _append(path: Path) -> None:
    for number in range(10):
        Ledger(path).append("plan", "ada@example.org", {"process": os.getpid(), "number": number})


def test_commands_at_the_same_time_lose_no_entry(tmp_path: Path) -> None:
    """Four processes write ten entries each."""
    path = tmp_path / "alpha.jsonl"
    processes = [multiprocessing.get_context("fork").Process(target=_append, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [each.number for each in Ledger(path).entries()] == list(range(1, 41))


@pytest.mark.parametrize(
    ("backend", "folder"),
    [
        (None, "{checkout}/.altlas/state"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("s3://bucket/team?region=eu-west-1", "s3://bucket/team"),
        ("https://api.pulumi.com", "{checkout}/.altlas"),
    ],
)
def test_a_ledger_lies_beside_the_state(backend: str | None, folder: str, tmp_path: Path) -> None:
    """A backend without files leaves it in the checkout."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    outside = keys | ({"PULUMI_BACKEND_URL": backend} if backend else {})
    found = ledger_of(Workspace(tmp_path), "alpha", outside)
    assert str(found.path) == folder.format(checkout=tmp_path) + "/ledger/alt-las/alpha.jsonl"


def test_the_commands_show_and_verify_it(altlas: Altlas, checkout: Path) -> None:
    """An unknown head is another history; a damaged line fails with its number."""
    assert "has no entry yet" in altlas("ledger", "show", "alpha").error
    ledger = ledger_of(Workspace(checkout), "alpha", {})
    first = ledger.append("override", "ada@example.org", {"window": "winter", "why": "outage"})
    ledger.append("plan", "ada@example.org", {})
    done = altlas("ledger", "show", "alpha")
    assert [line.split()[:1] + line.split()[2:] for line in done.out.splitlines()] == [
        ["ENTRY", "KIND", "BY", "WHAT"],
        ["1", "override", "ada@example.org", "window", "winter,", "why", "outage"],
        ["2", "plan", "ada@example.org"],
    ]
    shown = json.loads(altlas("ledger", "show", "alpha", "--kind", "plan", "--json").out)
    assert [each["number"] for each in shown] == [2]
    assert altlas("ledger", "verify", "alpha", "--head", first.hash).code == 0
    done = altlas("ledger", "verify", "alpha", "--head", "0" * 64)
    assert (done.code, "it is another history" in done.error) == (1, True)
    edited(ledger, lambda lines: lines[:1])
    done = altlas("ledger", "verify", "alpha")
    assert (done.code, "entry 2 is missing at the end" in done.error) == (1, True)
    ledger.head_path.write_bytes(b"\xff")
    for command in (["ledger", "verify", "alpha"], ["ledger", "show", "alpha"], ["up", "alpha"]):
        done = altlas(*command)
        assert (done.code, f"{ledger.path} is damaged: the head is damaged" in done.error) == (1, True)
