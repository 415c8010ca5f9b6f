"""A whole release on this machine: images in a real registry, listed, signed, locked, deployed by digest, admitted.

Not proven here: the two scanners' findings (their reports are stand-ins, because no database of weaknesses can be
reached), a registry with TLS and credentials, and a container that starts from such an image on a node.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.settings.image_build import RUNTIME_OF
from components.settings.image_lock import LOCK_NAME
from components.settings.loading import read_platform
from tests.e2e.conftest import Done, Project, project
from tests.e2e.stack_files import change, without_stores
from tests.images.conftest import grype, trivy, write
from tests.images.debian import NoBuilderError
from tests.images.exported import ExportedImage
from tests.images.loopback_registry import LoopbackRegistry, loopback_registry
from tests.images.proof import REVISION, built_once, default_cache

__all__ = ["project"]

pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las-beta"
OTHER = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def images() -> dict[str, ExportedImage]:
    """The stand-in images by service."""
    try:
        return built_once(default_cache())
    except NoBuilderError as error:
        reason = f"not proven here: no image is pushed, signed, locked or deployed by digest, because {error}"
        print(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def registry(images: dict[str, ExportedImage], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackRegistry]:
    """A registry that holds the images."""
    with loopback_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push(images)
        yield running


@pytest.fixture(scope="module")
def listed(project: Project, registry: LoopbackRegistry) -> dict[str, Any]:
    """The SBOM of each image, made by syft from the registry, below the project's root."""
    found = {}
    for service in RUNTIME_OF:
        file = project.root / f"{service}.spdx.json"
        done = registry.run("syft", "scan", f"registry:{registry.reference(service)}", "-o", f"spdx-json={file}")
        assert done.returncode == 0, done.stderr
        found[service] = json.loads(file.read_text(encoding="utf-8"))
    return found


def lock(project: Project, registry: LoopbackRegistry, service: str, *further: str) -> Done:
    """Lock a service's image; the digest is the registry's."""
    write(project.root / "trivy.json", trivy())
    write(project.root / "grype.json", grype())
    options = {
        "repository": registry.repository(service),
        "tag": REVISION,
        "revision": REVISION,
        "built-at": "2026-01-31T12:00:00Z",
        "sbom": str(project.root / f"{service}.spdx.json"),
    }
    reports = [f"--report={project.root / name}" for name in ("trivy.json", "grype.json")]
    return project.altlas("images", "lock", service, *(f"--{k}={v}" for k, v in options.items()), *reports, *further)


@pytest.fixture(scope="module")
def locked(project: Project, registry: LoopbackRegistry, listed: dict[str, Any]) -> str:
    """The text of a lock with all five images."""
    assert listed
    for service in RUNTIME_OF:
        done = lock(project, registry, service)
        assert done.code == 0, done.text
    return (project.root / LOCK_NAME).read_text(encoding="utf-8")


def refused(project: Project, before: str, *command: str) -> str:
    """What a refusal says; the lock is as it was."""
    done = project.altlas(*command)
    assert done.code == 2, done.text
    assert (project.root / LOCK_NAME).read_text(encoding="utf-8") == before
    return done.error


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


def test_a_signature_holds_for_its_digest_and_its_key_only(
    registry: LoopbackRegistry, images: dict[str, ExportedImage], listed: dict[str, Any]
) -> None:
    """With a key pair of this run and without a transparency log; another key and another image are refused."""
    assert listed
    for pair in ("release", "stranger"):
        assert registry.run("cosign", "generate-key-pair", "--output-key-prefix", pair).returncode == 0
    held = f"{registry.repository('archive-service')}@{images['archive-service'].digest}"
    other = f"{registry.repository('api-gateway')}@{images['api-gateway'].digest}"
    signed = registry.run("cosign", "sign", "--yes", "--tlog-upload=false", "--key", "release.key", held)
    assert signed.returncode == 0, signed.stderr
    verified = {
        (key, image): registry.run(
            "cosign", "verify", "--insecure-ignore-tlog=true", "--key", f"{key}.pub", image
        ).returncode
        == 0
        for key in ("release", "stranger")
        for image in (held, other)
    }
    assert verified == {
        ("release", held): True,
        ("release", other): False,
        ("stranger", held): False,
        ("stranger", other): False,
    }


def test_the_list_is_attested_and_can_be_read_back(
    registry: LoopbackRegistry, images: dict[str, ExportedImage], listed: dict[str, Any], project: Project
) -> None:
    """What is in the image, signed, beside the image in the registry."""
    assert registry.run("cosign", "generate-key-pair", "--output-key-prefix", "attester").returncode == 0
    image = f"{registry.repository('archive-service')}@{images['archive-service'].digest}"
    common = ("--type", "spdxjson", "--key")
    file = str(project.root / "archive-service.spdx.json")
    done = registry.run(
        "cosign", "attest", "--yes", "--tlog-upload=false", *common, "attester.key", "--predicate", file, image
    )
    assert done.returncode == 0, done.stderr
    done = registry.run("cosign", "verify-attestation", "--insecure-ignore-tlog=true", *common, "attester.pub", image)
    assert done.returncode == 0, done.stderr
    assert listed["archive-service"]["spdxVersion"] == "SPDX-2.3"


def test_the_lock_holds_what_the_registry_says(project: Project, images: dict[str, ExportedImage], locked: str) -> None:
    """No digest was typed: each was looked up, and `verify` looks them up again."""
    assert all(image.digest in locked for image in images.values())
    done = project.altlas("images", "verify")
    assert (done.code, done.out) == (0, "5 locked images are as they were locked.\n"), done.text


def test_a_digest_that_the_registry_does_not_have_is_not_locked(
    project: Project, registry: LoopbackRegistry, locked: str
) -> None:
    """What a build reports and what the registry has must be the same."""
    done = lock(project, registry, "archive-service", f"--digest={OTHER}")
    assert done.code == 2
    assert f"not {OTHER}" in done.error
    assert (project.root / LOCK_NAME).read_text(encoding="utf-8") == locked


def test_a_tag_that_was_moved_is_noticed(
    project: Project, registry: LoopbackRegistry, images: dict[str, ExportedImage], locked: str
) -> None:
    """Somebody pushed another image under the released tag."""
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


def test_a_list_that_is_gone_is_noticed(project: Project, locked: str) -> None:
    """Nobody could say any more what is in the image."""
    file = project.root / "archive-service.spdx.json"
    file.rename(file.with_suffix(".gone"))
    try:
        assert "archive-service.spdx.json is missing" in refused(project, locked, "images", "verify", "--offline")
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
        (lambda image: image.replace("/alt-las/", "/somebody/"), "known-repository: "),
        (lambda image: image.replace(REVISION, "latest"), "fixed-tag: "),
    ],
    ids=["the locked one", "by tag", "a cut digest", "another repository", "latest"],
)
def test_admission_takes_the_locked_image_and_no_looser_one(project: Project, change_of: Any, rule: str | None) -> None:
    """The API server itself says so, to whoever asks, and names the rule."""
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


def test_a_registry_that_is_gone_is_no_proof(project: Project, locked: str) -> None:
    """Without its answer nobody knows what the tags are; what runs goes on running."""
    done = project.altlas(
        *("images", "lock", "archive-service", "--repository=127.0.0.1:9/alt-las/archive-service", "--tag=2"),
        *(
            f"--revision={REVISION}",
            "--built-at=2026-01-31T12:00:00Z",
            f"--sbom={project.root}/archive-service.spdx.json",
        ),
        *(f"--report={project.root}/trivy.json", f"--report={project.root}/grype.json"),
    )
    assert done.code == 2
    assert "the registry 127.0.0.1:9 cannot be reached" in done.error
    assert (project.root / LOCK_NAME).read_text(encoding="utf-8") == locked
