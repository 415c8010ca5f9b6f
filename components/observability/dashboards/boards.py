"""The dashboards of a stack, made from what it declares. Needs grafana-foundation-sdk, so it is imported late."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from components.observability.alerts.queries import require_known
from components.observability.dashboards.deployments import deployments_board
from components.observability.dashboards.grafana_configuration import PROMETHEUS_UID
from components.observability.dashboards.logs import logs_board
from components.observability.dashboards.overview import overview
from components.observability.dashboards.service import service_board
from components.observability.dashboards.stores import stores_board
from components.observability.dashboards.view import View


@dataclass(frozen=True)
class PlacedQuery:
    """A query of a dashboard.

    Attributes:
        place: Dashboard and panel, for people.
        source: Identifier of the datasource that is asked.
        expression: The query.
    """

    place: str
    source: str
    expression: str


def dashboards(view: View, known: Collection[str]) -> dict[str, dict[str, Any]]:
    """Every dashboard of a stack as Grafana reads it, by its identifier.

    Args:
        view: The stack.
        known: Names of the series that somebody exports or records.

    Raises:
        UnknownMetricError: A query asks for what nobody exports.
    """
    boards = [
        overview(view),
        *(service_board(view, service) for service in view.services),
        *([stores_board(view)] if view.stores else []),
        deployments_board(view),
        *([logs_board(view)] if view.logs else []),
    ]
    encoder = JSONEncoder(sort_keys=True)
    documents = [_numbered(json.loads(encoder.encode(each.build()))) for each in boards]
    check_queries(documents, frozenset(known))
    return {document["uid"]: document for document in documents}


def check_queries(documents: Iterable[Mapping[str, Any]], known: frozenset[str]) -> None:
    """Refuse dashboards that ask for what nobody exports.

    Raises:
        UnknownMetricError: Names the metric, the dashboard and the panel.
    """
    for document in documents:
        for query in queries_of(document):
            if query.source == PROMETHEUS_UID:
                require_known(query.place, query.expression, known)


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


def _numbered(document: dict[str, Any]) -> dict[str, Any]:
    """The same with an identifier for each panel, which Grafana would else choose at every start."""
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
    return document
