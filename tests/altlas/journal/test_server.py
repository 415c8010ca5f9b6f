"""The server of a journal, asked as the CLI asks it."""

import gzip
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from altlas.session.journal.bucket import BucketPath
from altlas.session.journal.journal_file import read_journal
from altlas.session.journal.replay import StackState
from altlas.session.journal.server import serving
from altlas.session.journal.state_files import StackFiles
from tests.altlas.journal.documents import begun, entry, resource, state

STACK = "/api/stacks/organization/alt-las/alpha"
AGENT = "pulumi-cli/1 (v3.259.0; linux)"


class Client:
    """A CLI that asks one server."""

    def __init__(self, token: str, port: int) -> None:
        self.token = token
        self._port = port

    def ask(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """Send a request as the CLI does, packed; return status and document."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Authorization": f"update-token {self.token}", "User-Agent": AGENT, "Content-Encoding": "gzip"}
        connection.request(method, path, gzip.compress(json.dumps(document).encode()) if document else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None

    def begin(self, kind: str = "update") -> str:
        """Begin an update; return the beginning of its paths."""
        asked = {"config": {"alt-las:a": {"string": "b"}, "alt-las:s": {"string": "v1:x", "secret": True}}}
        _, begun_update = self.ask("POST", f"{STACK}/{kind}", asked)
        path = f"{STACK}/{kind}/{begun_update['updateID']}"
        assert self.ask("POST", path, {"journalVersion": 1})[1]["journalVersion"] == 1
        return path


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Files of a stack with one resource."""
    made = StackFiles(tmp_path, "alt-las", "alpha")
    made.write(made.content(StackState(state(resource("old")))))
    return made


@pytest.fixture
def client(files: StackFiles) -> Iterator[Client]:
    """A client of a running server."""
    with serving(files) as server:
        yield Client(server.token, server.server_address[1])


def _created(number: int) -> dict[str, object]:
    made = resource(f"new-{number}")
    return {"entries": [begun(number, "creating", made), entry(1, number, state=made)]}


def test_an_update_is_a_journal_until_it_is_complete(client: Client, files: StackFiles) -> None:
    """Entries are on the disk at once; the state and the history are written at the end."""
    update = client.begin()
    assert client.ask("PATCH", f"{update}/journalentries", _created(1))[0] == 200
    journal = read_journal(files.journal)
    assert journal is not None
    assert [one["kind"] for one in journal.entries] == [0, 1]
    assert len(files.read().resources) == 1
    summary = {"events": [{"summaryEvent": {"resourceChanges": {"create": 1, "same": 1}}}]}
    assert client.ask("POST", f"{update}/events/batch", summary)[0] == 200
    assert client.ask("POST", f"{update}/complete", {"status": "succeeded"})[0] == 200
    assert not files.journal.exists()
    assert [one["urn"].rpartition("::")[2] for one in files.read().resources] == ["new-1", "old"]
    (noted,) = (files.backend / ".pulumi/history/alt-las/alpha").glob("*.history.json")
    said = json.loads(noted.read_bytes())
    assert (said["kind"], said["result"], said["resourceChanges"]) == ("update", "succeeded", {"create": 1, "same": 1})
    assert said["config"] == {"alt-las:a": "b", "alt-las:s": {"secure": "v1:x"}}


def test_a_group_of_entries_is_one_request_to_a_bucket() -> None:
    """Whatever else was asked for each group would be waited for by each step of the update."""
    asked: list[str] = []
    store = MemoryStore()

    class Counting:
        def __getattr__(self, name: str) -> object:
            asked.append(name)
            return getattr(store, name)

    files = StackFiles(BucketPath(Counting(), "memory://states"), "alt-las", "alpha")  # type: ignore[arg-type]  # a stand-in
    files.write(files.content(StackState(state(resource("old")))))
    with serving(files) as server:
        client = Client(server.token, server.server_address[1])
        update = client.begin()
        asked.clear()
        for number in (1, 2, 3):
            assert client.ask("PATCH", f"{update}/journalentries", _created(number))[0] == 200
        assert client.ask("POST", f"{update}/events/batch", {"events": []})[0] == 200
        assert client.ask("POST", f"{update}/renew_lease", {"duration": 300})[0] == 200
        assert asked == ["put", "put", "put"]
        assert client.ask("POST", f"{update}/complete", {"status": "succeeded"})[0] == 200
    assert len(files.read().resources) == 4


def test_a_result_that_pulumi_would_refuse_leaves_the_state(client: Client, files: StackFiles) -> None:
    """The CLI gets the reason, and nothing is lost."""
    before = files.state.read_bytes()
    update = client.begin()
    broken = resource("new", parent="urn:pulumi:alpha::alt-las::x:y:Z::nobody")
    client.ask("PATCH", f"{update}/journalentries", {"entries": [entry(1, 1, state=broken)]})
    status, said = client.ask("POST", f"{update}/complete", {"status": "succeeded"})
    assert status == 400
    assert "nobody is missing" in said["message"]
    assert files.state.read_bytes() == before
    assert files.journal.exists()


def test_a_preview_changes_nothing(client: Client, files: StackFiles) -> None:
    """It gets no journal."""
    before = files.state.read_bytes()
    _, said = client.ask("POST", f"{STACK}/preview", {})
    path = f"{STACK}/preview/{said['updateID']}"
    assert client.ask("POST", path, {"journalVersion": 1})[1]["journalVersion"] == 0
    assert client.ask("POST", f"{path}/complete", {"status": "succeeded"})[0] == 200
    assert files.state.read_bytes() == before
    assert not files.journal.exists()


def test_a_cli_without_journals_is_refused(client: Client, files: StackFiles) -> None:
    """It would send whole states, which nobody here reads."""
    _, said = client.ask("POST", f"{STACK}/update", {})
    status, refused = client.ask("POST", f"{STACK}/update/{said['updateID']}", {"journalVersion": 0})
    assert (status, refused["message"]) == (400, "this CLI writes no journal of version 1")
    assert not files.journal.exists()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/user", 200),
        ("GET", STACK, 200),
        ("GET", f"{STACK}/export", 200),
        ("GET", "/api/stacks/organization/alt-las/beta", 404),
        ("GET", "/api/stacks/another/alt-las/alpha", 404),
        ("GET", f"{STACK}/decrypt", 404),
        ("POST", "/api/stacks/organization/alt-las/beta/update", 404),
        ("GET", "/somewhere", 404),
    ],
)
def test_only_what_the_cli_needs_is_answered(client: Client, method: str, path: str, status: int) -> None:
    """Everything else is not found."""
    assert client.ask(method, path)[0] == status


def test_a_request_without_the_token_is_refused(client: Client, files: StackFiles) -> None:
    """Other users of the machine can reach the port."""
    client.token = "another"
    assert client.ask("GET", f"{STACK}/export") == (401, {"code": 401, "message": "wrong token"})
    assert client.ask("POST", f"{STACK}/update", {})[0] == 401
    assert not files.journal.exists()
