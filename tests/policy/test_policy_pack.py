"""The policy pack inside the real engine: the platform passes, and what breaks a rule is stopped before any write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import tools
from altlas.session.engine import Engine
from altlas.session.environment import environment
from altlas.session.session import DEPLOYING_PROGRAMS
from altlas.session.stack_secrets import create_missing_secrets
from altlas.session.workspace import Workspace
from cluster import choose_target, required_programs
from cluster.simulator import Simulator
from tests.support.scratch import copy_program

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("Pulumi.yaml", "Pulumi.alpha.yaml", "__main__.py", "components", "policy")
EXPOSED_SERVICE = """
from components.kubernetes.object import KubernetesObject
KubernetesObject("door", {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "door", "namespace": "alt-las"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "nobody"}, "ports": [{"port": 80}]},
}, opts)
"""
UNGUARDED_CLAIM = """
from components.kubernetes.object import KubernetesObject
KubernetesObject("attic", {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
    "metadata": {"name": "attic", "namespace": "alt-las", "annotations": {"alt-las/data": "protected"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}, opts)
"""
OWN_VARIABLES = ("KUBECONFIG", "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "TARGET")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Alpha as a new stack, in a copy of the project with a simulated cluster of its own."""
    root = tmp_path_factory.mktemp("project")
    copy_program(root, PROGRAM)
    outside = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    target = choose_target(outside, lambda: False, target="sim")
    toolbox = tools.ensure((*DEPLOYING_PROGRAMS, *required_programs(target)))
    programs = {name: toolbox.path(name) for name in required_programs(target)}
    simulator = Simulator(root / "sim", programs, report=lambda _: None)
    try:
        variables = environment(Workspace(root), toolbox, target, simulator.start(), outside)
        engine = Engine(root, variables)
        engine.create_stack("alpha")
        create_missing_secrets(engine, "alpha", root / "Pulumi.alpha.yaml")
        yield engine
    finally:
        simulator.delete()


def preview(engine: Engine) -> subprocess.CompletedProcess[str]:
    """Run a preview under the policy pack; both outputs come as one text."""
    command = ["pulumi", "preview", "--stack", "alpha", "--policy-pack", "policy/pack", "--non-interactive"]
    return subprocess.run(
        command,
        cwd=engine.root,
        env=engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_platform_passes_the_policy_pack(engine: Engine) -> None:
    """A preview of alpha ends well, and the pack has really been run."""
    done = preview(engine)
    assert done.returncode == 0, done.stdout
    assert "alt-las@v1.0.0" in done.stdout
    assert "[mandatory]" not in done.stdout


def said_about(engine: Engine, addition: str) -> str:
    """Output of a preview of the program with an addition; it must fail."""
    program = engine.root / "__main__.py"
    good = program.read_text(encoding="utf-8")
    program.write_text(good + addition, encoding="utf-8")
    try:
        done = preview(engine)
    finally:
        program.write_text(good, encoding="utf-8")
    assert done.returncode != 0, done.stdout
    return " ".join(done.stdout.split())


def test_data_that_pulumi_does_not_protect_stops_the_preview(engine: Engine) -> None:
    """The mark on the object was written by hand; the engine knows better."""
    said = said_about(engine, UNGUARDED_CLAIM)
    assert "data-is-guarded: PersistentVolumeClaim alt-las/attic" in said
    assert "register it with stateful_options, or name it in tombstones" in said


def test_a_violating_resource_stops_the_preview_with_rule_and_fix(engine: Engine) -> None:
    """A Service for the whole world is refused by rules about one object and by rules about all of them."""
    said = said_about(engine, EXPOSED_SERVICE)
    assert "services-stay-inside: Service alt-las/door: spec.type is LoadBalancer" in said
    assert "use ClusterIP, or put the Service on exposed_services" in said
    assert "services-select-pods: Service alt-las/door: spec.selector selects no pod" in said
    assert "use the selector labels of the workload" in said
