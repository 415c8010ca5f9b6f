"""Effort to undo a step: which changes replace an object, need a restore, or go one way."""

from typing import Any

import pytest

from altlas.release.changes import object_steps
from altlas.release.undo import holds_data, undo_of_creation, undo_of_deletion
from rendering.recorder import Registration, record
from tests.support.documents import REMOVED, alpha_with


def undo_of(changes: dict[str, Any], kind: str, name: str) -> tuple[str, str, str]:
    """Step, undo and reason of one object of alpha when its settings change."""
    before, after = (record("alpha", alpha_with(each)).registrations for each in ({}, changes))
    found = [
        each
        for each in object_steps(before, after, lambda manifest: manifest)
        if (each.object.kind, each.object.logical) == (kind, name)
    ]
    assert len(found) == 1
    return found[0].step, found[0].undo, found[0].why


def changed(kind: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str, str]:
    """Step, undo and reason of one object with two contents."""
    sides = [
        [Registration(f"kubernetes:v1:{kind}", "x", {"kind": kind, "metadata": {"name": "x"}} | content)]
        for content in (before, after)
    ]
    (step,) = object_steps(sides[0], sides[1], lambda manifest: manifest)
    return step.step, step.undo, step.why


def test_more_pods_and_other_images_of_services_are_reversible() -> None:
    """The inverse update is all."""
    change = {"services.runner-service.image.tag": "2", "services.runner-service.autoscaling.maxReplicas": 9}
    assert undo_of(change, "Deployment", "runner-service") == ("update", "reversible", "")
    assert undo_of(change, "HorizontalPodAutoscaler", "runner-service") == ("update", "reversible", "")


def test_a_store_that_grows_from_one_server_to_three_is_reversible() -> None:
    """PostgreSQL, which the operator scales."""
    assert undo_of({"postgres.instances": 3}, "Cluster", "postgres-db") == ("update", "reversible", "")


@pytest.mark.parametrize(
    ("setting", "size", "kind", "name", "was"),
    [
        ("postgres.storageSize", "12Gi", "Cluster", "postgres-db", "10Gi"),
        ("backup.volumeSize", "30Gi", "PersistentVolumeClaim", "redis-backup-dumps", "20Gi"),
    ],
)
def test_a_volume_that_grows_is_one_way(setting: str, size: str, kind: str, name: str, was: str) -> None:
    """No volume shrinks."""
    assert undo_of({setting: size}, kind, name) == ("update", "one-way", f"a volume of {size} never shrinks to {was}")


def test_a_new_major_version_of_postgresql_is_one_way() -> None:
    """A minor one is not."""
    images = ({"spec": {"imageName": f"postgresql:{version}-system@sha256:00"}} for version in ("17.6", "18.1", "18.2"))
    old, new, newer = images
    assert changed("Cluster", old, new) == ("update", "one-way", "PostgreSQL 17 cannot read the files of PostgreSQL 18")
    assert changed("Cluster", new, newer) == ("update", "reversible", "")


def test_another_image_of_a_store_needs_a_restore() -> None:
    """Its files may be those of a newer version."""
    sides = [{"spec": {"template": {"spec": {"containers": [{"name": "r", "image": i}]}}}} for i in ("r:1", "r:2")]
    step, undo, why = changed("StatefulSet", *sides)
    assert (step, undo) == ("update", "restore")
    assert why.startswith("an older version may not read")


@pytest.mark.parametrize(
    ("kind", "before", "after", "undo"),
    [
        ("Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, "replaces"),
        ("RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}, "replaces"),
        ("StatefulSet", {"spec": {"serviceName": "a"}}, {"spec": {"serviceName": "b"}}, "restore"),
        ("Deployment", {"spec": {"selector": {"a": "b"}}}, {"spec": {"selector": {"a": "c"}}}, "replaces"),
    ],
)
def test_a_field_that_cannot_be_changed_replaces_the_object(
    kind: str, before: dict[str, Any], after: dict[str, Any], undo: str
) -> None:
    """With its data, where it holds any."""
    step, found, why = changed(kind, before, after)
    assert (step, found) == ("replace", undo)
    assert "cannot be changed in place" in why


def test_a_field_whose_name_only_begins_alike_does_not_replace_it() -> None:
    """`spec.selectors` is not `spec.selector`."""
    assert changed("Deployment", {"spec": {"selectors": 1}}, {"spec": {"selectors": 2}})[0] == "update"


def test_deletions_of_data_need_a_restore_and_others_do_not() -> None:
    """Nothing else of alpha does, but its namespace."""
    objects = record("alpha", alpha_with({})).objects
    needing = {each["kind"] for each in objects if undo_of_deletion(each)[0] == "restore"}
    assert needing == {"Namespace", "Cluster", "Database", "StatefulSet", "PersistentVolumeClaim"}
    assert undo_of_deletion({"kind": "Deployment"}) == ("reversible", "")
    assert undo_of_deletion({"kind": "Prometheus"}) == ("reversible", "its volumes stay, and the measurements on them")


def test_the_mark_of_protection_counts_as_data() -> None:
    """Also on a kind that holds none by itself."""
    marked = {"kind": "Secret", "metadata": {"annotations": {"alt-las/data": "protected"}}}
    assert holds_data(marked)
    assert not holds_data({"kind": "Secret", "metadata": {"annotations": None}})
    assert undo_of_creation(marked)[0] == "restore"


def test_a_store_that_is_removed_needs_a_restore() -> None:
    """Queue with its volume."""
    assert undo_of({"nats": REMOVED}, "StatefulSet", "nats")[:2] == ("delete", "restore")
