"""Programs of one object, whose stacks lie beside those of a project and use its components."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import Project

_PROJECT = """\
name: {name}
runtime: {{name: python, options: {{virtualenv: ../.venv-program}}}}
"""

AUTOSCALER = """\
import sys

import pulumi

sys.path.insert(0, "..")
from components.kubernetes.object import KubernetesObject

target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}
manifest = {
    "apiVersion": f"autoscaling/{pulumi.Config().require('version')}",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "older", "namespace": "default"},
    "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2},
}
KubernetesObject("older", manifest, pulumi.ResourceOptions())
"""
"""An autoscaler of a version of its API: configuration `version`."""

SCALED = """\
import sys

import pulumi

sys.path.insert(0, "..")
from components.kubernetes.object import KubernetesObject
from components.workloads.objects import TAKEN_BACK

number = pulumi.Config().get_int("replicas")
forced = TAKEN_BACK if pulumi.Config().get_bool("forced") else {}
container = {"name": "main", "image": "registry.invalid/main:1"}
manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "scaled", "namespace": "default", "annotations": forced},
    "spec": {
        **({"replicas": number} if number else {}),
        "selector": {"matchLabels": {"app": "scaled"}},
        "template": {"metadata": {"labels": {"app": "scaled"}}, "spec": {"containers": [container]}},
    },
}
KubernetesObject("scaled", manifest, pulumi.ResourceOptions())
"""
"""A Deployment: configuration `replicas`, and `forced` for the annotation of a fixed number of pods."""


@contextmanager
def small_project(project: Project, name: str, program: str) -> Iterator[Path]:
    """Folder of a program with a stack of its own name, whose object is removed at the end."""
    folder = project.root / name
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT.format(name=name))
    (folder / "__main__.py").write_text(program)
    assert project.pulumi("stack", "init", name, "--cwd", str(folder)).code == 0
    try:
        yield folder
    finally:
        done = project.pulumi("destroy", "--yes", "--skip-preview", "--cwd", str(folder), "--stack", name)
        assert done.code == 0, done.text
