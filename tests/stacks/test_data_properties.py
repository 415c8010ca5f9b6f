"""Whatever the settings: no store has two writers on a volume, is scaled like a service, or is promised too much."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.kubernetes.quantities import mebibytes
from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import SettingsError
from rendering.recorder import record
from tests.support.documents import platform_of

Objects = Iterable[Mapping[str, Any]]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Alpha or beta with any size of PostgreSQL and of the services that use it."""
    document = platform_of(draw(st.sampled_from(("alpha", "beta"))))
    postgres = document["postgres"]
    postgres["instances"] = draw(st.sampled_from((1, 1, 3, 3, 2, 5)))
    parameters = {
        "maxConnections": draw(st.integers(60, 400)),
        "sharedBuffersMebibytes": draw(st.integers(64, 1024)),
        "workMemMebibytes": draw(st.integers(1, 8)),
    }
    limit = draw(st.sampled_from(("512Mi", "1Gi", "2Gi", "4Gi")))
    postgres["parameters"] = parameters
    postgres["resources"] = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": limit}}
    for service in ("segmentation-service", "archive-service"):
        fewest = draw(st.integers(1, 4))
        document["services"][service]["autoscaling"] = {
            "minReplicas": fewest,
            "maxReplicas": fewest + draw(st.integers(0, 10)),
        }
        database = {"name": service.partition("-")[0], "poolSize": draw(st.integers(1, 15))}
        postgres.setdefault("databases", {})[service] = database
    return document


def accepted(document: Mapping[str, Any]) -> PlatformSettings | None:
    """The settings, or None where they are refused."""
    try:
        return parse_platform(document)
    except SettingsError:
        return None


def claims(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Names of the volumes that the pods of a workload share and write to."""
    spec = manifest["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if manifest["kind"] == "CronJob" else spec.get("template", {})
    for volume in template.get("spec", {}).get("volumes", ()):
        if "persistentVolumeClaim" in volume and not volume["persistentVolumeClaim"].get("readOnly"):
            yield volume["persistentVolumeClaim"]["claimName"]


def has_one_writer(manifest: Mapping[str, Any]) -> bool:
    """True if a workload never runs two pods at once."""
    spec = manifest["spec"]
    if manifest["kind"] == "CronJob":
        job = spec["jobTemplate"]["spec"]
        return bool(spec["concurrencyPolicy"] == "Forbid" and job.get("parallelism", 1) == 1)
    return bool(spec.get("replicas") == 1 and spec.get("strategy", {}).get("type") == "Recreate")


def writer_problems(objects: Objects) -> list[str]:
    """Volumes with two writers, and autoscalers on what must not be scaled."""
    workloads = [each for each in objects if "template" in each.get("spec", {}) or each["kind"] == "CronJob"]
    shared = Counter(claim for each in workloads for claim in claims(each))
    problems = [f"{claim} is mounted by {count} workloads" for claim, count in shared.items() if count > 1]
    for each in workloads:
        if any(claims(each)) and not has_one_writer(each):
            problems.append(f"{each['metadata']['name']} may run two pods on one volume")
    stateless = {
        each["metadata"]["name"] for each in workloads if each["kind"] == "Deployment" and not any(claims(each))
    }
    for each in objects:
        if each["kind"] == "HorizontalPodAutoscaler":
            target = each["spec"]["scaleTargetRef"]
            if target["kind"] != "Deployment" or target["name"] not in stateless:
                problems.append(f"{each['metadata']['name']} scales {target['kind']} {target['name']}")
    return problems


def promise_problems(objects: Objects) -> list[str]:
    """Settings that the server cannot keep, or that the services cannot live with."""
    (cluster,) = (each for each in objects if each["kind"] == "Cluster")
    spec, parameters = cluster["spec"], cluster["spec"]["postgresql"]["parameters"]
    number = {
        name: int(text.removesuffix("MB"))
        for name, text in parameters.items()
        if text.endswith("MB") or text.isdecimal()
    }
    limits = {role["name"]: role["connectionLimit"] for role in spec["managed"]["roles"]}
    problems = []
    databases = {
        each["spec"]["name"]: each["spec"]["connectionLimit"] for each in objects if each["kind"] == "Database"
    }
    if sum(databases.values()) > number["max_connections"]:
        problems.append("the databases let more connections in than the server accepts")
    problems += [
        f"{role} may open more connections than its database lets in"
        for role, limit in limits.items()
        if role.removesuffix("_2") in databases and limit > databases[role.removesuffix("_2")]
    ]
    used = number["shared_buffers"] + number["max_connections"] * number["work_mem"] + number["maintenance_work_mem"]
    if used > mebibytes(spec["resources"]["limits"]["memory"]):
        problems.append("the server may use more memory than its pod has")
    if ("synchronous" in spec["postgresql"]) != (spec["instances"] > 1) or spec["instances"] % 2 == 0:
        problems.append("commits wait for a server that is not there, or for none although there is one")
    return problems


@settings(max_examples=12)
@given(documents())
def test_no_settings_lead_to_two_writers_or_to_promises_that_cannot_be_kept(document: dict[str, Any]) -> None:
    """Accepted settings hold in the objects; what does not hold was refused."""
    platform = accepted(document)
    if platform is None or platform.postgres is None:
        return
    objects = record("alpha", document).objects
    assert writer_problems(objects) == []
    assert promise_problems(objects) == []
    (cluster,) = (each for each in objects if each["kind"] == "Cluster")
    limits = {role["name"]: role["connectionLimit"] for role in cluster["spec"]["managed"]["roles"]}
    for service, database in platform.postgres.databases.by_service().items():
        (scaler,) = (
            each
            for each in objects
            if each["kind"] == "HorizontalPodAutoscaler" and each["metadata"]["name"] == service
        )
        assert limits[database.name] >= (scaler["spec"]["maxReplicas"] + 1) * database.pool_size


@settings(max_examples=100)
@given(documents())
def test_settings_are_refused_exactly_when_they_promise_too_much(document: dict[str, Any]) -> None:
    """Counted here by another way than in the settings, so that neither can hide a mistake of the other."""
    postgres = document["postgres"]
    connections = 20
    for service, database in postgres["databases"].items():
        connections += (document["services"][service]["autoscaling"]["maxReplicas"] + 1) * database["poolSize"]
    parameters = postgres["parameters"]
    memory = parameters["sharedBuffersMebibytes"] + 3 * 64
    memory += parameters["maxConnections"] * parameters["workMemMebibytes"]
    sizes = {"512Mi": 512, "1Gi": 1024, "2Gi": 2048, "4Gi": 4096}
    good = (
        postgres["instances"] != 2
        and connections <= parameters["maxConnections"]
        and memory <= sizes[postgres["resources"]["limits"]["memory"]]
    )
    assert (accepted(document) is not None) == good


def _writers(kind: str, claim: str, **spec: Any) -> dict[str, Any]:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return {"kind": kind, "metadata": {"name": "store"}, "spec": {"template": {"spec": {"volumes": volumes}}, **spec}}


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        ([_writers("Deployment", "data", replicas=2)], "store may run two pods on one volume"),
        ([_writers("Deployment", "data", replicas=1)], "store may run two pods on one volume"),
        ([_writers("Deployment", "data", replicas=1, strategy={"type": "Recreate"})] * 2, "data is mounted by 2"),
        (
            [
                {
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "store"},
                    "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "store"}},
                }
            ],
            "store scales StatefulSet store",
        ),
    ],
)
def test_the_check_itself_finds_what_the_original_had(objects: list[dict[str, Any]], problem: str) -> None:
    """The control: rolling updates of single-writer pods, shared volumes, autoscalers on stores."""
    assert any(problem in found for found in writer_problems(objects))
