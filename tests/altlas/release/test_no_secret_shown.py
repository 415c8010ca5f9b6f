"""Secrets in a change: none in text, Markdown, JSON or steps; a planted one is found."""

import json
from typing import Any

from altlas.release.document import as_document
from altlas.release.markdown import as_markdown
from altlas.release.stack_change import change_of
from altlas.release.text import as_text
from components.settings.alertmanager import MAIL_SECRET, WEBHOOK_SECRET
from components.settings.secrets import SECRETS
from rendering.recorder import Registration, record
from tests.support.documents import REMOVED, alpha_with

KEYS = (*(secret.key for secret in SECRETS if secret.required or secret.needed_by), MAIL_SECRET)


def recorded(life: str, changes: dict[str, Any]) -> list[Registration]:
    """Alpha with a canary for each secret."""
    secrets = {key: f"canary-{life}-{key}" for key in KEYS} | {WEBHOOK_SECRET: f"https://canary-{life}.example.com"}
    return record("alpha", alpha_with(changes), secrets).registrations


def hits(before: list[Registration], after: list[Registration]) -> int:
    """Canaries in everything that shows the change from one to the other."""
    change = change_of(("alpha", "beta"), (), (), (before, after))
    return sum(
        text.count("canary-") for text in (as_text(change), as_markdown(change), json.dumps(as_document(change)))
    )


def test_no_secret_of_a_stack_is_shown() -> None:
    """All secrets changed, and Secrets created and deleted; the recorded objects do hold them."""
    one, other = recorded("1", {}), recorded("2", {"nats": REMOVED})
    assert json.dumps([each.inputs for each in one]).count("canary-1-") >= len(KEYS) // 2
    assert hits(one, other) == hits(other, one) == hits([], one) == 0


def test_a_planted_secret_is_found() -> None:
    """Control: in a ConfigMap, where no secret belongs."""
    planted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "canary-x"}}
    assert hits([], [Registration("kubernetes:core/v1:ConfigMap", "c", planted)]) > 0
