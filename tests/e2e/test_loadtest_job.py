"""A load test by a Job on a real API server: it is admitted, and nothing of it stays. Its pod runs nothing here."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from altlas.load_test.in_cluster import ClusterLoad, inside_url
from altlas.session.kubectl import Kubectl
from loadtests.measure import LoadTarget
from loadtests.profiles import WHOLE_PATH, LoadGoal
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record
from tests.e2e.conftest import Project, project
from tests.support.documents import ROOT, alpha_settings, alpha_with
from tests.support.loopback import wait_until

__all__ = ["project"]
pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las"
TARGET = LoadTarget(WHOLE_PATH, inside_url(alpha_settings()), 50, LoadGoal(100, 250))
KINDS = ("Namespace", "ServiceAccount", "NetworkPolicy", "ValidatingAdmissionPolicy", "CronJob")
KINDS_LAST = ("ValidatingAdmissionPolicyBinding",)


def load(program: str, kubeconfig: str) -> ClusterLoad:
    """Load tests of alpha on a cluster."""
    return ClusterLoad(Kubectl(Path(program), Path(kubeconfig)), "alpha", NAMESPACE, print)


@pytest.fixture(scope="module")
def access(project: Project) -> tuple[str, str]:
    """Program and kubeconfig of a cluster with the template of load tests, and the rules of the namespace in force."""
    started = project.run(sys.executable, "-m", "cluster", "start")
    assert started.code == 0, started.text
    document = alpha_with({"loadTest.image": {"repository": "locustio/locust", "tag": "2.47.0"}})
    objects = record("alpha", document).objects
    for kinds in (KINDS, KINDS_LAST):
        file = project.root / "objects.json"
        items = [each for each in objects if each["kind"] in kinds]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        done = project.kubectl("apply", "--filename", str(file))
        assert done.code == 0, done.text
    variables = project.variables()
    program = shutil.which("kubectl", path=variables["PATH"])
    assert program
    return program, variables["KUBECONFIG"]


def left(project: Project) -> list[str]:
    """Kinds of the objects of a load test, besides those of the stack."""
    found = [*project.objects("jobs", NAMESPACE), *project.objects("configmaps", NAMESPACE)]
    return [each["kind"] for each in found if each["metadata"]["name"] == "load-test"]


def messages(project: Project) -> list[Any]:
    """Events about what was made."""
    return [each["message"] for each in project.objects("events", NAMESPACE) if each["reason"] == "SuccessfulCreate"]


def test_the_job_is_admitted_and_removed_with_its_program(project: Project, access: tuple[str, str]) -> None:
    """The restricted standard and the rules about images admit its pod; it ends, and has no figures here."""
    with pytest.raises(CommandError, match="the Job load-test has written no figures"):
        load(*access).generate(TARGET, 1, 5)
    wait_until(lambda: left(project) == [], "the Job and its ConfigMap are gone")
    assert any("load-test-" in each for each in messages(project))


def test_after_ctrl_c_nothing_stays_and_meanwhile_no_second_one_runs(project: Project, access: tuple[str, str]) -> None:
    """A quota without pods holds the Job, so that it does not end by itself."""
    quota = ("resourcequota", "full", "--namespace", NAMESPACE)
    assert project.kubectl("create", *quota, "--hard=pods=0").code == 0
    # Processes that a shell starts in the background ignore the signal.
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script += "from tests.e2e.test_loadtest_job import TARGET, load; "
    command = (sys.executable, "-c", script + "load(*sys.argv[1:]).generate(TARGET, 1, 5)", *access)
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: left(project) == ["Job", "ConfigMap"], "the Job and its program are there", 90)
        with pytest.raises(CommandError, match="another load test runs") as second:
            load(*access).generate(TARGET, 1, 5)
        assert second.value.code == ExitCode.BUSY
        assert left(project) == ["Job", "ConfigMap"]
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=60)
    finally:
        running.kill()
        project.kubectl("delete", *quota)
    assert running.returncode != 0
    assert "Removed the Job load-test" in said
    wait_until(lambda: left(project) == [], "the Job and its ConfigMap are gone")
