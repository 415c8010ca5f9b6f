"""A whole release on this machine: images in a real registry, listed, scanned, locked, signed, deployed, admitted.

The commands are those that `altlas images pipeline` makes.

Not proven here: the published databases of the scanners (theirs are made by the test), a registry with TLS and
credentials, and a container that starts from such an image on a node.
"""

import json
from typing import Any

import pytest

from cluster.node.images.exported import ExportedImage
from components.stack.image_build import RUNTIME_OF
from components.stack.image_lock import LOCK_NAME
from components.stack.loading import read_platform
from tests.e2e.conftest import Project, project
from tests.images.conftest import write
from tests.images.loopback_registry import LoopbackRegistry
from tests.images.proof import REVISION
from tests.images.releasing import OTHER, Release, images, refused, registry, release
from tests.support.stack_files import change, without_stores

__all__ = ["images", "project", "registry", "release"]

pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las-beta"


@pytest.fixture(scope="module")
def listed(release: Release) -> dict[str, Any]:
    """The SBOM of each image, made by syft from the registry."""
    for service in RUNTIME_OF:
        release.run("syft", service)
    return {service: json.loads(release.file(service, "spdx").read_text(encoding="utf-8")) for service in RUNTIME_OF}


@pytest.fixture(scope="module")
def locked(release: Release, listed: dict[str, Any]) -> str:
    """The text of a lock with all five images; the digests are the registry's, the reports those of both scanners."""
    assert listed
    for service in RUNTIME_OF:
        for program in ("trivy", "grype", "altlas"):
            release.run(program, service)
    return (release.project.root / LOCK_NAME).read_text(encoding="utf-8")


def test_the_registry_has_the_digests_that_were_built(
    images: dict[str, ExportedImage], registry: LoopbackRegistry
) -> None:
    """A push changes no byte, so `make images` prints the digests that are deployed."""
    assert {service: registry.crane("digest", registry.reference(service)) for service in RUNTIME_OF} == {
        service: image.digest for service, image in images.items()
    }


def test_the_list_of_each_image_names_what_was_put_into_it(listed: dict[str, Any]) -> None:
    """Made offline from the image itself: Go modules, JavaScript packages, Python."""
    names = {service: {each["name"] for each in document["packages"]} for service, document in listed.items()}
    assert "stdlib" in names["archive-service"]
    assert "acorn" in names["api-gateway"]
    assert "python" in names["segmentation-service"]
    assert all(document["spdxVersion"] == "SPDX-2.3" for document in listed.values())


def test_a_signature_and_a_list_hold_for_one_digest_and_one_key(
    release: Release, images: dict[str, ExportedImage], listed: dict[str, Any]
) -> None:
    """With a key pair of this run and without a transparency log; another key and another image are refused."""
    assert listed
    registry = release.registry
    assert registry.run("cosign", "generate-key-pair", "--output-key-prefix", "stranger").returncode == 0
    release.run("cosign", "archive-service")
    held, other = (f"{registry.repository(name)}@{images[name].digest}" for name in ("archive-service", "api-gateway"))
    pairs = [(key, image) for key in ("release", "stranger") for image in (held, other)]
    for command in (("verify",), ("verify-attestation", "--type", "spdxjson")):
        found = [
            (key, image)
            for key, image in pairs
            if registry.run("cosign", *command, "--insecure-ignore-tlog=true", "--key", f"{key}.pub", image).returncode
            == 0
        ]
        assert found == [("release", held)], command


def test_the_lock_holds_what_the_registry_says(project: Project, images: dict[str, ExportedImage], locked: str) -> None:
    """No digest was typed: each was looked up, and `verify` looks them up again."""
    assert all(image.digest in locked for image in images.values())
    done = project.altlas("images", "verify")
    assert (done.code, done.out) == (0, "5 locked images are as they were locked.\n"), done.text


def test_a_digest_that_the_registry_does_not_have_is_not_locked(release: Release, locked: str) -> None:
    """The digest that a build reports and the registry's must be the same."""
    said = refused(release.project, locked, *release.lock_command("archive-service"), f"--digest={OTHER}")
    assert f"not {OTHER}" in said


def test_a_tag_that_was_moved_is_noticed(
    project: Project, registry: LoopbackRegistry, images: dict[str, ExportedImage], locked: str
) -> None:
    """Another image was pushed under the released tag."""
    archive, gateway = images["archive-service"].digest, images["api-gateway"].digest
    registry.crane("copy", f"{registry.repository('api-gateway')}@{gateway}", registry.reference("archive-service"))
    try:
        said = refused(project, locked, "images", "verify")
        assert f"{registry.reference('archive-service')} is {gateway} in the registry, not {archive}" in said
    finally:
        registry.crane("tag", f"{registry.repository('archive-service')}@{archive}", REVISION)
    assert project.altlas("images", "verify").code == 0


def test_a_lock_that_was_edited_stops_every_command(project: Project, locked: str) -> None:
    """Also the deployment."""
    file = project.root / LOCK_NAME
    edited = locked.replace("findings: {}", "findings:\n      low: 1", 1)
    assert edited != locked
    file.write_text(edited, encoding="utf-8")
    try:
        assert "was changed by hand" in refused(project, edited, "images", "verify", "--offline")
    finally:
        file.write_text(locked, encoding="utf-8")


def test_a_list_that_is_gone_is_noticed(release: Release, locked: str) -> None:
    """Nobody could say any more what is in the image."""
    file = release.file("archive-service", "spdx")
    file.rename(file.with_suffix(".gone"))
    try:
        said = refused(release.project, locked, "images", "verify", "--offline")
        assert "archive-service.spdx.json is missing" in said
    finally:
        file.with_suffix(".gone").rename(file)


def required(project: Project, registry: LoopbackRegistry) -> None:
    """Let beta deploy the images of the registry by tag, and require digests."""
    without_stores(project, "beta")
    services = read_platform(project.stack_file("beta")).model_dump(mode="json", by_alias=True)["services"]
    for name, service in services.items():
        service["image"] = {"repository": registry.repository(name), "tag": REVISION}
    change(project, "beta", {"services": services, "admission": {"requireDigests": True}})


def test_beta_runs_exactly_what_is_locked(
    project: Project, registry: LoopbackRegistry, images: dict[str, ExportedImage], locked: str
) -> None:
    """On a real API server whose admission rules require digests; the stack file names none."""
    assert locked
    required(project, registry)
    assert "sha256:" not in project.stack_file("beta").read_text(encoding="utf-8").partition("services:")[2]
    done = project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    running = {
        (pod["metadata"]["labels"]["app.kubernetes.io/name"], pod["spec"]["containers"][0]["image"])
        for pod in project.objects("pods", NAMESPACE)
    }
    assert running == {(service, f"{registry.reference(service)}@{image.digest}") for service, image in images.items()}


@pytest.mark.parametrize(
    ("change_of", "rule"),
    [
        (lambda image: image, None),
        (lambda image: image.partition("@")[0], "digest: "),
        (lambda image: image[:-1], "known-repository: "),
        (lambda image: image.replace("/alt-las/", "/another/"), "known-repository: "),
        (lambda image: image.replace(REVISION, "latest"), "fixed-tag: "),
    ],
    ids=["the locked one", "by tag", "a cut digest", "another repository", "latest"],
)
def test_admission_takes_the_locked_image_and_no_looser_one(project: Project, change_of: Any, rule: str | None) -> None:
    """The API server itself says so, to every client, and names the rule."""
    pod = project.objects("pods", NAMESPACE)[0]
    spec = {key: pod["spec"][key] for key in ("containers", "volumes", "securityContext", "serviceAccountName")}
    spec["automountServiceAccountToken"] = False
    spec["containers"][0]["image"] = change_of(spec["containers"][0]["image"])
    probe = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": NAMESPACE, "labels": pod["metadata"]["labels"]},
        "spec": spec,
    }
    write(project.root / "probe.json", probe)
    done = project.kubectl("create", "--dry-run=server", "--filename", str(project.root / "probe.json"))
    if rule is None:
        assert done.code == 0, done.text
    else:
        assert done.code != 0
        assert f"{rule}{spec['containers'][0]['image']}" in done.error, done.text


def test_a_registry_that_is_gone_is_no_proof(release: Release, locked: str) -> None:
    """Without its answer nobody knows what the tags are; what runs goes on running."""
    command = [part.replace(release.registry.host, "127.0.0.1:9") for part in release.lock_command("archive-service")]
    assert "the registry 127.0.0.1:9 cannot be reached" in refused(release.project, locked, *command)
