"""Exporters that a stack leaves out: nothing runs, nothing is scraped, and no alert is about what is not known."""

import functools
import json
from typing import Any

import pytest

from policy.stacks import load_stack, read_document

SIGNS = {
    "kubeState": ("kube-state-metrics", "kube_deployment", "RolloutStuck"),
    "redis": ("redis_exporter", '"port": 9121', "redis_up", "RedisWithoutOnePrimary"),
    "nats": ("prometheus-nats-exporter", '"port": 7777', "jetstream_server", "JetStreamConsumerLag"),
}
"""Texts in the objects of a stack, by the exporter without which they have no meaning."""


@functools.cache
def rendered(left_out: str | None) -> str:
    """Objects of beta without dashboards, as one text."""
    platform: dict[str, Any] = read_document("beta") | {"grafana": None}
    if left_out:
        platform["prometheus"] = dict(platform["prometheus"], exporters={left_out: None})
    return json.dumps(load_stack("beta", platform).manifests)


@pytest.mark.parametrize("exporter", SIGNS)
def test_an_exporter_that_is_null_leaves_no_trace(exporter: str) -> None:
    """The others stay as they are."""
    for other, signs in SIGNS.items():
        expected = [] if other == exporter else [sign for sign in signs if sign in rendered(None)]
        assert [sign for sign in signs if sign in rendered(exporter)] == expected


def test_by_default_all_of_them_run() -> None:
    """Each text is there, so that its absence means something."""
    assert {sign for signs in SIGNS.values() for sign in signs if sign not in rendered(None)} == set()
