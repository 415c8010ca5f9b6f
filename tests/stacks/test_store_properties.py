"""Whatever the sizes: Redis and NATS are never told to hold what they cannot, and a volume has one writer."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from components.kubernetes.quantities import mebibytes
from rendering.recorder import Recorder, record
from tests.stacks.test_data_properties import Objects, accepted, writer_problems
from tests.support.documents import platform_of

MEBIBYTE = 1024 * 1024


_SERVERS = (1, 1, 1, 3, 3, 3, 5, 5, 2, 4)


def _resources(limit: int) -> dict[str, Any]:
    return {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": f"{limit}Mi"}}


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, Any], bool]:
    """Alpha or beta with Redis and NATS of any size, and whether such sizes can work, by another way of counting."""
    document = platform_of(draw(st.sampled_from(("alpha", "beta"))))
    limit = draw(st.integers(64, 2048))
    servers, data = draw(st.sampled_from(_SERVERS)), draw(st.integers(32, limit))
    volume = draw(st.integers(data, 6 * data))
    document["redis"] |= {
        "replicas": servers,
        "maxMemory": f"{data}Mi",
        "storageSize": f"{volume}Mi",
        "resources": _resources(limit),
    }
    good = servers % 2 == 1 and 4 * data <= 3 * limit and 2 * data <= volume
    servers, volume = draw(st.sampled_from(_SERVERS)), draw(st.integers(64, 8192))
    stream = st.tuples(st.sampled_from((1, 1, 1, 2, 3, 5)), st.integers(16, volume // 2))
    streams = draw(st.lists(stream, max_size=3))
    # A drill holds the data of Redis in memory; how much that may be is another property.
    document["backup"]["redis"] = {"resources": _resources(8192)}
    document["nats"] |= {
        "replicas": servers,
        "storageSize": f"{volume}Mi",
        "resources": _resources(draw(st.integers(64, 2048))),
        "streams": [
            {"name": f"S{index}", "subjects": [f"last.files{index or ''}"], "replicas": kept, "maxBytes": f"{size}Mi"}
            for index, (kept, size) in enumerate(streams)
        ],
    }
    good = good and servers % 2 == 1 and all(kept % 2 == 1 and kept <= servers for kept, _ in streams)
    return document, good and 10 * sum(size for _, size in streams) <= 9 * volume


def store_problems(objects: Objects) -> Iterator[str]:
    """Amounts that the servers are to hold and their pods or volumes cannot."""
    by_name = {(each["kind"], each["metadata"].get("name", "")): each for each in objects}
    texts = {name: text for each in objects if each["kind"] == "ConfigMap" for name, text in each["data"].items()}
    for store in ("redis", "nats"):
        spec = by_name["StatefulSet", store]["spec"]
        if spec["replicas"] % 2 == 0:
            yield f"{store} has an even number of voters"
        container = next(each for each in spec["template"]["spec"]["containers"] if each["name"] == store)
        limit = mebibytes(container["resources"]["limits"]["memory"])
        (claim,) = spec["volumeClaimTemplates"]
        volume = mebibytes(claim["spec"]["resources"]["requests"]["storage"])
        problems = _redis_problems if store == "redis" else _nats_problems
        yield from problems(texts, container, int(limit), int(volume), spec["replicas"])


def _redis_problems(texts: Mapping[str, str], _: Any, limit: int, volume: int, servers: int) -> Iterator[str]:
    told = dict(line.split(" ", 1) for line in texts["redis.conf"].splitlines())
    data = int(told["maxmemory"]) / MEBIBYTE
    if data > 0.75 * limit:
        yield "redis may fill more memory than its pod has to spare"
    if 2 * data > volume:
        yield "redis cannot rewrite its file on the volume"
    if int(told["min-replicas-to-write"]) + 1 <= servers / 2:
        yield "redis answers writes that a minority holds"


def _nats_problems(texts: Mapping[str, str], container: Any, limit: int, volume: int, servers: int) -> Iterator[str]:
    variables = {each["name"]: each.get("value") for each in container["env"]}
    if int(variables["GOMEMLIMIT"].removesuffix("MiB")) >= limit:
        yield "nats is configured to use more memory than its pod has"
    (stored,) = (int(text) / MEBIBYTE for text in re.findall(r"max_file_store: (\d+)", texts["nats.conf"]))
    streams = [json.loads(text) for name, text in texts.items() if name.endswith(".json") and "num_replicas" in text]
    if stored > volume or sum(stream["max_bytes"] for stream in streams) / MEBIBYTE > stored:
        yield "nats may store more than its volume holds"
    if any(stream["num_replicas"] > servers for stream in streams):
        yield "nats has fewer servers than a stream wants"


@settings(max_examples=150)
@given(documents())
def test_sizes_are_refused_exactly_when_a_store_could_not_work(drawn: tuple[dict[str, Any], bool]) -> None:
    """Counted by another way than in the settings, so that neither can hide a mistake of the other."""
    document, good = drawn
    event(f"accepted: {good}")
    assert (accepted(document) is not None) == good


@settings(max_examples=25)
@given(documents().filter(lambda drawn: drawn[1]))
def test_what_is_accepted_holds_in_the_objects(drawn: tuple[dict[str, Any], bool]) -> None:
    """For every size that may be deployed."""
    objects = record("alpha", drawn[0]).objects
    assert list(store_problems(objects)) == []
    assert writer_problems(objects) == []


def test_the_sizes_that_are_tried_are_wide() -> None:
    """Accepted and refused, one server and several, with and without streams: else the tests above prove little."""
    seen: set[tuple[bool, int, int, int]] = set()

    @settings(max_examples=600, database=None, derandomize=True)
    @given(documents())
    def look(drawn: tuple[dict[str, Any], bool]) -> None:
        document, good = drawn
        seen.add((good, document["redis"]["replicas"], document["nats"]["replicas"], len(document["nats"]["streams"])))

    look()
    assert sum(good for good, *_ in seen) >= 10
    assert sum(not good for good, *_ in seen) >= 30
    assert {redis for good, redis, _, _ in seen if good} == {1, 3, 5}
    assert {nats for good, _, nats, _ in seen if good} == {1, 3, 5}
    assert {streams for good, _, _, streams in seen if good} >= {0, 1, 2}


Change = Callable[[dict[tuple[str, str], dict[str, Any]]], None]


def _limit(objects: dict[tuple[str, str], dict[str, Any]], store: str, memory: str) -> None:
    pod = objects["StatefulSet", store]["spec"]["template"]["spec"]
    pod["containers"][0]["resources"]["limits"]["memory"] = memory


def _volume(objects: dict[tuple[str, str], dict[str, Any]], store: str, size: str) -> None:
    (claim,) = objects["StatefulSet", store]["spec"]["volumeClaimTemplates"]
    claim["spec"]["resources"]["requests"]["storage"] = size


def _mount(objects: dict[tuple[str, str], dict[str, Any]], job: str, claim: str) -> None:
    pod = objects["CronJob", job]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod["volumes"][0]["persistentVolumeClaim"] = {"claimName": claim}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda o: _limit(o, "redis", "300Mi"), "redis may fill more memory than its pod has to spare"),
        (lambda o: _volume(o, "redis", "500Mi"), "redis cannot rewrite its file on the volume"),
        (lambda o: o["StatefulSet", "redis"]["spec"].update(replicas=3), "redis answers writes that a minority holds"),
        (lambda o: o["StatefulSet", "redis"]["spec"].update(replicas=2), "redis has an even number of voters"),
        (lambda o: _limit(o, "nats", "300Mi"), "nats is configured to use more memory than its pod has"),
        (lambda o: _volume(o, "nats", "1Gi"), "nats may store more than its volume holds"),
        (lambda o: o["StatefulSet", "nats"]["spec"].update(replicas=4), "nats has an even number of voters"),
        (lambda o: o["CronJob", "redis-backup"]["spec"].update(concurrencyPolicy="Allow"), "redis-backup may run two"),
        (
            lambda o: o["CronJob", "nats-backup"]["spec"]["jobTemplate"]["spec"].update(parallelism=2),
            "nats-backup may run two pods on one volume",
        ),
        (
            lambda o: _mount(o, "redis-backup-drill", "redis-backup-dumps"),
            "redis-backup-dumps is mounted by 2 workloads",
        ),
        (
            lambda o: o["HorizontalPodAutoscaler", "api-gateway"]["spec"].update(
                scaleTargetRef={"kind": "StatefulSet", "name": "redis"}
            ),
            "api-gateway scales StatefulSet redis",
        ),
    ],
)
def test_a_wrong_object_would_be_seen(programs: Mapping[str, Recorder], change: Change, problem: str) -> None:
    """The control: each of these changes to alpha's own objects makes the checks above fail."""
    objects = copy.deepcopy(programs["alpha"].objects)
    assert [*store_problems(objects), *writer_problems(objects)] == []
    change({(each["kind"], str(each["metadata"].get("name"))): each for each in objects})
    assert any(found.startswith(problem) for found in (*store_problems(objects), *writer_problems(objects)))
