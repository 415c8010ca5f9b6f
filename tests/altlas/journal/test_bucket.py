"""A state in a bucket: its journal in groups, its locks, and the renewal by which other machines judge them."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from altlas.session.journal import bucket, lease, locks
from altlas.session.journal.bucket import BucketPath, StatePath, open_bucket
from altlas.session.journal.journal_file import Heading, JournalWriter, digest, read_journal
from altlas.session.journal.recovery import recover
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles, as_json
from rendering.errors import CommandError, ExitCode
from tests.altlas.journal.documents import begun, entry, resource, state


@pytest.fixture
def files() -> StackFiles:
    """Files of a stack with one resource, in a bucket."""
    made = StackFiles(BucketPath(MemoryStore(), "memory://states"), "alt-las", "alpha")
    made.write(made.content(StackState(state(resource("old")))))
    return made


def _begun(files: StackFiles, batches: int) -> JournalWriter:
    base = digest(files.state.read_bytes())
    writer = JournalWriter(files.journal, Heading("alt-las/alpha", base, "v3.259.0", "update", 1))
    for number in range(batches):
        made = resource(f"new-{number}")
        writer.append(as_json({"entries": [begun(number, "creating", made), entry(1, number, state=made)]}))
    return writer


def _names(files: StackFiles) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in files.read().resources]


def _below(files: StackFiles, folder: str) -> list[str]:
    return sorted(each.name for each in (files.backend / ".pulumi" / folder / "alt-las").glob("*"))


def test_a_journal_that_another_machine_left_is_replayed(files: StackFiles) -> None:
    """Each group is an object of its own, and the state before stays beside the new one."""
    before = files.state.read_bytes()
    _begun(files, 12)
    assert len(list((files.journal).glob("*"))) == 13
    recovered = recover(files)
    assert recovered is not None
    assert recovered.entries == 24
    assert _names(files) == [*(f"new-{number}" for number in range(12)), "old"]
    assert files.state.with_name("alpha.json.bak").read_bytes() == before
    assert list(files.journal.glob("*")) == []
    assert (_below(files, "journals"), list(files.locks.glob("*"))) == ([], [])


def test_a_journal_without_its_first_group_counts_no_more(files: StackFiles) -> None:
    """Its removal was cut off after the state was written; the next journal begins without its groups."""
    _begun(files, 3)
    (files.journal / "00000000").unlink()
    assert recover(files) is None
    assert _names(files) == ["old"]
    _begun(files, 1)
    journal = read_journal(files.journal)
    assert journal is not None
    assert len(journal.entries) == 2
    with pytest.raises(FileExistsError, match="was left behind"):
        _begun(files, 1)


def _hold(files: StackFiles, **changes: str) -> locks.Lock:
    lock = locks.take_lock(files)
    lock = replace(lock, **changes)  # type: ignore[arg-type]
    lock.path.write_bytes(as_json(lock.document))
    return lock


def test_a_lock_of_another_machine_holds_until_it_is_not_renewed(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the bucket's own clock counts, and names of machines do not: containers often share one."""
    _begun(files, 1)
    _hold(files, machine="another")
    with pytest.raises(CommandError, match="the lock ends 120 s after its last renewal") as refused:
        recover(files)
    assert refused.value.code == ExitCode.BUSY
    monkeypatch.setattr(locks, "LEASE_SECONDS", -1)
    assert recover(files) is not None
    assert _names(files) == ["new-0", "old"]
    assert list(files.locks.glob("*")) == []
    assert _below(files, "journals") == []


def test_a_lock_of_plain_pulumi_in_a_bucket_is_left_to_a_person(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never renewed, so nobody can say whether its process lives."""
    lock = _hold(files, run="", machine="")
    monkeypatch.setattr(locks, "LEASE_SECONDS", -1)
    with pytest.raises(CommandError, match="pulumi cancel --yes --stack alpha"):
        recover(files)
    assert lock.path.exists()


def test_a_lock_of_a_killed_command_of_this_machine_is_dead_at_once(files: StackFiles) -> None:
    """Its process is looked up, as with a state in a folder."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        lock = locks.take_lock(files)
        lock.path.write_bytes(as_json(replace(lock, pid=other.pid, began="").document))
        with pytest.raises(CommandError, match=f"kill -INT {other.pid}"):
            recover(files)
        other.communicate(b"\n")
    assert recover(files) is None
    assert list(files.locks.glob("*")) == []


def _modified(path: StatePath) -> object:
    assert isinstance(path, BucketPath)
    return path.modified()


def test_a_lock_is_renewed_while_a_command_runs(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other machines see that its holder lives; a holder that has lost it writes nothing more."""
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.02)
    lock = locks.take_lock(files)
    with lease.kept(lock) as check:
        first = _modified(lock.path)
        _within_a_second(lambda: _modified(lock.path) != first)
        check()
        monkeypatch.setattr(lease, "VALID_SECONDS", 0.1)
        lock.path.unlink()
        _within_a_second(lambda: _fails(check))
        assert not lock.path.exists()


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except OSError as error:
        return "was not renewed" in str(error)
    return False


def _within_a_second(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 1
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_times_of_a_lease_leave_no_write_of_a_lost_holder() -> None:
    """A request that begins in the last valid second ends, repetitions included, before others take over."""
    assert lease.RENEWAL_SECONDS * 2 < lease.VALID_SECONDS
    assert lease.VALID_SECONDS + 2 * bucket.REQUEST_SECONDS < locks.LEASE_SECONDS


def test_a_lock_in_a_folder_needs_no_renewal(tmp_path: Path) -> None:
    """Its check never fails."""
    made = StackFiles(tmp_path, "alt-las", "alpha")
    lock = locks.take_lock(made)
    content = lock.path.read_bytes()
    with lease.kept(lock) as check:
        check()
    assert b"machine" not in content
    assert lock.path.read_bytes() == content


def test_a_compressed_state_is_left_to_the_cli(files: StackFiles) -> None:
    """It is known, but neither read nor written here."""
    assert (files.exists, files.is_plain) == (True, True)
    files.state.with_name("alpha.json.gz").write_bytes(b"")
    assert (files.exists, files.is_plain) == (True, False)
    files.state.unlink()
    files.state.with_name("alpha.json.gz").unlink()
    assert (files.exists, files.is_plain) == (False, False)


@pytest.fixture
def keys() -> dict[str, str]:
    """Credentials of each kind of bucket."""
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AZURE_STORAGE_KEY": "c2VjcmV0",
        "AZURE_STORAGE_ACCOUNT": "team",
    }


@pytest.mark.parametrize(
    ("url", "config"),
    [
        (
            "s3://states/team?region=eu-west-1&endpoint=http://127.0.0.1:1&s3ForcePathStyle=true",
            {"region": "eu-west-1", "endpoint": "http://127.0.0.1:1", "virtual_hosted_style_request": "false"},
        ),
        ("s3://states/team?endpoint=s3.example.com", {"region": "us-east-1", "endpoint": "https://s3.example.com"}),
        ("s3://states/team", {"virtual_hosted_style_request": "true"}),
        ("azblob://states/team?storage_account=other", {"account_name": "other", "account_key": "c2VjcmV0"}),
        ("azblob://states/team", {"account_name": "team"}),
        ("gs://states/team", {}),
    ],
)
def test_addresses_mean_what_they_mean_to_plain_pulumi(
    url: str, config: dict[str, object], keys: dict[str, str]
) -> None:
    """Parameters of the address, and credentials of the environment. No request is sent."""
    opened = open_bucket(url, keys)
    assert str(opened / ".pulumi") == f"{url.partition('?')[0]}/.pulumi"
    assert isinstance(opened.store, S3Store | GCSStore | AzureStore)
    assert opened.store.prefix == "team"
    assert config.items() <= opened.store.config.items()


def test_a_bucket_without_credentials_is_an_error_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was asked yet."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(CommandError, match=r"cannot open the state's bucket s3://states.*Nothing was changed"):
        open_bucket("s3://states", {"AWS_PROFILE": "missing"})


def test_a_file_that_is_missing_and_a_server_that_refuses_are_errors_of_the_system(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers treat them as those of a folder."""
    with pytest.raises(FileNotFoundError):
        (files.backend / "nothing").read_bytes()
    monkeypatch.setattr(bucket, "REQUEST_SECONDS", 0.1)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    closed = open_bucket("s3://states?endpoint=http://127.0.0.1:1", keys)
    with pytest.raises(OSError, match="Error performing PUT") as refused:
        (closed / "a").write_bytes(b"")
    assert "\n" not in str(refused.value)
