"""The folder of the backups: whole or absent, and never without a good one."""

import errno
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup.errors import BackupError
from backup.repository import Repository, choose, file_entry, parse_moment, write_manifest

NOW = datetime(2026, 6, 10, 1, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(tmp_path, "postgres")


def add(repository: Repository, age_days: int, content: bytes = b"dump") -> str:
    """A backup of an age, and its id."""
    taken_at = NOW - timedelta(days=age_days)
    with repository.new(taken_at) as folder:
        (folder / "a.dump").write_bytes(content)
        entry = file_entry("a.dump", len(content), hashlib.sha256(content).hexdigest())
        write_manifest(folder, {"taken_at": taken_at.isoformat(), "files": [entry]})
    return taken_at.strftime("%Y%m%dT%H%M%SZ")


def ids(repository: Repository) -> list[str]:
    """Ids of all backups."""
    return [backup.id for backup in repository.backups()]


def test_old_backups_go_and_the_newest_stay(repository: Repository) -> None:
    """By age, but never fewer than asked for."""
    names = [add(repository, age) for age in (30, 20, 10, 5, 1)]
    assert repository.thin_out(2, timedelta(days=7), NOW) == tuple(names[:3])
    assert ids(repository) == names[3:]


def test_nothing_is_deleted_under_a_restore_that_may_read_it(repository: Repository) -> None:
    """The dump of that night is good all the same; the next one deletes what is too old."""
    names = [add(repository, age) for age in (30, 1)]
    with repository.locked("restore"):
        assert repository.thin_out(1, timedelta(days=7), NOW) == ()
        assert ids(repository) == names
    assert repository.thin_out(1, timedelta(days=7), NOW) == tuple(names[:1])


def test_the_last_good_backup_is_kept_whatever_its_age(repository: Repository) -> None:
    """Younger ones that are damaged do not count."""
    good, bad = add(repository, 100), add(repository, 90)
    (repository.folder / bad / "a.dump").write_bytes(b"dum")
    assert repository.thin_out(1, timedelta(days=7), NOW) == (bad,)
    assert ids(repository) == [good]
    assert repository.thin_out(0, timedelta(days=7), NOW) == ()
    assert ids(repository) == [good]


def test_where_no_backup_is_good_nothing_is_deleted(repository: Repository) -> None:
    """A damaged backup may be all that is left of the data."""
    bad = add(repository, 90)
    (repository.folder / bad / "a.dump").write_bytes(b"")
    assert repository.thin_out(1, timedelta(days=7), NOW) == ()
    assert ids(repository) == [bad]


def write_half(repository: Repository, number: int) -> None:
    """A backup in the middle of which the system refuses."""
    with repository.new(NOW) as folder:
        (folder / "a.dump").write_bytes(b"half")
        raise OSError(number, "no room")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_volume_leaves_nothing_half_written(repository: Repository, number: int) -> None:
    """And says what is full."""
    kept = add(repository, 1)
    with pytest.raises(BackupError, match="the volume of the backups is full"):
        write_half(repository, number)
    assert [path.name for path in repository.folder.iterdir()] == [kept]


def test_what_a_killed_dump_left_is_no_backup_and_goes_with_the_next(repository: Repository) -> None:
    """It never had the name of a backup."""
    (repository.folder / ".unfinished-20260101T000000Z").mkdir(parents=True)
    (repository.folder / "20260102T000000Z").mkdir()
    assert ids(repository) == []
    name = add(repository, 0)
    assert ids(repository) == [name]
    assert not list(repository.folder.glob(".unfinished-*"))


def test_two_backups_of_one_second_do_not_overwrite_each_other(repository: Repository) -> None:
    """The first one stays."""
    add(repository, 0, b"first")
    with pytest.raises(BackupError, match="has a backup 20260610T010000Z already"):
        add(repository, 0, b"second")
    assert (repository.folder / "20260610T010000Z" / "a.dump").read_bytes() == b"first"


def test_a_second_that_has_a_backup_is_waited_out(repository: Repository) -> None:
    """Two dumps in a row both succeed."""
    first = repository.free_second()
    with repository.new(first):
        pass
    assert repository.free_second().replace(microsecond=0) > first.replace(microsecond=0)


def test_a_backup_is_chosen_by_id_by_moment_or_as_the_newest(repository: Repository) -> None:
    """A moment means the state at that moment, so the backup before it."""
    old, new = add(repository, 10), add(repository, 1)
    assert choose(repository, old, None).id == old
    assert choose(repository, None, NOW - timedelta(days=5)).id == old
    assert choose(repository, None, None).id == new
    assert choose(repository, None, parse_moment("2026-06-09T01:00:00+00:00")).id == new


def test_an_unknown_store_is_refused(tmp_path: Path) -> None:
    """With those that are known."""
    with pytest.raises(BackupError, match="'mysql' is not a store; known: postgres, redis, nats"):
        Repository(tmp_path, "mysql")


def test_one_user_at_a_time(repository: Repository) -> None:
    """The lock goes with its holder."""
    with repository.locked("restore"):
        with pytest.raises(BackupError, match="another restore of postgres is at work"), repository.locked("restore"):
            pass
        with repository.locked("dump"):
            pass
    with repository.locked("restore"):
        pass
