"""Gate: every host name that a program reads is one that this program's own resolver finds in the cluster."""

import copy
import functools
from typing import Any

import pytest

from policy.manifests import Manifest, kind_of, name_of
from policy.stacks import load_stack, read_document
from tests.support.documents import STACKS
from tests.support.host_names import RESOLVERS, Resolver, Sighting, of_cluster, problems, served, sightings

DOMAIN = "cluster.local"
NAMESPACES = {"alpha": "alt-las", "beta": "alt-las-beta", "local": "alt-las-local", "node": "alt-las-node"}


@functools.cache
def rendered(stack: str) -> list[Manifest]:
    """Objects of a stack, rendered once."""
    return load_stack(stack).manifests


def problems_of(manifests: list[Manifest], stack: str = "beta", domain: str = DOMAIN) -> list[str]:
    """Problems that the gate finds in the objects of a stack."""
    return problems(sightings(manifests), served(manifests, domain), NAMESPACES[stack], domain)


@pytest.mark.parametrize("stack", STACKS)
def test_every_name_is_resolved_by_the_program_that_reads_it(stack: str) -> None:
    """All programs that read names are classified, and each one that is classified reads some in a stack."""
    manifests = rendered(stack)
    assert problems_of(manifests, stack) == []
    found = of_cluster(sightings(manifests), DOMAIN)
    assert {each.program for each in found} >= {"api-gateway", "backup", "alloy", "redis", "nats-box", "prometheus"}
    assert len(found) >= 30


BUCKET = {"endpoint": "https://s3.example.com:9000", "bucket": "backups"}
CHAT = {"name": "chat", "webhook": {"url": "https://chat.example.com/hook"}}


def test_every_program_of_the_table_reads_names() -> None:
    """In beta, with buckets and receivers: a program that reads none any more leaves the table."""
    document = read_document("beta")
    additions = {
        "backup": document["backup"] | {"objectStore": BUCKET},
        "loki": document["loki"] | {"objectStore": BUCKET | {"since": "2027-01-01"}},
        "alertmanager": document["alertmanager"] | {"receivers": [CHAT], "routes": {"page": "chat", "ticket": "chat"}},
    }
    manifests = load_stack("beta", document | additions).manifests
    assert problems_of(manifests) == []
    assert {each.program for each in sightings(manifests)} == RESOLVERS.keys()


def test_another_cluster_domain_changes_the_names_that_need_it() -> None:
    """HAProxy's; all others find theirs by the search domains."""
    manifests = load_stack("beta", read_document("beta") | {"clusterDomain": "k8s.example.org"}).manifests
    assert problems_of(manifests, domain="k8s.example.org") == []
    wrong = [each for each in problems_of(manifests) if "haproxy" in each]
    assert len(wrong) == 3
    assert all("redis-servers.alt-las-beta.svc.k8s.example.org: haproxy cannot resolve it" in each for each in wrong)


def changed(kind: str, name: str, old: str, new: str) -> list[Manifest]:
    """Beta with a text replaced in the content of an object whose name begins so."""
    manifests = copy.deepcopy(rendered("beta"))
    (found,) = (m for m in manifests if kind_of(m) == kind and name_of(m).startswith(name))
    content = found["stringData" if kind == "Secret" else "data"]
    before = dict(content)
    content.update({key: str(value).replace(old, new) for key, value in content.items()})
    assert content != before
    return manifests


@pytest.mark.parametrize(
    ("kind", "name", "old", "new", "expected"),
    [
        # The fault that kept Redis of beta from ever being reached.
        ("ConfigMap", "redis-proxy-configuration", ".svc.cluster.local", ".svc", "haproxy cannot resolve it"),
        ("ConfigMap", "redis-proxy-configuration", "redis-0.", "redis-7.", "haproxy cannot resolve it"),
        ("ConfigMap", "alloy-configuration", "http://loki:", "http://loki-read:", "loki-read: alloy cannot"),
        ("ConfigMap", "grafana-configuration", "http://loki:", "http://loki.monitoring:", "loki.monitoring: grafana"),
        ("ConfigMap", "runner-service", "http://alloy:", "http://alloy.other.svc:", "alloy.other.svc: runner-service"),
        ("Secret", "nats-secrets", "nats-servers", "nats-peers", "nats cannot resolve it"),
        ("Secret", "archive-service-secrets", "@postgres-db:", "@postgres:", "postgres: archive-service cannot"),
    ],
)
def test_a_name_that_its_program_cannot_resolve_is_found(
    kind: str, name: str, old: str, new: str, expected: str
) -> None:
    """In every form: address, URL, route, variable."""
    found = problems_of(changed(kind, name, old, new))
    assert found
    assert all(expected in each for each in found)


def test_names_that_a_new_program_reads_are_red_until_it_is_classified() -> None:
    """Also those in a ConfigMap that no container of the stack mounts."""
    manifests = copy.deepcopy(rendered("beta"))
    (alloy,) = (m for m in manifests if (kind_of(m), name_of(m)) == ("Deployment", "alloy"))
    container: dict[str, Any] = alloy["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "registry.example.com/team/envoy:v1"
    loose = {
        "kind": "ConfigMap",
        "metadata": {"name": "loose", "namespace": "alt-las-beta"},
        "data": {"a": "http://one"},
    }
    found = problems_of([*manifests, loose])
    assert "loki: read by envoy, whose resolver is not in RESOLVERS" in found
    assert "one: read by ConfigMap loose, whose resolver is not in RESOLVERS" in found
    assert {each.partition(": ")[2].partition(",")[0] for each in found} == {"read by envoy", "read by ConfigMap loose"}


@pytest.mark.parametrize(
    ("resolver", "name", "first", "asked"),
    [
        (Resolver.OWN, "redis", "redis", 1),
        (Resolver.OWN, "redis.a.svc.cluster.local.", "redis.a.svc.cluster.local", 1),
        (Resolver.GLIBC, "redis", "redis.ns.svc.cluster.local", 4),
        (Resolver.MUSL, "a.b.c.svc", "a.b.c.svc.ns.svc.cluster.local", 4),
        (Resolver.GLIBC, "a.b.c.svc.cluster.local", "a.b.c.svc.cluster.local", 4),
        (Resolver.MUSL, "a.b.c.svc.cluster.local", "a.b.c.svc.cluster.local", 1),
    ],
)
def test_resolvers_differ_in_what_they_ask_for(resolver: Resolver, name: str, first: str, asked: int) -> None:
    """By search domains and ndots."""
    found = resolver.candidates(name, "ns", DOMAIN)
    assert (found[0], len(found)) == (first, asked)


def test_a_public_name_is_not_asked_of_the_cluster() -> None:
    """And a name that no zone of the cluster has is no public name."""
    names = ("s3.example.com", "redis", "redis.a.svc", "redis.a", "x.svc.cluster.local", "alt-las.local")
    found = of_cluster({Sighting("backup", name) for name in names}, DOMAIN)
    assert {each.name for each in found} == {"redis", "redis.a.svc", "redis.a", "x.svc.cluster.local"}
