"""The data tier on a real API server: what is there, what no command takes by mistake, and no secret in the open."""

import base64
import re
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Project
from tests.e2e.data_objects import data_of, generations, identities, pods_of_stores
from tests.e2e.secret_places import files, hits, objects_in_the_open, secret_values
from tests.support.deployed import project_with

pytestmark = pytest.mark.e2e


project = project_with("alpha")


def test_up_brings_the_data_tier(project: Project) -> None:
    """The Cluster and its databases are accepted by the operator's own definitions, and the dumps have a schedule."""
    found = identities(project)
    assert {"Cluster/postgres-db", "Database/postgres-db-archive", "Database/postgres-db-segmentation"} <= found.keys()
    assert {f"PersistentVolumeClaim/{store}-backup-dumps" for store in ("postgres", "redis", "nats")} <= found.keys()
    (cluster,) = project.objects("clusters.postgresql.cnpg.io", "alt-las")
    assert cluster["spec"]["instances"] == 1
    schedules = {each["metadata"]["name"]: each["spec"] for each in project.objects("cronjobs", "alt-las")}
    expected = {
        "postgres-backup": "0 1 * * *",
        "postgres-backup-drill": "0 4 * * 0",
        "redis-backup": "20 1 * * *",
        "redis-backup-drill": "20 4 * * 0",
        "nats-backup": "40 1 * * *",
        "nats-backup-drill": "40 4 * * 0",
    }
    assert {name: spec["schedule"] for name, spec in schedules.items()} == expected
    assert {spec["timeZone"] for spec in schedules.values()} == {"Etc/UTC"}


def test_a_dump_s_pod_is_admitted_and_its_volume_bound(project: Project) -> None:
    """A run by hand: the restricted standard admits it. What it would do is proven with real servers elsewhere."""
    done = project.kubectl("create", "job", "--namespace", "alt-las", "--from=cronjob/postgres-backup", "by-hand")
    assert done.code == 0, done.text
    done = project.kubectl(
        "wait", "--namespace", "alt-las", "--for=jsonpath={.status.phase}=Bound", "pvc/postgres-backup-dumps",
        "--timeout=120s",
    )  # fmt: skip
    assert done.code == 0, done.text
    pods = [pod for pod in project.objects("pods", "alt-las") if pod["metadata"]["name"].startswith("by-hand")]
    assert len(pods) == 1
    assert project.kubectl("delete", "job", "--namespace", "alt-las", "by-hand").code == 0


def test_a_transition_and_the_way_back_replace_and_delete_no_object_with_data(project: Project) -> None:
    """Three servers and one again; the same objects all the while."""
    before = identities(project)
    original = project.stack_file("alpha").read_text()
    assert project.altlas("stack", "transition", "alpha", "beta", "--write").code == 0
    for text, instances in ((None, 3), (original, 1)):
        if text:
            project.stack_file("alpha").write_text(text)
        done = project.altlas("up", "--stack", "alpha")
        assert done.code == 0, done.text
        (cluster,) = project.objects("clusters.postgresql.cnpg.io", "alt-las")
        assert cluster["spec"]["instances"] == instances
        found = identities(project)
        assert {name: found.get(name) for name in before} == before


def test_a_rotation_rolls_the_pods_that_use_the_secrets_and_no_other(project: Project) -> None:
    """To the password that the servers knew before; then the old one is no longer any. No server is restarted."""
    before, uids, servers = generations(project), identities(project), pods_of_stores(project)
    roles = {name: data_of(project, name) for name in ("postgres-db-archive", "postgres-db-archive-2")}
    keys = ("postgresArchivePassword", "redisApiGatewayPassword")
    done = project.altlas("secrets", "rotate", *keys, "--stack", "alpha")
    assert done.code == 0, done.text
    after = generations(project)
    assert {name for name in after if after[name] != before[name]} == {"archive-service", "api-gateway"}
    assert base64.b64decode(data_of(project, after["archive-service"])["DB_USER"]) == b"archive_2"
    assert data_of(project, after["archive-service"])["DB_PASSWORD"] == roles["postgres-db-archive-2"]["password"]
    assert data_of(project, "postgres-db-archive-2") == roles["postgres-db-archive-2"]
    assert data_of(project, "postgres-db-archive")["password"] != roles["postgres-db-archive"]["password"]
    assert (identities(project), pods_of_stores(project)) == (uids, servers)
    notes = yaml.safe_load(project.stack_file("alpha").read_text())["config"]
    assert notes["alt-las:secondInUse"] == " ".join(sorted(keys))
    assert "alt-las:rotating" not in notes


def test_a_rotation_that_was_interrupted_is_finished_by_the_same_command_and_no_other(project: Project) -> None:
    """It has begun for one secret: another is refused, and the same one does not go back to the old password."""
    project.pulumi("config", "set", "--stack", "alpha", "alt-las:rotating", "natsRunnerPassword")
    done = project.altlas("secrets", "rotate", "natsArchivePassword", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "the rotation of natsRunnerPassword is not finished; finish it first with `altlas secrets" in done.error
    before = generations(project)
    done = project.altlas("secrets", "rotate", "natsRunnerPassword", "--stack", "alpha")
    assert done.code == 0, done.text
    assert generations(project) == before
    assert "alt-las:rotating" not in project.stack_file("alpha").read_text()


def test_no_generated_secret_stands_anywhere_but_in_secrets(project: Project, tmp_path: Path) -> None:
    """State, history, logs, rendered objects, previews, diffs, the cluster; the control run finds a planted one."""
    values = secret_values(project)
    assert len(values) >= 25
    assert all(re.fullmatch(r"[\w-]{40,}", value) for value in values)
    rendered = tmp_path / "rendered"
    assert project.altlas("stack", "render", "alpha", "--out", str(rendered)).code == 0
    # The engine's own debugging levels beyond this one are meant to show everything, secrets too.
    log = ("--logtostderr", "-v=3")
    printed = [
        ("preview and log", project.pulumi("preview", "--stack", "alpha", "--diff", *log)),
        ("preview --json", project.pulumi("preview", "--stack", "alpha", "--json")),
        ("diff", project.altlas("diff", "alpha", "beta")),
        ("state", project.pulumi("stack", "export", "--stack", "alpha")),
        ("env", project.altlas("env")),
        ("status", project.altlas("status", "--stack", "alpha")),
        ("compose", project.altlas("stack", "compose", "alpha", "--out", str(tmp_path / "compose"))),
        ("plan", project.pulumi("preview", "--stack", "alpha", "--save-plan", str(tmp_path / "plan.json"))),
    ]
    for name, done in printed:
        assert done.code == 0, f"{name}: {done.text}"
    private = project.root / ".altlas"
    places = [
        *((name, done.text.encode()) for name, done in printed),
        *files(private / "state", tmp_path),
        *((str(path), path.read_bytes()) for path in project.root.glob("Pulumi.*")),
        *objects_in_the_open(project),
    ]
    assert len(places) > 60
    assert hits(values, places) == []
    planted = [*places, ("planted", base64.b64encode(values[0].encode())), ("plain", f"x{values[-1]}y".encode())]
    assert hits(values, planted) == ["planted", "plain"]
    in_secrets = project.kubectl("get", "secrets", "--namespace", "alt-las", "--output", "json").out
    assert len(hits(values, [("secrets", in_secrets.encode())])) == 1


def test_neither_altlas_nor_plain_pulumi_destroys_data_by_mistake(project: Project) -> None:
    """The one says what to do, the other is stopped by the protection; everything is still there."""
    before = identities(project)
    done = project.altlas("destroy", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "the stack alpha holds data that cannot be recreated: " in done.error
    assert "Cluster postgres-db" in done.error
    assert "altlas destroy --stack alpha --with-data alpha" in done.error
    done = project.altlas("destroy", "--stack", "alpha", "--with-data", "beta")
    assert done.code == 2, done.text
    assert "--with-data names 'beta', but the stack is 'alpha'" in done.error
    done = project.pulumi("destroy", "--stack", "alpha", "--yes", "--skip-preview")
    assert done.code != 0
    assert "it is protected" in done.text or "marked for protection" in done.text, done.text
    assert identities(project) == before
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert identities(project) == before


def test_with_the_stack_s_name_typed_everything_goes(project: Project) -> None:
    """The end of a stack is possible, on purpose only."""
    done = project.altlas("destroy", "--stack", "alpha", "--with-data", "alpha")
    assert done.code == 0, done.text
    assert "namespace/alt-las" not in project.kubectl("get", "namespaces", "--output", "name").out.split()
