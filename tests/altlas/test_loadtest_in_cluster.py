"""`altlas loadtest --in-cluster`: the Job, its program, its figures, and that nothing of it stays."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from altlas.load_test.in_cluster import NAME, ClusterLoad, inside_url, job_of, program_of
from altlas.session.kubectl import Kubectl
from loadtests.measure import LoadFigures, LoadTarget, measured
from loadtests.profiles import WHOLE_PATH, LoadGoal
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record
from rendering.root import ROOT
from tests.altlas.conftest import Altlas
from tests.support.documents import alpha_settings, alpha_with
from tests.support.program import find

TARGET = LoadTarget(WHOLE_PATH, inside_url(alpha_settings()), 50, LoadGoal(100, 250))
IMAGE = {"repository": "locustio/locust", "tag": "2.47.0"}
CRON_JOB = find(record("alpha", alpha_with({"loadTest.image": IMAGE})).objects, "CronJob", NAME)
FIGURES = measured(10.0, [5.0] * 1000, {"HTTP 503": 1})


class Cluster(Kubectl):
    """A cluster with a CronJob, whose Job ends by the given condition; without one the command is interrupted."""

    def __init__(self, *objects: Mapping[str, Any], ends: str | None = "Complete", log: str = "") -> None:
        super().__init__(Path("kubectl"), Path("kubeconfig"))
        there = {(each["kind"].lower(), each["metadata"]["name"]): dict(each) for each in objects}
        self.__dict__.update({"objects": there, "made": list[str](), "ends": ends, "log": log})

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object; a Job has ended when its program is there."""
        assert namespace == "alt-las"
        found: dict[str, Any] | None = self.__dict__["objects"].get((kind, name))
        if found and kind == "job" and ("configmap", name) in self.__dict__["objects"]:
            if self.__dict__["ends"] is None:
                raise KeyboardInterrupt
            return {**found, "status": {"conditions": [{"type": self.__dict__["ends"], "status": "True"}]}}
        return found

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Make an object unless there is one of its name."""
        key = (manifest["kind"].lower(), manifest["metadata"]["name"])
        made = {**manifest, "metadata": {**manifest["metadata"], "uid": "uid-of-it"}}
        self.__dict__["made"].append(manifest["kind"])
        return bool(self.__dict__["objects"].setdefault(key, made) is made)

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Print the log, or remove what is named."""
        assert stdin is None
        if arguments[0] == "logs":
            return str(self.__dict__["log"])
        assert arguments[0] == "delete"
        for each in arguments[1:3]:
            self.__dict__["objects"].pop(tuple(each.split("/")), None)
        return ""

    @property
    def left(self) -> list[str]:
        """Kinds of what is there."""
        return [kind for kind, _ in self.__dict__["objects"]]


def generated(cluster: Cluster) -> LoadFigures:
    """Figures of a load test on a cluster."""
    return ClusterLoad(cluster, "alpha", "alt-las", lambda _: None).generate(TARGET, 5, 10)


def test_the_job_has_the_pod_of_the_template_and_the_load_of_the_target() -> None:
    """A deadline of its own; the program is this checkout's, and belongs to the Job."""
    job = job_of(CRON_JOB, TARGET, 5, 10)
    bounds = {key: job["spec"][key] for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")}
    assert bounds == {"backoffLimit": 0, "activeDeadlineSeconds": 135, "ttlSecondsAfterFinished": 300}
    before = CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod = job["spec"]["template"]["spec"]
    same = pod.keys() - {"containers", "volumes"}
    assert {key: pod[key] for key in same} == {key: before[key] for key in same}
    (container,) = pod["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert json.loads(variables["LOAD_TEST_TARGET"]) == {
        "url": "http://api-gateway:3000/api/v1/status",
        "users": 50,
        "requests_per_second": 100,
        "warm_up": 5,
        "seconds": 10,
    }
    assert variables["PYTHONPATH"] == "/program"
    program = program_of({"metadata": {"namespace": "alt-las", "uid": "1"}})
    assert program["metadata"]["ownerReferences"][0]["uid"] == "1"
    assert {each["key"] for each in pod["volumes"][-1]["configMap"]["items"]} == program["data"].keys()
    assert program["data"]["locust_run.py"] == (ROOT / "loadtests/locust_run.py").read_text(encoding="utf-8")


def test_figures_come_from_the_last_line_of_the_log_and_nothing_stays() -> None:
    """Locust's own lines come before."""
    cluster = Cluster(CRON_JOB, log=f"[locust] all users\n{json.dumps(asdict(FIGURES))}\n")
    assert generated(cluster) == FIGURES
    assert cluster.__dict__["made"] == ["Job", "ConfigMap"]
    assert cluster.left == ["cronjob"]


@pytest.mark.parametrize(
    ("ends", "log", "message"),
    [
        ("Failed", "Traceback\nOOM", "the Job load-test has failed: Traceback\nOOM"),
        ("Complete", "", "the Job load-test has written no figures: its pod has no log"),
        ("Complete", "{}", "the Job load-test has written no figures: {}"),
    ],
)
def test_a_job_without_figures_is_a_failure_and_nothing_stays(ends: str, log: str, message: str) -> None:
    """The message holds its last lines."""
    cluster = Cluster(CRON_JOB, ends=ends, log=log)
    with pytest.raises(CommandError) as caught:
        generated(cluster)
    assert str(caught.value) == message
    assert cluster.left == ["cronjob"]


def test_after_ctrl_c_nothing_stays() -> None:
    """The interruption goes on to the command line."""
    cluster = Cluster(CRON_JOB, ends=None)
    with pytest.raises(KeyboardInterrupt):
        generated(cluster)
    assert (cluster.__dict__["made"], cluster.left) == (["Job", "ConfigMap"], ["cronjob"])


def test_one_load_test_runs_at_a_time_and_the_other_one_stays() -> None:
    """Its Job is the lock."""
    cluster = Cluster(CRON_JOB, {"kind": "Job", "metadata": {"name": NAME}})
    with pytest.raises(CommandError) as caught:
        generated(cluster)
    assert caught.value.code == ExitCode.BUSY
    assert cluster.left == ["cronjob", "job"]


def test_without_an_image_the_command_says_which_one_is_needed() -> None:
    """Before anything is made."""
    cluster = Cluster()
    with pytest.raises(CommandError) as caught:
        generated(cluster)
    assert "name an image with Locust in loadTest.image of Pulumi.alpha.yaml" in str(caught.value)
    assert cluster.__dict__["made"] == []


def test_the_limit_of_the_stack_counts_inside_the_cluster_too(altlas: Altlas) -> None:
    """Refused before a cluster is asked; and only one way to load is given."""
    done = altlas("loadtest", "alpha", "--profile", "beta", "--in-cluster")
    assert (done.code, "loadTest.maxUsers of Pulumi.alpha.yaml is 50, but 100 %" in done.error) == (2, True)
    done = altlas("loadtest", "alpha", "--stand-ins", "--in-cluster")
    assert (done.code, "give either --url or --stand-ins or --in-cluster" in done.error) == (2, True)
