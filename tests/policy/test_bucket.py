"""Egress to buckets and alert receivers: one rule for all pods that use one, public or in ranges of its own."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from altlas.backup.postgres_recovery import recovered_cluster
from policy.manifests import Manifest
from policy.proof.declaration import declaration_of
from policy.proof.reachability import prove
from policy.stacks import Stack, load_stack, read_document

BUCKETS: dict[str, dict[str, Any]] = {
    "public": {"endpoint": "https://s3.example.com:9000", "bucket": "backups"},
    "private": {"endpoint": "https://s3.example.com", "bucket": "backups", "ranges": ["192.168.7.0/28"]},
}


def with_bucket(where: str) -> Stack:
    """Alpha with a bucket."""
    document = read_document("alpha")
    backup: dict[str, Any] = document["backup"] | {"objectStore": BUCKETS[where]}
    return load_stack("alpha", document | {"backup": backup})


def egress_of(manifests: list[Manifest], name: str) -> list[Manifest]:
    """Rules for what leaves some pods."""
    (policy,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", name))
    rules: list[Manifest] = policy["spec"]["egress"]
    return rules


def to_bucket(rules: list[Manifest]) -> list[Manifest]:
    """Those of them that lead to addresses that are neither the API server's nor DNS."""
    blocks = (rule for rule in rules if any("ipBlock" in peer for peer in rule["to"]))
    return [rule for rule in blocks if rule["to"][0]["ipBlock"]["cidr"] not in {"10.96.0.1/32", "10.43.0.1/32"}]


@pytest.mark.parametrize("where", BUCKETS)
def test_all_pods_that_use_the_bucket_have_the_same_rule(where: str) -> None:
    """The log is archived from the servers' pods, and a recovered copy reads it: all have the rule of the backups."""
    manifests = list(with_bucket(where).manifests)
    (expected,) = to_bucket(egress_of(manifests, "postgres-backup"))
    copies = recovered_cluster(manifests, "recovered", datetime(2026, 1, 1, tzinfo=UTC), "postgres-1")
    assert to_bucket(egress_of(manifests, "postgres-db")) == [expected]
    assert to_bucket(egress_of(copies, "recovered")) == [expected]
    assert expected["ports"] == [{"protocol": "TCP", "port": 9000 if where == "public" else 443}]


@pytest.mark.parametrize("where", BUCKETS)
def test_a_server_that_cannot_archive_its_log_is_found(where: str) -> None:
    """The prover misses the edge, and finds no other difference."""
    stack = with_bucket(where)
    assert prove(stack.manifests, declaration_of(stack.platform)).differences == ()
    manifests = copy.deepcopy(list(stack.manifests))
    rules = egress_of(manifests, "postgres-db")
    rules.remove(*to_bucket(rules))
    differences = prove(manifests, declaration_of(stack.platform)).differences
    assert {(each.kind, each.source) for each in differences} == {("missing", "postgres")}


def test_without_a_bucket_the_servers_reach_nothing_outside() -> None:
    """As always."""
    assert to_bucket(egress_of(list(load_stack("alpha").manifests), "postgres-db")) == []


LOGS = BUCKETS["private"] | {"endpoint": "https://s3.example.com:9000", "since": "2027-01-01"}
MAIL = {"to": "a@example.com", "sender": "b@example.com", "host": "relay.example.com"}
RELAY = {"name": "relay", "mail": MAIL, "ranges": ["192.168.8.0/24", "10.9.0.4/32"]}
CHAT = {"name": "chat", "webhook": {"url": "https://chat.example.com:8443/hook"}}


@pytest.mark.parametrize(
    ("pods", "block", "rules"),
    [
        ("loki", {"loki": {"objectStore": LOGS}}, [(["192.168.7.0/28"], 9000)]),
        (
            "alertmanager",
            {"alertmanager": {"receivers": [RELAY, CHAT], "routes": {"page": "chat", "ticket": "relay"}}},
            [(["0.0.0.0/0"], 8443), (["192.168.8.0/24", "10.9.0.4/32"], 587)],
        ),
    ],
)
def test_logs_and_alerts_reach_what_is_in_private_ranges(
    pods: str, block: dict[str, Any], rules: list[tuple[list[str], int]]
) -> None:
    """On the port that the settings name, and the prover misses each edge that is closed."""
    document = read_document("alpha")
    stack = load_stack("alpha", document | {key: (document.get(key) or {}) | value for key, value in block.items()})
    found = to_bucket(egress_of(list(stack.manifests), pods))
    assert [([peer["ipBlock"]["cidr"] for peer in rule["to"]], rule["ports"][0]["port"]) for rule in found] == rules
    assert prove(stack.manifests, declaration_of(stack.platform)).differences == ()
    for position in range(len(found)):
        manifests = copy.deepcopy(list(stack.manifests))
        given = egress_of(manifests, pods)
        given.remove(to_bucket(given)[position])
        differences = prove(manifests, declaration_of(stack.platform)).differences
        # Pods that are ours are also judged as their canary would be.
        assert {(each.kind, each.source.removesuffix(" (canary)")) for each in differences} == {("missing", pods)}
