"""The bounds of `make images`: each one can fail, and what happens where no image can be built."""

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.node.images.builder import BuildFailedError
from cluster.node.images.exported import ExportedImage
from tests.images import __main__ as command
from tests.images.backup_image import BackupImage
from tests.images.bounds import (
    MOST_BACKUP_LAYERS,
    MOST_BACKUP_MEBIBYTES,
    MOST_LAYERS,
    MOST_MEBIBYTES,
    MOST_START_MS,
    MOST_STOP_MS,
    USER,
    backup_violations,
    violations,
)
from tests.images.proof import Seen
from tools.errors import ToolsUnavailableError

GOOD = Seen(
    service="archive-service",
    size=MOST_MEBIBYTES["archive-service"] << 20,
    layers=MOST_LAYERS,
    user=USER,
    digests=("sha256:a", "sha256:a"),
    start_ms=MOST_START_MS,
    health=200,
    health_check=0,
    metrics=None,
    process_user=10001,
    writable=(),
    stop_ms=MOST_STOP_MS,
    stop_code=0,
    logs=(),
    labels={},
    programs=(),
)
"""An image that just keeps every bound."""


def test_an_image_that_just_keeps_every_bound_passes() -> None:
    """The bounds themselves are allowed."""
    assert list(violations(GOOD)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": GOOD.size + (1 << 18)}, "size 6.2 MiB is above 6 MiB"),
        ({"layers": MOST_LAYERS + 1}, "5 layers are more than 4"),
        ({"user": "0:0"}, "user 0:0 runs as 10001, not as 10001:10001"),
        ({"process_user": 0}, "user 10001:10001 runs as 0, not as 10001:10001"),
        ({"health": 503}, "health path answers 503, the image's own check ends with 0"),
        ({"health_check": 1}, "health path answers 200, the image's own check ends with 1"),
        ({"start_ms": MOST_START_MS + 1}, "start takes 10001 ms, more than 10000 ms"),
        ({"stop_ms": MOST_STOP_MS + 1}, "SIGTERM takes 5001 ms, more than 5000 ms"),
        ({"stop_code": 143}, "SIGTERM ends it with 143, not with 0"),
        ({"digests": ("sha256:a", "sha256:b")}, "two builds differ: sha256:a and sha256:b"),
    ],
)
def test_one_line_that_is_worse_is_named(change: dict[str, Any], said: str) -> None:
    """One at a time, so that no bound hides behind another."""
    assert list(violations(replace(GOOD, **change))) == [said]


@pytest.mark.parametrize(("stop_code", "expected"), [(0, 0), (1, 1)])
def test_the_command_prints_its_table_and_fails_with_its_bounds(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    stop_code: int,
    expected: int,
) -> None:
    """Size, layers, user, start, end and both digests, a line for each image."""
    backup = backup_image(tmp_path)
    monkeypatch.setattr(command, "prove", lambda _: ("1.28.2", [replace(GOOD, stop_code=stop_code)]))
    monkeypatch.setattr(command, "built", lambda _: nullcontext(backup))
    assert command.main() == expected
    said = capsys.readouterr()
    row, last = (line.split() for line in said.out.splitlines()[1:3])
    assert last == ["backup", "0.0", "1", USER, "-", "-", "-", "yes", backup.builds[0].digest]
    assert row == ["archive-service", "6.0", "4", USER, "10000", "5000", str(stop_code), "yes", "sha256:a"]
    assert ("archive-service: SIGTERM ends it with 1, not with 0" in said.err) == bool(stop_code)


def backup_image(folder: Path, *, layers: int = 1, user: str = USER, second: bytes = b"a") -> BackupImage:
    """An image of the dumps, of empty layers."""
    layer = folder / "layer"
    layer.touch()
    configuration = {"config": {"User": user}}
    builds = [ExportedImage(folder, each, configuration, (layer,) * layers) for each in (b"a", second)]
    return BackupImage((builds[0], builds[1]), folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": MOST_BACKUP_LAYERS}, None),
        ({"layers": MOST_BACKUP_LAYERS + 1}, "9 layers are more than 8"),
        ({"user": "0:0"}, "user is 0:0, not 10001:10001"),
        ({"second": b"b"}, "two builds differ: sha256:"),
    ],
)
def test_a_bound_that_the_image_of_the_dumps_breaks_is_named(
    tmp_path: Path, change: dict[str, Any], said: str | None
) -> None:
    """It has bounds of its own, for it holds the programs of three stores."""
    found = list(backup_violations(backup_image(tmp_path, **change)))
    assert [each for each in found if said is None or not each.startswith(said)] == []
    assert len(found) == (said is not None)


def test_an_image_of_the_dumps_that_is_too_large_is_named(tmp_path: Path) -> None:
    """By the bytes of its layers."""
    image = backup_image(tmp_path)
    with (tmp_path / "layer").open("r+b") as layer:
        layer.truncate((MOST_BACKUP_MEBIBYTES + 1) << 20)
    assert list(backup_violations(image)) == ["size 100.0 MiB is above 99 MiB"]


def test_without_root_the_command_says_so_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No table, exit code 3: nothing was proven."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main() == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "not proven here: the images are not built and not run, because building without Docker needs root, and this "
        "is user 1000; run `sudo make images`, or do it in a virtual machine or a privileged container with Debian\n"
    )


def test_a_build_that_fails_is_a_failure_and_no_missing_proof(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Dockerfile that is broken must not pass for a machine without a builder."""

    def failing(_: Path) -> None:
        raise BuildFailedError("buildah build failed: no such stage")

    monkeypatch.setattr(command, "prove", failing)
    assert command.main() == 1
    assert capsys.readouterr().err == "error: buildah build failed: no such stage\n"
    assert not issubclass(BuildFailedError, ToolsUnavailableError)


def test_without_debian_the_command_says_so_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The packages come from its archive."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(command, "default_cache", lambda: tmp_path)
    monkeypatch.setattr("tools.debian.SOURCES", tmp_path / "debian.sources")
    assert command.main() == 3
    said = capsys.readouterr().err
    assert "this machine has no apt-get or no debian.sources; use Debian 12 or newer" in said
