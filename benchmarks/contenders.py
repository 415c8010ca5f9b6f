"""Tools that bring the same objects to the same API server: ours with and without a journal, kubectl, helm.

Owns how each of them creates the platform, finds that there is nothing to change, changes one field, and removes all.
Does not own what is compared and printed (benchmarks.platform). Each has its own namespace, and one runs at a time.
"""

import io
import json
import subprocess
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from altlas.session.session import Session
from altlas.update import data_guard
from rendering.files import render
from rendering.recorder import record

ROLLOUT_SECONDS = 120
WORKLOADS = ("deployment", "statefulset", "daemonset")
MOST_REPLICAS = (8, 9)
"""Both values of the field that is changed; the first one stands in the stack file."""


class Contender(Protocol):
    """One tool at work on one platform. Every job raises CalledProcessError when the tool fails."""

    label: str

    def create(self) -> None:
        """Bring every object, or what has changed of it, and wait until the platform is ready."""

    def no_change(self) -> None:
        """Find that there is nothing to change."""

    def turn(self) -> None:
        """Change one field in the files; not timed."""

    def destroy(self) -> None:
        """Remove every object, and wait until it is gone."""


@dataclass
class TurningSettings:
    """Settings of one platform, of which one field is changed back and forth.

    Attributes:
        document: What stands under `alt-las:platform`.
    """

    document: dict[str, Any]

    def turn(self) -> None:
        """Take the other value: the most replicas of one service, which its autoscaler holds."""
        autoscaling = self.document["services"]["runner-service"]["autoscaling"]
        autoscaling["maxReplicas"] = sum(MOST_REPLICAS) - autoscaling["maxReplicas"]


@dataclass
class Ours:
    """The program, run by the engine.

    Attributes:
        session: The stack's cluster and engine.
        stack: Name of the stack.
        stack_file: Its settings, as a file.
        label: As the table shows it.
        journal: As `altlas up` runs it; without, the engine writes the whole state with each step.
    """

    session: Session
    stack: str
    stack_file: Path
    label: str
    journal: bool = True

    def create(self) -> None:
        """Update an empty stack."""
        self._run("up", "--skip-preview")

    def no_change(self) -> None:
        """Preview."""
        self.session.engine.capture("preview", "--expect-no-changes", "--stack", self.stack)

    def turn(self) -> None:
        """Change a line of the stack file.

        Raises:
            ValueError: The line is not there, or more than once.
        """
        before = self.stack_file.read_text("utf-8")
        lines = [f"minReplicas: 2, maxReplicas: {most}}}" for most in MOST_REPLICAS]
        old, new = lines if lines[0] in before else lines[::-1]
        if before.count(old) != 1:
            raise ValueError(f"{self.stack_file} has not one line with {old}")
        self.stack_file.write_text(before.replace(old, new), "utf-8")

    def destroy(self) -> None:
        """Remove the stack, stores included: there is nothing in them."""
        engine = self.session.engine
        data_guard.release_protection(engine, self.stack, engine.exported_state(self.stack))
        self._run("destroy", "--skip-preview")

    def _run(self, command: str, *options: str) -> None:
        arguments = (command, "--yes", *options, "--stack", self.stack)
        if not self.journal:
            self.session.engine.capture(*arguments)
            return
        with redirect_stdout(io.StringIO()):
            code = self.session.engine.run(*arguments)
        if code:
            raise subprocess.CalledProcessError(code, command)


@dataclass
class Rendered:
    """The platform's objects as files, and the programs that take them to the cluster.

    Attributes:
        session: The cluster.
        settings: Of this platform.
        name: Stands in the names of its cluster-wide objects and in its namespace.
        folder: Where the files lie.
    """

    session: Session
    settings: TurningSettings
    name: str
    folder: Path

    @property
    def namespace(self) -> str:
        """Namespace of its objects."""
        return f"alt-las-{self.name}"

    def write(self) -> int:
        """Render all objects with the settings as they are, and return how many there are."""
        objects = record(self.name, self.settings.document | {"namespace": self.namespace}).objects
        render(objects, self.folder)
        return len(objects)

    def turn(self) -> None:
        """Change one field, and render all objects."""
        self.settings.turn()
        self.write()

    def run(self, program: Path, *arguments: str, good: tuple[int, ...] = (0,)) -> None:
        """Run a program on the cluster; raises CalledProcessError for other exit codes than the `good` ones."""
        command = [str(program), f"--kubeconfig={self.session.kubectl.kubeconfig}", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, env=self.session.engine.environment)
        if done.returncode not in good:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)

    def kubectl(self, *arguments: str, good: tuple[int, ...] = (0,)) -> None:
        """Run kubectl."""
        self.run(self.session.kubectl.program, *arguments, good=good)

    def wait(self) -> None:
        """Wait until every workload has what it asks for."""
        for kind in WORKLOADS:
            self.kubectl("rollout", "status", kind, f"--namespace={self.namespace}", f"--timeout={ROLLOUT_SECONDS}s")


@dataclass
class KubectlContender:
    """`kubectl apply --server-side` on rendered files; rendering is not timed, as a repository would hold them."""

    rendered: Rendered
    label: str = "kubectl"

    def create(self) -> None:
        """Apply all, and wait."""
        self.rendered.kubectl("apply", "--server-side", f"--filename={self.rendered.folder}")
        self.rendered.wait()

    def no_change(self) -> None:
        """Diff. It ends with 1 all the same: the dry run counts an empty list as a generation."""
        self.rendered.kubectl("diff", "--server-side", f"--filename={self.rendered.folder}", good=(0, 1))

    def turn(self) -> None:
        """Render the changed settings."""
        self.rendered.turn()

    def destroy(self) -> None:
        """Delete all."""
        self.rendered.kubectl("delete", f"--filename={self.rendered.folder}")


@dataclass
class HelmContender:
    """`helm upgrade --install` of a chart that holds the rendered files unchanged."""

    rendered: Rendered
    program: Path
    label: str = "helm"

    def create(self) -> None:
        """Upgrade, and wait by kubectl, which asks about workloads alone."""
        self.no_change()
        self.rendered.wait()

    def no_change(self) -> None:
        """Upgrade to what is there already."""
        self._helm("upgrade", "--install", "platform", str(self.rendered.folder.parent))

    def turn(self) -> None:
        """Render the changed settings."""
        self.rendered.turn()

    def destroy(self) -> None:
        """Uninstall, and wait until all is gone."""
        self._helm("uninstall", "platform", "--wait", f"--timeout={ROLLOUT_SECONDS}s")

    def _helm(self, *arguments: str) -> None:
        # The release's record stands in a namespace that the chart does not bring.
        self.rendered.run(self.program, *arguments, "--namespace=default")


def write_chart(folder: Path) -> None:
    """Make a chart around the rendered files below `files`: each is taken as it is, so nothing in it is a template."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(json.dumps(chart), "utf-8")
    text = '{{ range $path, $_ := .Files.Glob "files/*.yaml" }}\n---\n{{ $.Files.Get $path }}\n{{ end }}\n'
    (folder / "templates" / "all.yaml").write_text(text, "utf-8")
