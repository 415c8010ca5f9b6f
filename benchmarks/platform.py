"""Times a stack against kubectl and helm on the same objects: `python -m benchmarks.platform`.

All work on the API server of one simulated cluster, each in a namespace of its own, one after the other and in another
order each round. Each creates the platform and waits until it is ready, finds that there is nothing to change, changes
one field, and removes all:

- ours as `altlas up` runs it, with its journal, and plain `pulumi`, which writes the whole state with each step;
- `kubectl apply --server-side` and `rollout status`, `kubectl diff --server-side`, `kubectl delete`;
- `helm upgrade --install` and `rollout status`, the same with nothing to change, `helm uninstall --wait`.

Figures are medians in seconds with their range; ratios are what counts, because machines differ.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import cluster
import tools
from altlas.addons.install import Addons
from altlas.session.consent import Consent
from altlas.session.session import Session, open_cluster, start_session
from altlas.session.workspace import Workspace
from altlas.update.up import prepare_stack
from benchmarks.contenders import (
    Contender,
    HelmContender,
    KubectlContender,
    Ours,
    Rendered,
    TurningSettings,
    write_chart,
)
from components.stack.loading import read_platform
from tests.support.scratch import copy_program

STACK = "alpha"
_CHANGE = "one field changed"
PROGRAM = ("Pulumi.yaml", f"Pulumi.{STACK}.yaml", "__main__.py", "components", "cluster")
JOBS: Mapping[str, Callable[[Contender], None]] = {
    "up until ready": lambda rival: rival.create(),
    "nothing to change": lambda rival: rival.no_change(),
    _CHANGE: lambda rival: rival.create(),
    "remove all": lambda rival: rival.destroy(),
}
"""Timed jobs in the order in which each tool does them, by their names in the table."""

Seconds = Mapping[str, Mapping[str, Sequence[float]]]
"""Seconds of each round by job and tool."""


def contenders(session: Session, root: Path) -> tuple[Contender, ...]:
    """All tools, ours first, their files written."""
    stack_file = session.workspace.stack_file(STACK)
    document = read_platform(stack_file).model_dump(mode="json", by_alias=True)
    chart = root / "chart"
    write_chart(chart)
    by_kubectl, by_helm = (
        Rendered(session, TurningSettings(deepcopy(document)), name, folder)
        for name, folder in (("kubectl", root / "objects"), ("helm", chart / "files"))
    )
    print(f"{by_kubectl.write()} and {by_helm.write()} objects rendered", file=sys.stderr)
    return (
        Ours(session, STACK, stack_file, "altlas"),
        Ours(session, STACK, stack_file, "pulumi", journal=False),
        KubectlContender(by_kubectl),
        HelmContender(by_helm, tools.ensure(["helm"]).path("helm")),
    )


def measure(rivals: Sequence[Contender], rounds: int) -> Seconds:
    """Let each tool do all jobs, as often as there are rounds; each round begins with another tool."""
    seconds: dict[str, dict[str, list[float]]] = {job: defaultdict(list) for job in JOBS}
    for turn in range(rounds):
        first = turn % len(rivals)
        for rival in (*rivals[first:], *rivals[:first]):
            for job, do in JOBS.items():
                if job == _CHANGE:
                    rival.turn()
                start = time.perf_counter()
                do(rival)
                seconds[job][rival.label].append(time.perf_counter() - start)
                print(f"{rival.label} {job} {seconds[job][rival.label][-1]:.2f} s", file=sys.stderr)
    return seconds


def table(seconds: Seconds) -> Iterator[str]:
    """Lines with the median of each tool, its range, and the median of the first tool divided by it."""
    for job in JOBS:
        yield job
        ours = statistics.median(next(iter(seconds[job].values())))
        for label, taken in seconds[job].items():
            median = statistics.median(taken)
            yield f"  {label:<10} {median:7.2f} s  ({min(taken):.2f} to {max(taken):.2f})  {ours / median:5.2f}"


@contextmanager
def prepared_cluster() -> Iterator[tuple[Session, Path]]:
    """Give a fresh simulated cluster with addons, and a copy of the program with an empty stack, until the block ends.

    Its own state, passphrase and Pulumi home are used, whatever the environment says.
    """
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
            yield session, root
        finally:
            open_cluster(workspace, session.target, lambda _: None)[0].delete()


def main() -> None:
    """Measure on a fresh simulated cluster and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="how often each job is timed (default 4)")
    rounds = parser.parse_args().rounds
    with prepared_cluster() as (session, root):
        results = measure(contenders(session, root), rounds)
    print(
        f"{rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; last column: altlas / tool"
    )
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
