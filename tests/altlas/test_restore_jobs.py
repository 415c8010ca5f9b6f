"""The Jobs of a restore: what they are made of, who keeps whom away, and what is said when one fails."""

import json
from typing import Any

import pytest

from altlas.backup import copy as restore_copy
from altlas.backup.job import Jobs, Task, job_of, remove_jobs
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record
from tests.altlas.job_cluster import RESTORE, Cluster, cron_job_of, job
from tests.support.documents import platform_of


@pytest.fixture(scope="module")
def cron_job() -> dict[str, Any]:
    """The CronJob of PostgreSQL's dumps, as it is deployed."""
    return cron_job_of("postgres-backup")


def test_a_restore_has_the_image_the_volume_and_the_limits_of_the_dumps(cron_job: dict[str, Any]) -> None:
    """It does another thing with other rights, once, and says so in its name."""
    made = job_of(cron_job, RESTORE)
    assert made["metadata"]["name"] == "postgres-restore-now"
    assert made["metadata"]["namespace"] == "alt-las"
    assert made["spec"]["backoffLimit"] == 0
    dumps = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod = made["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["volumes"]] == [each["name"] for each in dumps["volumes"]]
    (passwords,) = (each["secret"]["items"] for each in pod["volumes"] if "secret" in each)
    assert {each["path"]: each["key"] for each in passwords} == {"BACKUP_KEY": "BACKUP_KEY", "PGPASSWORD": "OTHER"}
    (container,), (of_dumps,) = pod["containers"], dumps["containers"]
    assert container["image"] == of_dumps["image"]
    assert container["command"] == [
        *("python", "-m", "backup", "--root", "/backups"),
        *("restore", "postgres", "--backup", "20260101T000000Z"),
    ]
    variables = {each["name"]: each for each in container["env"]}
    before = {each["name"]: each for each in of_dumps["env"]}
    assert variables["PGUSER"] == {"name": "PGUSER", "value": "restore"}
    assert variables.keys() == before.keys()
    assert cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["name"] == "dump"


def test_a_backup_is_fetched_by_a_pod_that_reaches_the_bucket() -> None:
    """With the address, the credentials and the volume of the dumps, which it may write to."""
    bucket = {"endpoint": "https://s3.example.com", "bucket": "alt-las-wal"}
    made = job_of(cron_job_of("redis-backup", {"backup.objectStore": bucket}), Task("fetch", "redis"))
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"][-2:] == ["fetch", "redis"]
    assert {"S3_ENDPOINT", "S3_BUCKET", "S3_PREFIX"} <= {each["name"] for each in container["env"]}
    (passwords,) = (each["secret"]["items"] for each in pod["volumes"] if "secret" in each)
    assert {"S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"} <= {each["path"] for each in passwords}
    (volume,) = (each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each)
    assert volume == {"claimName": "redis-backup-dumps"}


def test_a_job_that_ended_makes_way_and_what_the_new_one_says_is_returned(cron_job: dict[str, Any]) -> None:
    """The restore of last week keeps nobody away."""
    cluster = Cluster(cron_job, job("Complete"), log='{"restored": []}\n')
    assert cluster.jobs().run(RESTORE) == '{"restored": []}'
    assert cluster.calls == ["delete", "create"]


def test_a_stack_that_goes_with_its_data_takes_the_jobs_along() -> None:
    """Else their ended pods would hold the volumes of the dumps, and the removal would wait for them."""
    asked: list[str] = []

    class Asked(Cluster):
        """Notes what is deleted."""

        def text(self, *arguments: str, stdin: str | None = None) -> str:
            """Nothing is there."""
            assert stdin is None
            asked.extend(arguments)
            return ""

    remove_jobs(Asked(), "alt-las")
    assert asked[:2] == ["delete", "jobs"]
    assert {"postgres-restore-now", "redis-list-now", "nats-drill-now", "redis-fetch-now"} <= set(asked)
    assert asked[-4:] == ["--namespace", "alt-las", "--ignore-not-found", "--wait=false"]


@pytest.mark.parametrize("suspended", [False, True])
def test_two_restores_at_once_are_refused(cron_job: dict[str, Any], suspended: bool) -> None:
    """Also while the first is only being prepared; it goes on untouched."""
    running = job() | {"spec": {"suspend": suspended}}
    cluster = Cluster(cron_job, running, ends=None)
    with pytest.raises(CommandError, match="another restore of postgres is running: the Job postgres-restore") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BUSY
    assert cluster.calls == []


def test_of_two_that_begin_at_the_same_moment_the_api_server_lets_one(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that there is no Job; only one can make it."""
    cluster = Cluster(cron_job, job(), ends=None)
    monkeypatch.setattr(Jobs, "_delete_ended", lambda *_: None)
    with pytest.raises(CommandError, match="another restore of postgres is running") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BUSY
    assert cluster.calls == ["create"]


def test_of_two_that_see_the_last_one_ended_the_later_one_removes_nothing(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command has created its own Job in the meantime, and it is running."""
    cluster = Cluster(cron_job, {**job(), "metadata": {"name": RESTORE.job, "uid": "of the other"}}, ends=None)
    seen = Jobs._get
    monkeypatch.setattr(
        Jobs, "_get", lambda jobs, kind, name: job("Complete") if kind == "job" else seen(jobs, kind, name)
    )
    with pytest.raises(CommandError, match="another restore of postgres is running") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BUSY
    assert cluster.__dict__["objects"]["job", RESTORE.job]["metadata"]["uid"] == "of the other"


@pytest.mark.parametrize(("action", "counts"), [("list", False), ("restore", False), ("drill", True)])
def test_monitoring_takes_no_list_and_no_restore_for_a_dump(action: str, counts: bool) -> None:
    """Otherwise a list of backups would reset their age; a restore test started by hand counts."""
    task = Task(action, "redis")
    made = job_of(cron_job_of(task.cron_job), task)
    # The exporter asks for objects that have both labels.
    selected = {"alt-las.io/store", "alt-las.io/backup-action"}
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert (selected <= labels.keys()) is counts
        assert labels["alt-las.io/store"] == "redis"
        assert labels["app.kubernetes.io/name"] == task.cron_job


def test_what_must_be_prepared_is_done_while_the_job_keeps_others_away(cron_job: dict[str, Any]) -> None:
    """It begins only afterwards."""
    cluster = Cluster(cron_job)
    seen: list[bool] = []
    cluster.jobs().run(RESTORE, lambda: seen.append(cluster.__dict__["objects"]["job", RESTORE.job]["spec"]["suspend"]))
    assert seen == [True]
    assert cluster.calls == ["create", "patch"]


def test_a_job_whose_preparation_failed_goes_again(cron_job: dict[str, Any]) -> None:
    """Else nobody could restore any more."""
    cluster = Cluster(cron_job)

    def fail() -> None:
        raise CommandError("no room")

    with pytest.raises(CommandError, match="no room"):
        cluster.jobs().run(RESTORE, fail)
    assert cluster.calls == ["create", "delete"]


def test_a_failed_job_says_what_its_program_said(cron_job: dict[str, Any]) -> None:
    """The program alone sees the backups, so it names those that there are."""
    said = "error: postgres has no backup '20260101T000000Z'; there are: 20260102T010000Z"
    with pytest.raises(CommandError) as error:
        Cluster(cron_job, ends="Failed", log=said).jobs().run(RESTORE)
    assert str(error.value) == f"the Job postgres-restore-now failed: {said}"
    assert error.value.code == ExitCode.FAILED


def test_without_the_cron_job_there_is_nothing_to_make_a_job_of() -> None:
    """The stack is not deployed, or has no backups."""
    cluster = Cluster()
    with pytest.raises(CommandError, match="there is no CronJob postgres-backup in alt-las: the stack alpha") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BAD_INPUT
    assert cluster.calls == []


@pytest.mark.parametrize("store", ["redis", "nats"])
def test_a_copy_shares_no_name_and_no_selector_with_the_live_servers(store: str) -> None:
    """No pod of it is behind a live address, and no live pod behind its own; only the Secrets are the live ones."""
    objects = record("beta", restore_copy.single_server(platform_of("beta"), store)).objects
    unnamed = f"{store}-secrets"
    made = restore_copy.copied_objects(objects, store, "look", {unnamed: f"{unnamed}-a1b2c3"})
    live = {(each["kind"], each["metadata"]["name"]) for each in objects}
    assert not live & {(each["kind"], each["metadata"]["name"]) for each in made}
    assert {each["kind"] for each in made} == {"NetworkPolicy", "ServiceAccount", "ConfigMap", "Service", "StatefulSet"}
    (copy,) = (each for each in made if each["kind"] == "StatefulSet")
    assert copy["spec"]["replicas"] == 1
    selector = {"app.kubernetes.io/name": "look", "app.kubernetes.io/part-of": "alt-las"}
    assert copy["spec"]["selector"]["matchLabels"] == selector
    assert selector.items() <= copy["spec"]["template"]["metadata"]["labels"].items()
    assert all(each["spec"]["selector"] == selector for each in made if each["kind"] == "Service")
    assert set(restore_copy.secret_names(copy)) == {f"{store}-users", f"{unnamed}-a1b2c3"}
    text = json.dumps(made)
    assert f"{store}-servers" not in text
    assert f"{store}-0." not in text
    (name,) = (each["metadata"]["name"] for each in made if each["kind"] == "ConfigMap")
    assert text.count(f'"{name}"') == 2, "its own name, and that in the pods"
