"""A real registry on loopback with images of a node: pushed, pulled back, and refused where they were changed."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tools
from cluster.errors import ClusterError
from cluster.node.images import IMAGES, NodeImage, chosen, full_name, push
from cluster.node.images.assembling import assemble
from cluster.node.images.filling import key
from cluster.node.images.layers import WrittenFile, WrittenLayer
from cluster.node.images.recipe import PublishedImage
from cluster.node.registry import RegistryServer, registry_program
from cluster.ports import LOOPBACK, choose_free_port
from cluster.processes import start_process, stop_processes

pytestmark = pytest.mark.data

IMAGE = NodeImage(
    references=("team/app:1.0", "registry.invalid/team/app:1.0"),
    holds="a note",
    published=PublishedImage(source="a test", user="10001:10001", entry_point=("/app",)),
    layers=(WrittenLayer((WrittenFile("app", "#!/bin/sh\n"),)),),
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Debian's registry, which ends with the tests."""
    try:
        program = registry_program()
    except ClusterError as error:
        pytest.skip(f"not proven here: {error}")
    server = RegistryServer(program, f"{LOOPBACK}:{choose_free_port(())}", tmp_path_factory.mktemp("registry"))
    record = start_process(server.specification())
    try:
        server.wait(record)
        yield server
    finally:
        stop_processes([record], 5)


def test_an_image_is_pulled_back_as_it_was_pushed_by_tag_and_by_digest(
    registry: RegistryServer, tmp_path: Path
) -> None:
    """Under each of its names; a second push sends nothing."""
    pushed = list(push(registry.address, [IMAGE], tmp_path / "cache"))
    assert [(each.reference, each.sent) for each in pushed] == [
        ("docker.io/team/app:1.0", True),
        ("registry.invalid/team/app:1.0", True),
    ]
    for each in pushed:
        repository = f"{registry.address}/{each.reference.rpartition(':')[0]}"
        assert _crane("digest", f"{repository}:1.0") == each.digest
        by_tag, by_digest = (
            json.loads(_crane("config", f"{repository}{name}")) for name in (":1.0", f"@{each.digest}")
        )
        assert by_tag == by_digest
        assert by_tag["config"]["User"] == "10001:10001"
        assert by_tag["config"]["Entrypoint"] == ["/app"]
        assert _crane("export", f"{repository}@{each.digest}", "-").count("#!/bin/sh") == 1
    again = list(push(registry.address, [IMAGE], tmp_path / "cache"))
    assert [(each.digest, each.sent) for each in again] == [(each.digest, False) for each in pushed]


def test_a_layer_that_was_changed_in_the_cache_is_refused(registry: RegistryServer, tmp_path: Path) -> None:
    """The registry compares it with its digest; the message says what to remove."""
    note = WrittenLayer((WrittenFile("app", "the original\n"),))
    assemble([replace(IMAGE, layers=(note,))], tmp_path, tmp_path / "cache")
    cached = tmp_path / "cache" / key(note) / "layer.tar.gz"
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 0xFF
    cached.write_bytes(content)
    changed = replace(IMAGE, references=("team/changed:1.0",), layers=(note,))
    with pytest.raises(ClusterError, match=r"refuses docker\.io/team/changed:1\.0: (?s:.)*remove .* and push again"):
        list(push(registry.address, [changed], tmp_path / "cache"))


def test_a_layer_that_was_changed_in_the_registry_is_refused_by_who_pulls(
    registry: RegistryServer, tmp_path: Path
) -> None:
    """A digest names content, not a place."""
    note = WrittenLayer((WrittenFile("app", "kept\n"),))
    kept = replace(IMAGE, references=("team/kept:1.0",), layers=(note,))
    (pushed,) = push(registry.address, [kept], tmp_path / "cache")
    reference = f"{registry.address}/{pushed.reference}"
    layer = json.loads(_crane("manifest", reference))["layers"][-1]["digest"].removeprefix("sha256:")
    assert _crane("validate", "--remote", reference).startswith("PASS")
    stored = registry.folder / "content/docker/registry/v2/blobs/sha256" / layer[:2] / layer / "data"
    stored.write_bytes(gzip.compress(gzip.decompress(stored.read_bytes()), 9))
    assert "error verifying" in _crane("validate", "--remote", reference, code=1)


def test_a_registry_on_a_taken_address_is_refused_with_its_log(registry: RegistryServer, tmp_path: Path) -> None:
    """Although the other one answers on that address."""
    second = RegistryServer(registry.program, registry.address, tmp_path)
    record = start_process(second.specification())
    with pytest.raises(ClusterError, match=r"choose another port\. Its log ends with:\n(?s:.)*address already in use"):
        second.wait(record)


@pytest.mark.parametrize("name", ["pause", "busybox"])
def test_the_smallest_images_of_the_table_are_put_together_and_pushed(name: str, registry: RegistryServer) -> None:
    """With every program that their publishers document: others are refused before they are pushed."""
    (image,) = chosen(IMAGES, [name])
    assert [each.digest for each in push(registry.address, [image])] == [
        _crane("digest", f"{registry.address}/{full_name(image.references[0])}")
    ]


def _crane(*arguments: str, code: int = 0) -> Any:
    crane = tools.ensure(["crane"]).path("crane")
    done = subprocess.run(
        [str(crane), *arguments, "--insecure"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    return (done.stderr if code else done.stdout).strip()
