"""The storage of the image builder does not grow for ever."""

from pathlib import Path

import pytest

from cluster.node.images.builder import Buildah


@pytest.mark.parametrize(("images", "kept"), [(1000, True), (1001, False)])
def test_a_full_storage_is_dropped_whole(images: int, kept: bool, tmp_path: Path) -> None:
    """Also what was left of an earlier one whose removal was cut off."""
    folder = tmp_path / "graph/overlay-images"
    for number in range(images):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "manifest").touch()
    left_over = tmp_path / "graph.full/overlay"
    left_over.mkdir(parents=True)
    Buildah(tmp_path / "program", tmp_path).restart_when_full()
    assert (tmp_path / "graph").exists() is kept
    assert not left_over.parent.exists()


def test_a_storage_that_is_not_there_yet_is_not_full(tmp_path: Path) -> None:
    """The first build of a machine."""
    Buildah(tmp_path / "program", tmp_path).restart_when_full()
    assert list(tmp_path.iterdir()) == []
