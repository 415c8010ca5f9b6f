"""Stand-in for GitHub's REST interface on loopback: comments, environments, and identities of jobs."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.http_server import QuietHandler, http_server

TOKEN = "ghs_CANARY0token0of0the0job"  # of a server on loopback
REPOSITORY = "atlas/platform"
BOT = "github-actions[bot]"
MOST_CHARACTERS = 65_536


@dataclass
class World:
    """State of the server.

    Attributes:
        address: Address of the interface.
        comments: Comments by pull request.
        environments: Protection rules by environment.
        requests: Methods and paths that were asked for.
        answer: Status with which every request is answered; None for the right one.
        redirect: Address to which every request is sent.
    """

    address: str = ""
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    environments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    answer: int | None = None
    redirect: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a job."""
        return {"GITHUB_API_URL": self.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}

    def say(self, pull: int, author: str, body: str) -> None:
        """Add a comment."""
        number = 1 + sum(len(each) for each in self.comments.values())
        self.comments.setdefault(pull, []).append({"id": number, "user": {"login": author}, "body": body})

    def bodies(self, pull: int, author: str = BOT) -> list[str]:
        """Texts of the comments of one author."""
        return [each["body"] for each in self.comments.get(pull, ()) if each["user"]["login"] == author]


class _Handler(QuietHandler):
    world: World

    def _answer(self, status: int, document: Any) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        if self.world.redirect:
            self.send_header("Location", self.world.redirect)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _handle(self) -> None:
        world, where = self.world, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        world.requests.append(f"{self.command} {where.path}")
        query = {key: each[0] for key, each in parse_qs(where.query).items()}
        if world.redirect:
            return self._answer(302, {})
        if world.answer:
            return self._answer(world.answer, {"message": f"no: {self.headers['Authorization']}"})
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer(401, {"message": "Bad credentials"})
        if where.path == "/identity":
            claims = urlsafe_b64encode(json.dumps({"exp": 1_900_000_000, "aud": query["audience"]}).encode())
            return self._answer(200, {"value": f"e30.{claims.decode().rstrip('=')}.c2ln"})
        return self._of_repository(where.path.removeprefix(f"/repos/{REPOSITORY}/").split("/"), query, body)

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815  # names that the library calls

    def _of_repository(self, parts: list[str], query: dict[str, str], body: dict[str, Any]) -> None:
        world = self.world
        if len(body.get("body", "")) > MOST_CHARACTERS:
            return self._answer(422, {"message": "body is too long (maximum is 65536 characters)"})
        match (self.command, parts):
            case "GET", ["issues", pull, "comments"]:
                size, page = int(query["per_page"]), int(query["page"])
                found = world.comments.get(int(pull), [])
                return self._answer(200, found[(page - 1) * size : page * size])
            case "POST", ["issues", pull, "comments"]:
                world.say(int(pull), BOT, body["body"])
                return self._answer(201, {})
            case "PATCH", ["issues", "comments", number]:
                for each in (one for all_ in world.comments.values() for one in all_):
                    if each["id"] == int(number):
                        each["body"] = body["body"]
                        return self._answer(200, {})
            case "GET", ["environments", name] if name in world.environments:
                return self._answer(200, {"name": name, "protection_rules": world.environments[name]})
        return self._answer(404, {"message": "Not Found"})


@contextmanager
def github_server() -> Iterator[World]:
    """The server, until the end of the block."""
    world = World()
    handler = type("Handler", (_Handler,), {"world": world})
    with http_server(handler) as port:
        world.address = f"http://127.0.0.1:{port}"
        yield world
