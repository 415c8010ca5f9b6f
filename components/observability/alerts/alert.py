"""Alert: when it fires, how bad it is, and where its runbook lies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["page", "ticket", "heartbeat"]
"""Severity: page at any hour, ticket for a working day, or the heartbeat."""

RUNBOOKS = "docs/runbooks"
"""Folder of the runbooks, one page for each name of an alert."""

RUNBOOK_ADDRESS = f"https://github.com/krozenking/ALT_LAS/blob/main/{RUNBOOKS}"


def runbook_page(name: str) -> str:
    """File name of the runbook of an alert, such as `target-down.md`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() + ".md"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        name: Name, also of its runbook.
        expression: PromQL that has a result while something is wrong.
        minutes: How long it must be wrong before the alert fires.
        severity: How bad it is.
        summary: What is wrong, in one line; may use the labels of the result.
        description: What it means to users, and since when it counts.
        labels: Further labels of the alert.
    """

    name: str
    expression: str
    minutes: int
    severity: Severity
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_rule(self) -> dict[str, Any]:
        """The alert as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            **({"for": f"{self.minutes}m"} if self.minutes else {}),
            "labels": {**self.labels, "severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOK_ADDRESS}/{runbook_page(self.name)}",
            },
        }
