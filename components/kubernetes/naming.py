"""Names and labels of Kubernetes objects: pure functions, no settings and no Pulumi."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

NAME = "app.kubernetes.io/name"
"""Label with the name of the application. Flagger gives the pods that it makes another value of it."""

HOST = "kubernetes.io/hostname"
"""Label with the name of a node."""

ZONE = "topology.kubernetes.io/zone"
"""Label with the zone of a node."""

PLATFORM = "alt-las"
"""Value of `app.kubernetes.io/part-of` on every object of the platform."""

HTTP_PORT_NAME = "http"
"""Name of the port of services, and of Loki, Alloy and Grafana, where metrics are a path among others."""

DNS_LABEL_MAXIMUM = 63
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_NAME = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_CONTENT_HASH_LENGTH = 10


def is_dns_label(text: str) -> bool:
    """Tell whether `text` is a DNS label (RFC 1123), which names of namespaces and services must be."""
    return len(text) <= DNS_LABEL_MAXIMUM and _DNS_LABEL.fullmatch(text) is not None


def is_dns_name(text: str) -> bool:
    """Tell whether `text` is a DNS name of labels joined by dots, at most 253 characters."""
    longest_name = 253
    return len(text) <= longest_name and all(is_dns_label(label) for label in text.split("."))


def is_label_value(text: str) -> bool:
    """Tell whether `text` may stand as the value of a Kubernetes label."""
    return len(text) <= DNS_LABEL_MAXIMUM and _LABEL_VALUE.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Tell whether `text` may stand as the key of a Kubernetes label, with or without a prefix such as example.com/."""
    prefix, slash, name = text.rpartition("/")
    return is_label_value(name) and (is_dns_name(prefix) if slash else True)


def selector_labels(name: str) -> dict[str, str]:
    """Labels that select the pods of `name`. They never change, because selectors are immutable."""
    return {NAME: name, "app.kubernetes.io/part-of": PLATFORM}


def primary_of(name: str) -> str:
    """Name of the pods that serve between and during releases by a canary. Flagger makes them."""
    return f"{name}-primary"


def canary_of(name: str) -> str:
    """Name of the Service that Flagger makes for the pods of a new release."""
    return f"{name}-canary"


def selector(*names: str) -> dict[str, Any]:
    """Selector of the objects of one name, or of several."""
    if len(names) == 1:
        return {"matchLabels": selector_labels(names[0])}
    platform = {"app.kubernetes.io/part-of": PLATFORM}
    return {"matchLabels": platform, "matchExpressions": [{"key": NAME, "operator": "In", "values": list(names)}]}


def labels(name: str, component: str) -> dict[str, str]:
    """Labels of every object of `name`: the selector's labels and its role in the platform."""
    return {
        **selector_labels(name),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def version_label(version: str) -> dict[str, str]:
    """Label that names the release; only on what a release changes, so that a release writes few objects."""
    return {"app.kubernetes.io/version": version}


def content_name(name: str, content: Mapping[str, str]) -> str:
    """Name that changes with the content, so that new content rolls the pods and old content gets its old name back."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:_CONTENT_HASH_LENGTH]}"
