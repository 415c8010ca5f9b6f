"""The objects of Redis and NATS: who reaches whom, where passwords stand, and what never changes later."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.services import SERVICES, message_flows
from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stores.nats import configuration as nats_configuration
from components.stores.nats import objects as nats_objects
from components.stores.redis import configuration as redis_configuration
from components.stores.redis import objects as redis_objects
from components.traffic.stack_graph import service_graph
from components.traffic.stores import declared_stores
from components.workloads.passwords import derived_password
from rendering.recorder import Recorder
from tests.support.documents import STACKS, alpha_settings, platform_of
from tests.support.program import find, surroundings_without_engine

PROXY = {"app.kubernetes.io/name": "redis-proxy", "app.kubernetes.io/part-of": "alt-las"}
REDIS = {"app.kubernetes.io/name": "redis", "app.kubernetes.io/part-of": "alt-las"}
GATEWAY = {"app.kubernetes.io/name": "api-gateway", "app.kubernetes.io/part-of": "alt-las"}


def settings(stack: str) -> PlatformSettings:
    """Settings of a stack file."""
    return parse_platform(platform_of(stack))


def callers(policy: Mapping[str, Any]) -> list[tuple[list[str], list[int]]]:
    """Names of the pods that each rule of a policy lets in, with the ports."""
    return [
        (
            [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in rule["from"]],
            [port["port"] for port in rule["ports"]],
        )
        for rule in policy["spec"]["ingress"]
    ]


def test_a_single_redis_is_reached_by_the_gateway_and_reaches_nobody(programs: Mapping[str, Recorder]) -> None:
    """Not even DNS."""
    policy = find(programs["alpha"].objects, "NetworkPolicy", "redis")
    assert callers(policy) == [(["api-gateway", "redis-backup"], [6379]), (["prometheus"], [9121])]
    assert policy["spec"]["egress"] == []


def test_several_redis_servers_are_reached_by_proxies_and_by_each_other(programs: Mapping[str, Recorder]) -> None:
    """The gateway reaches the proxies only."""
    objects = programs["beta"].objects
    servers = find(objects, "NetworkPolicy", "redis")
    assert callers(servers) == [
        (["redis-proxy", "redis-backup"], [6379]),
        (["redis"], [6379, 26379]),
        (["prometheus"], [9121]),
    ]
    assert callers(find(objects, "NetworkPolicy", "redis-proxy")) == [(["api-gateway", "redis-backup"], [6379])]
    egress = find(objects, "NetworkPolicy", "api-gateway")["spec"]["egress"]
    assert {"podSelector": {"matchLabels": PROXY}} in [peer for rule in egress for peer in rule["to"]]
    assert {"podSelector": {"matchLabels": REDIS}} not in [peer for rule in egress for peer in rule["to"]]


def test_nats_is_reached_by_its_services_the_job_and_its_own_servers(programs: Mapping[str, Recorder]) -> None:
    """Each on one port; the monitoring port is for the kubelet alone."""
    clients = (["archive-service", "nats-backup", "runner-service", "nats-streams"], [4222])
    scraper = (["prometheus"], [7777])
    assert callers(find(programs["alpha"].objects, "NetworkPolicy", "nats")) == [clients, scraper]
    assert callers(find(programs["beta"].objects, "NetworkPolicy", "nats")) == [clients, (["nats"], [6222]), scraper]


@pytest.mark.parametrize("stack", STACKS)
def test_the_address_of_redis_leads_to_what_the_graph_says(programs: Mapping[str, Recorder], stack: str) -> None:
    """The Service selects the very pods that callers may reach."""
    platform = settings(stack)
    graph = service_graph(SERVICES, platform, declared_stores(platform))
    service = find(programs[stack].objects, "Service", "redis")
    assert service["spec"]["selector"] == graph.selector_of("redis")


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", ["redis", "nats"])
def test_servers_keep_their_volumes_and_stand_apart_where_they_elect_a_leader(
    programs: Mapping[str, Recorder], stack: str, name: str
) -> None:
    """Two servers on one node would be lost together."""
    spec = find(programs[stack].objects, "StatefulSet", name)["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert spec["podManagementPolicy"] == "Parallel"
    affinity = spec["template"]["spec"]["affinity"]["podAntiAffinity"]
    strength = "required" if spec["replicas"] > 1 else "preferred"
    assert affinity.keys() == {f"{strength}DuringSchedulingIgnoredDuringExecution"}


@pytest.mark.parametrize("stack", STACKS)
def test_servers_of_postgres_stand_apart_where_one_of_them_takes_over(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """Two of three on one node would be lost together, and with them the majority."""
    spec = find(programs[stack].objects, "Cluster", "postgres-db")["spec"]
    assert spec["affinity"]["podAntiAffinityType"] == ("required" if spec["instances"] > 1 else "preferred")


NATS_USERS = {"runner-service": "r1", "runner-service-2": "r2", "archive-service": "a1", "archive-service-2": "a2"}


def test_passwords_stand_in_secrets_only_and_there_as_hashes_where_the_server_can() -> None:
    """The users' files tell nobody how to log in."""
    platform = settings("beta")
    assert platform.nats is not None
    callers = ("of-the-gateway", "of-the-gateway-too")
    acl = redis_objects.users_content(callers, "internal")["users.acl"]
    internal = redis_objects.internal_passwords("internal")
    assert not [password for password in (*callers, *internal.values()) if password in acl]
    passwords = nats_objects.internal_passwords("internal") | NATS_USERS
    servers = nats_objects.servers(surroundings_without_engine(platform))
    accounts = nats_objects.users_content(platform.nats, message_flows(SERVICES), passwords)["accounts.conf"]
    assert not [password for password in passwords.values() if f'"{password}"' in accounts]
    routes = nats_objects.secret_content(platform.nats, servers, passwords)["routes.conf"]
    assert passwords["cluster"] in routes, "each server presents it to the others"


def test_every_user_has_a_password_of_its_own() -> None:
    """One that leaks opens one door."""
    users = redis_objects.internal_passwords("internal")
    assert {*users, redis_objects.CALLER} == redis_configuration.ACL_RULES.keys()
    assert len(set(users.values())) == len(users)
    assert derived_password("internal", "backup") != derived_password("other", "backup")


def test_the_same_password_has_the_same_hash() -> None:
    """Else every update would restart every server."""
    assert nats_configuration.password_hash("secret") == nats_configuration.password_hash("secret")
    assert nats_configuration.password_hash("secret") != nats_configuration.password_hash("Secret")


def test_the_job_has_another_name_for_another_declaration_only() -> None:
    """A Job cannot be changed, and the streams of the same declaration need no second one."""
    assert job_name("alpha") == job_name("alpha")
    assert job_name("alpha") != job_name("beta")


@pytest.mark.parametrize(
    "changes",
    [
        {"rollout": {"imagePullPolicy": "IfNotPresent"}},
        {
            "nats.toolsResources": {
                "requests": {"cpu": "60m", "memory": "64Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            }
        },
        {"mesh": {"mode": "ambient"}},
        {"nats.toolsImage": {"repository": "natsio/nats-box", "tag": "0.99.0"}},
    ],
    ids=["pull policy", "resources", "mesh", "image"],
)
def test_the_job_has_another_name_for_every_other_template(changes: dict[str, Any]) -> None:
    """The template of a Job is immutable; under the same name the API server would refuse it."""
    assert job_name("alpha", changes) != job_name("alpha")


def test_the_name_of_a_secret_that_only_the_engine_knows_is_not_part_of_the_job_s_name() -> None:
    """The name must be known when the Job is planned."""
    template = {"b": [{"secret": pulumi.Output.from_input("x")}], "a": 1}
    assert nats_objects.template_without_outputs(template) == {"a": 1, "b": [{"secret": None}]}


def job_name(stack: str, changes: dict[str, Any] | None = None) -> str:
    """Name of the Job that makes the streams."""
    platform = alpha_settings(changes) if changes else settings(stack)
    assert platform.nats is not None
    job = nats_objects.streams_job(platform.nats, surroundings_without_engine(platform), "secret")
    return str(job["metadata"]["name"])


def test_a_service_gets_permissions_for_what_it_declares(programs: Mapping[str, Recorder]) -> None:
    """The runner publishes; the archive takes part in its queue group and may acknowledge."""
    text = find(programs["alpha"].objects, "Secret", "nats-users")["stringData"]["accounts.conf"]
    accounts = json.loads(text.removeprefix("accounts: ").rpartition("system_account")[0])
    users = {each["user"]: each["permissions"] for each in accounts["PLATFORM"]["users"]}
    assert users.keys() == {*NATS_USERS, "streams", "backup", "restore"}
    assert all(users[f"{service}-2"] == users[service] for service in ("runner-service", "archive-service"))
    assert users["runner-service"] == {
        "publish": {"allow": ["last.files"]},
        "subscribe": {"allow": ["_INBOX.>"]},
    }
    assert users["archive-service"]["subscribe"] == {"allow": ["_INBOX.>", "last.files archive-service"]}
    assert "last.files" not in users["archive-service"]["publish"]["allow"]
