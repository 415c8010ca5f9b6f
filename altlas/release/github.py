"""GitHub's REST interface, as far as a release needs it: comments of a pull request, and rules of an environment.

Owns the requests and what their failures mean. Does not own what a comment says (`pull_request`). The token is sent to
one server only, by TLS unless that is this machine, follows no redirect, and stands in no message.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rendering.errors import CommandError, ExitCode

_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SECONDS = 30
_PAGE = 100
_MOST_PAGES = 50
_REVIEWERS = "required_reviewers"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none, because the token would go along."""


@dataclass(frozen=True)
class Comment:
    """A comment of a pull request.

    Attributes:
        number: Id of the comment.
        author: Login of who wrote it.
        body: Its Markdown.
    """

    number: int
    author: str
    body: str


@dataclass(frozen=True)
class GitHub:
    """One repository on GitHub.

    Attributes:
        api: Address of the interface.
        repository: Owner and name.
        token: Token of the job.
    """

    api: str
    repository: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "GitHub":
        """The repository that the variables of a job name.

        Raises:
            CommandError: A variable is missing or wrong.
        """
        api = variables.get("GITHUB_API_URL") or "https://api.github.com"
        missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not variables.get(name)]
        if missing:
            raise CommandError(f"set {' and '.join(missing)}, as a job of GitHub Actions does", ExitCode.BAD_INPUT)
        where = urllib.parse.urlsplit(api)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in _LOOPBACK):
            raise CommandError("GITHUB_API_URL must begin with https://; nothing was sent", ExitCode.BAD_INPUT)
        repository = variables["GITHUB_REPOSITORY"]
        if not _REPOSITORY.fullmatch(repository):
            raise CommandError("GITHUB_REPOSITORY must be OWNER/NAME; nothing was sent", ExitCode.BAD_INPUT)
        return cls(api.rstrip("/"), repository, variables["GITHUB_TOKEN"])

    def comments(self, pull: int) -> Iterator[Comment]:
        """Comments of a pull request, oldest first."""
        for page in range(1, _MOST_PAGES + 1):
            found = self._call("GET", f"issues/{pull}/comments?per_page={_PAGE}&page={page}")
            for each in found:
                yield Comment(each["id"], (each.get("user") or {}).get("login", ""), each.get("body") or "")
            if len(found) < _PAGE:
                return

    def create_comment(self, pull: int, body: str) -> None:
        """Write a new comment."""
        self._call("POST", f"issues/{pull}/comments", {"body": body})

    def update_comment(self, number: int, body: str) -> None:
        """Replace the text of a comment."""
        self._call("PATCH", f"issues/comments/{number}", {"body": body})

    def check_environment(self, name: str) -> int:
        """Check that an environment exists and that a job in it needs an approval.

        Returns:
            Number of its reviewers.

        Raises:
            CommandError: It does not exist, or has no required reviewers.
        """
        cure = "a job would run in it unasked. Add required reviewers in the settings of the repository"
        try:
            found = self._call("GET", f"environments/{urllib.parse.quote(name, safe='')}")
        except NotFoundError:
            raise CommandError(
                f"{self.repository} has no environment {name}, and GitHub would make one without rules: {cure}",
                ExitCode.REFUSED,
            ) from None
        rules = [each for each in found.get("protection_rules") or () if each.get("type") == _REVIEWERS]
        reviewers = sum(len(each.get("reviewers") or ()) for each in rules)
        if not reviewers:
            raise CommandError(f"the environment {name} has no required reviewers: {cure}", ExitCode.REFUSED)
        return reviewers

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.api}/repos/{self.repository}/{path}"
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310  # checked in `of`
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise self._failure(method, path, error) from None
        except (OSError, ValueError) as error:
            said = str(error).replace(self.token, "[secret]")
            raise CommandError(f"GitHub does not answer {method} {path}: {said}", ExitCode.NO_CLUSTER) from None

    def _failure(self, method: str, path: str, error: urllib.error.HTTPError) -> CommandError:
        try:
            said = str(json.load(error).get("message", ""))
        except (OSError, ValueError, AttributeError):
            said = ""
        said = " ".join(said.replace(self.token, "[secret]").split())[:300]
        message = f"GitHub refuses {method} {path.partition('?')[0]} ({error.code}): {said or error.reason}"
        if error.code == NotFoundError.CODE:
            return NotFoundError(message, ExitCode.REFUSED)
        cure = "; look at the permissions of the job and of its token" if error.code in (401, 403) else ""
        return CommandError(f"{message}{cure}", ExitCode.REFUSED)


class NotFoundError(CommandError):
    """Refusal because the thing is not there, or the token may not see it."""

    CODE = 404
