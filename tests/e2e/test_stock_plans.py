"""Pulumi's own update plans: they do not notice a state that has moved, and a refusal prints values of secrets.

Both are reasons for `altlas plan` (docs/adr/0023). A later Pulumi without one of them makes its test fail.
"""

import os
import subprocess
from pathlib import Path

import pytest

import tools
from altlas.release.filtering import Filter
from altlas.session.environment import environment
from altlas.session.workspace import Workspace
from cluster import Target
from rendering.root import ROOT
from tests.support.scratch import PROGRAM_ENVIRONMENT

pytestmark = pytest.mark.e2e

PROJECT = "name: boxes\nruntime: {name: python, options: {virtualenv: .venv-program}}\n"
PROGRAM = """\
import pulumi


class Box(pulumi.ComponentResource):
    def __init__(self, name, inputs):
        super().__init__("test:boxes:Box", name, inputs)


config = pulumi.Config()
hashed = config.require_secret("password").apply(lambda text: text[::-1])
Box("box", {"size": config.require("size"), "hash": hashed})
"""
CANARY = "CANARY-of-the-second-plan"


class Stack:
    """A stack of one resource without a provider, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "Pulumi.yaml").write_text(PROJECT)
        (root / "__main__.py").write_text(PROGRAM)
        (root / PROGRAM_ENVIRONMENT).symlink_to(ROOT / PROGRAM_ENVIRONMENT)
        toolbox = tools.ensure(("pulumi", "pulumi-language-python"))
        own = ("PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE")
        outside = {name: value for name, value in os.environ.items() if name not in own}
        target = Target("sim", "a test names it", None)
        self.variables = outside | environment(Workspace(root), toolbox, target, root / "kubeconfig", outside)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Pulumi; both outputs are one."""
        command = ["pulumi", *arguments, "--stack", "boxes", "--non-interactive"]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.variables,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def set(self, size: int, password: str) -> None:
        """Write the configuration."""
        assert self.pulumi("config", "set", "size", str(size)).returncode == 0
        assert self.pulumi("config", "set", "--secret", "password", password).returncode == 0

    def succeeds(self, *arguments: str) -> str:
        """Run Pulumi to a good end; what it printed."""
        done = self.pulumi(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """The stack, deployed with size 1, and a saved plan for size 2."""
    found = Stack(tmp_path)
    subprocess.run(
        ["pulumi", "stack", "init", "boxes", "--non-interactive"],
        cwd=tmp_path,
        env=found.variables,
        check=True,
        capture_output=True,
    )
    found.set(1, "first-password")
    found.succeeds("up", "--yes", "--skip-preview")
    found.set(2, "first-password")
    found.succeeds("preview", "--save-plan", "plan.json")
    return found


def test_a_plan_for_one_state_is_applied_to_another(stack: Stack) -> None:
    """Planned from 1 to 2, applied at 3: Pulumi does not say that the state has moved."""
    stack.set(3, "first-password")
    stack.succeeds("up", "--yes", "--skip-preview")
    stack.set(2, "first-password")
    assert "1 updated" in stack.succeeds("up", "--yes", "--plan", "plan.json")


def test_a_refused_plan_prints_a_secret_and_the_filter_leaves_it_out(stack: Stack) -> None:
    """The file has secrets encrypted; the message has them in clear text, unless they are literally a setting."""
    hashed = CANARY[::-1]
    assert "drowssap-tsrif" not in (stack.root / "plan.json").read_text()
    stack.set(2, CANARY)
    done = stack.pulumi("up", "--yes", "--plan", "plan.json")
    assert done.returncode != 0
    assert "violates plan" in done.stdout
    assert hashed in done.stdout
    filtered = Filter(())(done.stdout)
    assert hashed not in filtered
    assert "violates plan: (values are left out)" in filtered
