"""Two stacks that would use one place in a bucket, where their files lie in one folder."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from tests.support.documents import alpha_with

BUCKET = {"endpoint": "https://s3.example.com", "bucket": "backups"}
LOGS = {"endpoint": "https://s3.example.com", "bucket": "logs", "since": "2027-01-01"}


def written(folder: Path, stack: str, changes: dict[str, Any]) -> Path:
    """A stack file of alpha's settings, changed."""
    path = folder / f"Pulumi.{stack}.yaml"
    path.write_text(yaml.safe_dump({"config": {PLATFORM_KEY: alpha_with(changes)}}))
    return path


def problems(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str]]:
    """Problems of the stack `one` in a folder where `two` is, too."""
    written(folder, "two", other)
    path = written(folder, "one", one)
    try:
        read_platform(path)
    except SettingsError as error:
        return [(each.path, each.message) for each in error.problems]
    return []


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"path": "shared"}, {"path": "shared"}),
        ({}, {"path": "one"}),
        ({"path": "two/wal"}, {}),
        ({"path": "a"}, {"path": "a/b"}),
        ({"path": "a"}, {"path": "a", "endpoint": "https://s3.example.com:443"}),
    ],
    ids=["same", "the other's default", "below the other's default", "above", "port written out"],
)
def test_one_folder_for_two_stacks_is_refused(tmp_path: Path, mine: dict[str, str], theirs: dict[str, str]) -> None:
    """Retention of one would delete the backups of the other, and no log of two histories can be recovered."""
    found = problems(tmp_path, {"backup.objectStore": BUCKET | mine}, {"backup.objectStore": BUCKET | theirs})
    ((path, message),) = found
    assert path == "alt-las:platform.backup.objectStore"
    assert message.startswith(
        "uses what the stack two uses in the bucket backups of https://s3.example.com: the folder"
    )
    assert message.endswith("remove `path`, so that each stack has a folder of its name")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({}, {}),
        ({"path": "a"}, {"path": "ab"}),
        ({"path": "a"}, {"path": "a", "bucket": "other"}),
        ({"path": "a"}, {"path": "a", "endpoint": "https://s3.example.com:9000"}),
    ],
    ids=["defaults", "same beginning", "another bucket", "another endpoint"],
)
def test_folders_that_lie_apart_are_taken(tmp_path: Path, mine: dict[str, str], theirs: dict[str, str]) -> None:
    """One bucket for all stacks is the usual case."""
    assert problems(tmp_path, {"backup.objectStore": BUCKET | mine}, {"backup.objectStore": BUCKET | theirs}) == []


def test_two_lokis_in_one_bucket_are_refused(tmp_path: Path) -> None:
    """They would mix their logs and indexes; a bucket of backups is another matter."""
    ((path, message),) = problems(tmp_path, {"loki.objectStore": LOGS}, {"loki.objectStore": LOGS})
    assert path == "alt-las:platform.loki.objectStore"
    assert message.endswith("Loki has no folder of its own in a bucket; give each stack a bucket")
    assert problems(tmp_path, {"loki.objectStore": LOGS}, {"backup.objectStore": BUCKET | {"bucket": "logs"}}) == []


@pytest.mark.parametrize("content", ["config: {", "config: []", "", "config: {'alt-las:platform': 3}", b"\xff"])
def test_another_stack_file_that_cannot_be_read_is_its_own_problem(tmp_path: Path, content: str | bytes) -> None:
    """The stack at hand is judged by what can be read."""
    (tmp_path / "Pulumi.broken.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    assert problems(tmp_path, {"backup.objectStore": BUCKET | {"path": "two"}}, {"backup.objectStore": BUCKET}) != []
    assert problems(tmp_path, {"backup.objectStore": BUCKET}, {"backup.objectStore": BUCKET}) == []
