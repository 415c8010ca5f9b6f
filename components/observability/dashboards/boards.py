"""The dashboards of a stack, made from what it declares. Needs grafana-foundation-sdk, so it is imported late."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from components.observability.dashboards.deployments import deployments_board
from components.observability.dashboards.logs import logs_board
from components.observability.dashboards.overview import overview
from components.observability.dashboards.service import service_board
from components.observability.dashboards.stores import stores_board
from components.observability.dashboards.view import View


def dashboards(view: View) -> dict[str, dict[str, Any]]:
    """Every dashboard of a stack as Grafana reads it, by its identifier."""
    boards = [
        overview(view),
        *(service_board(view, service) for service in view.services),
        *([stores_board(view)] if view.stores else []),
        deployments_board(view),
        *([logs_board(view)] if view.logs else []),
    ]
    encoder = JSONEncoder(sort_keys=True)
    documents = [_numbered(json.loads(encoder.encode(each.build()))) for each in boards]
    return {document["uid"]: document for document in documents}


def _numbered(document: dict[str, Any]) -> dict[str, Any]:
    """The same with an identifier for each panel, which Grafana would else choose at every start."""
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
    return document
