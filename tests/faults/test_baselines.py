"""Other programs under the same faults: helm with refusals of the API server, helm and plain Pulumi killed.

What they do is recorded and not judged, so that the page shows it beside what altlas does. One case is one change of
the same objects with one command, after a kill with the same command once more.
"""

import os
import random
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

import tools
from altlas.session.journal.orphans import RUN_VARIABLE, end_processes
from benchmarks.contenders import write_chart
from tests.faults.cases import Cases
from tests.faults.faulty_api_server import Dice, Fault, FaultyApiServer
from tests.faults.test_api_server import FAULT, OBJECTS, RATES
from tests.support.figures import Figures
from tests.support.journaled_objects import (
    Wanted,
    as_found,
    config_map,
    found_objects,
    objects_project,
    wanted_objects,
)
from tests.support.own_cluster import NAMESPACE, OwnCluster

pytestmark = pytest.mark.e2e

ALL, SAMPLE = 20, 1
SECONDS = 180


@dataclass(frozen=True)
class Subject:
    """A program that makes objects as wanted.

    Attributes:
        command: Its command line.
        variables: Its environment, in addition to that of this process.
        want: Writes down what it shall make.
    """

    command: Sequence[str]
    variables: Mapping[str, str]
    want: Callable[[Wanted], None]

    def begin(self, **variables: str) -> "subprocess.Popen[bytes]":
        """Start it."""
        environment = {**os.environ, **self.variables, **variables}
        return subprocess.Popen(self.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@dataclass
class KillAtWrite(Dice):
    """No faults; at a write it ends the process that sends it.

    Attributes:
        write: Number of that write, from 1.
        process: The process, once it has begun.
        has_killed: Whether it has.
    """

    write: int = 1
    process: "subprocess.Popen[bytes] | None" = None
    has_killed: bool = False

    def throw(self, method: str) -> Fault | None:
        """Count, and kill before the write is passed on."""
        if method not in {"GET", "HEAD"}:
            self.write -= 1
        if self.write == 0 and self.process is not None and not self.has_killed:
            os.kill(self.process.pid, signal.SIGKILL)
            self.has_killed = True
        return None


def _helm(folder: Path, kubeconfig: Path) -> Subject:
    def want(wanted: Wanted) -> None:
        objects = (config_map(name, value) for name, value in wanted.values())
        (files / "objects.yaml").write_text(yaml.safe_dump_all(objects), "utf-8")

    files = folder / "chart" / "files"
    files.mkdir(parents=True)
    write_chart(files.parent)
    options = ("--namespace", NAMESPACE, "--kubeconfig", str(kubeconfig))
    program = str(tools.ensure(["helm"]).path("helm"))
    return Subject(
        (program, "upgrade", "--install", "objects", str(files.parent), *options), {"HOME": str(folder)}, want
    )


def _plain_pulumi(folder: Path, kubeconfig: Path) -> Subject:
    project = objects_project(folder, kubeconfig)
    command = ("pulumi", "up", "--cwd", str(folder), "--yes", "--skip-preview", "--stack", "alpha", "--non-interactive")
    return Subject(command, project.variables, project.want)


SUBJECTS: Mapping[str, Callable[[Path, Path], Subject]] = {"helm": _helm, "plain Pulumi": _plain_pulumi}


def _remove_all(cluster: OwnCluster) -> None:
    """Remove the objects, and helm's records of releases."""
    cluster.run("delete", "secret", "--selector=owner=helm")
    cluster.run("delete", "configmap", "--selector=made-by=test")


def _completes(subject: Subject, wanted: Wanted, cluster: OwnCluster) -> bool:
    """True if one command succeeds and the objects are as wanted."""
    with subject.begin() as process:
        process.communicate(timeout=SECONDS)
    return process.returncode == 0 and found_objects(cluster) == as_found(wanted)


def _killed(subject: Subject, api_server: FaultyApiServer, write: int) -> bool:
    """True if the command was ended at that write; what it has started ends with it."""
    dice, run = KillAtWrite(0, write=write), uuid4().hex
    with api_server.faults(dice), subject.begin(**{RUN_VARIABLE: run}) as process:
        dice.process = process
        process.communicate(timeout=SECONDS)
    end_processes(run)
    return dice.has_killed


@pytest.mark.parametrize("name", SUBJECTS)
def test_after_a_kill_the_same_command_once_more(
    name: str,
    api_server: FaultyApiServer,
    cluster: OwnCluster,
    tmp_path: Path,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """An update that is ended while it writes, after one that has completed."""
    cases = cases_of("kill -9 in an update, at one of its writes", "the next command recovers", "sim", name)
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        _remove_all(cluster)
        chance = random.Random(f"baseline {key}")  # noqa: S311  # generates tests, no secrets
        subject = SUBJECTS[name](tmp_path / key, api_server.kubeconfig)
        first, second = (wanted_objects(chance, OBJECTS) for _ in range(2))
        subject.want(first)
        assert _completes(subject, first, cluster)
        subject.want(second)
        assert _killed(subject, api_server, chance.randrange(2, OBJECTS // 2))
        cases.finish(key, held=_completes(subject, second, cluster))
    figures.add(f"faults: {name} killed in an update", str(cases.outcome))
    assert cases.outcome.cases == (ALL if all_faults else SAMPLE)


def test_helm_while_the_api_server_fails(
    api_server: FaultyApiServer,
    cluster: OwnCluster,
    tmp_path: Path,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """One `helm upgrade` under the faults that one `altlas up` survives."""
    cases = cases_of(FAULT, "one command completes", "sim", "helm")
    subject = _helm(tmp_path, api_server.kubeconfig)
    _remove_all(cluster)
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        wanted = wanted_objects(random.Random(f"API server {key}"), OBJECTS)  # noqa: S311  # no secrets
        subject.want(wanted)
        with api_server.faults(Dice(RATES[int(key) % len(RATES)], seed=int(key))):
            held = _completes(subject, wanted, cluster)
        cases.finish(key, held=held)
        if not held:  # what it leaves is not counted twice
            _remove_all(cluster)
    figures.add("faults: helm while the API server fails", str(cases.outcome))
    assert cases.outcome.cases == (ALL if all_faults else SAMPLE)
