"""Common base of the services: the graph that they declare, and the base that makes their workloads."""

from typing import Any

import pytest

from components.kubernetes.naming import is_dns_label
from components.services import SERVICES, Service, ServiceArgs
from components.settings.services import ApiGatewaySettings
from components.traffic.graph import Call, ServiceGraphError, Store
from components.traffic.stack_graph import service_graph
from components.workloads.workload import WorkloadArgs, service_pod
from tests.support.documents import alpha_settings
from tests.support.environment import environment_of
from tests.support.program import surroundings_without_engine

DECLARED = {
    Call("api-gateway", "segmentation-service"),
    Call("api-gateway", "runner-service"),
    Call("api-gateway", "archive-service"),
    Call("api-gateway", "ai-orchestrator"),
    Call("segmentation-service", "ai-orchestrator"),
    Call("runner-service", "ai-orchestrator"),
}


class Stranger(Service[ApiGatewaySettings]):
    """A gateway that calls a service which does not exist."""

    service_name = "api-gateway"
    calls = ("nobody",)


def test_the_services_are_the_five_of_the_stack_file_in_its_order() -> None:
    """One class for each key, none forgotten."""
    assert [service.service_name for service in SERVICES] == list(alpha_settings().services.by_name())


def test_the_graph_is_what_the_services_declare() -> None:
    """Six calls, one way in, one way out, and the ports of the pods."""
    graph = service_graph(SERVICES, alpha_settings())
    assert graph.calls == DECLARED
    assert graph.entered_from_ingress == {"api-gateway"}
    assert graph.reaching_internet == {"ai-orchestrator"}
    assert graph.ports == {
        "api-gateway": 3000,
        "runner-service": 8080,
        "segmentation-service": 8000,
        "ai-orchestrator": 8001,
        "archive-service": 9000,
    }


def test_a_stack_may_add_calls_to_the_graph() -> None:
    """Beyond what the code makes by itself; a call that is declared already stays one edge."""
    added = [
        {"caller": "ai-orchestrator", "callee": "segmentation-service"},
        {"caller": "api-gateway", "callee": "ai-orchestrator"},
    ]
    graph = service_graph(SERVICES, alpha_settings({"additionalCalls": added}))
    assert graph.calls == DECLARED | {Call("ai-orchestrator", "segmentation-service")}


def test_a_store_is_part_of_the_graph_only_where_the_stack_runs_it() -> None:
    """Its callers are the services that declare it; the other stores of theirs are not there to be called."""
    nats = Store(name="nats", port=4222, pod_labels={"app": "nats"})
    graph = service_graph(SERVICES, alpha_settings(), [nats])
    assert graph.calls == DECLARED | {Call("runner-service", "nats"), Call("archive-service", "nats")}
    assert graph.ports["nats"] == 4222
    assert graph.selector_of("nats") == {"app": "nats"}


def test_a_service_that_declares_an_unknown_callee_is_refused() -> None:
    """The mistake is in the code, so it is found by the first test that builds the graph."""
    with pytest.raises(ServiceGraphError, match=r"names the unknown service 'nobody'; known: api-gateway, runner-"):
        service_graph([Stranger, *SERVICES[1:]], alpha_settings())


def test_an_address_is_made_of_name_and_port() -> None:
    """Inside the namespace the name alone is enough."""
    environment = environment_of("api-gateway", {"services.archive-service.port": 9001})
    assert environment["ARCHIVE_SERVICE_URL"] == "http://archive-service:9001"


def test_a_service_must_say_what_its_environment_is() -> None:
    """There is no default that could be forgotten."""
    platform = alpha_settings()
    args = ServiceArgs(
        surroundings=surroundings_without_engine(platform),
        settings=platform.services.archive_service,
        autoscaling=platform.autoscaling,
        addresses={},
        public_host="",
    )
    with pytest.raises(NotImplementedError):
        Service.environment(args)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.service_name))
def test_every_writable_path_makes_a_volume_name_of_its_own(service: type[Service[Any]]) -> None:
    """Two paths with one name, or a name that is no DNS label, would be refused by Kubernetes only."""
    platform = alpha_settings()
    args = WorkloadArgs(
        component=service.component,
        settings=platform.services.by_name()[service.service_name],
        autoscaling=platform.autoscaling,
        surroundings=surroundings_without_engine(platform),
        environment={},
        secret_environment={},
        writable_paths=service.writable_paths,
        service_port=80,
    )
    names = [volume["name"] for volume in service_pod(service.service_name, args, None).volumes]
    assert len(set(names)) == len(names)
    assert all(is_dns_label(name) for name in names)
