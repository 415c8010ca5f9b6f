"""Differences of objects as steps: field by field, paired by Pulumi's name."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altlas.release.changes import field_changes, object_steps
from altlas.release.steps import FieldChange, RenameObject
from rendering.recorder import Registration, record
from tests.support.documents import alpha_with

WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "port", "x", "y.z"]), inner, max_size=3)
        | st.lists(st.dictionaries(st.sampled_from(["name", "x"]), inner, min_size=1, max_size=2), max_size=3)
    ),
    max_leaves=12,
)


def registered(*manifests: Mapping[str, Any], logical: str | None = None) -> list[Registration]:
    """Manifests as registrations; the logical name is the object's name unless one is given."""
    return [
        Registration(f"kubernetes:{each['apiVersion']}:{each['kind']}", logical or each["metadata"]["name"], each)
        for each in manifests
    ]


def steps(before: list[Registration], after: list[Registration]) -> list[str]:
    """Kinds and titles of the steps from one set of objects to another."""
    return [f"{each.step} {each.object.title}" for each in object_steps(before, after, lambda manifest: manifest)]


def pairs(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """Changed fields as tuples."""
    return [(each.path, each.before, each.after) for each in field_changes(before, after)]


@given(VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    """A deep copy included."""
    assert pairs(value, copy.deepcopy(value)) == []


@given(VALUES, VALUES)
def test_what_differs_is_found(before: Any, after: Any) -> None:
    """Each change has two unequal values, and swapped values give the swapped changes of as many fields."""
    found = pairs(before, after)
    assert all(one != other for _, one, other in found)
    assert (found == []) == (_without_null(before) == _without_null(after))
    assert len(pairs(after, before)) == len(found)


def _without_null(value: Any) -> Any:
    """The value as Kubernetes reads it: a field that is null is missing."""
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    return [_without_null(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
        ({"a": None}, {}, []),
        ({"a/b": 1}, {"a/b": 2}, [('["a/b"]', 1, 2)]),
        ({"l": {"x.y": 1}}, {"l": {}}, [('l["x.y"]', 1, None)]),
        (
            [{"name": "a", "v": 1}],
            [{"name": "b", "v": 1}, {"name": "a", "v": 2}],
            [("[a].v", 1, 2), ("[b]", None, {"name": "b", "v": 1})],
        ),
        ([{"port": 1}, {"port": 2}], [{"port": 2}], [("[1]", {"port": 1}, None)]),
        ([{"x": [1]}, {"x": [2]}], [{"x": [2]}, {"x": [3]}], [("[0].x", [1], [3])]),
        ([1, 2], [2, 1], [("", [1, 2], [2, 1])]),
        ([{"x": 1}, {"x": 2}], [{"x": 2}, {"x": 1}], [("", [{"x": 1}, {"x": 2}], [{"x": 2}, {"x": 1}])]),
    ],
)
def test_entries_of_lists_are_named_by_their_key(before: Any, after: Any, found: list[Any]) -> None:
    """Entries without a key are numbered; those that are equal on both sides are left out."""
    assert pairs(before, after) == found


def test_objects_are_created_changed_and_deleted_in_this_order() -> None:
    """By name, deletions last and backwards; what is equal is no step."""
    one, two, three, four = (WEB | {"metadata": {"name": name}} for name in ("one", "two", "three", "four"))
    after = registered(two | {"spec": {"replicas": 2}}, three, four)
    assert steps(registered(one, two, four), after) == [
        "create Deployment three",
        "update Deployment two",
        "delete Deployment one",
    ]
    assert steps(registered(one, two), []) == ["delete Deployment two", "delete Deployment one"]


def test_a_newer_version_of_the_api_is_a_change_of_the_same_object() -> None:
    """The state knows it by an alias."""
    assert steps(registered(WEB), registered(WEB | {"apiVersion": "apps/v2"})) == ["update Deployment web"]


def test_registrations_that_are_no_kubernetes_objects_do_not_count() -> None:
    """Components and providers."""
    assert steps([Registration("alt-las:platform:Ingress", "ingress", {})], []) == []


def test_a_config_map_that_is_named_by_its_content_is_one_object_that_changes() -> None:
    """In the program: one changed line of Redis renames its ConfigMap and rolls the pods that read it."""
    before, after = (
        record("alpha", alpha_with({"redis.maxMemory": size})).registrations for size in ("256Mi", "200Mi")
    )
    found = {each.object.logical: each for each in object_steps(before, after, lambda manifest: manifest)}
    renamed = found["redis-configuration"]
    assert isinstance(renamed, RenameObject)
    assert renamed.former != renamed.object.name
    assert [each.path for each in renamed.fields] == ['data["redis.conf"]']
    assert FieldChange(
        path="spec.template.spec.volumes[configuration].configMap.name",
        before=renamed.former,
        after=renamed.object.name,
    ) in getattr(found["redis"], "fields", ())


def test_two_names_that_do_not_follow_content_are_a_replacement() -> None:
    """An object is renamed only if both names have the same beginning and end in a hash."""
    for former, name in (("a-0123456789", "b-0123456789"), ("a", "a-0123456789"), ("a-x", "a-y")):
        before = registered(WEB | {"metadata": {"name": former}}, logical="a")
        after = registered(WEB | {"metadata": {"name": name}}, logical="a")
        assert steps(before, after) == [f"replace Deployment {name}"]
