"""Damaged states: each command that reads one refuses and names the cure, and the cure loses nothing.

Files alone: what starts Pulumi is a stand-in that notes that it was started. The baseline is the real one.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from altlas.session.engine import Engine
from altlas.session.journal.replay import StackState
from altlas.session.journal.restoring import restore
from altlas.session.journal.state_files import StackFiles
from rendering.errors import CommandError, ExitCode
from tests.altlas.journal.documents import resource, state
from tests.faults.cases import Cases
from tests.support.figures import Figures
from tests.support.journaled import make
from tests.support.journaled_files import PROGRAM

UPDATES = 4
BLOCK = 512
SAMPLE, ALL = 12, 250
STOCK_SAMPLE, STOCK_ALL = 2, 20
Damage = Callable[[StackFiles, random.Random], None]
READERS: dict[str, Callable[[Engine], object]] = {
    "up": lambda engine: engine.run("up", "--stack", "alpha"),
    "destroy": lambda engine: engine.run("destroy", "--stack", "alpha"),
    "exported state": lambda engine: engine.exported_state("alpha"),
    "preview": lambda engine: engine.preview("alpha"),
    "existence": lambda engine: engine.stack_exists("alpha"),
}
"""Ways in which commands read a state: `altlas up`, `plan`, `apply`, `drift`, `status` and all others use these."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes the files of these tests meanwhile."""
    monkeypatch.setattr("altlas.session.journal.state_files._PAUSE_SECONDS", 0)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A backend after some updates, and a program in place of Pulumi."""
    root = tmp_path / "sound"
    files = StackFiles(root, "alt-las", "alpha")
    for update in range(1, UPDATES + 1):
        content = files.content(StackState(state(*(resource(f"object-{number}") for number in range(update * 5)))))
        files.write(content)
        files.add_to_history({"kind": "update"}, content)
        files.back_up(content)
    program = root / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ntouch "$(dirname "$0")/started"\necho "{}"\n')
    program.chmod(0o755)
    return root


def _engine(root: Path) -> Engine:
    return Engine(root, {"PULUMI_BACKEND_URL": f"file://{root}", "PATH": f"{root / 'bin'}:/usr/bin:/bin"})


def _content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _path(files: StackFiles) -> Path:
    assert isinstance(files.state, Path)
    return files.state


def _truncate(files: StackFiles, chance: random.Random) -> None:
    content = _path(files).read_bytes()
    _path(files).write_bytes(content[: chance.randrange(len(content))])


def _zero(files: StackFiles, chance: random.Random) -> None:
    """Blocks that a power cut left empty, up to the whole file."""
    content = bytearray(_path(files).read_bytes())
    first = chance.randrange(0, len(content), BLOCK)
    last = chance.choice([len(content), min(len(content), first + BLOCK)])
    content[first:last] = bytes(last - first)
    _path(files).write_bytes(content)


def _flip(files: StackFiles, chance: random.Random) -> None:
    content = bytearray(_path(files).read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    _path(files).write_bytes(content)


def _put_older(files: StackFiles, chance: random.Random) -> None:
    """As a person does who copies `.bak` or a backup over the state."""
    newest = _path(files).read_bytes()
    older = [each for each in files.copies if each.read_bytes() != newest]
    _path(files).write_bytes(chance.choice(older).read_bytes())


def _remove(files: StackFiles, chance: random.Random) -> None:
    """With one of the other files beside it, or alone."""
    _path(files).unlink()
    if chance.random() < 1 / 2:
        _path(files).with_name("alpha.json.bak").unlink(missing_ok=True)


DAMAGES: dict[str, Damage] = {
    "state truncated": _truncate,
    "blocks of the state zeroed": _zero,
    "one bit of the state flipped": _flip,
    "an older state in its place": _put_older,
    "state removed": _remove,
}


def _refusals(root: Path) -> Iterator[str]:
    """Readers that did not refuse as they should."""
    for name, read in READERS.items():
        try:
            read(_engine(root))
        except CommandError as error:
            if "altlas state recover alpha" not in str(error) or "Nothing was changed" not in str(error):
                yield f"{name}: {error}"
        else:
            yield name


def _holds(root: Path, wanted: bytes) -> bool:
    """True if every reader refuses, nothing is changed, and the recovery gives back the last state."""
    before = _content(root)
    if list(_refusals(root)) or _content(root) != before:
        return False
    restored = _engine(root).restore_state("alpha", None)
    files = StackFiles(root, "alt-las", "alpha")
    kept = restored is not None and (restored.kept is None or restored.kept.read_bytes() in before.values())
    return kept and files.state.read_bytes() == wanted and _engine(root).restore_state("alpha", None) is None


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_refused_and_restored_whole(
    name: str, sound: Path, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Nothing is started, nothing changed; afterwards the state is that of the last update, byte for byte."""
    wanted = StackFiles(sound, "alt-las", "alpha").state.read_bytes()
    cases = cases_of(name, "refused, nothing started, restored byte for byte by one command", "mock")
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        root = sound.with_name("damaged")
        shutil.copytree(sound, root)
        DAMAGES[name](StackFiles(root, "alt-las", "alpha"), random.Random(f"{name} {key}"))  # noqa: S311  # no secret
        cases.finish(key, held=_holds(root, wanted) and not (root / "bin" / "started").exists())
        shutil.rmtree(root)
    figures.add(f"faults: {name}", str(cases.outcome))
    assert cases.broken == []


@pytest.mark.e2e
def test_plain_pulumi_reads_some_of_them(
    tmp_path: Path, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """The baseline: `pulumi stack export` of the same damages; one that it takes is a state that nobody has written."""
    project = make(tmp_path / "project", PROGRAM)
    for value in "ab":
        project.want({f"file-{number}": {"value": value, "identity": "x"} for number in range(5)})
        assert project.journaled("up", "--yes", "--skip-preview")[0] == 0
    assert project.stock("stack", "export") == 0
    shutil.copytree(project.root / "state", tmp_path / "sound")
    for name, damage in DAMAGES.items():
        cases = cases_of(name, "refused", "sim", "plain Pulumi")
        for key in cases.left(map(str, range(STOCK_ALL if all_faults else STOCK_SAMPLE))):
            damage(project.files, random.Random(f"{name} {key}"))  # noqa: S311  # no secret
            cases.finish(key, held=project.stock("stack", "export") != 0)
            shutil.rmtree(project.root / "state")
            shutil.copytree(tmp_path / "sound", project.root / "state")
        figures.add(f"faults: {name}: plain Pulumi refuses", f"{cases.outcome.held} of {cases.outcome.cases}")
        assert name != "an older state in its place" or cases.outcome.held == 0
    assert project.stock("stack", "export") == 0
    assert project.stock("stack", "rm", "--yes", "--force") == 0
    assert not project.files.exists
    assert not project.files.is_lost, "a stack that was removed may be made again"


def test_a_sound_state_is_read_by_everything(sound: Path) -> None:
    """The control: the same readers go on, with the checksum, without one, and with one that is damaged itself."""
    note = StackFiles(sound, "alt-las", "alpha").state.with_name("alpha.json.attrs")
    for content in (note.read_bytes(), b"{", b'{"md5": null}', b""):
        note.write_bytes(content)
        assert list(_refusals(sound)) == list(READERS)
        assert _engine(sound).restore_state("alpha", None) is None
    note.unlink()
    assert list(_refusals(sound)) == list(READERS)
    assert (sound / "bin" / "started").exists()


def test_a_state_without_checksum_is_never_replaced_by_guess(sound: Path) -> None:
    """As earlier versions wrote it: the message names the newest sound copy, which is taken when it is named."""
    files = StackFiles(sound, "alt-las", "alpha")
    wanted = files.state.read_bytes()
    _path(files).with_name("alpha.json.attrs").unlink()
    damaged = wanted[:-5]
    _path(files).write_bytes(damaged)
    newest = next(files.copies)
    assert isinstance(newest, Path)
    newest.write_bytes(damaged)
    with pytest.raises(CommandError) as refused:
        restore(files)
    second = list(files.copies)[1]
    assert f"`altlas state recover alpha --from {second}`, then `eval" in str(refused.value)
    assert "pulumi refresh --stack alpha`" in str(refused.value)
    assert files.state.read_bytes() == damaged
    restored = restore(files, str(second))
    assert files.state.read_bytes() == second.read_bytes()
    assert restored is not None
    assert restored.kept is not None
    assert restored.kept.read_bytes() == damaged
    assert files.read().resources


@pytest.mark.parametrize("copy", ["missing", "damaged"])
def test_a_copy_that_is_none_is_refused(sound: Path, tmp_path: Path, copy: str) -> None:
    """Its path is named and the state stays."""
    if copy == "damaged":
        (tmp_path / copy).write_bytes(b"{}")
    before = _content(sound)
    with pytest.raises(CommandError, match="is no sound copy of a state") as refused:
        restore(StackFiles(sound, "alt-las", "alpha"), str(tmp_path / copy))
    assert refused.value.code == ExitCode.BAD_INPUT
    assert _content(sound) == before


def test_without_a_sound_copy_nothing_is_made_up(sound: Path) -> None:
    """State and all copies damaged: the message says so, and nothing is changed."""
    files = StackFiles(sound, "alt-las", "alpha")
    for path in (_path(files), *files.copies):
        assert isinstance(path, Path)
        path.write_bytes(b"")
    before = _content(sound)
    with pytest.raises(CommandError, match="no sound copy is left"):
        restore(files)
    assert _content(sound) == before


def test_a_new_stack_is_not_taken_for_a_lost_one(sound: Path) -> None:
    """Without a history, as after `pulumi stack rm`, which leaves backups and `.bak`."""
    files = StackFiles(sound, "alt-las", "alpha")
    _path(files).unlink()
    with pytest.raises(CommandError, match="it is missing, although the stack has a history"):
        _engine(sound).stack_exists("alpha")
    shutil.rmtree(sound / ".pulumi" / "history" / "alt-las" / "alpha")
    assert not _engine(sound).stack_exists("alpha")
    assert not _engine(sound).stack_exists("beta")
