"""Row of the table of rules, and the places that many rows are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

POD = "spec.template.spec"
MAIN = f"{POD}.containers[0]"
CONTEXT = f"{MAIN}.securityContext"
CRON = "spec.jobTemplate.spec.template.spec"
WEB = "Deployment/web"
ENFORCE = 'metadata.labels["pod-security.kubernetes.io/enforce"]'
NAME = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        rule: Identifier of the rule.
        target: Kind and name of the object that is changed; empty adds the value as an object of its own.
        path: Where it is changed.
        passes: What the rule lets pass there.
        fails: What the rule refuses there.
        found: Path of the violation, where it is not the changed one.
        on: Kind and name of the object that the violation names, where it is not the changed one.
    """

    rule: str
    target: str
    path: str
    passes: Any
    fails: Any
    found: str | None = None
    on: str | None = None
