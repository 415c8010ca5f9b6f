"""Dashboards: checked against Grafana's schema, every query parsed by the program that answers it.

Grafana itself cannot be had here, so that it shows them is not proven here.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.observability.dashboards.grafana_configuration import LOKI_UID, PROMETHEUS_UID
from tests.observability.logql import as_promql, labels
from tests.observability.loki_server import Loki, loki_of, running
from tests.support.documents import STACKS
from tests.support.figures import Figures
from tests.support.known_metrics import series_of
from tests.support.loopback import platform_settings
from tests.support.programs import objects, parsed, run
from tests.support.promql import PlacedQuery, dashboards_of, metric_names, queries_of

pytestmark = pytest.mark.data
VARIABLES = {"$__rate_interval": "5m", "$__auto": "1m", "$service": "api-gateway|nats", "$search": "time.?out"}
"""What Grafana puts in place of a variable, by one example."""


def queries(stack: str, source: str) -> list[PlacedQuery]:
    """Every query of a stack's dashboards to one datasource."""
    return [
        query for each in dashboards_of(objects(stack)).values() for query in queries_of(each) if query.source == source
    ]


def filled(query: PlacedQuery) -> str:
    """The query with an example for each variable, as Grafana would send it."""
    text = query.expression
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    assert "$" not in text.replace('"$1"', ""), f"{query.place} has an unknown variable"
    return text


def write(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Files of some dashboards."""
    paths = [folder / name for name in documents]
    for path, document in zip(paths, documents.values(), strict=True):
        path.write_text(json.dumps(document), encoding="utf-8")
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """A Loki that reads queries."""
    with running(tmp_path_factory.mktemp("loki"), loki_of("alpha")) as server:
        yield server


@pytest.mark.parametrize("stack", STACKS)
def test_every_dashboard_keeps_to_grafana_s_schema(tmp_path: Path, stack: str, figures: Figures) -> None:
    """Panels and queries by the schemas of their own kinds; a service has a dashboard by being declared."""
    documents = dashboards_of(objects(stack))
    run("grafana-schema", *write(tmp_path, documents))
    services = platform_settings(stack).services.by_name()
    shared = {"alt-las-overview.json", "alt-las-stores.json", "alt-las-deployments.json", "alt-las-logs.json"}
    assert documents.keys() == {f"alt-las-{name}.json" for name in services} | shared
    figures.add(f"observability: 7 dashboards, {stack}", f"{len(documents)}; shown by Grafana: not proven here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "titel"),
        ({"refresh": 5}, "refresh"),
        ({"panels": [{"type": "stat", "options": {"colorMood": "value"}}]}, "colorMood"),
    ],
)
def test_a_dashboard_with_a_wrong_field_is_refused(tmp_path: Path, change: Mapping[str, Any], message: str) -> None:
    """The control: an unknown field, a wrong type, and an unknown option of a panel."""
    document = dashboards_of(objects("alpha"))["alt-las-overview.json"] | dict(change)
    assert message in run("grafana-schema", *write(tmp_path, {"wrong.json": document}), code=1)


@pytest.mark.parametrize("stack", STACKS)
def test_every_query_to_prometheus_parses_and_asks_for_known_metrics_only(stack: str, figures: Figures) -> None:
    """By Prometheus' own parser."""
    asked = [filled(query) for query in queries(stack, PROMETHEUS_UID)]
    answers = parsed(asked)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert [set(answer["series"]) for answer in answers] == [set(metric_names(query)) for query in asked]
    known = series_of(platform_settings(stack))
    assert set().union(*(answer["series"] for answer in answers)) - known == set()
    assert len(asked) > 50
    text = f"parsed {len(answers)} of {len(asked)}, unknown metrics 0"
    figures.add(f"observability: 8 queries of dashboards to Prometheus, {stack}", text)


@pytest.mark.parametrize("stack", STACKS)
def test_every_query_to_loki_parses_around_its_lines(stack: str, figures: Figures) -> None:
    """Selectors, filters and aggregations, by Prometheus' own parser; labels are those of the streams."""
    asked = [filled(query) for query in queries(stack, LOKI_UID)]
    answers = parsed([as_promql(query) for query in asked])
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert {name for query in asked for name in labels(query)} <= {*loki_of(stack).stream_labels, "detected_level"}
    assert len(asked) > 10
    figures.add(f"observability: 9 queries of dashboards to Loki, {stack}", f"read {len(asked)} of {len(asked)}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('{phase="alpha"', "unexpected end of input inside braces"),
        ('sum by (service) (rait({phase="alpha"} [1m]))', 'unknown function with name "rait"'),
        ('rate({phase="alpha"} |= "x")', "expected type range vector"),
        ('{phase="alpha"} |~ `(x`', "missing closing )"),
        ('{phase="alpha"} | detected_level=~"error" | jsn', "unexpected character"),
    ],
)
def test_a_wrong_query_to_loki_is_found_without_loki(query: str, message: str) -> None:
    """The control: a brace, a function, a range, an expression in a filter, and a stage that no dashboard uses."""
    (answer,) = parsed([as_promql(query)])
    assert message in answer["error"]


@pytest.mark.parametrize("stack", STACKS)
def test_every_query_to_loki_parses(loki: Loki, stack: str) -> None:
    """By Loki itself."""
    asked = [(query.place, filled(query)) for query in queries(stack, LOKI_UID)]
    answers = {place: loki.ask("/loki/api/v1/format_query", query=query) for place, query in asked}
    assert {place: answer.text for place, answer in answers.items() if answer.status != 200} == {}


def test_loki_refuses_a_query_that_does_not_parse(loki: Loki) -> None:
    """The control."""
    answer = loki.ask("/loki/api/v1/format_query", query='{phase="alpha"')
    assert (answer.status, "parse error" in answer.text) == (400, True)


def test_the_queries_of_the_logs_dashboard_find_the_line_that_was_pushed(loki: Loki) -> None:
    """By service, by text, and as a rate of failures."""
    line = "level=error upstream timeout"
    assert loki.push({"service": "nats", "phase": "alpha", "pod": "nats-0"}, line).status == 204
    by_place = {query.place: filled(query) for query in queries("alpha", LOKI_UID) if "'Logs'" in query.place}
    assert [text for _, text in loki.lines(by_place["dashboard 'Logs', panel 'Newest lines'"])] == [line]
    failures = by_place["dashboard 'Logs', panel 'Lines that report a failure'"]
    (found,) = loki.ask("/loki/api/v1/query", query=failures).document["data"]["result"]
    assert (found["metric"], float(found["value"][1]) > 0) == ({"service": "nats"}, True)
