"""Kubeconfig files: writing self-contained ones, and finding out which server one names."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.certificates import KeyPair
from cluster.errors import ClusterError


@dataclass(frozen=True)
class Server:
    """The API server that the current context of a kubeconfig names.

    Attributes:
        url: its address.
        authority: certificate authorities to trust, as PEM text; None for those of the operating system.
        verify: whether its certificate is to be checked at all.
        server_name: name to expect in its certificate instead of the one in the address.
    """

    url: str
    authority: str | None
    verify: bool
    server_name: str | None


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


def read_server(path: Path) -> Server:
    """Return the server of the current context.

    Raises:
        ClusterError: if the file is not a usable kubeconfig.
    """
    try:
        content = yaml.safe_load(path.read_text())
        context = _named(content["contexts"], content["current-context"])["context"]
        cluster = _named(content["clusters"], context["cluster"])["cluster"]
        authority = _authority_text(cluster, path.parent)
        verify = not cluster.get("insecure-skip-tls-verify", False)
        return Server(cluster["server"], authority, verify, cluster.get("tls-server-name"))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = (
            f"The kubeconfig {path} cannot be used: {type(error).__name__} {error}. It needs a current context whose "
            "cluster has a server; check it with: kubectl config view --minify."
        )
        raise ClusterError(message) from error


def _authority_text(cluster: dict[str, Any], directory: Path) -> str | None:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"]).decode()
    if "certificate-authority" in cluster:
        return (directory / str(cluster["certificate-authority"])).read_text()
    return None


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise KeyError(name)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
