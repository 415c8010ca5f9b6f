"""Damaged journals: what was acknowledged is recovered up to a cut, or nothing is changed and the journal stays."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from altlas.session.journal.journal_file import Heading, JournalWriter, digest
from altlas.session.journal.recovery import recover
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles, as_json, write_whole
from rendering.errors import CommandError
from tests.altlas.journal.documents import begun, entry, resource, state
from tests.faults.cases import Cases
from tests.support.figures import Figures

STEPS = 12
SAMPLE, ALL = 40, 1000
BLOCK = 256


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _zeroed(content: bytes, chance: random.Random) -> bytes:
    first = chance.choice([0, chance.randrange(0, len(content), BLOCK)])
    last = chance.choice([len(content), min(len(content), first + BLOCK)])
    return content[:first] + bytes(last - first) + content[last:]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "journal cut": _cut,
    "blocks of a journal zeroed": _zeroed,
    "one bit of a journal flipped": _flipped,
}


def _files(folder: Path) -> StackFiles:
    """A state with one resource, and a journal that makes others, each in a batch of its own."""
    files = StackFiles(folder, "alt-las", "alpha")
    files.write(files.content(StackState(state(resource("old")))))
    heading = Heading("alt-las/alpha", digest(files.state.read_bytes()), "v3.259.0", "update", 1)
    writer = JournalWriter(files.journal, heading)
    for number in range(STEPS):
        made = resource(f"new-{number}")
        writer.append(as_json({"entries": [begun(number, "creating", made), entry(1, number, state=made)]}))
    writer.close()
    return files


def _holds(files: StackFiles) -> tuple[bool, int]:
    """True if the recovery keeps its promise, and the number of steps that it has recovered; -1 where it refuses."""
    journal, before = files.journal.read_bytes(), files.state.read_bytes()
    try:
        recover(files)
    except CommandError as error:
        untouched = files.journal.read_bytes() == journal and files.state.read_bytes() == before
        return untouched and "Nothing was changed" in str(error), -1
    names = [one["urn"].rpartition("::")[2] for one in files.read().resources]
    return names == [*(f"new-{number}" for number in range(len(names) - 1)), "old"], len(names) - 1


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_journal_never_makes_a_wrong_state(
    name: str, tmp_path: Path, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """A cut one gives a whole beginning; one that is damaged otherwise is refused, also where it is JSON still."""
    cases = cases_of(name, "recovered up to the cut, or refused and kept", "mock")
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        files = _files(tmp_path / key)
        assert isinstance(files.journal, Path)
        whole = files.journal.read_bytes()
        chance = random.Random(f"{name} {key}")  # noqa: S311  # generates tests, no secrets
        damaged = DAMAGES[name](whole, chance)
        files.journal.write_bytes(damaged)
        held, steps = _holds(files)
        # A last line without its end was never acknowledged, as far as anything tells. The heading alone has no
        # checksum: damaged there and readable still, all steps are recovered.
        cases.finish(key, held=held and (steps in (-1, STEPS) or not damaged.endswith(b"\n") or damaged in whole))
    figures.add(f"faults: {name}", str(cases.outcome))
    assert cases.broken == []


def test_a_whole_journal_is_recovered(tmp_path: Path) -> None:
    """The control: without damage all steps are there."""
    assert _holds(_files(tmp_path)) == (True, STEPS)


def test_a_journal_of_the_first_format_is_read(tmp_path: Path) -> None:
    """A crash before an upgrade of `altlas`: its lines have no checksums."""
    files = _files(tmp_path)
    first, *lines = files.journal.read_bytes().splitlines()
    plain = b"\n".join([line[: -len(b" 12345678")] for line in lines])
    write_whole(files.journal, first.replace(b'"format":2', b'"format":1') + b"\n" + plain + b"\n")
    assert _holds(files) == (True, STEPS)


def test_a_journal_of_zeros_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """As a power cut leaves blocks whose content never reached the disk."""
    files = _files(tmp_path)
    write_whole(files.journal, bytes(len(files.journal.read_bytes())))
    with pytest.raises(CommandError, match=r"line 1 of .* is damaged"):
        recover(files)
