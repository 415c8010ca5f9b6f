"""Data no command takes by mistake, on a real API server: refusals before the first write, and the ways to do it."""

import base64
import json
import re
from typing import Any

import pytest
import yaml

from components.stack.problems import PLATFORM_KEY
from tests.e2e.conftest import Done, Project
from tests.e2e.data_objects import change, identities, redis_pods
from tests.support.deployed import project_with

pytestmark = pytest.mark.e2e


project = project_with("small")


def test_the_stack_is_up(project: Project) -> None:
    """The stores and the services, without what watches them."""
    assert {"Cluster/postgres-db", "StatefulSet/redis", "StatefulSet/nats"} <= identities(project).keys()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("storageSize: 10Gi", "storageSize: 9Gi", "Cluster postgres-db: spec.storage.size: shrinks from 10Gi to 9Gi"),
        (
            "volumeSize: 20Gi",
            "volumeSize: 19Gi",
            "PersistentVolumeClaim postgres-backup-dumps: spec.resources.requests.storage: shrinks from 20Gi to 19Gi",
        ),
        ("namespace: alt-las", "namespace: other", "Cluster postgres-db: metadata.namespace: changes from alt-las to"),
        (
            "storageSize: 2Gi",
            "storageSize: 1536Mi",
            "StatefulSet redis: spec.volumeClaimTemplates: shrinks from 2Gi to 1536Mi, and no volume can shrink",
        ),
        (
            "    nats:\n",
            "    nats:\n      storageClass: fast\n",
            "StatefulSet nats: spec.volumeClaimTemplates: is immutable; it cannot be changed in place",
        ),
    ],
)
def test_a_change_that_no_volume_survives_is_refused_before_the_update(
    project: Project, old: str, new: str, message: str
) -> None:
    """By name, with the way to do it; nothing was changed."""
    before = identities(project)
    original = change(project, old, new)
    done = project.altlas("up", "--stack", "alpha")
    project.stack_file("alpha").write_text(original)
    assert done.code == 2, done.text
    assert "the update would endanger data, nothing was changed:" in done.error
    assert message in done.error
    assert "Traceback" not in done.error
    assert identities(project) == before


def test_an_older_version_of_the_server_is_refused_before_the_update(project: Project) -> None:
    """Its files cannot be read by it; the way is a dump and a new server. The clients of the dumps are as old."""
    before = identities(project)
    image = "      image: {repository: ghcr.io/cloudnative-pg/postgresql, tag: 17.6-system-trixie}\n"
    original = change(project, "    postgres:\n", f"    postgres:\n{image}")
    change(project, "tag: 18.6-1", "tag: 17.6-1")
    done = project.altlas("up", "--stack", "alpha")
    project.stack_file("alpha").write_text(original)
    assert done.code == 2, done.text
    assert "Cluster postgres-db: spec.imageName: goes back from version 18 to 17, which cannot read" in done.error
    assert identities(project) == before


def test_an_even_number_of_voters_is_refused_before_anything_is_asked(project: Project) -> None:
    """Two voters survive no loss; the setting and what would be right are named."""
    original = change(project, "    nats:\n      replicas: 1", "    nats:\n      replicas: 2")
    done = project.altlas("up", "--stack", "alpha")
    project.stack_file("alpha").write_text(original)
    assert done.code == 2, done.text
    assert "alt-las:platform.nats.replicas: is 2; use 1 or 3: an even number of servers" in done.error


def test_a_plan_of_the_engine_that_would_take_data_is_refused_before_the_first_write(project: Project) -> None:
    """The program itself names the servers otherwise, so that the provider would replace sets of servers."""
    before = identities(project)
    services = {each["metadata"]["name"] for each in project.objects("services", "alt-las")}
    source = project.root / "components/workloads/pod_set.py"
    original = source.read_text()
    assert original.count('f"{self.name}-servers"') == 1
    source.write_text(original.replace('f"{self.name}-servers"', 'f"{self.name}-hosts"'))
    done = project.altlas("up", "--stack", "alpha")
    source.write_text(original)
    assert done.code == 2, done.text
    assert "the update would endanger data, nothing was changed:" in done.error
    # The engine ends its plan at the first object that the API server refuses, so not all must be named.
    named = re.findall(r"StatefulSet ([a-z]+): the plan would replace", done.error)
    assert set(named) & {"redis", "nats"}, done.text
    assert f"to give up its data, add {named[0]} to alt-las:platform.tombstones" in done.error
    assert identities(project) == before
    assert {each["metadata"]["name"] for each in project.objects("services", "alt-las")} == services


def test_a_volume_of_a_server_grows_as_the_guide_says(project: Project) -> None:
    """Refused first; after the steps of docs/operating.md the same pod runs on the same, larger volume."""
    before, pods = identities(project), {p["metadata"]["name"]: p["metadata"]["uid"] for p in redis_pods(project)}
    change(project, "storageSize: 2Gi", "storageSize: 3Gi")
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "data grows from 2Gi to 3Gi" in done.error
    assert "docs/operating.md#growing-a-volume" in done.error
    size = '{"spec": {"resources": {"requests": {"storage": "3Gi"}}}}'
    set_urn = "urn:pulumi:alpha::alt-las::alt-las:shared:Redis$kubernetes:apps/v1:StatefulSet::redis"
    for command in (
        ("kubectl", "--namespace", "alt-las", "patch", "persistentvolumeclaim", "data-redis-0", "--patch", size),
        ("kubectl", "--namespace", "alt-las", "delete", "statefulset", "redis", "--cascade=orphan"),
        ("pulumi", "refresh", "--stack", "alpha", "--yes", "--skip-preview", "--target", set_urn),
    ):
        done = project.run(*command, **project.variables())
        assert done.code == 0, done.text
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert {p["metadata"]["name"]: p["metadata"]["uid"] for p in redis_pods(project)} == pods
    after = identities(project)
    assert {name for name in before if after[name] != before[name]} == {"StatefulSet/redis"}
    claims = {c["metadata"]["name"]: c for c in project.objects("persistentvolumeclaims", "alt-las")}
    assert claims["data-redis-0"]["spec"]["resources"]["requests"]["storage"] == "3Gi"


def test_a_number_of_servers_changes_in_steps(project: Project) -> None:
    """PostgreSQL gets its servers before commits wait for them; Redis ends the others before the first runs alone."""
    original = project.stack_file("alpha").read_text()
    for store in ("redis", "nats"):
        change(project, f"    {store}:\n      replicas: 1", f"    {store}:\n      replicas: 3")
    change(project, "      instances: 1", "      instances: 3")
    before = identities(project)
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert "First: PostgreSQL gets 3 servers; after that, commits wait for a second one." in done.text
    assert changes_of_the_step(project) == {"update": 1, "replace": 1}
    assert cluster(project)["postgresql"]["synchronous"]["number"] == 1
    assert before.items() <= identities(project).items()
    accounts = users(project)
    project.stack_file("alpha").write_text(original)
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert "First: The first server of Redis gets everything; the others end." in done.text
    assert changes_of_the_step(project) == {"update": 1, "replace": 1}
    assert [pod["metadata"]["name"] for pod in redis_pods(project)] == ["redis-0"]
    assert "synchronous" not in cluster(project)["postgresql"]
    assert users(project) == accounts
    assert '"last.files"' in accounts


def changes_of_the_step(project: Project) -> dict[str, int]:
    """Operations of the update before the last one, as the engine counted them; those without a change left out."""
    done = project.pulumi("stack", "history", "--stack", "alpha", "--json", "--page-size", "2")
    counts: dict[str, int] = json.loads(done.out)[1]["resourceChanges"]
    return {operation: count for operation, count in counts.items() if operation != "same"}


def cluster(project: Project) -> dict[str, Any]:
    """Spec of the PostgreSQL Cluster."""
    (found,) = project.objects("clusters.postgresql.cnpg.io", "alt-las")
    spec: dict[str, Any] = found["spec"]
    return spec


def users(project: Project) -> str:
    """Users of NATS as the servers read them."""
    (found,) = (e for e in project.objects("secrets", "alt-las") if e["metadata"]["name"] == "nats-users")
    return base64.b64decode(found["data"]["accounts.conf"]).decode()


def test_an_object_with_data_goes_after_its_tombstone_was_deployed_and_its_volume_stays(project: Project) -> None:
    """Without a tombstone, and with one that is not deployed, the update is refused; then Redis goes and no other."""
    before, path = identities(project), project.stack_file("alpha")
    document = yaml.safe_load(path.read_text())
    platform = document["config"][PLATFORM_KEY]

    def up(redis: dict[str, Any] | None, *tombstones: str) -> Done:
        platform.update({"redis": redis, "tombstones": list(tombstones)})
        path.write_text(yaml.safe_dump(document))
        return project.altlas("up", "--stack", "alpha")

    redis, gone = platform["redis"], ("redis", "redis-backup-dumps")
    for tombstones, message in (
        ((), "StatefulSet redis: the program no longer has it, and it holds data; to give up its data, add redis to"),
        (gone, "StatefulSet redis: its tombstone is not deployed yet"),
    ):
        done = up(None, *tombstones)
        assert done.code == 2, done.text
        assert message in done.error
        assert identities(project) == before
    for settings in (redis, None):
        done = up(settings, *gone)
        assert done.code == 0, done.text
    after = identities(project)
    assert before.keys() - after.keys() == {"StatefulSet/redis", "PersistentVolumeClaim/redis-backup-dumps"}
    assert after.items() <= before.items()
    assert "PersistentVolumeClaim/data-redis-0" in after
