"""docs/capacity.md: the sums of the stack files, and settings that refuse what is beyond a limit."""

from collections.abc import Mapping
from typing import Any

import pytest

from altlas.release.arithmetic import SCALES, arithmetic_page, load_balances, settings_balances
from components.kubernetes.load import StackLoad, stack_load
from components.settings import PlatformSettings
from rendering.recorder import record
from tests.documents.pages import ROOT
from tests.support.documents import STACKS, alpha_settings, alpha_with, only_problem
from tests.support.loopback import platform_settings


@pytest.fixture(scope="module")
def stacks() -> tuple[tuple[str, PlatformSettings, StackLoad], ...]:
    """Both stacks with their load."""
    settings = {stack: platform_settings(stack) for stack in STACKS}
    return tuple((stack, each, stack_load(record(stack, each).objects)) for stack, each in settings.items())


def test_the_page_is_that_of_the_stack_files(stacks: tuple[tuple[str, PlatformSettings, StackLoad], ...]) -> None:
    """If a stack file changes: `make capacity-page`."""
    assert arithmetic_page(stacks) == (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")


def test_sums_rise_with_the_scale(stacks: tuple[tuple[str, PlatformSettings, StackLoad], ...]) -> None:
    """At rest least, during an update at the maximum most; an update adds no volume, and nothing is above its limit."""
    for _, platform, load in stacks:
        for each in (*settings_balances(platform), *load_balances(load)):
            rest, update, peak, peak_update = each.amounts
            assert rest <= update <= peak_update == each.most, each.what
            assert rest <= peak <= peak_update, each.what
            assert each.limit is None or each.most <= each.limit, each.what
        volumes = {each.what: each.amounts for each in load_balances(load)}["size of all volumes"]
        assert volumes == (volumes[0],) * len(SCALES)


def test_an_update_with_a_canary_counts_its_pods_twice() -> None:
    """In connections and streams of logs as in pods: five of the gateway at most, two at rest."""
    rows = {}
    for changes in ({}, {"services.api-gateway.canary": {}, "ingress.api": "gateway"}):
        platform = alpha_settings(changes)
        load = load_balances(stack_load(record("alpha", platform).objects))
        rows[bool(changes)] = {each.what: each.amounts for each in (*settings_balances(platform), *load)}
    more = {
        what: tuple(now - before for now, before in zip(rows[True][what], rows[False][what], strict=True))
        for what in rows[True]
    }
    assert more["pods"] == (0, 2, 0, 5)
    assert more["streams of logs"] == (0, 8, 0, 20)


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "connections of PostgreSQL": ({"postgres.parameters.maxConnections": 79}, "maxConnections (79) is below the 80"),
    "memory of PostgreSQL": ({"postgres.parameters.sharedBuffersMebibytes": 433}, "let the server use 1025Mi"),
    "data in the memory of Redis": ({"redis.maxMemory": "385Mi"}, "maxMemory (385Mi) is above 75%"),
    "rewrite on a volume of Redis": ({"redis.storageSize": "511Mi"}, "storageSize (511Mi) is below 2 times"),
    "streams on a volume of NATS": ({"nats.storageSize": "1137Mi"}, "only 1023Mi are for them"),
    "streams of logs": ({"loki.limits": {"maxStreams": 151}}, "maxStreams (151) is below the 152 streams"),
    "logs on the volume of Loki": ({"loki.storageSize": "3982Mi"}, "only 3583Mi are for logs"),
    "metrics on a volume of Prometheus": ({"prometheus.storageSize": "1543Mi"}, "takes 1235Mi"),
}
"""Change of alpha that puts each sum just beyond its limit, and a part of the message."""


def test_every_limit_of_the_page_is_tried() -> None:
    """A new row needs a case of refusal below."""
    assert [each.what for each in settings_balances(alpha_settings())] == list(REFUSED)


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_add_up_is_refused(what: str) -> None:
    """One more than fits, with both numbers."""
    changes, part = REFUSED[what]
    _, message = only_problem(alpha_with(changes))
    assert part in message
