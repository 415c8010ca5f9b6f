"""A copy of the project with a simulated cluster of its own, and the commands to work on it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import all_faults, cases_of
from tests.support.scratch import copy_program

__all__ = ["all_faults", "cases_of"]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("Pulumi.yaml", "Pulumi.alpha.yaml", "Pulumi.beta.yaml", "__main__.py", "cluster", "components")
SECONDS = 600
_VARIABLES: dict[tuple[object, ...], dict[str, str]] = {}


@dataclass(frozen=True)
class Done:
    """Output and end of a command."""

    code: int
    out: str
    error: str

    @property
    def text(self) -> str:
        """Both outputs, for an assertion's message."""
        return f"exit {self.code}\n{self.out}\n{self.error}"


@dataclass(frozen=True)
class Project:
    """A copy of the project that a test may change, with its own state and cluster."""

    root: Path

    def run(self, *command: str, **variables: str) -> Done:
        """Run a program in the project with the environment of a user who has set nothing."""
        own = {"KUBECONFIG", "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "ALT_LAS_ADDONS"}
        environment = {name: value for name, value in os.environ.items() if name not in own}
        environment |= {"ALT_LAS_ROOT": str(self.root), "TARGET": "sim"} | variables
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def altlas(self, *arguments: str, **variables: str) -> Done:
        """Run `altlas`."""
        return self.run(str(Path(sys.executable).parent / "altlas"), *arguments, **variables)

    def variables(self, **chosen: str) -> dict[str, str]:
        """Output of `altlas env`, as a shell would read it; `chosen` may name another target.

        Asked for once: it stays the same for a project and a target, and the tests need it for every kubectl.
        """
        key = (self.root, *sorted(chosen.items()))
        if key not in _VARIABLES:
            _VARIABLES[key] = self._asked_for(**chosen)
        return _VARIABLES[key]

    def _asked_for(self, **chosen: str) -> dict[str, str]:
        printed = self.altlas("env", **chosen).out
        shell = subprocess.run(
            ["sh", "-c", f"{printed}\nenv -0"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
        return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)

    def pulumi(self, *arguments: str) -> Done:
        """Run plain `pulumi` in the environment that `altlas env` prints."""
        return self.run("pulumi", *arguments, "--non-interactive", **self.variables())

    def kubectl(self, *arguments: str) -> Done:
        """Run the pinned `kubectl` against the project's cluster."""
        return self.run("kubectl", *arguments, **self.variables())

    def objects(self, kinds: str, namespace: str) -> list[dict[str, Any]]:
        """Objects of a namespace as the API server has them."""
        done = self.kubectl("get", kinds, "--namespace", namespace, "--output", "json")
        assert done.code == 0, done.text
        items: list[dict[str, Any]] = json.loads(done.out)["items"]
        return items

    def stack_file(self, stack: str) -> Path:
        """Path of a stack's file."""
        return self.root / f"Pulumi.{stack}.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the project; its cluster is removed when the module ends, also when a test failed."""
    root = tmp_path_factory.mktemp("project")
    copy_program(root, PROGRAM)
    found = Project(root)
    yield found
    done = found.altlas("down", "--delete")
    assert done.code == 0, done.text
