"""The exporter of the dumps against a real API server: what its own account lets it see, and what it makes of it."""

import functools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from backup import metrics
from components.traffic.observers import BACKUP_METRICS, BACKUP_METRICS_PORT
from rendering.recorder import record
from tests.support.documents import ROOT, alpha_with
from tests.support.loopback import addresses
from tests.support.own_cluster import NAMESPACE, OwnCluster, own_cluster

pytestmark = pytest.mark.sim

KINDS = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "PersistentVolumeClaim", "CronJob")
SECONDS = 60


class Cluster(OwnCluster):
    """A cluster with the dumps of alpha and the account of the exporter."""

    def pods_of(self, job: str) -> list[dict[str, Any]]:
        """Pods of a Job."""
        found: list[dict[str, Any]] = json.loads(
            self.run("get", "pods", "--selector", f"batch.kubernetes.io/job-name={job}", "--output=json")
        )["items"]
        return found

    def start(self, job: str) -> None:
        """Start a dump of Redis by hand, on no node, so that nobody but the test says how its pod ends."""
        template = json.loads(self.run("get", "cronjob", "redis-backup", "--output=json"))["spec"]["jobTemplate"]
        template["spec"]["backoffLimit"] = 0
        template["spec"]["template"]["spec"]["nodeSelector"] = {"alt-las.io/no-such-node": "true"}
        metadata = {**template["metadata"], "name": job}
        manifest = {"apiVersion": "batch/v1", "kind": "Job", **template, "metadata": metadata}
        self.run("create", "--filename=-", text=yaml.safe_dump(manifest))

    def end(self, job: str, code: int, message: str) -> None:
        """Let the pod of a Job end as its kubelet would, which this cluster does not have."""
        deadline = time.monotonic() + SECONDS
        while not (pods := self.pods_of(job)):
            assert time.monotonic() < deadline, f"{job} gets no pod"
            time.sleep(0.2)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ended = {"exitCode": code, "message": message, "startedAt": now, "finishedAt": now, "containerID": "test://1"}
        (container,) = pods[0]["spec"]["containers"]
        status = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": ended},
                }
            ],
        }
        patch = json.dumps({"status": status})
        self.set_status("pod", pods[0]["metadata"]["name"], patch)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A simulated cluster of its own."""
    with own_cluster(tmp_path) as made:
        made.apply(*(each for each in record("alpha", alpha_with({"prometheus": {}})).objects if _belongs(each)))
        yield Cluster(made.kubectl, made.kubeconfig)


def _belongs(manifest: dict[str, Any]) -> bool:
    name = str(manifest["metadata"]["name"])
    return manifest["kind"] == "Namespace" or (manifest["kind"] in KINDS and "backup" in name)


@contextmanager
def exporter(cluster: Cluster, folder: Path) -> Iterator[str]:
    """The exporter as a process of this machine, with the token of its own ServiceAccount."""
    (folder / "token").write_text(cluster.run("create", "token", BACKUP_METRICS))
    authority = cluster.run("get", "configmap", "kube-root-ca.crt", "--output=jsonpath={.data.ca\\.crt}")
    (folder / "ca.crt").write_text(authority)
    (found,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    (address,) = addresses(1, (BACKUP_METRICS_PORT,))
    command = [sys.executable, "-m", "backup.exporter", "--listen", address, "--port", str(BACKUP_METRICS_PORT)]
    command += ["--api-server", found["cluster"]["server"]]
    command += ["--token", str(folder / "token"), "--authority", str(folder / "ca.crt")]
    variables = {"NAMESPACE": NAMESPACE, "RECOVERY_POINT_SECONDS": "90000"}
    with subprocess.Popen(command, env={**os.environ, **variables}, cwd=ROOT) as process:
        try:
            yield f"http://{address}:{BACKUP_METRICS_PORT}{metrics.PATH}"
        finally:
            process.terminate()


def scraped(address: str) -> dict[str, float]:
    """Metrics that a scrape gets, once the exporter listens."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310  # loopback
                lines = answer.read().decode().splitlines()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None
        except OSError:
            assert time.monotonic() < deadline, "the exporter does not listen"
            time.sleep(0.1)
        else:
            return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


def series(name: str, store: str) -> str:
    """A series as it stands in the text format."""
    return f'{name}{{store="{store}"}}'


def test_the_exporter_s_own_account_sees_how_dumps_and_drills_ended(cluster: Cluster, tmp_path: Path) -> None:
    """A good dump with its report, then one that fails; what the account may see is said by its role alone."""
    report = json.dumps({"store": "redis", "action": "dump", "figures": {metrics.DUMP_SIZE: 4711}})
    for job, code, message in (("good", 0, report), ("bad", 1, "error: the volume is full")):
        cluster.start(job)
        cluster.end(job, code, message)
        condition = "Failed" if code else "Complete"
        cluster.run("wait", f"job/{job}", f"--for=condition={condition}", f"--timeout={SECONDS}s")
        time.sleep(1.1)
    with exporter(cluster, tmp_path) as address:
        found = scraped(address)
    of_redis = functools.partial(series, store="redis")
    assert found[of_redis(metrics.DUMP_SUCCESS)] == 0
    assert found[of_redis(metrics.DUMP_SIZE)] == 4711
    assert time.time() - SECONDS * 3 < found[of_redis(metrics.DUMP_LAST_SUCCESS)] <= time.time()
    for store in ("postgres", "redis", "nats"):
        assert found[series(metrics.OBJECTIVE, store)] == 90000
    assert series(metrics.DUMP_SUCCESS, "nats") not in found
    may = ("auth", "can-i", f"--as=system:serviceaccount:{NAMESPACE}:{BACKUP_METRICS}", "--list", "--no-headers")
    own = [line for line in cluster.run(*may).splitlines() if not line.startswith((" ", "selfsubject"))]
    assert sorted(line.split()[0] for line in own) == ["cronjobs.batch", "jobs.batch", "pods"]
