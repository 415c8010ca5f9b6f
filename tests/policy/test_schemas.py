"""Fields of every object, against the pinned schemas of Kubernetes and of the custom resources."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from components.stack.loading import parse_platform
from policy.manifests import Manifest
from policy.paths import ABSENT, write
from policy.schemas.document import FILE, KINDS, NO_SCHEMA
from policy.schemas.validation import problems
from policy.stacks import load_stack, read_document
from tests.support.certificates import AUTHORITY

_BUCKET = {"endpoint": "https://s3.example.com", "bucket": "alt-las"}
_DIGEST = "sha256:" + "0" * 64
_RECEIVERS = [
    {"name": "chat", "webhook": {"url": "https://chat.example.com/hook"}, "ranges": ["192.168.9.0/24"]},
    {
        "name": "mail",
        "mail": {"to": "a@example.com", "sender": "b@example.com", "host": "mail.example.com", "username": "a"},
    },
]
_JOB = {
    "job": "node-exporter",
    "host": "nodes.example.com",
    "port": 9100,
    "namespace": "monitoring",
    "podLabels": {"app": "node-exporter"},
}
_HARD = {"pods": 999, "volumeClaims": 99, "requestsCpu": "999"}
_HARD |= dict.fromkeys(("requestsMemory", "limitsMemory", "storage"), "9999Gi")
_BOTH: dict[str, Any] = {
    "egress.privateRanges": ["10.0.0.0/8"],
    "egress.apiServerAddresses": ["10.0.0.1"],
    "rollout.imagePullPolicy": "IfNotPresent",
    "rollout.imagePullSecrets": ["registry"],
    "autoscaling.scaleDown.pods": 2,
    "loadTest.image": {"repository": "locustio/locust", "tag": "2.47.0", "digest": _DIGEST},
    "quota": {"hard": _HARD, "otherPods": 2},
    "additionalCalls": [{"caller": "ai-orchestrator", "callee": "segmentation-service"}],
    "services.api-gateway.image": {"repository": "example.org/gateway", "tag": "1", "digest": _DIGEST},
    "services.runner-service.metrics": {},
    "services.runner-service.slo": {"successPercent": 99.0, "latencyMilliseconds": 300},
    "services.runner-service.probes": {"livenessPath": "/live", "livenessSeconds": 60},
    "services.ai-orchestrator.gpuEnabled": True,
    "services.segmentation-service.spacyEnabled": True,
    "services.archive-service.autoscaling": ABSENT,
    "services.archive-service.replicas": 2,
    **{f"{block}.storageClass": "fast" for block in ("postgres", "redis", "nats", "loki", "alertmanager")},
}
_RESOURCES = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
VARIATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "alpha": ("alpha", {}),
    "beta": ("beta", {}),
    "alpha-ingress": (
        "alpha",
        _BOTH
        | {
            "ingress.tls.issuer": {"name": "letsencrypt"},
            "ingress.tls.additional": [{"host": "grafana.local", "secretName": "grafana-tls"}],
            "ingress.traefik": {"maxBodyMebibytes": 10, "rateLimit": {"average": 100, "burst": 200}},
            "autoscaling.nodes": "karpenter",
            "grafana.host": "grafana.local",
            "prometheus.storageClass": "fast",
            "prometheus.existingJobs": [_JOB],
            "prometheus.certificateProbe": {"service": "traefik"},
            "alertmanager.receivers": _RECEIVERS,
            "alertmanager.routes": {"page": "chat", "ticket": "mail"},
            "loki.objectStore": _BUCKET | {"since": "2026-01-01", "ranges": ["192.0.2.0/24"], "endpointCa": AUTHORITY},
            "loki.labels": ["node"],
            "backup.objectStore": _BUCKET
            | {"ranges": ["192.0.2.0/24"], "path": "here", "encryption": "aws:kms", "endpointCa": AUTHORITY},
            "backup.postgres.resources": _RESOURCES,
            "backup.nats.resources": _RESOURCES,
        },
    ),
    "beta-mesh": (
        "beta",
        _BOTH
        | {
            "mesh.mode": "ambient",
            "autoscaling.nodes": "clusterAutoscaler",
            "egress.apiServerSources": ["172.18.0.0/16"],
            "egress.dns": {"addresses": ["169.254.20.10"]},
            "ingress.className": "envoy",
            "ingress.requestTimeoutSeconds": 90,
            "ingress.controllerRanges": ["192.0.2.0/28"],
            "ingress.tls.additional": [{"host": "other.example.com", "secretName": "other-tls"}],
            "ingress.routes": [
                {"service": "api-gateway", "path": "/api"},
                {"service": "archive-service", "path": "/archive", "host": "other.example.com"},
            ],
            "ingress.traefik": {"maxBodyMebibytes": 10},
            "prometheus.mode": "external",
            "prometheus.external": {"monitorLabels": {"release": "monitoring"}},
            "alertmanager": None,
            "admission.enabled": False,
        },
    ),
    "alpha-canary": (
        "alpha",
        {
            "ingress.api": "gateway",
            "services.api-gateway.canary": {"approval": True},
            "flagger.approvals": {},
            "services.api-gateway.recommend": ["memory"],
        },
    ),
}
"""The stacks as they are, and with everything switched on that they leave out."""

NO_FIELD = {
    "admission.requireDigests",
    "builds.askRegistry",
    "builds.fromSource",
    "builds.localCheckout",
    "clusterUid",
    "ingress.routes[].port",
    "release.automatic",
    "release.automaticRollback",
    "release.freezes",
    "release.mostDeletions",
    "release.plansOnly",
    "tombstones",
}
"""Optional settings that add no field to an object: checks, builds, rules of releases, the text of an expression."""


def variation(name: str) -> dict[str, Any]:
    """The document of a variation."""
    stack, changes = VARIATIONS[name]
    document = read_document(stack)
    for path, value in changes.items():
        write(document, path, value)
    return document


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    """All objects of all variations."""
    return {name: load_stack(VARIATIONS[name][0], variation(name)).manifests for name in VARIATIONS}


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_field_of_every_object_is_in_its_schema(name: str, rendered: dict[str, list[Manifest]]) -> None:
    """Unknown fields, wrong types, missing required fields: none."""
    assert [problem for manifest in rendered[name] for problem in problems(manifest)] == []


def test_every_kind_with_a_schema_is_rendered_and_every_kind_without_one_has_a_reason(
    rendered: dict[str, list[Manifest]],
) -> None:
    """The list of kinds is what the program registers, no more and no less."""
    found = {f"{each['apiVersion']}/{each['kind']}" for manifests in rendered.values() for each in manifests}
    assert found == set(KINDS) | NO_SCHEMA.keys()
    assert set(json.loads(FILE.read_text())["kinds"]) == set(KINDS)


def common(path: str) -> str:
    """The same path for every service and for every image."""
    return "image.digest" if path.endswith(".digest") else re.sub(r"^services\.[^.]+", "services.*", path)


def optional_settings(model: BaseModel, path: str = "") -> Iterator[tuple[str, bool]]:
    """Path of every setting that may be left out, and whether it is left out."""
    for name, field in type(model).model_fields.items():
        value, place = getattr(model, name), f"{path}{field.alias or name}"
        if not field.is_required() and field.default in (None, (), False):
            yield place, value in (None, (), False)
        values = value if isinstance(value, tuple) else (value,)
        for each in values:
            if isinstance(each, BaseModel):
                yield from optional_settings(each, f"{place}[]." if isinstance(value, tuple) else f"{place}.")


def test_the_variations_switch_everything_on() -> None:
    """Each optional setting is set in one of them at least; of what all services or images have, one of these."""
    left_out: dict[str, bool] = {}
    for name in VARIATIONS:
        for path, is_left_out in optional_settings(parse_platform(variation(name))):
            setting = common(path)
            left_out[setting] = left_out.get(setting, True) and is_left_out
    assert {setting for setting, is_left_out in left_out.items() if is_left_out} == NO_FIELD


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        ("Deployment", "spec.template.spec.containers[0].livenesProbe", {}, "'livenesProbe' was unexpected"),
        ("NetworkPolicy", "spec.ingres", [], "'ingres' was unexpected"),
        ("Cluster", "spec.storage.sise", "1Gi", "'sise' was unexpected"),
        ("Prometheus", "spec.retentionn", "1d", "'retentionn' was unexpected"),
        ("HTTPRoute", "spec.rules[0].timeout", {}, "'timeout' was unexpected"),
        ("PeerAuthentication", "metadata.label", {}, "'label' was unexpected"),
        ("Service", "spec.ports[0].port", "http", "'http' is not of type 'integer'"),
        ("Cluster", "spec.instances", "three", "'three' is not of type 'integer'"),
    ],
)
def test_a_misspelt_field_and_a_wrong_type_are_found(
    rendered: dict[str, list[Manifest]], kind: str, path: str, value: object, expected: str
) -> None:
    """In Kubernetes' own kinds and in custom resources; the message names the object and the place."""
    objects = [each for manifests in rendered.values() for each in manifests if each["kind"] == kind]
    changed = copy.deepcopy(objects[0])
    write(changed, path, value)
    (problem,) = problems(changed)
    parent = path.rpartition(".")[0] if "unexpected" in expected else path
    assert problem.startswith(f"{kind}/{changed['metadata']['name']}: {parent}: ")
    assert expected in problem


def test_an_unknown_kind_is_a_problem_with_its_cure() -> None:
    """A new kind cannot pass unseen."""
    (problem,) = problems({"apiVersion": "example.org/v1", "kind": "Boat", "metadata": {"name": "ark"}})
    assert problem == (
        "Boat/ark: example.org/v1/Boat has no schema; add it to KINDS in policy/schemas/document.py, run make schemas"
    )
