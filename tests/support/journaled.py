"""Small Pulumi projects with a file backend of their own, changed by journaled commands and by plain Pulumi."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools
from altlas.session.journal.bucket import is_bucket, open_bucket
from altlas.session.journal.state_files import StackFiles
from altlas.session.session import DEPLOYING_PROGRAMS
from tests.support.documents import ROOT

NAME = "journal-test"
RUN = """
import json, os, sys
from pathlib import Path
from altlas.session.engine import Engine
engine = Engine(Path(sys.argv[1]), json.loads(sys.argv[2]), "journal-test")
sys.exit(engine.run(*sys.argv[3:]))
"""


@dataclass(frozen=True)
class Project:
    """A Pulumi project with a file backend of its own.

    Attributes:
        root: Its folder.
        variables: Environment of the engine.
    """

    root: Path
    variables: Mapping[str, str]

    @property
    def files(self) -> StackFiles:
        """Files of its stack."""
        url = self.variables["PULUMI_BACKEND_URL"]
        return StackFiles(open_bucket(url, self.variables) if is_bucket(url) else self.root / "state", NAME, "alpha")

    @property
    def objects(self) -> dict[str, str]:
        """Files that its resources have made: names and contents."""
        return {path.name: path.read_text() for path in sorted((self.root / "objects").iterdir())}

    def want(self, wanted: Mapping[str, Any]) -> None:
        """Write down what the program shall make."""
        (self.root / "wanted.json").write_text(json.dumps(wanted))

    def stock(self, *arguments: str) -> int:
        """Run plain Pulumi."""
        environment = {**os.environ, **self.variables}
        command = ["pulumi", *arguments, "--stack", "alpha", "--non-interactive"]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, check=False).returncode

    @contextmanager
    def begin(self, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a journaled command in a process of its own, which has ended with its children when the block ends."""
        environment = json.dumps({**self.variables, **variables})
        command = [sys.executable, "-c", RUN, str(self.root), environment, *arguments, "--stack", "alpha"]
        # In a session of its own, so that all of it can be ended at once.
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def journaled(self, *arguments: str, seconds: float = 180, **variables: str) -> tuple[int, str]:
        """Run a journaled command; return its exit code and output."""
        with self.begin(*arguments, **variables) as process:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output


def make(folder: Path, program: str, **variables: str) -> Project:
    """A project with an empty stack; the program reads what it shall make from wanted.json."""
    for name in ("objects", "state", "home"):
        (folder / name).mkdir(parents=True)
    runtime = f"runtime: {{name: python, options: {{virtualenv: {ROOT / '.venv-program'}}}}}"
    (folder / "Pulumi.yaml").write_text(f"name: {NAME}\n{runtime}\n")
    (folder / "__main__.py").write_text(program)
    # A file where the CLI would write logs of each step.
    (folder / "home" / "logs").touch()
    toolbox = tools.ensure((*DEPLOYING_PROGRAMS, "pulumi-resource-pulumi-python"))
    tools.link_plugins(toolbox, folder / "home")
    own = {
        "PATH": os.pathsep.join([*map(str, toolbox.directories()), os.environ["PATH"]]),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **variables,
    }
    made = Project(folder, own)
    made.want({})
    assert made.stock("stack", "init") == 0
    return made
