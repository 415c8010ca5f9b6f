"""Failures of an API server that pass by themselves, told from those that a person must mend.

Owns the messages of kubectl and of the Kubernetes provider, which both come from client-go. That library repeats a
request itself only where it reads or where the answer says when to come back, and the provider repeats no write at all.
"""

import re
from collections.abc import Sequence

_ANSWERED = re.compile(
    r"\bEOF\b|connection reset by peer|broken pipe|TLS handshake timeout|http2: \w+"
    r"|Internal error occurred|TooManyRequests|[Tt]oo many requests|unable to handle the request"
    r"|prevented the request from succeeding"
    r"|unable to return a response in the time allotted|etcdserver: (request timed out|leader changed)"
    r"|unexpected error when reading response body"
)
_NOT_REACHED = re.compile(
    r"connection refused|i/o timeout|Client\.Timeout exceeded|cluster is unreachable|unreachable cluster"
    r"|no route to host|network is unreachable"
)

_CONSEQUENCE = re.compile(r"^Program failed with an unhandled exception")
"""Error of a program whose object was not made. Where the program itself is wrong, it is left when others are gone."""

PAUSES_SECONDS = (1, 2, 4, 8, 15, 15, 15)
"""Pauses before an update that changed nothing is repeated: a minute, in which an API server that restarts is back."""

READING_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses before one request is repeated."""


def is_passing(message: str) -> bool:
    """True if an API server that can be reached answered so, or cut the connection."""
    return _ANSWERED.search(message) is not None


def is_passing_or_unreachable(message: str) -> bool:
    """True also if the API server was not reached at all, as while it is restarted."""
    return is_passing(message) or _NOT_REACHED.search(message) is not None


def passing_causes(messages: Sequence[str]) -> Sequence[str]:
    """Failures that ended an update, if all of them may pass; otherwise none."""
    causes = [message for message in messages if not _CONSEQUENCE.search(message)]
    return causes if all(map(is_passing_or_unreachable, causes)) else ()
