"""CustomResourceDefinitions of other projects, from their released Go modules, for tests that bring their own."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Project
from tests.support.loopback import wait_until

_MODULES = {
    "sigs.k8s.io/gateway-api": ("v1.6.1", "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=", "config/crd/standard"),
    "github.com/traefik/traefik/v3": (
        "v3.7.13",
        "h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
        "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
    ),
    "istio.io/api": ("v1.31.1", "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=", "kubernetes"),
}
_TRIES, _PAUSE_SECONDS = 3, 5


DEFINITIONS = "customresourcedefinitions"


def definitions(module: str) -> Path:
    """Folder or file of a module's CustomResourceDefinitions, with its checksum compared."""
    version, checksum, place = _MODULES[module]
    command = ["go", "mod", "download", "-json", f"{module}@{version}"]
    for _ in range(_TRIES):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.returncode:
            break
        # Go itself asks a proxy that does not answer only once.
        time.sleep(_PAUSE_SECONDS)
    if done.returncode:
        pytest.fail(f"cannot provide {module} {version}: {done.stdout}{done.stderr}")
    found = json.loads(done.stdout)
    assert found["Sum"] == checksum, f"{module} {version} is not what it was"
    return Path(found["Dir"]) / place


def install(project: Project, module: str) -> None:
    """Bring a module's definitions to the project's cluster and wait until the API server serves them."""
    place = str(definitions(module))
    done = project.kubectl("apply", "--server-side", "--force-conflicts", "--filename", place)
    assert done.code == 0, done.text
    wait_until_served(lambda: project.objects(DEFINITIONS, "default"))


def wait_until_served(read: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
    """Wait until the API server serves every definition; `kubectl wait` fails where one has no conditions yet."""

    def are_served() -> bool:
        served = ("Established", "True")
        found = [each.get("status", {}).get("conditions") or () for each in read()]
        return bool(found) and all(served in {(one["type"], one["status"]) for one in each} for each in found)

    wait_until(are_served, "the API server serves the definitions", 120)
