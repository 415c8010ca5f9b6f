"""Mistakes of a user against a real engine and a real cluster: one clear message, an exit code, nothing lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from altlas.session.stack_secrets import reset_secrets
from tests.e2e.conftest import ROOT, Project
from tests.support.deployed import copy_of

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with alpha on a cluster that does not run yet, without monitoring."""
    with copy_of("small", tmp_path_factory, start=False) as found:
        yield found


def process_ids(project: Project, name: str) -> list[int]:
    """Processes of this project's cluster that run a program."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if Path(command[0]).name == name and str(project.root) in " ".join(command):
                found.append(int(entry.name))
    return found


def test_a_taken_port_is_named_and_nothing_is_started(project: Project) -> None:
    """The port that the user asks for belongs to another program."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = project.altlas("up", ALT_LAS_API_PORT=str(port))
    assert done.code == 4, done.text
    assert str(port) in done.error
    assert "Traceback" not in done.error
    assert process_ids(project, "etcd") == []


def test_plain_pulumi_refuses_bad_settings_before_it_registers_anything(project: Project) -> None:
    """All problems at once, each with its path; no traceback; no object in the state."""
    assert project.altlas("up").code == 0
    stack_file = project.stack_file("alpha")
    original = stack_file.read_text()
    state = project.pulumi("stack", "export", "--stack", "alpha").out
    stack_file.write_text(
        original.replace("tag: 1.0.0-alpha", "tag: latest", 1).replace("maxReplicas: 8", "maxReplicas: 1")
    )
    done = project.pulumi("preview", "--stack", "alpha")
    stack_file.write_text(original)
    assert done.code != 0
    assert "2 problems in the stack configuration, nothing was changed" in done.out
    latest = "registry.invalid/alt-las/api-gateway:latest can change under a running release"
    assert f"alt-las:platform.services.api-gateway.image: {latest}" in done.out
    assert "alt-las:platform.services.runner-service.autoscaling: minReplicas (2) is above maxReplicas (1)" in done.out
    assert "Traceback" not in done.out + done.error
    assert "kubernetes:" not in done.out
    assert project.pulumi("stack", "export", "--stack", "alpha").out == state


def test_a_stack_file_that_was_checked_out_again_does_not_replace_the_running_secrets(project: Project) -> None:
    """Secrets that `up` generated are only in the stack file; without it nothing is touched."""
    stack_file = project.stack_file("alpha")
    original = stack_file.read_text()
    stack_file.write_text((ROOT / stack_file.name).read_text())
    reset_secrets(stack_file)
    done = project.altlas("up")
    reverted = stack_file.read_text()
    stack_file.write_text(original)
    assert done.code == 2, done.text
    assert "Pulumi.alpha.yaml has lost the secrets of the running stack alpha" in done.error
    assert "secure:" not in reverted


def test_a_second_up_at_the_same_time_is_refused_and_the_first_one_ends_well(project: Project) -> None:
    """Two people, or two terminals, in one checkout."""
    altlas = str(Path(sys.executable).parent / "altlas")
    environment = os.environ | {"ALT_LAS_ROOT": str(project.root), "TARGET": "sim"}
    with subprocess.Popen([altlas, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
        lock = project.root / ".altlas" / "lock"
        deadline = time.monotonic() + 60
        while f"process {first.pid}" not in lock.read_text():
            assert time.monotonic() < deadline, "the first one does not begin"
            time.sleep(0.01)
        # It stays in the middle of its work however long the second one takes to begin.
        first.send_signal(signal.SIGSTOP)
        try:
            second = project.altlas("up")
        finally:
            first.send_signal(signal.SIGCONT)
        assert first.wait(240) == 0
    assert second.code == 5, second.text
    assert f"another altlas command holds the lock: altlas up --stack alpha (process {first.pid})" in second.error


@pytest.mark.parametrize("program", ["etcd", "kube-apiserver"])
def test_a_dead_control_plane_is_reported_and_the_next_up_brings_it_back_with_its_data(
    project: Project, program: str
) -> None:
    """A part of the cluster was killed; what it held is still there afterwards."""
    pods = {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")}
    (process,) = process_ids(project, program)
    os.kill(process, signal.SIGKILL)
    done = project.altlas("status")
    assert done.code == 4, done.text
    assert "Traceback" not in done.error
    assert project.altlas("up").code == 0
    assert {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")} == pods
    assert project.altlas("status").code == 0


def test_down_leaves_no_process(project: Project) -> None:
    """Processes that `up` started end with `down`; the data stays."""
    pods = {pod["metadata"]["name"] for pod in project.objects("pods", "alt-las")}
    done = project.altlas("down")
    assert done.code == 0, done.text
    for program in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"):
        assert process_ids(project, program) == []
    assert project.altlas("up").code == 0
    # A backup may have begun since, by its schedule.
    assert {pod["metadata"]["name"] for pod in project.objects("pods", "alt-las")} >= pods
