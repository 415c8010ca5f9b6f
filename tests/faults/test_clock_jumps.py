"""Jumps of the clock between commands, forward and back: copies of the state, locks and the ledger keep their order.

The clock is that of this program: what its modules read is replaced. Not tried: jumps of the clock of the CLI and of
the servers of stores, which is the machine's.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from altlas.release.ledger import Ledger
from altlas.session.journal import state_files
from altlas.session.journal.locks import check_free, locks_of, take_lock
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles, as_json
from cluster.processes import start_time
from rendering.errors import CommandError
from tests.altlas.journal.documents import resource, state
from tests.faults.cases import Cases

CASES, CASES_IN_SAMPLE = 500, 20
UPDATES = 6
JUMPS = (timedelta(seconds=1), timedelta(minutes=2), timedelta(hours=1), timedelta(days=1), timedelta(days=3650))


def _moments(chance: random.Random) -> list[datetime]:
    """Moments of updates by a clock that is set forward and back between them, at least once back."""
    now, found = datetime.now(UTC), []
    for number in range(UPDATES):
        found.append(now)
        back = number == 0 or chance.random() < 0.5
        now += -chance.choice(JUMPS) if back else chance.choice(JUMPS)
    return found


def _set_clock(patched: pytest.MonkeyPatch, moment: datetime) -> None:
    nanoseconds = int(moment.timestamp() * 1e9)
    patched.setattr(state_files, "time", SimpleNamespace(time_ns=lambda: nanoseconds, sleep=time.sleep))


def _states_in_order(files: StackFiles, moments: list[datetime]) -> list[bytes]:
    """Contents of the states that updates at these moments have left, the newest first."""
    written: list[bytes] = []
    for number, moment in enumerate(moments):
        with pytest.MonkeyPatch.context() as patched:
            _set_clock(patched, moment)
            content = files.content(StackState(state(resource(f"of-update-{number}"))))
            files.write(content)
            files.add_to_history({"kind": "update"}, content)
            written.insert(0, content)
    return written


def _living_lock_holds(files: StackFiles, moment: datetime) -> bool:
    """True if the lock of a living process holds and that of a dead one does not, whenever they were taken."""
    lock = take_lock(files)
    said = {**lock.document, "timestamp": moment.isoformat(), "run": ""}
    lock.path.write_bytes(as_json({**said, "pid": os.getppid(), "began": start_time(os.getppid()) or ""}))
    try:
        check_free(files)
    except CommandError:
        lock.path.write_bytes(as_json({**said, "began": "0"}))
        return all(each.is_dead for each in locks_of(files))
    finally:
        lock.path.unlink()
    return False


def test_a_clock_that_jumps_changes_no_order(
    tmp_path: Path, *, all_faults: bool, cases_of: Callable[..., Cases]
) -> None:
    """The copy that is named as the newest is that of the last update, locks hold, and the ledger's chain is whole."""
    cases = cases_of(
        "the clock jumps between commands, up to ten years forward or back",
        "copies of the state keep their order, locks hold or are broken by their processes, the ledger is whole",
        "mock",
    )
    for key in cases.left(map(str, range(CASES if all_faults else CASES_IN_SAMPLE))):
        moments = _moments(random.Random(key))  # noqa: S311  # generates tests, no secrets
        files = StackFiles(tmp_path / key, "alt-las", "alpha")
        written = _states_in_order(files, moments)
        ledger = Ledger(tmp_path / key / "ledger.jsonl")
        for moment in moments:
            ledger.append("apply", "a person", {"time": moment.isoformat()}, now=moment)
        held = [
            [copy.read_bytes() for copy in files.copies][:UPDATES] == written,
            all(_living_lock_holds(files, moment) for moment in moments),
            [entry.body["time"] for entry in ledger.entries()] == [moment.isoformat() for moment in moments],
        ]
        cases.finish(key, held=all(held))
    assert cases.broken == []


def test_the_clock_alone_would_name_another_copy() -> None:
    """The control: by the moments of the same updates, an older state would be the newest."""
    for key in map(str, range(CASES_IN_SAMPLE)):
        moments = _moments(random.Random(key))  # noqa: S311  # generates tests, no secrets
        assert moments != sorted(moments), key
