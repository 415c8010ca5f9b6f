"""The images of a node as a table, as layers and as layouts; nothing is downloaded and no registry runs."""

import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.node.images import IMAGES, MISSING, chosen, full_name, push, short_name
from cluster.node.images.__main__ import main
from cluster.node.images.assembling import assemble
from cluster.node.images.exported import read_exported
from cluster.node.images.filling import key
from cluster.node.images.layers import Layer, ProgramLayer, WrittenFile, WrittenLayer
from cluster.node.images.paths import resolve
from cluster.node.images.published import PUBLISHED
from cluster.node.images.recipe import NodeImage, PublishedImage
from cluster.node.images.tarball import write_layer
from tools.manifest import Manifest

FILES = WrittenLayer(
    (
        WrittenFile("etc/note", "hello\n", mode=0o640),
        WrittenFile("etc/link", link="note"),
        WrittenFile("data", owner=26),
    )
)
IMAGE = NodeImage(
    references=("team/app:1.0",),
    holds="a note",
    published=PublishedImage(source="a test", user="26", entry_point=("/app",), working_directory="/data"),
    layers=(FILES,),
)


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("redis:8.10.1-alpine", "docker.io/library/redis:8.10.1-alpine"),
        ("grafana/loki:3.7.8", "docker.io/grafana/loki:3.7.8"),
        ("ghcr.io/cloudnative-pg/postgresql:18", "ghcr.io/cloudnative-pg/postgresql:18"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry:5000/app:1", "registry:5000/app:1"),
    ],
)
def test_a_reference_is_completed_as_a_node_does_it(reference: str, full: str) -> None:
    """Short names are those of Docker Hub."""
    assert full_name(reference) == full


def test_every_image_has_documented_facts_pinned_programs_and_a_name_of_its_own() -> None:
    """And every documented image is used by the table or by the list of missing ones."""
    references = [full_name(reference) for image in IMAGES for reference in image.references]
    references += [full_name(missing.reference) for missing in MISSING]
    assert len(references) == len(set(references))
    repositories = {reference.rpartition(":")[0] for reference in references}
    assert set(PUBLISHED) - repositories == set()
    layers = [layer for image in IMAGES for layer in image.layers if isinstance(layer, ProgramLayer)]
    assert {name for layer in layers for name, _ in layer.programs} - set(Manifest.load().programs()) == set()
    assert all(missing.reason for missing in MISSING)


def test_the_same_files_are_the_same_layer_whenever_and_by_whomever_they_are_written(tmp_path: Path) -> None:
    """Times, owners and the order of creation do not count; content and mode do."""
    digests: list[str] = []
    for name, order in (("one", ("a", "b")), ("two", ("b", "a"))):
        root = tmp_path / name
        for each in order:
            (root / each).mkdir(parents=True)
            (root / each / "file").write_text(each)
        (root / "program").write_text("x")
        (root / "program").chmod(0o4755)
        os.utime(root / "a", (len(digests), len(digests)))
        digests.append(write_layer(root, tmp_path / f"{name}.tar.gz", {"b": 26}).digest)
    assert digests[0] == digests[1]
    (tmp_path / "two/a/file").write_text("c")
    assert write_layer(tmp_path / "two", tmp_path / "other.tar.gz", {"b": 26}).digest != digests[0]
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        facts = {each.name: (each.uid, each.mode, each.mtime) for each in archive}
    assert facts["b"] == (26, 0o755, 0)
    assert facts["program"] == (0, 0o755, 0)


def test_a_layout_has_the_published_entry_point_and_what_it_really_holds(tmp_path: Path) -> None:
    """An image says of itself that it stands for another one."""
    (made,) = assemble([IMAGE], _folder(tmp_path / "layout"), tmp_path / "cache")
    manifest = json.loads(_blob(made.folder, made.digest))
    configuration = json.loads(_blob(made.folder, manifest["config"]["digest"]))
    assert configuration["config"]["User"] == "26"
    assert configuration["config"]["Entrypoint"] == ["/app"]
    assert configuration["config"]["WorkingDir"] == "/data"
    assert configuration["config"]["Labels"] == {
        "org.opencontainers.image.title": "a note",
        "org.opencontainers.image.description": "stands for team/app:1.0; not its publisher's image",
    }
    directory, files = (_listed(made.folder, digest) for digest in made.layers)
    assert directory == {"data": (0, "0o755")}
    assert files == {
        "data": (26, "0o755"),
        "etc": (0, "0o755"),
        "etc/link": (0, "0o777"),
        "etc/note": (0, "0o640"),
    }


def test_a_second_run_takes_the_layers_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives the same digest; a changed layer is made, and one whose facts are damaged."""
    first = assemble([IMAGE], _folder(tmp_path / "first"), tmp_path / "cache")
    made: list[str] = []

    def fill(layer: Layer, *_: object) -> dict[str, int]:
        made.append(key(layer))
        return {}

    monkeypatch.setattr("cluster.node.images.assembling.fill", fill)
    second = assemble([IMAGE], _folder(tmp_path / "second"), tmp_path / "cache")
    assert [each.digest for each in first] == [each.digest for each in second]
    assert made == []
    (tmp_path / "cache" / key(FILES) / "blob.json").write_text("{")
    assemble([IMAGE], _folder(tmp_path / "damaged"), tmp_path / "cache")
    assert made == [key(FILES)]
    made.clear()
    changed = WrittenLayer((WrittenFile("etc/note", "other\n"),))
    assemble([replace(IMAGE, layers=(FILES, changed))], _folder(tmp_path / "third"), tmp_path / "cache")
    assert made == [key(changed)]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_an_image_in_the_cache_that_is_damaged_is_built_again(tmp_path: Path, content: str) -> None:
    """Its files are there, and it was built from the same; they hold no image."""
    (tmp_path / "built-from").write_text("a key")
    (tmp_path / "manifest.json").write_text(content)
    assert read_exported(tmp_path, "a key") is None


def test_an_image_without_a_program_of_the_published_one_is_refused(tmp_path: Path) -> None:
    """By name, before anything is pushed."""
    lacking = replace(IMAGE, published=replace(IMAGE.published, programs=("/etc/note", "/etc/link", "/bin/sh")))
    with pytest.raises(ClusterError, match=r"stands for team/app:1\.0 lacks /bin/sh, which"):
        assemble([lacking], _folder(tmp_path / "layout"), tmp_path / "cache")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/usr/bin/dash", "usr/bin/dash"),
        ("/bin/sh", "usr/bin/dash"),
        ("/bin/none", None),
        ("/bin/broken", None),
        ("/loop", None),
        ("/opt/bin/dash", "usr/bin/dash"),
        ("/usr/bin", None),
    ],
)
def test_paths_of_an_image_follow_links_of_files_and_folders(path: str, found: str | None) -> None:
    """Relative, absolute, broken, and without an end."""
    entries = {
        "bin": "usr/bin",
        "usr/bin/dash": "",
        "usr/bin/sh": "dash",
        "usr/bin/broken": "/none",
        "opt/bin": "../bin",
    }
    assert resolve(path, entries | {"loop": "loop"}) == found


def test_images_are_chosen_by_the_last_part_of_their_repository_or_by_reference() -> None:
    """An unknown name is refused with those that exist."""
    assert [short_name(image) for image in chosen(IMAGES, ["pause", "busybox:1.35.0"])] == ["pause", "busybox"]
    assert chosen(IMAGES, []) == list(IMAGES)
    with pytest.raises(ClusterError, match=r"No image is called paws\. Known are: .*busybox"):
        chosen(IMAGES, ["paws", "pause"])


def test_the_list_names_every_image_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each."""
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + sum(len(image.references) for image in IMAGES) + len(MISSING)


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """With its address and what to do."""
    with pytest.raises(ClusterError, match=r"The registry at 127\.0\.0\.1:1 does not answer .* Start it"):
        list(push("127.0.0.1:1", [IMAGE], tmp_path))


def test_an_unknown_name_ends_the_command_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback."""
    assert main(["push", "127.0.0.1:1", "unknown"]) == 1
    assert capsys.readouterr().err.startswith("error: No image is called unknown. Known are: ")


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()


def _listed(layout: Path, digest: str) -> dict[str, tuple[int, str]]:
    with tarfile.open(layout / "blobs/sha256" / digest.removeprefix("sha256:")) as archive:
        return {each.name: (each.uid, oct(each.mode)) for each in archive}
