"""Promotion on a real API server: what ran together in staging comes into production, or is refused.

The images are in a real registry on loopback and signed by cosign with a key pair of this run. What is in them plays no
part, because pods are simulated, so each is one empty layer.
"""

import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from altlas.images.lock import write_lock
from altlas.images.locking import pinned
from components.stack.image_lock import LOCK_NAME, parse_lock
from tests.altlas.release.test_promotion_checks import SERVICES, locked
from tests.altlas.release_stand_ins import allowed, key_of
from tests.e2e.conftest import Done, Project
from tests.images.loopback_registry import LoopbackRegistry, loopback_registry
from tests.support.deployed import copy_of
from tests.support.scratch import copy_stack_file
from tests.support.stack_files import without_monitoring

pytestmark = pytest.mark.e2e

SOURCE, TARGET = "staging", "production"
NAMESPACE = f"alt-las-{TARGET}"
PERSONS = ("ada", "bob")
UNSIGNED = "archive-service"
TAG = "1.2.3"
SOAK = "soakMinutes: 60"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackRegistry]:
    """A registry with an image of each service; all but one are signed."""
    with loopback_registry(tmp_path_factory.mktemp("registry")) as running:
        layer = running.scratch / "layer.tar"
        with tarfile.open(layer, "w"):
            pass
        assert running.run("cosign", "generate-key-pair", "--output-key-prefix", "release").returncode == 0
        for service in SERVICES:
            running.crane("append", "--new_layer", str(layer), "--new_tag", f"{running.repository(service)}:{TAG}")
            if service != UNSIGNED:
                sign(running, service)
        yield running


def reference(registry: LoopbackRegistry, service: str) -> str:
    """Image of a service with its tag and digest."""
    image = f"{registry.repository(service)}:{TAG}"
    return f"{image}@{registry.crane('digest', image)}"


def sign(registry: LoopbackRegistry, service: str) -> None:
    """Sign the image of a service."""
    options = ("--yes", "--key", "release.key", "--tlog-upload=false")
    done = registry.run("cosign", "sign", *options, reference(registry, service))
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def project(registry: LoopbackRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which staging runs the locked images, and production does not run yet."""
    document: dict[str, Any] = locked()
    for service, image in document["images"].items():
        tagged, _, digest = reference(registry, service).partition("@")
        image |= {"repository": tagged.rpartition(":")[0], "tag": TAG, "digest": digest}
    lock = parse_lock(document)
    with copy_of("small", tmp_path_factory) as copied:
        for stack in (SOURCE, TARGET):
            write_stack(copied, stack)
        keys = [(key_of(copied.root / ".altlas", name), name) for name in PERSONS]
        (copied.root / "allowed_signers").write_text("".join(allowed(key, f"{name}@example.org") for key, name in keys))
        (copied.root / "cosign.pub").write_bytes((registry.scratch / "release.pub").read_bytes())
        write_lock(copied.root / LOCK_NAME, lock)
        source = copied.stack_file(SOURCE)
        source.write_text(pinned(source.read_text(), lock))
        done = copied.altlas("up", SOURCE)
        assert done.code == 0, done.text
        yield copied


def write_stack(project: Project, stack: str) -> None:
    """Write the file of a stack with the settings of alpha and a place of its own."""
    file = project.stack_file(stack)
    copy_stack_file("alpha", file)
    text = file.read_text()
    for before, after in (("namespace: alt-las", f"namespace: alt-las-{stack}"), ("alt-las.local", f"{stack}.local")):
        assert text.count(before) == 1
        text = text.replace(before, after)
    line = f"    namespace: alt-las-{stack}\n"
    limits = f"    release:\n      promotion:\n        {SOAK}\n"
    file.write_text(text.replace(line, f"{line}{limits}"))
    without_monitoring(project, stack)


def promote(project: Project, *options: str) -> Done:
    """Promote the release of staging to production."""
    return project.altlas("promote", SOURCE, TARGET, *options)


def reasons(done: Done) -> list[str]:
    """Reasons of a refusal, each without its details."""
    assert done.code == 7, done.text
    return [line.split(": ")[0].strip() for line in done.error.splitlines() if line.startswith("  ")]


def images(project: Project, namespace: str) -> dict[str, str]:
    """Images that the services run, by service."""
    found = project.objects("deployments", namespace)
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in found
        if each["metadata"]["name"] in SERVICES
    }


def cron_jobs(project: Project) -> list[str]:
    """Names of the CronJobs of production that back up and test."""
    return [each["metadata"]["name"] for each in project.objects("cronjobs", NAMESPACE)]


def test_a_release_with_an_unsigned_image_and_without_a_soak_is_refused(project: Project) -> None:
    """Both reasons at once; nothing is written."""
    before = project.stack_file("production").read_text()
    assert reasons(promote(project, "--write")) == [UNSIGNED, "soak"]
    assert project.stack_file("production").read_text() == before
    assert not (project.root / "promotion.production.lock.json").exists()


def test_what_ran_in_staging_is_planned_approved_and_applied_in_production(
    project: Project, registry: LoopbackRegistry
) -> None:
    """Signed now, and without a limit of the soak; the pods run the digests that staging runs."""
    sign(registry, UNSIGNED)
    file = project.stack_file("production")
    assert SOAK in file.read_text()
    file.write_text(file.read_text().replace(SOAK, "soakMinutes: 0"))
    done = promote(project, "--write")
    assert done.code == 0, done.text
    said = json.loads((project.root / "promotion.production.lock.json").read_text())
    wanted = {service: reference(registry, service) for service in SERVICES}
    assert (said["from"], said["to"], said["images"]) == (SOURCE, TARGET, wanted)
    plan = str(project.root / ".altlas" / "production.json")
    steps = [("plan", "production", "-o", plan)]
    steps += [("approve", plan, "--key", str(project.root / ".altlas" / name)) for name in PERSONS]
    for step in (*steps, ("apply", plan)):
        done = project.altlas(*step)
        assert done.code == 0, done.text
    assert images(project, NAMESPACE) == images(project, f"alt-las-{SOURCE}") == wanted
    entries = json.loads(project.altlas("ledger", "show", "production", "--json").out)
    assert [each["kind"] for each in entries] == ["promote", "plan", "approve", "approve", "apply", "apply"]
    assert entries[-2]["body"]["promoted"] == said["set"] == entries[0]["body"]["set"]
    assert project.altlas("ledger", "verify", "production").code == 0


def test_a_stack_that_runs_takes_nothing_without_a_fresh_backup_and_restore_test(project: Project) -> None:
    """As its CronJobs on the cluster say: none at first, then all of them, then one that is too old."""
    kinds = [f"{what} of {store}" for store in ("postgres", "redis", "nats") for what in ("backup", "restore test")]
    assert sorted(reasons(promote(project))) == sorted(kinds)

    def succeeded(name: str, moment: str) -> None:
        patch = json.dumps({"status": {"lastSuccessfulTime": moment, "lastScheduleTime": moment}})
        place = ("--namespace", NAMESPACE, "--subresource=status", "--type=merge", f"--patch={patch}")
        done = project.kubectl("patch", "cronjob", name, *place)
        assert done.code == 0, done.text

    now = project.run("date", "-u", "+%Y-%m-%dT%H:%M:%SZ").out.strip()
    for name in cron_jobs(project):
        succeeded(name, now)
    done = promote(project)
    assert done.code == 0, done.text
    succeeded("redis-backup-drill", "2026-01-01T00:00:00Z")
    assert reasons(promote(project)) == ["restore test of redis"]
