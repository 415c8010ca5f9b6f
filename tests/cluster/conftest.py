"""Fixtures of the cluster package's tests."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api_client import ApiClient
from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.simulator import Simulator
from cluster.trust import administrator_files
from cluster.variant import API_SERVER
from cluster.waiting import wait_for

PROGRAMS_VARIABLE = "ALT_LAS_TEST_PROGRAMS"
WAIT_SECONDS = 60


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """The real programs: from the directory that ALT_LAS_TEST_PROGRAMS names, else from the project's tools."""
    directory = os.environ.get(PROGRAMS_VARIABLE)
    if directory:
        return {name: Path(directory) / name for name in PROGRAMS}
    toolbox = importlib.import_module("tools").ensure(PROGRAMS)
    return {name: Path(toolbox.path(name)) for name in PROGRAMS}


@pytest.fixture(scope="session")
def reports() -> list[str]:
    """Reports of the shared cluster."""
    return []


@pytest.fixture(scope="session")
def simulator(
    programs: dict[str, Path], reports: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulator]:
    """One running cluster for all tests that do not stop it."""
    directory = tmp_path_factory.mktemp("shared") / "sim"
    cluster = Simulator(directory, programs, report=reports.append)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.delete()


class Api:
    """Requests of a test to a cluster; made for each test because ports may change."""

    def __init__(self, simulator: Simulator) -> None:
        """Prepare, without connecting."""
        status = simulator.status()
        assert status.kubeconfig is not None
        authority, user = administrator_files(status.kubeconfig.parent / "pki")
        self.client = ApiClient(status.ports[API_SERVER], authority, user)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Create or correct an object."""
        self.client.apply(path, manifest)

    def get(self, path: str) -> dict[str, Any]:
        """Return an object that must be there."""
        found = self.client.get(path)
        assert found is not None, f"{path} is not there"
        return found

    def eventually(self, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return an object once something holds for it; fail if that takes too long."""

        def enough(answer: dict[str, Any] | None) -> bool:
            return answer is not None and holds(answer)

        found = wait_for(lambda: self.client.get(path), enough, seconds=WAIT_SECONDS, poll_seconds=0.05)
        if found is None or not holds(found):
            pytest.fail(f"{path} is still: {found}")
        return found

    def namespace(self, name: str) -> str:
        """Make a namespace that enforces the restricted profile, and return its path once pods may be made in it."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        path = f"/api/v1/namespaces/{name}"
        self.apply(path, manifest)
        self.eventually(f"{path}/serviceaccounts/default", bool)
        return path

    def is_refused(self, path: str, manifest: dict[str, Any]) -> bool:
        """Tell whether the API server refuses an object."""
        try:
            self.apply(path, manifest)
        except ClusterError:
            return True
        return False


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    """Requests to the shared cluster."""
    requests = Api(simulator)
    yield requests
    requests.client.close()


@pytest.fixture
def api_of() -> Callable[[Simulator], Api]:
    """Make requests to any cluster."""
    return Api


def restricted_pod_specification(image: str = "registry.example/service:1.0.0") -> dict[str, Any]:
    """Return a pod specification that the restricted profile admits."""
    container = {
        "name": "service",
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"securityContext": security, "containers": [container]}


@pytest.fixture
def pod_specification() -> Callable[..., dict[str, Any]]:
    """Make a pod specification that the restricted profile admits."""
    return restricted_pod_specification


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    """Make a pod, with annotations and an image where wanted."""

    def make(name: str, annotations: dict[str, str] | None = None, **specification: str) -> dict[str, Any]:
        metadata = {"name": name, "annotations": annotations or {}}
        content = restricted_pod_specification(**specification)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": content}

    return make
