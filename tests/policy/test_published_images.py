"""Gate: command, working directory and user of every pod fit the documented facts of its image."""

import copy
import functools
from collections.abc import Callable
from dataclasses import replace

import pytest

from altlas.update.missing_images import without
from cluster.node.images import IMAGES, MISSING, NodeImage, full_name
from cluster.node.images.layers import WrittenLayer
from cluster.node.images.published import PUBLISHED
from cluster.node.images.recipe import PublishedImage
from policy.manifests import Manifest, kind_of, name_of
from policy.stacks import load_stack, read_document
from tests.support.documents import STACKS
from tests.support.image_facts import images, problems

ON_A_NODE = {full_name(reference) for image in IMAGES for reference in image.references}
LEFT_OUT = {full_name(missing.reference) for missing in MISSING}


@functools.cache
def rendered(stack: str) -> list[Manifest]:
    """Objects of a stack, rendered once."""
    return load_stack(stack).manifests


@pytest.mark.parametrize("stack", STACKS)
def test_every_container_can_start_as_its_image_is_documented(stack: str) -> None:
    """Those that an operator makes have its command; for them the image must be a documented one."""
    assert problems(rendered(stack)) == []
    assert {image.rpartition(":")[0] for image in images(rendered(stack))} - set(PUBLISHED) == set()


@pytest.mark.parametrize("stack", STACKS)
def test_every_image_of_a_stack_is_on_a_node_or_is_missing_with_a_reason(stack: str) -> None:
    """By its whole reference: a raised tag must be raised in the table of the node too."""
    found = images(rendered(stack))
    assert len(found) >= 19
    assert found - ON_A_NODE - LEFT_OUT == set()


@pytest.mark.parametrize("stack", STACKS)
def test_every_container_can_start_with_what_stands_for_its_image_on_a_node(stack: str) -> None:
    """Also where the stand-in of a service is another image than the published one."""
    facts = dict(PUBLISHED) | {_repository(image): _facts(image) for image in IMAGES}
    assert problems(rendered(stack), facts) == []
    without = facts | {_repository(image): image.published for image in IMAGES}
    lacks = ["docker.io/frozen68/segmentation-service is not known to have the program python"]
    assert [each.partition(": ")[2] for each in problems(rendered(stack), without)] == lacks * (stack == "beta")


@pytest.mark.parametrize("stack", STACKS)
def test_without_what_is_missing_every_image_of_a_stack_is_on_a_node(stack: str) -> None:
    """Each missing image is named with the setting that leaves it out, and Prometheus stays."""
    kept = load_stack(stack, without(read_document(stack), MISSING))
    assert images(kept.manifests) - ON_A_NODE == set()
    assert images(kept.manifests) == images(rendered(stack)) & ON_A_NODE
    assert "docker.io/prom/prometheus:v3.7.3" in images(kept.manifests)


def test_the_stack_node_names_only_images_of_a_node() -> None:
    """It leaves out what is missing, so that every pod starts."""
    assert images(rendered("node")) - ON_A_NODE == set()


def test_a_stack_without_monitoring_gets_none() -> None:
    """A block that is null already stays null; the document itself is not changed."""
    document = {"prometheus": None, "loki": {"storageSize": "1Gi"}, "redis": {}}
    assert without(document, MISSING) == {"prometheus": None, "loki": None, "redis": {}, "grafana": None, "alloy": None}
    assert document["loki"] == {"storageSize": "1Gi"}


def _repository(image: NodeImage) -> str:
    return full_name(image.references[0]).rpartition(":")[0]


def _facts(image: NodeImage) -> PublishedImage:
    written = [layer for layer in image.layers if isinstance(layer, WrittenLayer)]
    more = tuple(f"/{file.path}" for layer in written for file in layer.files)
    return replace(image.published, programs=image.published.programs + more)


def test_no_image_is_listed_as_missing_that_no_stack_asks_for() -> None:
    """Images that are missing are those that a stack would use."""
    assert LEFT_OUT - {image for stack in STACKS for image in images(rendered(stack))} == set()


def _set(name: str, **fields: object) -> Callable[[list[Manifest]], None]:
    def change(manifests: list[Manifest]) -> None:
        (owner,) = (
            each for each in manifests if kind_of(each) in {"Deployment", "StatefulSet"} and name_of(each) == name
        )
        container = owner["spec"]["template"]["spec"]["containers"][0]
        container.update(fields)
        if fields.get("securityContext") == {}:
            owner["spec"]["template"]["spec"]["securityContext"] = {}

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            _set("segmentation-service", command=None),
            "`python main.py` is found in /app only, and the container starts in /app/run",
        ),
        (
            _set("nats", command=["/usr/bin/nats-server"]),
            "docker.io/library/nats is not known to have the program /usr/bin/nats-server",
        ),
        (
            _set("redis-proxy", command=["haproxy3", "-f", "x"]),
            "docker.io/library/haproxy is not known to have the program haproxy3",
        ),
        (
            _set("blackbox-exporter", workingDir="/tmp", command=["./bin/blackbox_exporter"]),  # noqa: S108
            "docker.io/prom/blackbox-exporter is not known to have the program ./bin/blackbox_exporter",
        ),
        (
            _set("archive-service", securityContext={}),
            "user appuser of docker.io/frozen68/archive-service: a node refuses root and names",
        ),
        (
            _set("redis", securityContext={}),
            "user root of docker.io/library/redis: a node refuses root and names",
        ),
        (_set("alloy", image="grafana/agent:v1"), "no facts of the image docker.io/grafana/agent are recorded"),
    ],
)
def test_a_container_that_does_not_fit_its_image_is_named(
    change: Callable[[list[Manifest]], None], problem: str
) -> None:
    """Each fact is wrong once, in a stack that is right otherwise."""
    manifests = copy.deepcopy(rendered("beta"))
    change(manifests)
    (found,) = {each.partition(": ")[2] for each in problems(manifests)}
    assert found == problem


@pytest.mark.parametrize("command", [["haproxy", "-f", "x"], ["/usr/local/sbin/haproxy"], ["./sbin/haproxy"]])
def test_a_program_is_found_by_its_path_on_the_path_and_in_the_working_directory(command: list[str]) -> None:
    """As the kernel finds it."""
    manifests = copy.deepcopy(rendered("beta"))
    _set("redis-proxy", command=command, workingDir="/usr/local")(manifests)
    assert problems(manifests) == []
