"""Faults of a stack file about traffic: `altlas up` ends before it looks for a program or a cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.problems import PLATFORM_KEY

API = {"service": "api-gateway", "path": "/api"}


def routes(*further: dict[str, Any]) -> dict[str, Any]:
    """A route table with more than its one route."""
    return {"ingress": {"host": "alt-las.local", "routes": [API, *further]}}


@pytest.mark.parametrize(
    ("settings", "path", "cure"),
    [
        (
            routes({"service": "nobody", "path": "/n"}),
            "ingress.routes[1].service",
            "known: api-gateway, runner-service",
        ),
        (
            routes({"service": "runner-service", "path": "/run", "port": 81}),
            "ingress.routes[1].port",
            "write 8080 or leave it out",
        ),
        (routes({"service": "runner-service", "path": "/api"}), "routes[0] and routes[1]", "give one another path"),
        (
            routes({"service": "runner-service", "path": "/", "host": "b.example"}),
            "routes[1].host",
            "to tls.additional",
        ),
        (
            {"additionalCalls": [{"caller": "runner-service", "callee": "runner-service"}]},
            "additionalCalls[0]",
            "remove it",
        ),
        (
            {"additionalCalls": [{"caller": "runner-service", "callee": "api-gateway"}]},
            "additionalCalls[0]",
            "name the service that is to answer",
        ),
        ({"egress": {"privateRanges": ["10.0.0.0/33"]}}, "egress.privateRanges[0]", "such as 203.0.113.0/24"),
        ({"mesh": {"mode": "sidecar"}}, "mesh.mode", "'ambient'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_traffic_is_refused_before_anything_is_started(
    altlas: Callable[..., Any], checkout: Path, settings: dict[str, Any], path: str, cure: str
) -> None:
    """The key's path and what would be right, exit code 2, no traceback, and nothing of a cluster or a state."""
    file = checkout / "Pulumi.alpha.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"][PLATFORM_KEY] |= settings
    file.write_text(yaml.safe_dump(document))
    done = altlas("up", "--stack", "alpha")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("error: 1 problem in the stack configuration, nothing was changed:\n")
    assert PLATFORM_KEY in done.error
    assert path in done.error
    assert cure in done.error
    assert [each.name for each in (checkout / ".altlas").rglob("*") if each.is_file()] == ["lock"]
