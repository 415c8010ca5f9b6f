"""Labels that a stack file may name, for Kubernetes, metrics and logs: well formed, with values that can be counted."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from components.kubernetes.naming import is_label_value

_LABEL_NAME = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9_./]*[a-zA-Z0-9])?")
_WORDS = re.compile(r"[-_./]+|(?<=[a-z0-9])(?=[A-Z])")
_UNBOUNDED = frozenset(
    (
        *("address", "email", "hash", "host", "hostname", "id", "ids", "ip", "message", "nonce", "path", "query"),
        *("request", "revision", "session", "span", "time", "timestamp", "token", "trace", "uid", "uri", "url", "user"),
        *("username", "uuid"),
    )
)
"""Words in names of labels whose values never end: each new value is a new series, or stream, for ever."""


def bounded_label(name: str) -> str:
    """Accept the name of a label only if its values can be counted.

    Raises:
        ValueError: The name says that every request, user or pod has another value.
    """
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a label; write one such as app.kubernetes.io/version")
    endless = sorted({word for word in _WORDS.split(name) if word.lower() in _UNBOUNDED})
    if endless:
        raise ValueError(
            f"{name!r} is a label without bounds ({', '.join(endless)}): every value of it would be kept apart from "
            "all others and memory would run out; leave it in the text of logs and traces, or use one with few values, "
            "such as app.kubernetes.io/version"
        )
    return name


def _kubernetes_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or not is_label_value(value):
            raise ValueError(f"has no label in {name!r}: {value!r}; write a name and a value, such as release: stable")
    return labels


BoundedLabel = Annotated[str, AfterValidator(bounded_label)]
Labels = Annotated[dict[str, str], AfterValidator(_kubernetes_labels)]
