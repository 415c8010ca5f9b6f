"""Updates that the API server's passing failures end: what is repeated, how often, and what is not."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from altlas.session.journal.replay import StackState
from altlas.session.journal.run import Command
from altlas.session.journal.state_files import StackFiles
from tests.altlas.journal.documents import resource, state
from tests.altlas.journal.test_server import Client

PASSING = 'resource was not created by the API server: Patch "https://127.0.0.1/api/v1/configmaps/a": EOF'
CONSEQUENCE = "Program failed with an unhandled exception:\nTraceback (most recent call last):"
LASTING = 'ConfigMap "a" is invalid: data: Too long'


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Files of a stack."""
    made = StackFiles(tmp_path, "alt-las", "alpha")
    made.write(made.content(StackState(state(resource("old")))))
    return made


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, which are not waited for."""
    seconds: list[float] = []
    monkeypatch.setattr("altlas.session.journal.run.time.sleep", seconds.append)
    return seconds


class Commands:
    """Commands of a CLI that end one after the other with these errors; the last one, without any, succeeds.

    Each has changed so many resources before.
    """

    def __init__(self, *errors: tuple[str, ...], changed: int = 0) -> None:
        self._errors: Iterator[tuple[str, ...]] = iter(errors)
        self._summary: dict[str, object] = {"summaryEvent": {"resourceChanges": {"same": 7, "update": changed}}}
        self.continued: list[bool] = []

    def __call__(self, variables: Mapping[str, str]) -> int:
        """Run the next one."""
        self.continued.append(variables.get("PULUMI_CONTINUE_ON_ERROR") == "true")
        errors = next(self._errors)
        credentials = json.loads((Path(variables["PULUMI_CREDENTIALS_PATH"]) / "credentials.json").read_text())
        url = variables["PULUMI_BACKEND_URL"]
        client = Client(credentials["accessTokens"][url], int(urlsplit(url).port or 0))
        update = client.begin()
        said = [*errors, "update failed"] if errors else []
        events: list[dict[str, object]] = [
            {"diagnosticEvent": {"severity": "error", "message": f"<{{%reset%}}>{one}"}} for one in said
        ]
        events.append(self._summary)
        assert client.ask("POST", f"{update}/events/batch", {"events": events})[0] == 200
        assert client.ask("POST", f"{update}/complete", {"status": "failed" if errors else "succeeded"})[0] == 200
        return 255 if errors else 0


def _repeated(files: StackFiles, commands: Commands, *, updates: bool = True) -> int:
    return Command(files, commands, Path(str(files.backend)) / "logins", updates=updates).repeated()


def test_an_update_goes_on_after_failures_that_pass(
    files: StackFiles, waited: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """None of them continues on errors: the engine would wait for ever if a deletion before a replacement failed."""
    commands = Commands((PASSING,), (PASSING, CONSEQUENCE), ())
    assert _repeated(files, commands) == 0
    assert commands.continued == [False, False, False]
    assert waited == [1, 2]
    said = capsys.readouterr()
    for seconds in (1, 2):
        assert f"The API server failed, which may pass ({PASSING}): goes on in {seconds} s." in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_a_deletion_goes_on_with_all_that_does_not_depend_on_a_failed_object(files: StackFiles) -> None:
    """From the second try on; the first one shows each failure by itself."""
    commands = Commands((PASSING,), (PASSING,), ())
    assert _repeated(files, commands, updates=False) == 0
    assert commands.continued == [False, True, True]


def test_an_update_is_not_given_up_while_it_advances(files: StackFiles, waited: list[float]) -> None:
    """Each try that has changed something begins the pauses again."""
    commands = Commands(*[(PASSING,)] * 20, (), changed=1)
    assert _repeated(files, commands) == 0
    assert waited == [1] * 20


def test_an_update_is_given_up_after_a_minute_in_which_nothing_changed(files: StackFiles, waited: list[float]) -> None:
    """Eight tries in all; the exit code is that of the last one."""
    commands = Commands(*[(PASSING,)] * 8)
    assert _repeated(files, commands) == 255
    assert len(commands.continued) == 8
    assert sum(waited) == 60


@pytest.mark.parametrize(
    "errors",
    [(LASTING,), (PASSING, LASTING), (CONSEQUENCE,)],
    ids=["a lasting failure", "a lasting failure among others", "an error of the program"],
)
def test_nothing_else_is_repeated(files: StackFiles, waited: list[float], errors: tuple[str, ...]) -> None:
    """One mistake of a person among many failures ends the update."""
    assert _repeated(files, Commands(errors)) == 255
    assert waited == []
