"""A state that machines share in a bucket of a real S3 server, 20 ms away: journaled updates beside plain Pulumi."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from altlas.release.ledger import Ledger, ledger_of
from altlas.session.journal import journal_log, locks
from altlas.session.journal.bucket import BucketPath
from altlas.session.journal.orphans import end_processes
from altlas.session.journal.recovery import recover
from altlas.session.journal.state_files import as_json
from altlas.session.workspace import Workspace
from tests.data.s3_server import WRITER, S3Server, running
from tests.support.delay_proxy import delaying
from tests.support.figures import Figures
from tests.support.journaled import Project, make
from tests.support.journaled_files import PROGRAM, comparable, generated
from tests.support.loopback import wait_until

pytestmark = pytest.mark.e2e

DELAY_SECONDS = 0.02
BUCKET = "states"


@dataclass(frozen=True)
class Bucket:
    """A bucket of a distant server.

    Attributes:
        server: The server, asked without delay.
        address: Host and port with delay.
    """

    server: S3Server
    address: str

    def variables(self, folder: str) -> dict[str, str]:
        """Variables of the CLI for a folder of the bucket."""
        query = f"region=us-east-1&endpoint=http://{self.address}&s3ForcePathStyle=true"
        keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), WRITER, strict=True))
        return {**keys, "PULUMI_BACKEND_URL": f"s3://{BUCKET}/{folder}?{query}"}

    def stock(self, project: Project, *arguments: str) -> int:
        """Run plain Pulumi."""
        folder = project.variables["PULUMI_BACKEND_URL"].partition("?")[0].rpartition("/")[2]
        self.server.forget_locks(BUCKET, f"{folder}/.pulumi/locks/organization/{project.files.project}/alpha/")
        return project.stock(*arguments)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket."""
    with running(tmp_path_factory.mktemp("s3"), tls=False) as server:
        server.client().create_bucket(Bucket=BUCKET)
        host, _, port = server.endpoint.rpartition("/")[2].rpartition(":")
        with delaying(host, int(port), DELAY_SECONDS) as address:
            yield Bucket(server, address)


def test_states_equal_those_of_plain_pulumi_in_the_bucket(bucket: Bucket, tmp_path: Path, figures: Figures) -> None:
    """Create, update, replace and destroy: the same states, objects, histories and backups."""
    chance = random.Random(9)  # noqa: S311  # generates tests, no secrets
    stock, ours = (
        make(tmp_path / name, PROGRAM, PULUMI_PARALLEL="1", **bucket.variables(name)) for name in ("stock", "ours")
    )
    seconds = {"stock": 0.0, "ours": 0.0}
    for command in ("up", "up", "refresh", "destroy"):
        wanted = generated(chance)
        for project in (stock, ours):
            project.want(wanted)
        began = time.monotonic()
        code = bucket.stock(stock, command, "--yes", "--skip-preview")
        between = time.monotonic()
        own_code, output = ours.journaled(command, "--yes", "--skip-preview")
        assert (own_code, code) == (0, 0), output
        seconds["stock"] += between - began
        seconds["ours"] += time.monotonic() - between
        assert comparable(ours) == comparable(stock), (command, code, output)
        assert ours.objects == stock.objects
        assert not journal_log.exists(ours.files.journal)
        assert list(ours.files.locks.glob("*")) == []
    assert _endings(ours) == _endings(stock)
    figures.add(
        "state in a bucket 20 ms away, four commands", f"ours {seconds['ours']:.1f} s, plain {seconds['stock']:.1f} s"
    )


def _endings(project: Project) -> list[str]:
    """Kinds of files that the updates have left, each as often as there are such files."""
    folder = project.files.backend / ".pulumi"
    paths = [
        each for name in ("history", "backups") for each in (folder / name / project.files.project / "alpha").glob("*")
    ]
    return sorted(each.name.split(".", 1)[1].lstrip("0123456789.") for each in paths)


def test_another_machine_goes_on_where_a_killed_one_has_stopped(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the engine was told to be stored is known; plain Pulumi is kept out until the state is whole."""
    # Slow enough that the update still runs when plain Pulumi has been refused.
    project = make(tmp_path / "shared", PROGRAM, PULUMI_PARALLEL="2", PAUSE="1", **bucket.variables("shared"))
    names = [f"file-{number}" for number in range(12)]
    wanted = {name: {"value": "a", "identity": "x"} for name in names}
    project.want(wanted)
    files = project.files
    with project.begin("up", "--yes", "--skip-preview") as process:
        wait_until(lambda: len(project.objects) >= 4, "four objects are made")
        assert bucket.stock(project, "up", "--yes", "--skip-preview") != 0
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    (lock,) = locks.locks_of(files)
    end_processes(lock.run)
    lost = replace(lock, machine="another")
    assert isinstance(lost.path, BucketPath)
    lost.path.write_bytes(as_json(lost.document))
    made = set(project.objects)
    assert bucket.stock(project, "preview") == 0
    assert bucket.stock(project, "up", "--yes", "--skip-preview") != 0
    monkeypatch.setattr(locks, "LEASE_SECONDS", -1)
    recovered = recover(files)
    assert recovered is not None
    known = {one["id"] for one in files.read().resources if one["type"].startswith("pulumi-python")}
    unknown = made - known
    assert {name.rpartition("-")[0] for name in unknown} <= set(recovered.in_flight)
    assert known <= made
    assert (list(files.locks.glob("*")), journal_log.exists(files.journal)) == ([], False)
    assert bucket.stock(project, "stack", "export") == 0


def _ledger(folder: Path, bucket: Bucket) -> Ledger:
    return ledger_of(Workspace(folder), "alpha", bucket.variables("ledgers"))


def _append(folder: Path, bucket: Bucket) -> None:
    for number in range(5):
        _ledger(folder, bucket).append("plan", "ada@example.org", {"process": os.getpid(), "number": number})


def test_machines_write_to_one_ledger_in_the_bucket_and_lose_no_entry(bucket: Bucket, tmp_path: Path) -> None:
    """Three processes with checkouts of their own at the same time; a changed line and a cut one are named."""
    processes = [
        multiprocessing.get_context("spawn").Process(target=_append, args=(tmp_path / str(number), bucket))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    ledger = _ledger(tmp_path, bucket)
    entries = ledger.entries()
    assert [each.number for each in entries] == list(range(1, 16))
    written = {(each.body["process"], each.body["number"]) for each in entries}
    assert written == {(process.pid, number) for process in processes for number in range(5)}
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content.replace(b'"number":4,"process"', b'"number":5,"process"', 1))
    assert "was changed: its content does not have its hash" in ledger.read().problem
    ledger.path.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    assert ledger.read().problem == "entry 15 is missing at the end"
