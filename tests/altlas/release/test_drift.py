"""Drift in recorded objects: which fields count, by whom and since when, and what is excluded."""

import copy
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from altlas.release.drift import DriftField, causes, drift
from altlas.release.drift_ignores import Ignore, read_ignores, split
from altlas.release.live_objects import deployed_objects
from altlas.release.steps import ObjectName
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration, record
from tests.support.documents import platform_of

WHEN = "2026-11-27T04:20:30Z"
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "n", "labels": {"a": "b"}},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {"containers": [{"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "1000m"}}}]}
        },
    },
}
CONTAINER = 'k:{"name":"web"}'


def registered(*manifests: Mapping[str, Any]) -> list[Registration]:
    """Objects as the state has them."""
    return [
        Registration(f"kubernetes:{each['apiVersion']}:{each['kind']}", each["metadata"]["name"], each)
        for each in manifests
    ]


def live(sent: Mapping[str, Any], *writers: tuple[str, Any], subresource: str = "", **spec: Any) -> dict[str, Any]:
    """An object of the cluster: what was sent, other values in its spec, and what else wrote which fields."""
    manifest: dict[str, Any] = copy.deepcopy(dict(sent))
    manifest.setdefault("spec", {}).update(spec)
    if "stringData" in manifest:
        manifest["data"] = manifest.pop("stringData")
    managed: list[dict[str, Any]] = [{"manager": "pulumi-kubernetes-1", "fieldsV1": {"f:spec": {"f:template": {}}}}]
    managed += [
        {"manager": who, "time": WHEN, "fieldsV1": fields, "subresource": subresource} for who, fields in writers
    ]
    manifest["metadata"]["managedFields"] = managed
    return manifest


def seen(sent: Mapping[str, Any], found: Mapping[str, Any], *others: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Drift of one object as kind, path, values and writer."""
    fields = drift(registered(sent, *others), [found, *(live(each) for each in others)])
    return [(each.kind, each.path, each.wanted, each.found, each.manager) for each in fields]


def test_a_platform_as_it_was_sent_has_no_drift() -> None:
    """All objects of both stacks, with a status, finalizers, defaults and notes that the cluster adds."""
    for stack in ("alpha", "beta"):
        registrations = [each for each in record(stack, platform_of(stack)).registrations if "kubernetes:" in each.type]
        controller: dict[str, Any] = {
            "f:metadata": {"f:finalizers": {}, "f:annotations": {"f:deployment.kubernetes.io/revision": {}}}
        }
        objects = []
        for each in registrations:
            found = live(each.inputs, ("kube-controller-manager", controller)) if "spec" in each.inputs else None
            found = found or live(each.inputs, ("kube-controller-manager", controller))
            found["status"] = {"phase": "Running"}
            found["metadata"]["finalizers"] = ["kubernetes.io/pvc-protection"]
            found["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
            objects.append(found)
        assert drift(registrations, objects) == ()


def test_a_changed_field_names_its_writer_and_time() -> None:
    """As `kubectl set image` leaves it."""
    fields: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:image": {}}}}}}}
    found = live(WEB, ("kubectl-set", fields))
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    (only,) = drift(registered(WEB), [found])
    assert only == DriftField(
        ObjectName(type="kubernetes:apps/v1:Deployment", logical="web", name="web", namespace="n"),
        "changed",
        "spec.template.spec.containers[web].image",
        "web:1",
        "web:2",
        "kubectl-set",
        WHEN,
        "/spec/template/spec/containers/0/image",
    )


def test_a_field_that_was_written_again_with_the_same_value_is_none() -> None:
    """Another writer owns it, and nothing differs; quantities are compared as such."""
    fields: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:image": {}, "f:resources": {}}}}}}
    }
    found = live(WEB, ("kubectl-edit", fields))
    found["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    assert seen(WEB, found) == []
    found["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
    path = "spec.template.spec.containers[web].resources"
    assert [(kind, where) for kind, where, *_ in seen(WEB, found)] == [("changed", path)]


def test_an_added_entry_is_one_difference_and_a_removed_field_has_no_writer() -> None:
    """An environment variable with its name and value; a probe that is gone."""
    sent = copy.deepcopy(WEB)
    sent["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"periodSeconds": 5}
    variable: dict[str, Any] = {'k:{"name":"EXTRA"}': {".": {}, "f:name": {}, "f:value": {}}}
    fields: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:env": variable}}}}}}
    found = live(WEB, ("kubectl-set", fields))
    found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "EXTRA", "value": "1"}]
    container = "spec.template.spec.containers[web]"
    assert seen(sent, found) == [
        ("added", f"{container}.env[EXTRA]", None, {"name": "EXTRA", "value": "1"}, "kubectl-set"),
        ("removed", f"{container}.readinessProbe", {"periodSeconds": 5}, None, ""),
    ]


def test_a_secret_that_another_writer_put_anywhere_is_not_shown() -> None:
    """In a variable, an address, or a copy of the object; what is no secret is shown beside it."""
    variables: list[Any] = [
        {"name": "API_TOKEN", "value": "canary-1"},
        {"name": "STORE", "value": "redis://user:canary-2@h:1"},
        {"name": "LEVEL", "value": "debug"},
    ]
    owned: dict[str, Any] = {f'k:{{"name":"{each["name"]}"}}': {"f:name": {}, "f:value": {}} for each in variables}
    copied: dict[str, Any] = {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}}
    in_pod: dict[str, Any] = {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:env": owned}}}}}
    found = live(WEB, ("kubectl-set", {"f:metadata": copied, "f:spec": in_pod}))
    found["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "canary-3"}
    found["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    shown = seen(WEB, found)
    assert [value for _, path, _, value, _ in shown if "env" in path] == [
        {"name": "API_TOKEN", "value": "[secret]"},
        {"name": "LEVEL", "value": "debug"},
        {"name": "STORE", "value": "[secret]"},
    ]
    assert len(shown) == 4
    assert "canary" not in json.dumps(shown)
    sent = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"a": "b"}}}
    noted = live(sent, ("kubectl", {"f:metadata": {"f:annotations": {"f:note": {}}, "f:labels": {"f:a": {}}}}))
    noted["metadata"] |= {"annotations": {"note": "canary-4"}, "labels": {"a": "c"}}
    assert seen(sent, noted) == [
        ("added", "metadata.annotations.note", "[secret]", "[secret]", "kubectl"),
        ("changed", "metadata.labels.a", "b", "c", "kubectl"),
    ]


def test_a_list_that_is_owned_as_a_whole_is_compared_as_a_whole() -> None:
    """Another rule of a NetworkPolicy, which has no name."""
    sent = {"apiVersion": "v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"ingress": [{"from": []}]}}
    wider: list[Any] = [{"from": []}, {}]
    found = live(sent, ("kubectl-patch", {"f:spec": {"f:ingress": {}}}), ingress=wider)
    assert seen(sent, found) == [("changed", "spec.ingress", [{"from": []}], wider, "kubectl-patch")]


def test_the_replicas_of_an_autoscaled_workload_belong_to_the_autoscaler() -> None:
    """With one in the program they do not count; without one they do."""
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    found = live(WEB, ("kube-controller-manager", {"f:spec": {"f:replicas": {}}}), subresource="scale", replicas=4)
    assert seen(WEB, found, scaler) == []
    assert seen(WEB, found) == [("changed", "spec.replicas", 1, 4, "kube-controller-manager")]


def test_fields_that_flagger_owns_are_none_while_the_program_has_a_canary() -> None:
    """Replicas of the target, selector of its Service, rules of its route; nothing else of them."""
    canary = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}},
    }
    owned: tuple[tuple[str, str, Any, Any], ...] = (
        ("Deployment", "replicas", 3, 0),
        ("Service", "selector", {"app": "web"}, {"app": "web-primary"}),
        ("HTTPRoute", "rules", [{"weight": 1}], [{"weight": 90}]),
    )
    for kind, field, wanted, found in owned:
        spec = {field: wanted, "other": 1}
        sent = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web", "namespace": "n"}, "spec": spec}
        there = live(sent, ("flagger", {"f:spec": {f"f:{field}": {}, "f:other": {}}}), **{field: found}, other=2)
        other = ("changed", "spec.other", 1, 2, "flagger")
        assert seen(sent, there, canary) == [other]
        assert {path for _, path, *_ in seen(sent, there)} == {f"spec.{field}", "spec.other"}


def test_a_secret_shows_that_it_changed_and_never_the_value() -> None:
    """Neither one of a Secret nor one that the state holds encrypted elsewhere."""
    sent = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "canary-1"}}
    found = live(sent, ("kubectl-patch", {"f:data": {"f:a": {}}})) | {"data": {"a": "canary-2"}}
    assert seen(sent, found) == [("changed", "data.a", "[secret]", "[secret]", "kubectl-patch")]
    wrapped = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "canary-3"}
    other = copy.deepcopy(WEB) | {"spec": {"token": wrapped}}
    written = live(other, ("kubectl-edit", {"f:spec": {"f:token": {}}}), token="canary-4")
    fields = drift(registered(other), [written])
    assert len(fields) == 1
    assert "canary" not in json.dumps([each.__dict__ for each in fields], default=str)


def test_whole_objects_that_are_gone_or_nobody_s() -> None:
    """A deleted object; one with the platform's labels that no update made; one that another object owns is none."""
    labels = {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": "alt-las"}
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra", "labels": labels}}
    owned = {**extra, "metadata": {**extra["metadata"], "name": "owned", "ownerReferences": [{}]}}  # type: ignore[dict-item]
    found = drift(
        registered(WEB), [live(extra, ("kubectl-create", {"f:data": {}})), live(owned), live(WEB | {"kind": "X"})]
    )
    assert [(each.kind, each.object.title, each.manager) for each in found] == [
        ("deleted", "Deployment web", ""),
        ("orphan", "ConfigMap extra", "kubectl-create"),
    ]


def test_one_edit_of_many_objects_is_one_cause() -> None:
    """Grouped by writer, kind and field; the largest group first, since its first write."""
    names = ("one", "two", "three", "four", "five")
    sent = [WEB | {"metadata": {"name": each, "namespace": "n"}} for each in names]
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:team": {}}}}
    objects = [live(each, ("kubectl-annotate", fields)) for each in sent]
    for each in objects:
        each["metadata"]["annotations"] = {"team": "x"}
    objects[0]["metadata"]["managedFields"] += [
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:replicas": {}}}, "subresource": "scale"}
    ]
    objects[0]["spec"]["replicas"] = 3
    found = causes(drift(registered(*sent), objects))
    assert [(each.manager, each.path, len(each.fields), each.since) for each in found] == [
        ("kubectl-annotate", "metadata.annotations.team", 5, WHEN),
        ("kubectl", "spec.replicas", 1, ""),
    ]


def test_deployed_objects_are_those_of_the_state() -> None:
    """Without components, and without what waits for its deletion."""
    resources = [
        {"type": "alt-las:x", "urn": "urn:pulumi:a::p::alt-las:x::c"},
        {"type": "kubernetes:apps/v1:Deployment", "urn": "urn:pulumi:a::p::k::web", "inputs": WEB},
        {"type": "kubernetes:apps/v1:Deployment", "urn": "urn:pulumi:a::p::k::old", "inputs": WEB, "delete": True},
    ]
    assert deployed_objects({"deployment": {"resources": resources}}) == [
        Registration("kubernetes:apps/v1:Deployment", "web", WEB)
    ]


def test_accepted_drift_counts_again_after_its_day(tmp_path: Path) -> None:
    """The last day included; an entry that has passed is named."""
    file = tmp_path / "Drift.alpha.yaml"
    file.write_text(
        "- object: Deployment/we*\n"
        "  field: spec.template.spec.containers[web].image\n"
        "  until: 2026-12-01\n"
        "  reason: a try\n"
    )
    ignores = read_ignores(file)
    name = ObjectName(type="kubernetes:apps/v1:Deployment", logical="web", name="web", namespace="n")
    field = DriftField(name, "changed", "spec.template.spec.containers[web].image", "1", "2", "kubectl", WHEN)
    other = DriftField(name, "changed", "spec.replicas", 1, 2, "kubectl", WHEN)
    assert split([field, other], ignores, date(2026, 12, 1)) == ([other], [field], [])
    assert split([field, other], ignores, date(2026, 12, 2)) == ([field, other], [], [ignores[0]])
    assert read_ignores(tmp_path / "none.yaml") == ()
    whole = Ignore(object="Deployment/web", field="*", until=date(2026, 12, 1), reason="x")
    assert whole.covers(field)
    assert not whole.covers(
        DriftField(ObjectName(type="x:Service", logical="w", name="web"), "deleted", "", "", None, "", "")
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- {object: web, field: a, until: 2026-12-01, reason: x}", "0.object: String should match"),
        ("- {object: Deployment/web, field: a, reason: x}", "0.until: Field required"),
        ("- {object: Deployment/web, field: a, until: never, reason: x}", "0.until: Input should be a valid date"),
        ("- {object: Deployment/web, field: a, until: 2026-12-01, reason: ''}", "0.reason: String should have"),
        ("a: b", "the whole: Input should be a valid list"),
        ("[", "is not YAML: line 2, column 1: "),
    ],
)
def test_a_file_of_accepted_drift_must_be_whole(tmp_path: Path, text: str, problem: str) -> None:
    """Object, field, day and reason; the place of the first problem is named."""
    file = tmp_path / "Drift.alpha.yaml"
    file.write_text(text)
    with pytest.raises(CommandError) as refused:
        read_ignores(file)
    assert refused.value.code is ExitCode.BAD_INPUT
    assert problem in str(refused.value)
