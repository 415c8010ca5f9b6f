"""Archives of releases: they hold what was deployed, and the newest are kept."""

from pathlib import Path

import pytest

from altlas.release.archive import KEPT, keep_release, open_release, releases
from altlas.release.deployments import deployments, recorded
from altlas.release.rollback import choose_release, release_workspace
from rendering.errors import CommandError
from tests.altlas.release_stand_ins import Release
from tests.altlas.test_rollback import released
from tests.altlas.test_seal import keys, release

__all__ = ["keys", "release", "released"]


def test_a_changed_archive_is_refused(released: Release) -> None:
    """The ledger holds its digest."""
    path = released.ledger.archives / "1.tar.gz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CommandError, match="the archive of release 1 has changed since"):
        release_workspace(released.session.workspace, released.ledger, "alpha", 1)


def test_only_the_newest_archives_are_kept(release: Release) -> None:  # the fixture of the same name
    """By number, not by the time of the file."""
    for number in (*range(2, KEPT + 2), 1):
        keep_release(release.ledger, number, b"")
    folder = release.ledger.archives
    assert sorted(int(path.name.partition(".")[0]) for path in folder.glob("*")) == list(range(2, KEPT + 2))
    assert releases(release.ledger, ()) == {}
    (folder / "1 (copy).tar.gz").write_bytes(b"")
    assert releases(release.ledger, ()) == {}, "a file of another name is no archive"


def test_the_archive_holds_what_was_deployed_and_not_what_was_edited_meanwhile(
    release: Release, tmp_path: Path
) -> None:
    """An update waits for minutes until all is ready, and people go on working."""
    before = release.stack_file.read_bytes()
    with recorded(release.ledger, release.session, "alpha") as running:
        release.world.replicas = 9
        release.stack_file.write_bytes(before + b"# never deployed\n")
        (release.root / "components" / "boats.py").write_text("BOATS = 5\n")
    entries, into = release.ledger.entries(), tmp_path / "into"
    into.mkdir()
    open_release(release.ledger, releases(release.ledger, entries)[running.number], into)
    assert (into / release.stack_file.name).read_bytes() == before
    assert (into / "components" / "boats.py").read_text() == "BOATS = 2\n"


def test_a_release_whose_archive_cannot_be_written_has_ended_well(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is deployed; only no rollback leads to it."""
    folder = Path(str(release.ledger.archives))
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"no folder")
    release.apply()
    assert "its archive cannot be written" in capsys.readouterr().err
    (done,) = deployments(release.ledger.entries())
    assert done.result == "succeeded"
    with pytest.raises(CommandError, match="has no recorded release yet"):
        choose_release(release.ledger, "alpha", None)
