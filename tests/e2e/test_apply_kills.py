"""kill -9 during `altlas apply` of a sealed plan: the next plan recovers, and nothing is left behind or made twice."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from altlas.release.ledger import Ledger, ledger_of
from altlas.session.journal.orphans import RUN_VARIABLE
from altlas.session.workspace import Workspace
from tests.e2e.conftest import Project
from tests.support.deployed import WITHOUT_MONITORING, copy_of
from tests.support.figures import Figures

pytestmark = pytest.mark.e2e

POINTS, SAMPLE = 20, 2
CLUSTER_SCOPED = frozenset({"Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
NO_APPROVAL = {"approvals": {"capacity": 0, "feature": 0, "security": 0, "data": 0}}
SIZES = (
    (r"cpu: 100m, memory: \d+Mi}", "cpu: 100m, memory: {}Mi}}", 128),
    (r"maxMemory: \d+Mi", "maxMemory: {}Mi", 200),
)
"""Sizes in the stack file, and the smallest: requests of most pods, and a ConfigMap that is named by its content."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with alpha on a running cluster, whose plans need no signature: it is about crashes."""
    with copy_of(WITHOUT_MONITORING, tmp_path_factory) as found:
        path = found.stack_file("alpha")
        key = "alt-las:platform:\n"
        text = path.read_text()
        assert text.count(key) == 1
        path.write_text(text.replace(key, f"{key}    release: {json.dumps(NO_APPROVAL)}\n"))
        yield found


def resize(project: Project, number: int) -> None:
    """Change the sizes to others for each number, so that no plan is without a step."""
    path = project.stack_file("alpha")
    text = path.read_text()
    for pattern, form, smallest in SIZES:
        text, count = re.subn(pattern, form.format(smallest + number), text)
        assert count
    path.write_text(text)


def the_ledger(project: Project) -> Ledger:
    """Ledger of alpha."""
    return ledger_of(Workspace(project.root), "alpha", {})


def plan(project: Project) -> str:
    """Make a plan; the command that recovers."""
    path = str(project.root / ".altlas" / "release.json")
    done = project.altlas("plan", "alpha", "-o", path)
    assert done.code == 0, done.text
    return path


def applying(project: Project, path: str) -> "subprocess.Popen[str]":
    """Begin to apply a plan."""
    command = [sys.executable, "-c", "from altlas.cli import main; main()", "apply", path]
    variables = {**project.variables(), "ALT_LAS_ROOT": str(project.root), "TARGET": "sim"}
    pipe = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=project.root, env=variables, stdout=pipe, stderr=pipe, text=True)


def marked(project: Project) -> list[str]:
    """Command lines of what is left of journaled runs of this project."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes()
            if f"ALT_LAS_ROOT={project.root}\0".encode() in variables and f"{RUN_VARIABLE}=".encode() in variables:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def check_objects(project: Project, leaving: bool) -> None:
    """Check that cluster and state have the same objects, by kind and name, and that nothing is in flight.

    Args:
        project: The project.
        leaving: Whether the state may list objects that the next update deletes.
    """
    exported: Mapping[str, Any] = json.loads(project.pulumi("stack", "export", "--stack", "alpha").out)
    assert not exported["deployment"].get("pending_operations")
    known: dict[bool, set[str]] = {True: set(), False: set()}
    kinds = set()
    for each in exported["deployment"]["resources"]:
        kind = each["type"].rpartition(":")[2]
        if each["type"].startswith("kubernetes:") and kind not in CLUSTER_SCOPED:
            kinds.add(f"{kind}.{each['inputs']['apiVersion'].rpartition('/')[0]}".rstrip("."))
            known[bool(each.get("delete"))].add(f"{kind} {each['inputs']['metadata']['name']}")
    listed = project.objects(",".join(sorted(kinds)), "alt-las")
    ours = {f"{each['kind']} {each['metadata']['name']}" for each in listed if _is_ours(each)}
    assert ours - known[True] == known[False]
    assert leaving or not known[True]


def _is_ours(each: Mapping[str, Any]) -> bool:
    return bool(each["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "pulumi")


def apply_whole(project: Project, *, leaving: bool) -> None:
    """Plan, apply to the end, and compare cluster and state; a plan without a step is good too."""
    done = project.altlas("apply", plan(project))
    assert done.code in (0, 6), done.text
    check_objects(project, leaving)
    assert marked(project) == []


def kill(process: "subprocess.Popen[str]", ledger: Ledger, before: float, after: float | None) -> bool:
    """Kill an apply, and tell whether it still ran.

    Args:
        process: The apply.
        ledger: The stack's ledger.
        before: Seconds from its start.
        after: Seconds from its begin in the ledger, where the update starts; None for those from the start.
    """
    size = len(ledger.path.read_bytes())
    while after is not None and process.poll() is None and len(ledger.path.read_bytes()) == size:
        time.sleep(0.02)
    try:
        process.wait(timeout=before if after is None else after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        return True
    return False


def test_the_next_plan_recovers_from_every_kill(project: Project, whole: bool, figures: Figures) -> None:
    """At moments spread over a whole apply, most of them during the update and the wait for its services.

    The next `altlas plan` makes the state whole each time, and its own plan is killed at a later moment. An apply to
    the end now and then shows that cluster and state have the same objects; the ledger verifies, and no process of a
    killed run is left.
    """
    chance = random.Random(11)  # noqa: S311  # chooses moments, no secrets
    resize(project, 1)
    path, began = plan(project), time.monotonic()
    assert applying(project, path).wait(timeout=300) == 0
    ledger, length = the_ledger(project), time.monotonic() - began
    update = int(ledger.entries()[-1].body["seconds"])
    points, kills, begun = POINTS if whole else SAMPLE, 0, 0
    for attempt in range(points + points // 2):
        resize(project, attempt + 2)
        path = plan(project)
        assert marked(project) == [], attempt
        entries, part = len(ledger.entries()), (kills + chance.random()) / points
        after = None if kills % 4 == 0 else part * update
        kills += kill(applying(project, path), ledger, part * (length - update), after)
        begun += len(ledger.entries()) > entries
        if attempt % 5 == 4:
            apply_whole(project, leaving=True)
        if kills == points:
            break
    figures.add("kill -9 of altlas apply", f"{kills} hit a running one, {begun} of the applies had begun their update")
    assert kills == points
    assert begun >= points // 2
    resize(project, attempt + 3)
    apply_whole(project, leaving=False)
    assert project.pulumi("preview", "--expect-no-changes", "--stack", "alpha").code == 0
    verified = project.altlas("ledger", "verify", "alpha")
    assert verified.code == 0, verified.text
