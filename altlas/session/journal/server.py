"""Server of a journal: the part of Pulumi's service interface that the unchanged CLI needs for one command.

Listens on loopback at a free port, asks every request for a token that only this process and its CLI know, and ends
with the command. Owns the protocol. Does not own files (`state_files`, `journal_file`) nor what an entry means.
"""

import gzip
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from altlas.session.journal.lease import Check
from altlas.session.journal.leftovers import without_deletions
from altlas.session.journal.replay import VERSION, JournalError
from altlas.session.journal.state_files import ORGANIZATION, StackFiles, StateError
from altlas.session.journal.update import Update

SERVED_USER = "altlas"
"""Name of the only account."""

_LEASE_SECONDS = 24 * 3600
_LOOPBACK = "127.0.0.1"
_NO_UPDATE = "00000000-0000-0000-0000-000000000000"

Answer = tuple[HTTPStatus, object]
_NOTHING: Answer = (HTTPStatus.OK, {})
_ABSENT: Answer = (HTTPStatus.NOT_FOUND, {"code": 404, "message": "not found"})


class StateServer(ThreadingHTTPServer):
    """Serves the stacks of a file backend to one CLI.

    Attributes:
        token: What the CLI must send.
        update: The update that is written down; None while nothing changes.
    """

    daemon_threads = True

    def __init__(self, files: StackFiles, *, defers_deletions: bool, check: Check = lambda: None) -> None:
        """Listen.

        Args:
            files: Those of the stack that the command changes.
            defers_deletions: Show it without the objects that its state lists for deletion.
            check: Raises OSError once the stack is no more held; called before each write.
        """
        super().__init__((_LOOPBACK, 0), _Handler)
        self.token = secrets.token_urlsafe(32)
        self.update: Update | None = None
        self._files = files
        self._check = check
        self._defers_deletions = defers_deletions

    @property
    def url(self) -> str:
        """Value for PULUMI_BACKEND_URL."""
        return f"http://{_LOOPBACK}:{self.server_address[1]}"

    def answer(self, method: str, path: list[str], body: "Body") -> Answer:
        """Answer a request; `path` is what stands between the slashes after `/api/`."""
        match path:
            case ["user", "organizations", "default"]:
                return HTTPStatus.OK, {"gitHubLogin": ORGANIZATION}
            case ["user"]:
                organization = {"githubLogin": ORGANIZATION, "name": ORGANIZATION}
                return HTTPStatus.OK, {"githubLogin": SERVED_USER, "name": SERVED_USER, "organizations": [organization]}
            case ["capabilities"]:
                return HTTPStatus.OK, {"capabilities": []}
            case ["stacks", organization, project, stack, *rest] if organization == ORGANIZATION:
                return self._of_stack(method, StackFiles(self._files.backend, project, stack), rest, body)
            case ["stacks", organization, _] if organization == ORGANIZATION and method == "HEAD":
                return _NOTHING
        return _ABSENT

    def _of_stack(self, method: str, files: StackFiles, rest: list[str], body: "Body") -> Answer:
        # The state of a running update is there, and each group of entries would wait for a bucket to say so.
        running = self.update is not None and rest[1:2] == [self.update.identifier]
        if method == "GET" or not (running or files.state.exists()):
            return _read(files, rest, hides_deletions=self._defers_deletions and files == self._files)
        match rest:
            case [kind] if kind != "tags" and files == self._files:
                return self._begin(kind, body)
            case [_, identifier]:
                return self._start(identifier, body)
            case [_, _, "renew_lease"]:
                return HTTPStatus.OK, self._lease()
            case [_, identifier, *what]:
                return self._report(identifier, what[-1], body)
            case _:
                return _NOTHING if rest == ["tags"] else _ABSENT

    def _begin(self, kind: str, body: "Body") -> Answer:
        request = body.document()
        if kind == "preview" or (request.get("options") or {}).get("dryRun"):
            return HTTPStatus.OK, {"updateID": f"preview-{secrets.token_hex(8)}"}
        self.update = Update(
            self._files,
            kind,
            request,
            secrets.token_hex(16),
            body.cli_version,
            defers_deletions=self._defers_deletions,
            check=self._check,
        )
        return HTTPStatus.OK, {"updateID": self.update.identifier}

    def _start(self, identifier: str, body: "Body") -> Answer:
        if self.update is None or identifier != self.update.identifier:
            return HTTPStatus.OK, {"version": 1, **self._lease(), "journalVersion": 0}
        if body.document().get("journalVersion", 0) < VERSION:
            return HTTPStatus.BAD_REQUEST, {"code": 400, "message": "this CLI writes no journal of version 1"}
        self.update.start()
        return HTTPStatus.OK, {"version": 1, **self._lease(), "journalVersion": VERSION}

    def _report(self, identifier: str, what: str, body: "Body") -> Answer:
        """Take what the CLI reports of an update; of a preview, which changes nothing, nothing is kept."""
        if self.update is not None and identifier == self.update.identifier:
            match what:
                case "journalentries":
                    self.update.append(body.text)
                case "events" | "batch":
                    self.update.note(body.text)
                case "complete":
                    self.update.complete(body.document().get("status", ""))
                case _:
                    return _ABSENT
        return _NOTHING

    def _lease(self) -> dict[str, object]:
        return {"token": self.token, "tokenExpiration": int(time.time()) + _LEASE_SECONDS}


def _read(files: StackFiles, rest: list[str], *, hides_deletions: bool) -> Answer:
    """Answer what the CLI asks of a stack before it changes anything."""
    if not files.state.exists():
        return _ABSENT
    if rest == ["export"]:
        state = without_deletions(files.read()) if hides_deletions else files.read()
        return HTTPStatus.OK, {"version": state.version, "features": list(state.features), "deployment": state.body}
    if rest:
        return _ABSENT
    names = {"orgName": ORGANIZATION, "projectName": files.project, "stackName": files.stack}
    return HTTPStatus.OK, {**names, "activeUpdate": _NO_UPDATE, "tags": {}, "version": 1}


class Body:
    """Body of a request.

    Attributes:
        text: Its content, unpacked.
        cli_version: Version of the CLI that sent it, such as `3.259.0`.
    """

    def __init__(self, text: bytes, user_agent: str) -> None:
        """Keep the content; nothing is parsed until it is needed."""
        self.text = text
        # `pulumi-cli/1 (3.259.0; linux)`
        self.cli_version = user_agent.partition("(")[2].partition(";")[0].strip()

    def document(self) -> Mapping[str, Any]:
        """The content as JSON; empty for a request without one."""
        found: Mapping[str, Any] = json.loads(self.text) if self.text else {}
        return found


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, checks its token, and writes the answer."""

    server: StateServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # name of the standard library
        """Print nothing: the CLI's own output is what a person reads."""

    def _serve(self) -> None:
        body = Body(self._read(), self.headers.get("User-Agent", ""))
        given = self.headers.get("Authorization", "").rpartition(" ")[2]
        path = self.path.partition("?")[0].strip("/").split("/")
        if not secrets.compare_digest(given, self.server.token):
            self._write(HTTPStatus.UNAUTHORIZED, {"code": 401, "message": "wrong token"})
        else:
            self._write(*self._answered(path, body))

    def _answered(self, path: list[str], body: Body) -> Answer:
        try:
            return self.server.answer(self.command, path[1:], body) if path[0] == "api" else _ABSENT
        except (OSError, JournalError, StateError) as error:
            # Such as a full disk. The engine stops, and what was acknowledged is in the journal.
            return HTTPStatus.BAD_REQUEST, {"code": 400, "message": f"cannot write the state: {error}"}

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b"".join(self._chunks())
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _write(self, status: HTTPStatus, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815  # names of the library


@contextmanager
def serving(files: StackFiles, *, defers_deletions: bool = False, check: Check = lambda: None) -> Iterator[StateServer]:
    """A server that answers until the block ends; see `StateServer`."""
    with StateServer(files, defers_deletions=defers_deletions, check=check) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
