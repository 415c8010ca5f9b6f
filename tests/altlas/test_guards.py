"""Findings of the guards in a state and a program: every way to lose data, and none where there is none."""

from collections.abc import Mapping
from typing import Any

import pytest

from altlas.update import data_loss as guards
from rendering.recorder import record
from tests.support.data_documents import exported_state, postgres_document
from tests.support.documents import BESIDE_SERVICES, alpha_with, platform_of

CLUSTER = "kubernetes:postgresql.cnpg.io/v1:Cluster"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
VOLUME = "kubernetes:core/v1:PersistentVolumeClaim"


def program(changes: Mapping[str, Any] | None = None, **postgres: Any) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Alpha with PostgreSQL and no other store, as it would be deployed."""
    others = dict.fromkeys(BESIDE_SERVICES)
    document = alpha_with(others | {"postgres": postgres_document(**postgres)} | dict(changes or {}))
    return {(each.type, each.name): each.inputs for each in record("alpha", document).registrations}


@pytest.fixture(scope="module")
def deployed() -> dict[str, guards.Deployed]:
    """Alpha's data."""
    return guards.deployed_data(exported_state(program()))


def found(deployed: Mapping[str, guards.Deployed], after: Mapping[Any, Any], *tombstones: str) -> list[str]:
    """Dangers as text."""
    return [str(danger) for danger in guards.dangers(deployed.values(), after, tombstones)]


def test_the_same_program_again_is_no_danger(deployed: Mapping[str, guards.Deployed]) -> None:
    """The control run of all that follow."""
    assert len(deployed) == 3
    assert found(deployed, program()) == []


def test_more_servers_more_storage_and_back_to_one_server_are_no_danger(
    deployed: Mapping[str, guards.Deployed],
) -> None:
    """Alpha to beta and back is a change of numbers."""
    grown = program(instances=3, storageSize="20Gi")
    assert found(deployed, grown) == []
    assert found(guards.deployed_data(exported_state(grown)), program(storageSize="20Gi")) == []


def test_an_image_and_parameters_in_one_update_are_refused_before_the_operator_refuses_them(
    deployed: Mapping[str, guards.Deployed],
) -> None:
    """Each alone is an update like any other."""
    image = {"repository": "ghcr.io/cloudnative-pg/postgresql", "tag": "18.9-standard-trixie"}
    parameters = {"maxConnections": 90, "sharedBuffersMebibytes": 256}
    assert found(deployed, program(image=image)) == found(deployed, program(parameters=parameters)) == []
    (text,) = found(deployed, program(image=image, parameters=parameters))
    assert text.startswith("Cluster postgres-db: spec.postgresql.parameters: changes together with the image, which")


def test_a_volume_of_measurements_does_not_shrink_and_may_go() -> None:
    """Prometheus' operator would leave the volume as it is, and the retention would be reckoned from another size."""
    watched = {key: platform_of("alpha")[key] for key in ("prometheus", "alertmanager")}
    before, sizes = exported_state(program(watched), protect=False), {"prometheus.storageSize": "9Gi"}
    measuring = guards.deployed_measuring(before)
    assert sorted(each.title for each in measuring) == ["Alertmanager alertmanager", "Prometheus prometheus"]
    assert not {each.title for each in measuring} & {each.title for each in guards.deployed_data(before).values()}
    (text,) = (str(danger) for danger in guards.dangers(measuring, program(watched | sizes), ()))
    assert text.startswith("Prometheus prometheus: spec.storage.volumeClaimTemplate.spec.resources.requests.storage: ")
    assert "shrinks from 10Gi to 9Gi, and no volume can shrink" in text
    assert guards.dangers(measuring, program(watched | {"prometheus.storageSize": "11Gi"}), ()) == ()
    assert guards.dangers(measuring, program(), ()) == ()


def test_a_program_without_postgres_is_refused_object_by_object(deployed: Mapping[str, guards.Deployed]) -> None:
    """Its Cluster and its databases."""
    after = {key: value for key, value in program().items() if not key[1].startswith("postgres-db")}
    texts = found(deployed, after)
    assert sorted(text.partition(":")[0] for text in texts) == [
        "Cluster postgres-db",
        "Database postgres-db-archive",
        "Database postgres-db-segmentation",
    ]
    (cluster,) = (text for text in texts if text.startswith("Cluster"))
    assert "to give up its data, add postgres-db to alt-las:platform.tombstones, deploy that, and only then" in cluster


def test_a_tombstone_must_be_deployed_before_the_object_goes(deployed: Mapping[str, guards.Deployed]) -> None:
    """Pulumi's protection comes off with the first update, the object with the second."""
    after = {key: value for key, value in program().items() if key[0] != CLUSTER}
    assert found(deployed, after, "postgres-db")[0].startswith("Cluster postgres-db: its tombstone is not deployed yet")
    released = guards.deployed_data(exported_state(program(), protect=False))
    assert found(released, after, "postgres-db") == []
    assert len(found(released, after)) == 1


@pytest.mark.parametrize(
    ("changes", "postgres", "path", "message"),
    [
        ({}, {"storageSize": "4Gi"}, "spec.storage.size", "shrinks from 5Gi to 4Gi, and no volume can shrink"),
        ({}, {"storageClass": "fast"}, "spec.storage.storageClass", "is immutable; it cannot be changed in place"),
        (
            {},
            {"image": {"repository": "ghcr.io/cloudnative-pg/postgresql", "tag": "17.6-system-trixie"}},
            "spec.imageName",
            "goes back from version 18 to 17, which cannot read the files of 18; restore a dump",
        ),
        ({"namespace": "other"}, {}, "metadata.namespace", "changes from alt-las to other, which replaces the object"),
    ],
)
def test_a_change_that_no_volume_survives_is_named_with_its_way(
    deployed: Mapping[str, guards.Deployed], changes: dict[str, Any], postgres: dict[str, Any], path: str, message: str
) -> None:
    """Before the update, not half-way."""
    texts = [text for text in found(deployed, program(changes, **postgres)) if text.startswith("Cluster")]
    assert len(texts) == 1
    assert texts[0].startswith(f"Cluster postgres-db: {path}: {message}")


def test_a_jump_over_a_version_is_refused_and_a_step_is_not() -> None:
    """One version at a time, as the upgrade is tested."""
    old = program()[CLUSTER, "postgres-db"]
    image = "ghcr.io/cloudnative-pg/postgresql:{}-system-trixie"
    before = {"urn": guards.Deployed(CLUSTER, "postgres-db", _with_image(old, image.format(17)), True)}
    assert found(before, {(CLUSTER, "postgres-db"): _with_image(old, image.format(18))}) == []
    (text,) = found(before, {(CLUSTER, "postgres-db"): _with_image(old, image.format(19))})
    assert "jumps from version 17 to 19; go up one version at a time" in text


def _with_image(manifest: Mapping[str, Any], image: str) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], "imageName": image}}


@pytest.mark.parametrize("path", ["serviceName", "selector", "podManagementPolicy"])
def test_every_immutable_field_of_a_stateful_set_is_seen(path: str) -> None:
    """Kubernetes would refuse the update, or Pulumi would replace the object."""
    manifest = {"metadata": {"name": "nats", "namespace": "alt-las"}, "spec": {path: "one"}}
    changed = {**manifest, "spec": {path: "other"}}
    before = guards.deployed_data(exported_state({(STATEFUL_SET, "nats"): manifest}))
    assert found(before, {(STATEFUL_SET, "nats"): manifest}) == []
    (text,) = found(before, {(STATEFUL_SET, "nats"): changed})
    assert text.startswith(f"StatefulSet nats: spec.{path}: is immutable")


def test_a_claim_may_grow_and_never_shrink() -> None:
    """The same rule for a volume of our own."""

    def claim(size: str) -> dict[str, Any]:
        return {"metadata": {"name": "dumps"}, "spec": {"resources": {"requests": {"storage": size}}}}

    before = guards.deployed_data(exported_state({(VOLUME, "dumps"): claim("1Gi")}))
    assert found(before, {(VOLUME, "dumps"): claim("1024Mi")}) == []
    assert found(before, {(VOLUME, "dumps"): claim("2Gi")}) == []
    (text,) = found(before, {(VOLUME, "dumps"): claim("1023Mi")})
    assert "spec.resources.requests.storage: shrinks from 1Gi to 1023Mi" in text


def templates(size: str, name: str = "data", storage_class: str = "fast") -> dict[str, Any]:
    """A StatefulSet with one template of a volume."""
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    volumes = [{"metadata": {"name": name}, "spec": spec}]
    return {"metadata": {"name": "redis", "namespace": "alt-las"}, "spec": {"volumeClaimTemplates": volumes}}


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (templates("2048Mi"), None),
        (templates("4Gi"), "data grows from 2Gi to 4Gi, which the API server takes for the volumes only; grow them"),
        (templates("1Gi"), "shrinks from 2Gi to 1Gi, and no volume can shrink; keep at least 2Gi, or restore a"),
        (templates("4Gi", name="other"), "is immutable; it cannot be changed in place"),
        (templates("4Gi", storage_class="slow"), "is immutable; it cannot be changed in place"),
    ],
)
def test_a_template_of_volumes_says_how_to_grow_and_that_it_cannot_shrink(
    after: dict[str, Any], message: str | None
) -> None:
    """Growing has a way of its own, which keeps pods and volumes; the same size in another unit is no change."""
    before = guards.deployed_data(exported_state({(STATEFUL_SET, "redis"): templates("2Gi")}))
    texts = found(before, {(STATEFUL_SET, "redis"): after})
    if message is None:
        assert texts == []
    else:
        (text,) = texts
        assert text.startswith(f"StatefulSet redis: spec.volumeClaimTemplates: {message}")


@pytest.mark.parametrize("operation", ["delete", "delete-replaced", "replace", "create-replacement"])
def test_a_plan_that_takes_data_is_seen_step_by_step(deployed: Mapping[str, guards.Deployed], operation: str) -> None:
    """As `pulumi preview --json` prints it."""
    plan = {"steps": [{"op": operation, "urn": urn} for urn in deployed]}
    assert len(guards.planned_losses(plan, deployed, [])) == 3
    assert len(guards.planned_losses(plan, deployed, ["postgres-db-archive"])) == 2
    harmless = [{"op": "update", "urn": urn} for urn in deployed]
    assert guards.planned_losses({"steps": harmless}, deployed, []) == ()
    others = [{"op": operation, "urn": "urn:pulumi:alpha::alt-las::kubernetes:apps/v1:Deployment::api-gateway"}]
    assert guards.planned_losses({"steps": others}, deployed, []) == ()


def test_a_plan_that_the_engine_refuses_half_way_names_every_object_once(
    deployed: Mapping[str, guards.Deployed],
) -> None:
    """The engine leaves out the steps after the first refusal; its diagnostics still name the objects."""
    first, second, third = deployed
    refused = "error: unable to replace resource as it is currently marked for protection"
    plan = {
        "steps": [{"op": "replace", "urn": first}],
        "diagnostics": [
            {"urn": first, "severity": "error", "message": refused},
            {"urn": second, "severity": "error", "message": refused},
            {"urn": third, "severity": "warning", "message": refused},
            {"severity": "error", "message": "error: preview failed"},
        ],
    }
    titles = [danger.title for danger in guards.planned_losses(plan, deployed, [])]
    assert titles == [deployed[first].title, deployed[second].title]
    assert len(guards.plan_errors(plan)) == 3


def test_without_protection_nothing_else_changes() -> None:
    """The state is what it was but for the two marks."""
    before = exported_state(program())
    after = guards.without_protection(before)
    resources = zip(before["deployment"]["resources"], after["deployment"]["resources"], strict=True)
    for old, new in resources:
        assert new == old | {"protect": False, "retainOnDelete": False}
    assert before["deployment"]["resources"][0]["retainOnDelete"] is True
