"""Logs: Loki's configuration against the keys that Loki knows, and a real Loki where one is installed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.observability.logs.loki_configuration import configuration_file
from components.settings.loki import LokiObjectStoreSettings, LokiSettings
from tests.observability.loki_keys import problems
from tests.observability.loki_server import Loki, loki_of, running, write_configuration
from tests.support.figures import Figures
from tests.support.known_metrics import exported_metrics
from tests.support.loopback import platform_settings
from tests.support.programs import run

pytestmark = pytest.mark.data
LABELS = {"service": "archive-service", "phase": "alpha", "pod": "archive-service-1"}
DAY = 24 * 3600 * 10**9


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """Alpha's Loki."""
    with running(tmp_path_factory.mktemp("loki"), loki_of("alpha")) as server:
        yield server


def with_a_bucket() -> LokiSettings:
    """Logs on the volume before a day, and behind the S3 interface from it on; no bucket is reached here."""
    bucket = LokiObjectStoreSettings(endpoint="https://s3.example.com", bucket="logs", since="2027-01-01")
    return loki_of("beta").model_copy(update={"object_store": bucket})


SETTINGS = {"alpha": loki_of("alpha"), "beta": loki_of("beta"), "bucket": with_a_bucket()}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_key_of_the_configuration_is_known_to_loki(name: str) -> None:
    """Both stacks, and logs in a bucket; values have the form that each key takes."""
    assert list(problems(json.loads(configuration_file(SETTINGS[name])))) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"retention_period"', '"retention_peroid"', "limits_config.retention_peroid not found"),
        ('"server": {', '"sever": {', "sever not found"),
        ('"168h"', '"168"', "limits_config.retention_period: '168' is not accepted"),
        ('"auth_enabled": false', '"auth_enabled": "no"', "auth_enabled: 'no' is not accepted"),
        ('"tsdb"', '"boltdb"', "schema_config.configs[0].store: 'boltdb' is not accepted"),
    ],
)
def test_a_wrong_key_or_value_is_found_without_loki(old: str, new: str, problem: str) -> None:
    """The control of the list: a key, a section, a duration without unit, a type, and a store."""
    text = configuration_file(loki_of("alpha"))
    assert old in text
    assert problem in list(problems(json.loads(text.replace(old, new))))


@pytest.mark.parametrize("name", SETTINGS)
def test_loki_accepts_the_configuration(tmp_path: Path, name: str) -> None:
    """Both stacks, and logs in a bucket."""
    text = run("loki", f"-config.file={write_configuration(tmp_path, SETTINGS[name])}", "-verify-config")
    assert "config is valid" in text


def test_loki_refuses_a_configuration_with_a_wrong_key(tmp_path: Path) -> None:
    """The control."""
    path = write_configuration(tmp_path, loki_of("alpha"))
    path.write_text(path.read_text().replace('"retention_period"', '"retention_peroid"'))
    assert "retention_peroid not found" in run("loki", f"-config.file={path}", "-verify-config", code=1)


def test_a_line_is_pushed_and_queried_back(loki: Loki, figures: Figures) -> None:
    """By its labels, with its text."""
    began = time.monotonic()
    assert loki.push(LABELS, "level=error a line to look for").status == 204
    found = loki.lines('{phase="alpha", service="archive-service"} |= "to look for"')
    seconds = time.monotonic() - began
    assert [line for _, line in found] == ["level=error a line to look for"]
    assert found[0][0].items() >= LABELS.items()
    assert found[0][0]["detected_level"] == "error"
    figures.add("observability: 5 log line", f"pushed and queried back in {seconds:.1f} s")


def test_what_services_send_by_otlp_gets_the_declared_labels_and_no_other(loki: Loki) -> None:
    """Whatever a sender says of itself is kept beside the line and opens no stream of its own."""
    attributes = {
        "service": "runner-service",
        "phase": "alpha",
        "pod": "runner-1",
        "user.id": "42",
        "service.name": "x",
    }
    assert loki.push_otlp(attributes, "sent by OTLP").status == 204
    ((labels, line),) = loki.lines('{service="runner-service"}')
    assert (line, labels["user_id"]) == ("sent by OTLP", "42")
    assert set(loki.ask("/loki/api/v1/labels").document["data"]) == {"service", "phase", "pod"}


def test_a_line_older_than_the_retention_is_refused_and_a_younger_one_is_kept(loki: Loki) -> None:
    """Loki's own clock decides; alpha keeps seven days."""
    retention = loki_of("alpha").retention_days
    refused = loki.push(LABELS | {"pod": "old"}, "too old", time.time_ns() - (retention + 1) * DAY)
    assert (refused.status, "timestamp too old" in refused.text) == (400, True)
    assert loki.push(LABELS | {"pod": "young"}, "in time", time.time_ns() - (retention - 1) * DAY).status == 204


def test_what_the_list_says_of_loki_is_what_loki_exports(loki: Loki) -> None:
    """The list of known metrics against the running program, which has refused a line, within the limit of a scrape."""
    assert loki.push(LABELS | {"pod": "refused"}, "too old", 1).status == 400
    lines = loki.ask("/metrics").text.splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert {metric.name for metric in exported_metrics() if metric.exporter == "loki"} <= names
    prometheus = platform_settings("alpha").prometheus
    assert prometheus is not None
    assert sum(not line.startswith("#") for line in lines) < prometheus.sample_limit


def test_a_line_that_is_too_long_is_cut(loki: Loki) -> None:
    """Not refused: its beginning is worth something."""
    longest = loki_of("alpha").limits.max_line_kibibytes * 1024
    assert loki.push(LABELS | {"pod": "long"}, "x" * (longest + 1000)).status == 204
    ((_, line),) = loki.lines('{pod="long"}')
    assert len(line.encode()) <= longest


def test_more_than_the_burst_at_once_is_sent_away(loki: Loki) -> None:
    """With the status at which Alloy waits and tries again; the line before still goes in."""
    limit = loki_of("alpha").limits.ingestion_burst_mebibytes * 2**20
    values = [[str(time.time_ns() + number), "y" * 200_000] for number in range(limit // 200_000 + 2)]
    answer = loki.ask("/loki/api/v1/push", {"streams": [{"stream": LABELS | {"pod": "many"}, "values": values}]})
    assert (answer.status, "ingestion rate limit exceeded" in answer.text) == (429, True)


def test_too_many_streams_are_refused(tmp_path: Path) -> None:
    """A label without bounds would lead to them."""
    settings = loki_of("alpha")
    few = settings.model_copy(update={"limits": settings.limits.model_copy(update={"max_streams": 10})})
    with running(tmp_path, few) as server:
        answers = [server.push({"service": "a", "phase": "alpha", "pod": f"p-{number}"}, "x") for number in range(12)]
    assert [answer.status for answer in answers[:10]] == [204] * 10
    assert [answer.status for answer in answers[10:]] == [429] * 2
    assert "maximum active stream limit exceeded" in answers[-1].text.lower()
