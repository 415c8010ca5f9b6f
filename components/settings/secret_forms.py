"""Forms of secret values: what each place where a secret is used can take, no matter who set it. Holds no value itself.

A value outside of its form breaks far from its cause: a `/` in a password ends the host of a URL, a line break ends a
line of a file that a shell reads.
"""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Form = Literal["password", "text", "key", "redis url", "nats url", "postgres url", "web url"]

PASSWORD_LENGTHS = (16, 72)
"""Fewest characters, for hashes at low cost protect long passwords only; most, for bcrypt ignores what follows."""

_PASSWORD = re.compile(r"[A-Za-z0-9._~-]+")
"""Characters that mean themselves in URLs (RFC 3986, unreserved), configuration files, shells and SQL."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEMES: dict[Form, tuple[str, ...]] = {
    "redis url": ("redis", "rediss"),
    "nats url": ("nats", "tls", "ws", "wss"),
    "postgres url": ("postgresql", "postgres"),
    "web url": ("https", "http"),
}


def placeholder(key: str) -> str:
    """Text that stands for a secret where the program is recorded without its values."""
    return f"<{key}>"


def problem_of(form: Form, value: str) -> str | None:
    """Cause and cure of a value that some place of its use cannot take, without the value; None for a usable one."""
    if form == "password":
        return _problem_of_password(value)
    if form == "key":
        return None if _VISIBLE.fullmatch(value) else "holds a space, a line break or a character that is not ASCII"
    if form == "text":
        return _problem_of_text(value)
    # The client of NATS takes several servers, separated by commas.
    parts = value.split(",") if form == "nats url" else [value]
    return next(filter(None, (_problem_of_url(part, _SCHEMES[form]) for part in parts)), None)


def _problem_of_password(value: str) -> str | None:
    least, most = PASSWORD_LENGTHS
    if not _PASSWORD.fullmatch(value):
        return "holds characters that URLs and configuration files read as their own; use A-Z a-z 0-9 . _ ~ - only"
    if not least <= len(value) <= most:
        return f"has {len(value)} characters; use {least} to {most}"
    return None


def _problem_of_text(value: str) -> str | None:
    if not value.isprintable() or value != value.strip() or not value:
        return "is empty, or holds a line break, a control character, or a space at its begin or end"
    return None


def _problem_of_url(value: str, schemes: tuple[str, ...]) -> str | None:
    try:
        url = urlsplit(value)
        is_whole = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        is_whole, url = False, SplitResult("", "", "", "", "")
    misread = url.netloc.count("@") > 1 or "@" in f"{url.path}{url.query}{url.fragment}" or _BAD_ESCAPE.search(value)
    if not is_whole or misread or not _VISIBLE.fullmatch(value):
        return (
            f"is no URL such as {schemes[0]}://user:password@host:port; write special characters of the user and the "
            "password as % and two hexadecimal digits, such as %40 for @"
        )
    return None
