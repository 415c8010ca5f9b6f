"""The story of a release on a real API server, with nothing but files: no account, no service.

alpha runs; diff; rehearsal; plan; shown offline; approved by two; applied to beta's settings; drift by another writer
named and taken back; rollback; the ledger verifies; five metrics. Real Redis, NATS and PostgreSQL run with what the
objects on the API server say before the release, after it, and after the rollback.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.altlas.release_stand_ins import allowed, key_of
from tests.data.applied_stores import KINDS, Applied, Services, Stores
from tests.data.conftest import folder, postgres_clients
from tests.e2e.conftest import Project
from tests.support.canaries import found
from tests.support.deployed import copy_of
from tests.support.released import changed_by, redis_memory, runner, runner_secret, versions
from tests.support.stack_files import without_monitoring

__all__ = ["folder", "postgres_clients"]
pytestmark = pytest.mark.e2e

ADA, BOB = "ada@example.org", "bob@example.org"
ALTLAS = str(Path(sys.executable).parent / "altlas")
SERVERS = (
    ("redis", "replicas: 3", "replicas: 1"),
    ("nats", "replicas: 3", "replicas: 1"),
    ("postgres", "instances: 3", "instances: 1"),
)
"""Numbers of servers in beta, and in alpha; a change of them takes steps that no plan holds."""

PASSWORDS = ("natsRunnerPassword", "redisApiGatewayPassword", "postgresArchivePassword")
"""One for each store, changed by the release."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with alpha on a running cluster, without monitoring, and two persons who may approve."""
    with copy_of("small", tmp_path_factory) as copied:
        without_monitoring(copied, "beta")
        keys = [key_of(copied.root / ".altlas", name) for name in ("ada", "bob")]
        lines = (allowed(key, name) for key, name in zip(keys, (ADA, BOB), strict=True))
        (copied.root / "allowed_signers").write_text("".join(lines))
        yield copied


@pytest.fixture(scope="module")
def stores(postgres_clients: None, folder: Path) -> Stores:  # noqa: ARG001  # clients on PATH
    """Volumes of the stores, empty."""
    return Stores(folder)


def applied(project: Project) -> Applied:
    """Objects of the stores as the API server has them."""
    return Applied(project.objects(KINDS, "alt-las"))


def key(project: Project, name: str) -> str:
    """Path of a person's private key."""
    return str(project.root / ".altlas" / name)


def take_settings_of_beta(project: Project) -> None:
    """Write beta's settings into alpha's file, all but the numbers of servers."""
    done = project.altlas("stack", "transition", "alpha", "beta", "--write")
    assert done.code == 0, done.text
    text = project.stack_file("alpha").read_text()
    for store, of_beta, of_alpha in SERVERS:
        before, _, block = text.partition(f"\n    {store}:\n")
        assert of_beta in block
        text = f"{before}\n    {store}:\n{block.replace(of_beta, of_alpha, 1)}"
    text = text.replace("subjects: [last.files], replicas: 3,", "subjects: [last.files], replicas: 1,")
    project.stack_file("alpha").write_text(text)


def set_memory(project: Project, before: str, after: str) -> None:
    """Change the memory of Redis, which is in a ConfigMap named by its content and touches data."""
    text = project.stack_file("alpha").read_text()
    assert text.count(before) == 1
    project.stack_file("alpha").write_text(text.replace(before, after))


def secrets(project: Project) -> list[str]:
    """Values of all generated secrets."""
    printed = json.loads(project.pulumi("config", "--show-secrets", "--json", "--stack", "alpha").out)
    values = [each["value"] for each in printed.values() if each.get("secret")]
    assert len(values) >= 19
    return values


def planned(project: Project, name: str, *approvers: str) -> Path:
    """A plan with approvals."""
    path = project.root / ".altlas" / name
    done = project.altlas("plan", "alpha", "-o", str(path))
    assert done.code == 0, done.text
    approve(project, path, *approvers)
    return path


def approve(project: Project, path: Path, *persons: str) -> None:
    """Sign a plan."""
    for each in persons:
        done = project.altlas("approve", str(path), "--key", key(project, each))
        assert done.code == 0, done.text


def test_the_diff_says_what_beta_means(project: Project) -> None:
    """Without the cluster: what to look at first, and what restarts."""
    done = project.altlas("diff", "alpha", "beta", "--no-fields")
    assert done.code == 0, done.text
    assert "Look at these first" in done.out
    assert "nats.replicas 1 -> 3  needs a restore to undo" in done.out
    assert "~ Deployment runner-service" in done.out


def test_beta_is_rehearsed_there_and_back_from_the_objects_of_the_cluster(project: Project) -> None:
    """On a cluster of its own, which is gone afterwards; only volumes of further servers are left, with a reason.

    What another writer did to the real cluster is there, too, and comes back; the real one is not written to.
    """
    with changed_by(project, "mallory") as changes:
        before = versions(project)
        done = project.altlas("rehearse", "alpha", "beta", "--live", "--json")
        assert done.code == 0, done.text
        assert versions(project) == before
    said = json.loads(done.out)
    assert said["live"]["taken"] == changes
    # Jobs may begin by their schedule, and autoscalers write a status.
    own = ("CronJob", "Job", "HorizontalPodAutoscaler")
    assert [each for each in said["live"]["meanwhile"] if not each.startswith(own)] == []
    assert [(each["name"], each["problem"]) for each in said["phases"]] == [
        ("alpha", ""),
        ("beta", ""),
        ("back to alpha", ""),
    ]
    assert {(each["object"], each["kind"]) for each in said["left"]} == {
        (f"PersistentVolumeClaim data-{store}-{number}", "left behind")
        for store in ("nats", "redis")
        for number in (1, 2)
    }
    assert all(each["why"] for each in said["left"])
    assert "pods are simulated" in said["notProven"]
    assert [each.name for each in (project.root / ".altlas" / "rehearsal").iterdir()] == ["lock"]


def test_the_stores_of_alpha_take_data(project: Project, stores: Stores) -> None:
    """Real servers, with the configuration and the passwords on the API server."""
    with stores.running(applied(project)) as services:
        services.write("alpha")


def test_a_plan_is_shown_offline_approved_by_two_and_applied_exactly(project: Project) -> None:
    """A change of data needs two persons; no output and no file of the way holds a secret."""
    before, secret = redis_memory(project), runner_secret(project)
    assert before == "maxmemory 268435456"
    for changed in PASSWORDS:
        password = ("config", "set", "--secret", f"alt-las:{changed}", "P" * 40, "--stack", "alpha")
        assert project.pulumi(*password).code == 0
    take_settings_of_beta(project)
    # An addon belongs to the cluster and not to a release: `altlas up` installs it, a plan only needs it.
    done = project.altlas("addons", "install", "--with", "gateway-api", "--yes")
    assert done.code == 0, done.text
    path = planned(project, "release.json")
    said = [path.read_text()]
    # Its own network namespace, without any network.
    shown = project.run("unshare", "--map-root-user", "--net", ALTLAS, "show", str(path))
    assert shown.code == 0, shown.text
    assert "ConfigMap redis-configuration" in shown.out
    assert "approvals 0 of 2 needed" in shown.out
    done = project.altlas("apply", str(path))
    assert (done.code, "needs 2 approvals" in done.error) == (7, True), done.text
    approve(project, path, "ada", "bob")
    assert redis_memory(project) == before
    done = project.altlas("apply", str(path))
    assert done.code == 0, done.text
    assert redis_memory(project) == "maxmemory 671088640"
    assert runner(project)["image"] == "frozen68/runner-service:beta.final"
    assert runner_secret(project) != secret
    again = project.altlas("apply", str(path))
    assert (again.code, "are spent" in again.error) == (7, True), again.text
    said += [shown.text, done.text, again.text, project.altlas("ledger", "show", "alpha", "--json").out]
    canaries = secrets(project)
    page = project.root / ".altlas" / "release.html"
    assert project.altlas("report", str(page), "--plan", str(path)).code == 0
    ledger = project.root / ".altlas" / "state" / "ledger"
    files = [each.read_bytes() for each in (page, *ledger.rglob("*")) if each.is_file()]
    assert len(files) >= 3
    assert found(canaries, *said, *files) == []
    assert found(canaries, *said, canaries[0]) != [], "the control finds a planted one"


def test_a_change_by_another_writer_voids_a_plan_and_is_drift_with_a_name(project: Project) -> None:
    """After the approvals; the refusal names the object, the drift its writer, until it is taken back."""
    set_memory(project, "maxMemory: 640Mi", "maxMemory: 600Mi")
    path = planned(project, "moved.json", "ada", "bob")
    budget = ("patch", "poddisruptionbudget", "runner-service", "--namespace", "alt-las", "--type=merge")
    patch = ("--field-manager=mallory", "--patch", '{"spec": {"maxUnavailable": 0}}')
    assert project.kubectl(*budget, *patch).code == 0
    done = project.altlas("apply", str(path))
    assert done.code == 7, done.text
    assert "the object on the cluster PodDisruptionBudget alt-las/runner-service has changed" in done.error
    assert redis_memory(project) == "maxmemory 671088640"
    set_memory(project, "maxMemory: 600Mi", "maxMemory: 640Mi")
    done = project.altlas("drift", "alpha", "--json")
    assert done.code == 1, done.text
    ((writer, field),) = {(each["manager"], each["path"]) for each in json.loads(done.out)["drift"]}
    assert (writer, field) == ("mallory", "spec.maxUnavailable")
    assert project.altlas("drift", "alpha", "--revert").code == 0
    done = project.altlas("drift", "alpha")
    assert (done.code, "0 differences" in done.out) == (0, True), done.text


def test_a_plan_without_steps_is_nothing(project: Project) -> None:
    """Its own exit code, and no deployment."""
    done = project.altlas("apply", str(planned(project, "nothing.json")))
    assert (done.code, "nothing was done" in done.error) == (6, True), done.text


def test_a_rollback_brings_back_settings_images_configuration_and_secrets_and_keeps_data(
    project: Project, stores: Stores
) -> None:
    """By a plan and approvals like any other; the stack file of the checkout stays as it is.

    Servers with the objects of the rollback have what was written before the release and after it, and let in the
    services with the passwords of before, not with the later ones.
    """
    later, text, before = runner_secret(project), project.stack_file("alpha").read_text(), applied(project)
    with stores.running(before) as services:
        services.write("beta")
    path = project.root / ".altlas" / "back.json"
    done = project.altlas("rollback", "alpha", "-o", str(path))
    assert done.code == 0, done.text
    assert "rollback of the stack alpha" in done.out
    approve(project, path, "ada", "bob")
    done = project.altlas("apply", str(path))
    assert done.code == 0, done.text
    assert redis_memory(project) == "maxmemory 268435456"
    assert runner(project)["image"].startswith("registry.invalid/alt-las/runner-service:")
    assert runner_secret(project) != later
    with stores.running(applied(project)) as services:
        assert services.read() == {store: ["alpha", "beta"] for store in ("redis", "nats", "postgres")}
        assert services.accepted(Services(stores, before)) == []
        assert services.accepted(services) == ["redis", "nats", "postgres"]
    assert project.stack_file("alpha").read_text() == text
    done = project.altlas("rollback", "alpha", "-o", str(path))
    assert (done.code, "was a rollback; name the release by --to" in done.error) == (7, True), done.text


def test_the_ledger_verifies_and_knows_every_step(project: Project) -> None:
    """The first `up`, the rehearsal, what was applied, the drift, the rollback, and nothing of what was refused."""
    verified = project.altlas("ledger", "verify", "alpha")
    assert verified.code == 0, verified.text
    entries = json.loads(project.altlas("ledger", "show", "alpha", "--json").out)
    kinds = [each["kind"] for each in entries if each["kind"] in ("rehearse", "plan", "approve", "drift")]
    assert kinds == [
        "rehearse",
        "plan",
        *["approve"] * 2,
        "plan",
        *["approve"] * 2,
        "drift",
        "plan",
        "plan",
        *["approve"] * 2,
    ]
    results = [(each["kind"], each["body"].get("result")) for each in entries if each["kind"] in ("apply", "rollback")]
    assert results == [
        ("apply", "started"),
        ("apply", "succeeded"),
        ("apply", "started"),
        ("apply", "succeeded"),
        ("apply", "nothing"),
        ("rollback", "started"),
        ("rollback", "succeeded"),
    ]
    metrics = project.altlas("ledger", "metrics", "alpha")
    assert metrics.code == 0, metrics.text
    assert metrics.out.count("not enough data") == 5
