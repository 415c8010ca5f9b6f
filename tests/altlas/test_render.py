"""Rendered files: names, order and contents, and which folders are left alone."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from rendering.files import RenderError, as_yaml, file_name, render
from rendering.recorder import Recorder

SERVICE = {"kind": "Service", "spec": {"b": 1, "a": 2}, "apiVersion": "v1", "metadata": {"name": "web"}}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zoo"}}


def test_a_file_is_named_after_kind_and_name() -> None:
    """In lower case; the namespace sorts before all else, because `kubectl apply` goes by file name."""
    manifest = {"kind": "NetworkPolicy", "metadata": {"name": "deny-all"}}
    assert file_name(manifest) == "networkpolicy-deny-all.yaml"
    assert file_name(NAMESPACE) == "00-namespace-zoo.yaml"


def test_yaml_begins_with_what_an_object_is_and_keeps_the_order_of_its_contents() -> None:
    """apiVersion, kind and metadata first; nothing in braces, no document marks."""
    text = as_yaml(SERVICE | {"data": {"line": "ä"}})
    assert text == "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\ndata:\n  line: ä\nspec:\n  b: 1\n  a: 2\n"


def test_the_namespace_is_written_first_and_the_rest_by_name(tmp_path: Path) -> None:
    """In the order in which they can be applied."""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    written = render([SERVICE, deployment, NAMESPACE], tmp_path / "out")
    assert [path.name for path in written] == ["00-namespace-zoo.yaml", "deployment-web.yaml", "service-web.yaml"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [".altlas-render", *(path.name for path in written)]
    )


def test_every_object_of_a_stack_gets_a_file_that_says_the_same(
    programs: Mapping[str, Recorder], tmp_path: Path
) -> None:
    """No two share a name, and reading a file gives the object back."""
    objects = programs["beta"].objects
    written = render(objects, tmp_path)
    assert len(set(written)) == len(objects) > 30
    for manifest in objects:
        assert yaml.safe_load((tmp_path / file_name(manifest)).read_text(encoding="utf-8")) == manifest


def test_an_earlier_rendering_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A file of an object that is gone would be applied again."""
    render([SERVICE, NAMESPACE], tmp_path / "out")
    render([NAMESPACE], tmp_path / "out")
    assert not (tmp_path / "out" / "service-web.yaml").exists()
    assert (tmp_path / "out" / "00-namespace-zoo.yaml").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    """Whatever is in it stays."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(
        RenderError, match=r"holds something else than an earlier rendering; name an empty or new folder$"
    ):
        render([NAMESPACE], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    """The same message, the same care."""
    (tmp_path / "out").write_text("years of work")
    with pytest.raises(RenderError, match="holds something else"):
        render([NAMESPACE], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "years of work"


def test_an_empty_folder_and_new_folders_within_new_folders_are_filled(tmp_path: Path) -> None:
    """Nothing is in the way."""
    assert render([NAMESPACE], tmp_path)
    assert render([NAMESPACE], tmp_path / "a" / "b")
