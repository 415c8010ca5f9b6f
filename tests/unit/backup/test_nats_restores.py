"""Restores into a NATS cluster whose servers do not know yet where the messages are taken."""

from pathlib import Path

import pytest

from backup.errors import BackupError
from backup.nats_server import NatsServer

UNHEARD = "NATS at nats://a: nats: error: restore failed: nats: no responders available for request"
STREAM = Path("/backups/LAST_FILES")
RESTORE = ["stream", "restore", str(STREAM), "--no-progress"]
LIST = ["stream", "ls", "--names", "--json"]


class Commands:
    """Commands of which the first restores fail; each of these leaves a stream without messages behind."""

    def __init__(self, *failures: str) -> None:
        self._failures = list(failures)
        self.ran: list[list[str]] = []

    def __call__(self, *arguments: str) -> str:
        """Run a command."""
        self.ran.append(list(arguments))
        if arguments[1] == "restore" and self._failures:
            raise BackupError(self._failures.pop(0))
        return '["LAST_FILES"]' if arguments[1] == "ls" else ""


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, which are not waited for."""
    seconds: list[float] = []
    monkeypatch.setattr("backup.nats_server.time.sleep", seconds.append)
    return seconds


def _loaded(monkeypatch: pytest.MonkeyPatch, *failures: str) -> Commands:
    commands = Commands(*failures)
    monkeypatch.setattr(NatsServer, "run", lambda _, *arguments: commands(*arguments))
    return commands


def test_a_restore_that_nobody_hears_is_repeated(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    """Leftovers of the first try are removed before."""
    commands = _loaded(monkeypatch, UNHEARD)
    NatsServer("nats://a").load(STREAM)
    assert commands.ran == [RESTORE, LIST, ["stream", "rm", "LAST_FILES", "--force"], RESTORE]
    assert waited == [1]


@pytest.mark.parametrize(("failures", "tries"), [([UNHEARD] * 5, 5), (["the dump is damaged"], 1)])
def test_a_restore_that_fails_for_good_is_an_error(
    monkeypatch: pytest.MonkeyPatch, failures: list[str], tries: int
) -> None:
    """After five tries, and at once where another reason is given."""
    commands = _loaded(monkeypatch, *failures)
    with pytest.raises(BackupError, match=failures[-1].split(": ")[-1]):
        NatsServer("nats://a").load(STREAM)
    assert commands.ran.count(RESTORE) == tries
