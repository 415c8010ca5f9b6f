"""Stores whose number of servers changes: the order of the objects, and the step that prepares the update."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.stack.configuration import PREPARES
from rendering.recorder import run_program
from rendering.root import ROOT
from tests.support.documents import STACKS
from tests.support.program import Program, build, configure, find, full_configuration

STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
SERVICE = "kubernetes:core/v1:Service"
CLUSTER = "kubernetes:postgresql.cnpg.io/v1:Cluster"


def program(stack: str) -> Program:
    """A whole stack."""
    values = full_configuration(stack)
    configure(values)
    return build(lambda: run_program(ROOT), stack)


def names(urns: Sequence[str]) -> set[str]:
    """Kind and name of what an object waits for."""
    return {"/".join(urn.rpartition("::")[::2]).rpartition(":")[2] for urn in urns if "kubernetes:" in urn}


def kubernetes_objects(of: Program) -> dict[tuple[str, str], Any]:
    """Registrations of the stores' objects, by type and name."""
    return {(each.type, each.name): each for each in of.requests if each.type.startswith("kubernetes:")}


def test_the_redis_service_leads_to_proxies_that_serve_before_the_servers_change() -> None:
    """They serve a single server, too, so the way from one to three begins with them. Alone, nothing waits for them."""
    beta = program("beta")
    assert "Deployment/redis-proxy" in names(beta.request(SERVICE, "redis").dependencies)
    assert "Service/redis" in names(beta.request(STATEFUL_SET, "redis").dependencies)
    proxies = find(beta.recorder.objects, "Deployment", "redis-proxy")
    assert proxies["spec"]["minReadySeconds"] == 3
    assert "Service/redis" not in names(program("alpha").request(STATEFUL_SET, "redis").dependencies)


@pytest.mark.parametrize("stack", STACKS)
def test_a_prepared_update_changes_numbers_of_servers_and_not_how_they_run(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers come or go first; their templates, and what commits wait for, follow with the update itself."""
    whole = kubernetes_objects(program(stack))
    monkeypatch.setenv(PREPARES, "1")
    prepared = kubernetes_objects(program(stack))
    assert prepared.keys() == whole.keys()
    assert {key for key, each in whole.items() if each.ignoreChanges} == set()
    held = {key: set(each.ignoreChanges) for key, each in prepared.items() if each.ignoreChanges}
    assert held == {(STATEFUL_SET, "redis"): {"spec.template"}, (CLUSTER, "postgres-db"): {"spec.postgresql"}}


@pytest.mark.parametrize("prepares", [False, True])
def test_while_an_update_is_prepared_services_read_messages_and_publish_none(
    prepares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is published between the last look and the change would stay with the old servers."""
    if prepares:
        monkeypatch.setenv(PREPARES, "1")
    users = find(program("alpha").recorder.objects, "Secret", "nats-users")
    accounts = users["stringData"]["accounts.conf"]
    assert accounts.count('"last.files"') == (0 if prepares else 2)
    assert accounts.count("$JS.API.CONSUMER.MSG.NEXT.LAST_FILES.archive-service") == 2
