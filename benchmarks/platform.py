"""Times a stack against `kubectl` on the same objects: `python -m benchmarks.platform`.

Both work on the API server of one simulated cluster, each in a namespace of its own, in alternating order. Compared:

- no change: `pulumi preview --expect-no-changes` and `kubectl diff --server-side`;
- up until ready: the update of `altlas up`, with its journal, and `kubectl apply --server-side` with `rollout status`;
- the same update by plain `pulumi up --skip-preview`, which writes the state with each step.

Figures are medians in seconds with their range; ratios are what counts, because machines differ.
"""

import argparse
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import cluster
from altlas.addons.install import Addons
from altlas.session.consent import Consent
from altlas.session.session import Session, open_cluster, start_session
from altlas.session.workspace import Workspace
from altlas.update import data_guard
from altlas.update.up import prepare_stack
from components.stack.loading import read_platform
from rendering.files import render
from rendering.recorder import record
from tests.support.scratch import copy_program

STACK = "alpha"
KUBECTL_STACK = "kubectl"
KUBECTL_NAMESPACE = "alt-las-kubectl"
PROGRAM = ("Pulumi.yaml", f"Pulumi.{STACK}.yaml", "__main__.py", "components", "cluster")


@dataclass
class Times:
    """Seconds that one tool took for one job, one entry a round."""

    label: str
    seconds: list[float] = field(default_factory=list)

    def take(self, job: Callable[[], object]) -> None:
        """Run the job once and keep how long it took."""
        start = time.perf_counter()
        job()
        self.seconds.append(time.perf_counter() - start)

    @property
    def median(self) -> float:
        """Middle of all rounds."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.label:<44} {self.median:6.2f} s  ({min(self.seconds):.2f} to {max(self.seconds):.2f})"


@dataclass(frozen=True)
class Bench:
    """One stack and the same objects for kubectl.

    Attributes:
        session: The stack and its cluster.
        objects: Folder with the objects as files, in kubectl's namespace.
    """

    session: Session
    objects: Path

    def pulumi(self, *arguments: str) -> None:
        """Run Pulumi on the stack."""
        self.session.engine.capture(*arguments, "--stack", STACK)

    def kubectl(self, *arguments: str, good: tuple[int, ...] = (0,)) -> None:
        """Run kubectl; raises when it does not end with one of the `good` exit codes."""
        kubectl = self.session.kubectl
        command = [str(kubectl.program), f"--kubeconfig={kubectl.kubeconfig}", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, env=self.session.engine.environment)
        if done.returncode not in good:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)

    def preview(self) -> None:
        """Pulumi, nothing to change."""
        self.pulumi("preview", "--expect-no-changes")

    def diff(self) -> None:
        """Kubectl, nothing to change. It ends with 1 all the same: the dry run counts an empty list as a generation."""
        self.kubectl("diff", "--server-side", f"--filename={self.objects}", good=(0, 1))

    def up(self) -> None:
        """Ours as `altlas up` runs it, with a journal, everything to make."""
        with redirect_stdout(io.StringIO()):
            code = self.session.engine.run("up", "--yes", "--skip-preview", "--stack", STACK)
        if code:
            raise subprocess.CalledProcessError(code, "up")

    def stock_up(self) -> None:
        """Plain Pulumi, everything to make."""
        self.pulumi("up", "--yes", "--skip-preview")

    def apply(self) -> None:
        """Kubectl, everything to make."""
        self.kubectl("apply", "--server-side", f"--filename={self.objects}")
        workloads = ("deployment", "statefulset")
        for kind in workloads:
            self.kubectl("rollout", "status", kind, f"--namespace={KUBECTL_NAMESPACE}", "--timeout=60s")

    def destroy(self) -> None:
        """Remove what `up` made, stores included: there is nothing in them."""
        engine = self.session.engine
        data_guard.release_protection(engine, STACK, engine.exported_state(STACK))
        self.pulumi("destroy", "--yes", "--skip-preview")

    def delete(self) -> None:
        """Remove what `apply` made."""
        self.kubectl("delete", f"--filename={self.objects}")


def measure(bench: Bench, rounds: int) -> tuple[tuple[Times, Times], ...]:
    """Time both jobs for both tools, in alternating order, and return the pairs (ours, the other's)."""
    no_change = (Times("pulumi preview, no change"), Times("kubectl diff --server-side, no change"))
    ready = (Times("up with a journal, until ready"), Times("kubectl apply --server-side until ready"))
    stock = Times("plain pulumi up, until ready")
    for turn in range(rounds):
        stock.take(bench.stock_up)
        bench.destroy()
        pairs = [(ready[0], bench.up), (ready[1], bench.apply)]
        looks = [(no_change[0], bench.preview), (no_change[1], bench.diff)]
        for times, job in (*pairs[:: 1 if turn % 2 else -1], *looks[:: 1 if turn % 2 else -1]):
            times.take(job)
        bench.destroy()
        bench.delete()
    return no_change, ready, (ready[0], stock)


def main() -> None:
    """Measure on a fresh simulated cluster and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each job is timed (default 7)")
    rounds = parser.parse_args().rounds
    # Ended from outside, it takes its cluster with it, as it does when it fails.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="alt-las-benchmark-") as folder:
        root = Path(folder)
        copy_program(root, PROGRAM)
        for name in ("PULUMI_BACKEND_URL", "PULUMI_HOME", "KUBECONFIG", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            os.environ.pop(name, None)
        workspace = Workspace(root)
        workspace.create()
        session = start_session(workspace, cluster.Target("sim", "the benchmark's own"), lambda _: None)
        try:
            Addons(session, lambda _: None).ensure(consent=Consent(given=True))
            prepare_stack(session, STACK, lambda _: None)
            document = read_platform(workspace.stack_file(STACK)).model_dump(mode="json", by_alias=True)
            objects = record(KUBECTL_STACK, document | {"namespace": KUBECTL_NAMESPACE}).objects
            render(objects, root / "objects")
            results = measure(Bench(session, root / "objects"), rounds)
        finally:
            open_cluster(workspace, session.target, lambda _: None)[0].delete()
    print(f"{len(objects)} objects, {rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")
    for ours, theirs in results:
        print(f"{ours}\n{theirs}\n{'ratio':<44} {ours.median / theirs.median:6.2f}\n")


if __name__ == "__main__":
    main()
