"""A checkout of its own, a registry on this machine, and a candidate that nothing speaks against."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.altlas.conftest import Altlas, altlas, checkout
from tests.support.http_server import QuietHandler, http_server

__all__ = ["Altlas", "altlas", "checkout"]

DIGEST = "sha256:" + "a" * 64
REVISION = "b" * 40


class Registry:
    """A registry that knows tags and nothing else.

    Attributes:
        digests: Digest by path and tag, such as `team/app:1`.
        host: Where it listens.
    """

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        registry = self

        class Handler(QuietHandler):
            def do_HEAD(self) -> None:
                _, _, rest = self.path.partition("/v2/")
                repository, _, tag = rest.partition("/manifests/")
                digest = registry.digests.get(f"{repository}:{tag}")
                self.send_response(200 if digest else 404)
                if digest:
                    self.send_header("Docker-Content-Digest", digest)
                self.end_headers()

        self._running = ExitStack()
        self.host = f"127.0.0.1:{self._running.enter_context(http_server(Handler))}"

    def close(self) -> None:
        """Stop listening: from now on it cannot be reached."""
        self._running.close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that has `team/archive-service:1.2.3`."""
    made = Registry()
    made.digests["team/archive-service:1.2.3"] = DIGEST
    yield made
    made.close()


def trivy(*findings: tuple[str, str]) -> dict[str, Any]:
    """A report of Trivy with findings (name, severity)."""
    found = [{"VulnerabilityID": name, "PkgName": "zlib", "Severity": severity} for name, severity in findings]
    return {"SchemaVersion": 2, "ArtifactName": "image", "Results": [{"Vulnerabilities": found}]}


def grype(*findings: tuple[str, str]) -> dict[str, Any]:
    """A report of Grype with findings (name, severity)."""
    found = [
        {"vulnerability": {"id": name, "severity": level}, "artifact": {"name": "zlib"}} for name, level in findings
    ]
    return {"descriptor": {"name": "grype"}, "matches": found}


@pytest.fixture
def arguments(checkout: Path, registry: Registry) -> list[str]:
    """The command line that locks archive-service; its files are in the checkout."""
    write(checkout / "sbom.json", {"spdxVersion": "SPDX-2.3", "packages": [{"name": "zlib"}]})
    write(checkout / "trivy.json", trivy(("CVE-1", "MEDIUM")))
    write(checkout / "grype.json", grype(("CVE-1", "Low")))
    options = {
        "repository": f"{registry.host}/team/archive-service",
        "tag": "1.2.3",
        "digest": DIGEST,
        "revision": REVISION,
        "built-at": "2026-01-31T12:00:00Z",
        "sbom": str(checkout / "sbom.json"),
    }
    reports = ["--report", str(checkout / "trivy.json"), "--report", str(checkout / "grype.json")]
    return ["images", "lock", "archive-service", *(f"--{name}={text}" for name, text in options.items()), *reports]


def write(file: Path, document: object) -> None:
    """Write a document as JSON."""
    file.write_text(json.dumps(document), encoding="utf-8")


def changed(arguments: list[str], **options: str) -> list[str]:
    """A command line with other values for some options."""
    names = {f"--{name.replace('_', '-')}": text for name, text in options.items()}
    return [f"{name}={names[name]}" if (name := each.partition("=")[0]) in names else each for each in arguments]
