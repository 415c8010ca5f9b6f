"""Texts that are recognisable as secrets, and names of what holds one. Knows no secret of a stack."""

import re

_SECRET_NAME = re.compile(
    r"PASSW(OR)?D|PASSPHRASE|SECRET|TOKEN(?!S|IZ)|CREDENTIAL|(API|ACCESS|PRIVATE|SIGNING)[_-]?KEY"
)
_NOT_THE_VALUE = re.compile(
    r"[_-](FILE|PATH|DIR|NAME|URL|HOST|TTL|SECONDS|MINUTES|DAYS|LENGTH|SIZE|LIMIT|COUNT|ENABLED|TYPE|ISSUER)$"
)
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@$]*:(?!\$)[^\s/@]+@", re.IGNORECASE)
_KNOWN_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\."
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}"
)


def names_a_secret(name: str) -> bool:
    """Tell whether a variable of this name holds a secret itself, not only where one is or how long it lasts."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    return bool(_SECRET_NAME.search(words)) and not _NOT_THE_VALUE.search(words)


def holds_a_secret(text: str) -> bool:
    """Tell whether a text is recognisable as a secret: a URL with a password, a private key, a signed token."""
    return bool(_CREDENTIALS_IN_URL.search(text) or _KNOWN_FORMS.search(text))
