"""A list with an addon of our own, who has its file, and a cluster that answers from memory."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from altlas.addons.install import Addons
from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from cluster import Target
from cluster.addons import AddonManifest
from rendering.errors import CommandError, ExitCode
from tests.e2e.conftest import project
from tests.support.sandbox import sha256
from tests.tools.conftest import releases, sandbox

__all__ = ["project", "releases", "sandbox"]

DEFINITION = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.org}
spec: {group: example.org, pattern: =}
"""
OPERATOR = """---
apiVersion: v1
kind: Namespace
metadata: {name: upstream}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: boatman, namespace: upstream, labels: {app: boatman}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: boatman}
subjects: [{kind: ServiceAccount, name: boatman, namespace: upstream}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: boatman}
webhooks: [{clientConfig: {service: {name: boatman, namespace: upstream}}}]
"""
CONTENT = (DEFINITION + OPERATOR).encode()


def manifest_of(version: str = "1.2.3", **more: object) -> AddonManifest:
    """A list with one addon, `boats`, of which more may be said."""
    file = {"path": "releases/boats.yaml", "url": "https://releases.example/boats.yaml", "sha256": sha256(CONTENT)}
    boats = {
        "title": "Boats",
        "version": version,
        "purpose": "rowing",
        "module": "example.org/boats",
        "version_annotation": "example.org/version",
        "namespace": {"upstream": "upstream", "name": "boats"},
        "files": [file],
        **more,
    }
    return AddonManifest.model_validate_json(json.dumps({"revision": 1, "addons": {"boats": boats}}))


@dataclass
class Memory:
    """Contents of a cluster and the changes to it.

    Attributes:
        record: Data of the ConfigMap.
        definitions: CustomResourceDefinitions as the API server lists them.
        resources: Lines that kubectl prints for custom resources.
        stacks: Stacks that the backend knows.
        changes: Every command that changes something, in order.
        reports: What was told.
        refusal: Error of the API server on reads of the record; None without one.
    """

    record: dict[str, str] = field(default_factory=dict)
    definitions: list[dict[str, Any]] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    stacks: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    refusal: str | None = None

    def definition(self, *, ours: bool, version: str | None = None) -> None:
        """Put the definition of `boats` on the cluster."""
        labels = {"app.kubernetes.io/part-of": "alt-las-addons"} if ours else {}
        annotations = {"example.org/version": version} if version else {}
        metadata = {"name": "boats.example.org", "labels": labels, "annotations": annotations}
        status = {"conditions": [{"type": "Established", "status": "True"}]}
        self.definitions.append({"metadata": metadata, "status": status})

    def answer(self, arguments: tuple[str, ...]) -> str:
        """Output of kubectl."""
        if "configmap" in arguments:
            if self.refusal:
                raise CommandError(self.refusal, ExitCode.NO_CLUSTER)
            return json.dumps(self.record) if self.record else ""
        if "--raw" in arguments:
            return json.dumps({"items": self.definitions})
        if "namespace" in arguments:
            return "0123456789abcdef"
        if arguments[0] == "get":
            return "\n".join(self.resources)
        self.changes.append(" ".join(["kubectl", *arguments]))
        if arguments[0] == "apply":
            self.definition(ours=True)
        return ""


@pytest.fixture
def memory() -> Memory:
    """An empty cluster."""
    return Memory()


@pytest.fixture
def addons_of(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Addons]:
    """Make the addons of that cluster; their files are in the cache."""
    folder = tmp_path / "home" / "alt-las" / "addons"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for version in ("1.2.3", "2.0.0"):
        (folder / f"boats@{version}@boats.yaml").write_bytes(CONTENT)

    class FakeKubectl(Kubectl):
        def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002
            return memory.answer(arguments)

    class FakeEngine(Engine):
        def run(self, *arguments: str) -> int:
            memory.changes.append(" ".join(["pulumi", *arguments]))
            return 0

        def stack_exists(self, stack: str) -> bool:
            return stack in memory.stacks

        def create_stack(self, stack: str) -> None:
            memory.stacks.append(stack)

    def make(version: str = "1.2.3", target: str = "sim", **more: object) -> Addons:
        session = Session(
            workspace=Workspace(tmp_path),
            target=Target(target, "the test names it"),
            kubectl=FakeKubectl(tmp_path / "kubectl", tmp_path / "kubeconfig"),
            engine=FakeEngine(tmp_path, {}),
        )
        return Addons(session, memory.reports.append, manifest=manifest_of(version, **more))

    return make
