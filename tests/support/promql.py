"""The PromQL queries of a stack, and which of them ask for metrics that no exporter has."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.kubernetes.object import Manifest
from components.observability.dashboards.grafana_configuration import PROMETHEUS_UID

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_MATCHERS = re.compile(r"\{[^}]*\}")
_DURATION = re.compile(r"\[[^\]]*\]|\b(?:offset|@)\s*-?[0-9a-z.]+")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_][A-Za-z0-9_:]*\}?")
_WORD = re.compile(r"(?<![0-9.])[a-zA-Z_:][a-zA-Z0-9_:]*(?![a-zA-Z0-9_:])(?!\s*\()")
_OPERATORS = ("and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right")
_KEYWORDS = frozenset((*_OPERATORS, "inf", "nan", "atan2"))


def metric_names(expression: str) -> frozenset[str]:
    """Names of the series that a PromQL expression asks for, as far as they stand outside of braces.

    A quick reading without Prometheus; the tests with the real programs compare it with Prometheus' own parser.
    """
    text = _STRING.sub('""', expression)
    for pattern in (_MATCHERS, _DURATION, _VARIABLE, _GROUPING):
        text = pattern.sub(" ", text)
    return frozenset(word for word in _WORD.findall(text) if word.lower() not in _KEYWORDS)


@dataclass(frozen=True)
class PlacedQuery:
    """A query of a rule or a dashboard.

    Attributes:
        place: Rule, or dashboard and panel, for people.
        source: Identifier of the datasource that is asked.
        expression: The query.
    """

    place: str
    source: str
    expression: str


def dashboards_of(made: Sequence[Manifest]) -> dict[str, dict[str, Any]]:
    """The dashboards that Grafana reads among objects, by file name."""
    contents = [
        each["data"]
        for each in made
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("grafana-configuration-")
    ]
    return {name: json.loads(text) for each in contents for name, text in each.items() if name.endswith(".json")}


def queries_of(document: Mapping[str, Any]) -> Iterator[PlacedQuery]:
    """Every query of a dashboard: those of panels, rows and annotations."""
    title = f"dashboard {document['title']!r}"
    for annotation in document.get("annotations", {}).get("list", ()):
        place = f"{title}, annotation {annotation['name']!r}"
        yield PlacedQuery(place, annotation["datasource"]["uid"], annotation["expr"])
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            place = f"{title}, panel {panel['title']!r}"
            yield PlacedQuery(place, target["datasource"]["uid"], target["expr"])


def unknown_metrics(made: Sequence[Manifest], known: frozenset[str]) -> list[str]:
    """Each query to Prometheus that asks for an unknown metric: its place and the metrics."""
    groups = [group for each in made if each["kind"] == "PrometheusRule" for group in each["spec"]["groups"]]
    queries = [
        PlacedQuery(f"rule {rule.get('alert') or rule['record']}", PROMETHEUS_UID, rule["expr"])
        for group in groups
        for rule in group["rules"]
    ]
    queries += [query for document in dashboards_of(made).values() for query in queries_of(document)]
    return [
        f"{query.place}: {', '.join(sorted(unknown))}"
        for query in queries
        if query.source == PROMETHEUS_UID and (unknown := metric_names(query.expression) - known)
    ]
