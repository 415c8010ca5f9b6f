"""The Jobs of a restore: what they are made of, who keeps whom away, and what is said when one fails."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from release import restore_copy
from release.errors import CommandError, ExitCode
from release.program import record
from release.restore_job import Jobs, Task, job_of
from release.rollout import Kubectl
from tests.stacks.documents import alpha_with, platform_of

RESTORE = Task("restore", "postgres", ("--backup", "20260101T000000Z"), {"PGUSER": "restore"}, {"PGPASSWORD": "OTHER"})


@pytest.fixture(scope="module")
def cron_job() -> dict[str, Any]:
    """The CronJob of PostgreSQL's dumps, as it is deployed."""
    found = (each for each in record("alpha", alpha_with({})).objects if each["kind"] == "CronJob")
    return next(each for each in found if each["metadata"]["name"] == "postgres-backup")


class Cluster(Kubectl):
    """A cluster of CronJobs and Jobs, of which the Jobs end as they are told to.

    Attributes:
        objects: What is there, by kind and name.
        ends: Condition with which a Job ends that is not suspended; None where it never does.
        calls: Commands that change something.
    """

    def __init__(self, *objects: Mapping[str, Any], ends: str | None = "Complete", log: str = "") -> None:
        super().__init__(Path("kubectl"), Path("kubeconfig"))
        state: dict[str, Any] = {
            "objects": {(each["kind"].lower(), each["metadata"]["name"]): dict(each) for each in objects},
            "ends": ends,
            "log": log,
            "calls": list[str](),
        }
        self.__dict__.update(state)

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Answer the few commands that a Job needs."""
        verb, kind = arguments[0], arguments[1]
        key, objects = (kind, arguments[2]), self.__dict__["objects"]
        if verb == "logs":
            return str(self.__dict__["log"])
        if verb == "get":
            return json.dumps(self._ended(objects[key])) if key in objects else ""
        self.__dict__["calls"].append(verb)
        if verb == "delete":
            del objects[key]
        if verb == "patch":
            objects[key]["spec"]["suspend"] = False
        assert stdin is None
        return ""

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Make an object unless there is one of its name."""
        key = (manifest["kind"].lower(), manifest["metadata"]["name"])
        self.__dict__["calls"].append("create")
        return bool(self.__dict__["objects"].setdefault(key, manifest) is manifest)

    def _ended(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        ends = self.__dict__["ends"]
        if found["kind"] != "Job" or "status" in found or ends is None or found["spec"].get("suspend"):
            return found
        return {**found, "status": {"conditions": [{"type": ends, "status": "True"}]}}

    def jobs(self) -> Jobs:
        """Jobs in this cluster."""
        return Jobs(self, "alpha", "alt-las", lambda _: None)

    @property
    def calls(self) -> Sequence[str]:
        """Commands that changed something."""
        found: Sequence[str] = self.__dict__["calls"]
        return found


def job(*conditions: str) -> dict[str, Any]:
    """A restore of before."""
    status = {"conditions": [{"type": condition, "status": "True"} for condition in conditions]}
    return {"kind": "Job", "metadata": {"name": RESTORE.job}, "spec": {}, "status": status}


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


def test_a_job_that_ended_makes_way_and_what_the_new_one_says_is_returned(cron_job: dict[str, Any]) -> None:
    """The restore of last week keeps nobody away."""
    cluster = Cluster(cron_job, job("Complete"), log='{"restored": []}\n')
    assert cluster.jobs().run(RESTORE) == '{"restored": []}'
    assert cluster.calls == ["delete", "create"]


@pytest.mark.parametrize("suspended", [False, True])
def test_two_restores_at_once_are_refused(cron_job: dict[str, Any], suspended: bool) -> None:
    """Also while the first is only being prepared; it goes on untouched."""
    running = job() | {"spec": {"suspend": suspended}}
    cluster = Cluster(cron_job, running, ends=None)
    with pytest.raises(CommandError, match="another restore of postgres is at work: the Job postgres-restore") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BUSY
    assert cluster.calls == []


def test_of_two_that_begin_at_the_same_moment_the_api_server_lets_one(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that there is no Job; only one can make it."""
    cluster = Cluster(cron_job, job(), ends=None)
    monkeypatch.setattr(Jobs, "_make_way", lambda *_: None)
    with pytest.raises(CommandError, match="another restore of postgres is at work") as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.BUSY
    assert cluster.calls == ["create"]


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


def test_a_job_that_never_ends_is_not_waited_for_for_ever(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as its own deadline."""
    now = iter(range(0, 100_000, 1000))
    monkeypatch.setattr("release.restore_job.time.monotonic", lambda: next(now))
    monkeypatch.setattr("release.restore_job.time.sleep", lambda _: None)
    with pytest.raises(CommandError, match="failed: no log of its pod is there"):
        Cluster(cron_job, ends=None).jobs().run(RESTORE)


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
