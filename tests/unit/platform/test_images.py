"""Images that an update builds itself or asks a registry about: with the provider's mocks, without a Docker engine.

Not proven here: the provider's plugin and an engine. What is proven is what they are told, and what stops before them.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.platform.images import content_digest, service_images
from components.stack.image_build import RUNTIME_OF, image_build, image_builds
from rendering.recorder import Recorder, record
from tests.support.documents import ROOT, alpha_settings, alpha_with, only_problem
from tests.support.http_server import PingedEngine, http_server
from tests.support.program import Program, build, find

DIGEST = "sha256:" + "0" * 64
PUBLISHED = {f"services.{service}.image.repository": f"team/{service}" for service in RUNTIME_OF}
"""Repositories that a registry has, which those of alpha stand for."""
BASES = {name: {stage: f"base/{name}-{stage}@{DIGEST}" for stage in ("build", "run")} for name in RUNTIME_OF.values()}


@pytest.fixture
def source(tmp_path: Path) -> dict[str, Any]:
    """`builds.fromSource` with a checkout that holds a file for each service."""
    for service in RUNTIME_OF:
        (tmp_path / service).mkdir()
        (tmp_path / service / "main").write_text(service, encoding="utf-8")
    return {"checkout": str(tmp_path), "revision": "a" * 40, "committedAt": 1_700_000_000, "bases": BASES}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Something that answers like a Docker engine to a ping, and to nothing else."""
    with http_server(PingedEngine) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        yield


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a Docker engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")


def of_type(recorder: Recorder, token: str) -> dict[str, dict[str, Any]]:
    """Inputs of all resources of a type by name."""
    return {each.name: dict(each.inputs) for each in recorder.registrations if each.type == token}


def image_of(recorder: Recorder, service: str) -> str:
    """The image that a service's pods run."""
    pod = find(recorder.objects, "Deployment", service)["spec"]["template"]["spec"]
    image: str = pod["containers"][0]["image"]
    return image


def refusal(platform: dict[str, Any]) -> str:
    """Why the program refuses to run; nothing may be registered by then."""
    refusals: list[str] = []

    def run() -> None:
        try:
            service_images(alpha_settings(PUBLISHED | platform), ROOT)
        except pulumi.RunError as error:
            refusals.append(str(error))

    program: Program = build(run)
    assert program.requests == []
    (text,) = refusals
    return text


@pytest.mark.usefixtures("engine")
def test_every_service_is_built_from_its_own_source_and_runs_what_was_pushed(source: dict[str, Any]) -> None:
    """Context, Dockerfile, shared files and arguments of each; the pods name the digest that the push gave."""
    recorder = record("alpha", alpha_with(PUBLISHED | {"builds": {"fromSource": source}}))
    built = of_type(recorder, "docker:index/remoteImage:RemoteImage")
    assert built.keys() == {f"images-{service}" for service in RUNTIME_OF}
    for service, runtime in RUNTIME_OF.items():
        inputs = built[f"images-{service}"]
        assert inputs["name"] == f"team/{service}:1.0.0-alpha"
        assert inputs["build"]["context"] == f"{source['checkout']}/{service}"
        assert inputs["build"]["dockerfile"] == str(ROOT / f"images/{runtime}.Dockerfile")
        assert inputs["build"]["additionalContexts"] == [f"platform={ROOT / 'images'}"]
        assert inputs["build"]["platform"] == "linux/amd64"
        arguments = inputs["build"]["buildArgs"]
        assert (arguments["TITLE"], arguments["REVISION"]) == (service, "a" * 40)
        assert (arguments["BUILD_IMAGE"], arguments["RUN_IMAGE"]) == tuple(BASES[runtime].values())
        assert image_of(recorder, service) == f"{inputs['name']}@<digest of {inputs['name']}>"


@pytest.mark.usefixtures("engine")
def test_what_was_pushed_stays_in_the_registry(source: dict[str, Any]) -> None:
    """A rollback needs the image of the release before; a new build is pushed again."""
    recorder = record("alpha", alpha_with(PUBLISHED | {"builds": {"fromSource": source}}))
    pushed = of_type(recorder, "docker:index/registryImage:RegistryImage")
    for service in RUNTIME_OF:
        name = f"team/{service}:1.0.0-alpha"
        inputs = pushed[f"images-{service}"]
        assert inputs == {"name": name, "keepRemotely": True, "triggers": {"image": f"<image {name}>"}}


def test_the_registry_is_asked_for_the_digest_of_each_tag() -> None:
    """Nothing is built; the pods name what the registry says."""
    recorder = record("alpha", alpha_with(PUBLISHED | {"builds": {"askRegistry": True}}))
    assert [each.type for each in recorder.registrations if each.type.startswith("docker:")] == []
    for service in RUNTIME_OF:
        name = f"team/{service}:1.0.0-alpha"
        assert image_of(recorder, service) == f"{name}@<digest of {name}>"


def test_a_stack_that_requires_digests_may_learn_those_of_its_services() -> None:
    """Those of the stores still have to be named: no update builds or looks them up."""
    changes = {"builds": {"askRegistry": True}, "admission": {"requireDigests": True}}
    path, message = only_problem(alpha_with(PUBLISHED | changes))
    assert path == ""
    assert "services." not in message
    assert "nats.image, redis.image" in message or "redis.image" in message


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_nothing_is_registered(source: dict[str, Any]) -> None:
    """Key, problem and cure; the first write never happens."""
    text = refusal({"builds": {"fromSource": source}})
    assert "alt-las:platform.builds.fromSource: has images built, but no Docker engine answers; start one" in text


@pytest.mark.usefixtures("engine")
def test_every_service_whose_source_cannot_be_built_is_named(source: dict[str, Any], tmp_path: Path) -> None:
    """A missing folder and a secret, both at once."""
    (tmp_path / "runner-service" / ".env").touch()
    (tmp_path / "archive-service" / "main").unlink()
    (tmp_path / "archive-service").rmdir()
    text = refusal({"builds": {"fromSource": source}})
    assert text.startswith("2 problems in the stack configuration, nothing was changed:")
    assert "builds.fromSource.checkout: runner-service: the build context" in text
    assert "holds .env, which must never get into an image" in text
    assert f"archive-service: the build context {tmp_path}/archive-service is not a folder" in text


def test_an_engine_is_not_asked_where_nothing_is_built() -> None:
    """And nothing is learned: the settings, or the image lock, have the last word."""

    def unasked(environment: Mapping[str, str]) -> bool:
        raise AssertionError(f"the engine of {environment} was asked")

    assert service_images(alpha_settings(), ROOT, unasked) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"builds.askRegistry": True}, "builds.fromSource and builds.askRegistry both decide"),
        (
            {"services.api-gateway.image.digest": DIGEST},
            "builds.fromSource lets each update learn the digests, but these images name one already: "
            "services.api-gateway.image; remove their digests, or builds.fromSource",
        ),
    ],
)
def test_two_words_on_one_digest_are_refused(source: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    """Nobody could say which of the two runs."""
    _, message = only_problem(alpha_with(PUBLISHED | {"builds.fromSource": source} | changes))
    assert said in message


@pytest.mark.usefixtures("engine")
def test_images_are_built_for_the_nodes_and_not_for_the_machine_that_builds(source: dict[str, Any]) -> None:
    """On a laptop with another processor, pods would end with `exec format error`."""
    document = alpha_with(PUBLISHED | {"builds": {"fromSource": source, "platform": "linux/arm64"}})
    built = of_type(record("alpha", document), "docker:index/remoteImage:RemoteImage")
    assert {each["build"]["platform"] for each in built.values()} == {"linux/arm64"}


@pytest.mark.parametrize("key", ["fromSource", "askRegistry"])
def test_what_no_registry_has_is_neither_pushed_nor_asked_for(source: dict[str, Any], key: str) -> None:
    """Alpha's own repositories stand for none."""
    changes = {"services.api-gateway.image.repository": "registry.invalid/alt-las/api-gateway"}
    builds = {"builds": {key: source if key == "fromSource" else True}}
    _, message = only_problem(alpha_with(PUBLISHED | changes | builds))
    assert message.startswith(f"builds.{key} ")
    assert message.endswith("stands for none: services.api-gateway.image; write repositories of your own")


@pytest.mark.parametrize(
    ("requirements", "warned"),
    [
        ("fastapi==0.115.0\n", True),
        ("# pinned\nfastapi\n", True),
        ("# The standard library only.\n", False),
        ("fastapi==0.115.0 --hash=sha256:00\n", False),
        (None, False),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_source_without_checksums_is_built_with_a_warning(
    source: dict[str, Any], tmp_path: Path, requirements: str | None, *, warned: bool
) -> None:
    """Two of the platform's services are like that; nothing else may be said of one that is not."""
    if requirements is not None:
        (tmp_path / "segmentation-service" / "requirements.txt").write_text(requirements, encoding="utf-8")
        (tmp_path / "archive-service" / "requirements.txt").write_text(requirements, encoding="utf-8")
    settings = alpha_settings(PUBLISHED | {"builds.fromSource": source})
    builds = image_builds(settings, ROOT, lambda: True)
    found = {service: build.warning for service, build in builds.items() if build.warning}
    assert list(found) == (["segmentation-service"] if warned else [])
    assert all("requirements.txt has no checksums" in warning for warning in found.values())


def test_a_base_without_digest_is_refused_by_its_key(source: dict[str, Any]) -> None:
    """A tag alone could be another image tomorrow."""
    source["bases"] = BASES | {"go": {"build": "golang:1.26", "run": BASES["go"]["run"]}}
    path, message = only_problem(alpha_with({"builds.fromSource": source}))
    assert path == "builds.fromSource.bases.go.build"
    assert "@sha256:" in message


def test_a_changed_source_is_built_again(source: dict[str, Any], tmp_path: Path) -> None:
    """Content, name and arguments count; the time of a file does not."""
    settings = alpha_settings(PUBLISHED | {"builds.fromSource": source})
    assert settings.builds.from_source is not None
    found = []
    for name, text in (("main", "archive-service"), ("main", "other"), ("other", "other")):
        for path in (tmp_path / "archive-service").iterdir():
            path.unlink()
        (tmp_path / "archive-service" / name).write_text(text, encoding="utf-8")
        found.append(content_digest(image_build("archive-service", settings, settings.builds.from_source, ROOT)))
    (tmp_path / "archive-service" / "other").touch()
    found.append(content_digest(image_build("archive-service", settings, settings.builds.from_source, ROOT)))
    assert len(set(found)) == 3
    assert found[-1] == found[-2]


def test_the_provider_s_package_is_loaded_only_where_it_is_needed() -> None:
    """It takes longer than the program's other imports; most stacks build nothing."""
    code = (
        "import sys; from rendering.recorder import record; from tests.support.documents import platform_of; "
        "record('beta', platform_of('beta')); sys.exit('pulumi_docker' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
