"""Self-contained kubeconfig files."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from cluster.certificates import KeyPair


def render_kubeconfig(name: str, server: str, authority: Path, user: KeyPair) -> str:
    """Return a kubeconfig that holds certificates and key itself, with one context of the given name."""
    cluster = {"server": server, "certificate-authority-data": _encoded(authority)}
    credentials = {"client-certificate-data": _encoded(user.certificate), "client-key-data": _encoded(user.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(content, sort_keys=False)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
