"""The service graph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.traffic.graph import Call, Job, Outside, ServiceGraph, ServiceGraphError, calls_from

PORTS = {"web": 3000, "worker": 8080, "store": 9000}


def graph(*calls: Call, entered: frozenset[str] = frozenset(), internet: frozenset[str] = frozenset()) -> ServiceGraph:
    """A graph of three services."""
    return ServiceGraph(ports=PORTS, calls=frozenset(calls), entered_from_ingress=entered, reaching_internet=internet)


def test_callers_and_callees_come_in_alphabetical_order() -> None:
    """The order of a set must not decide the text of a policy."""
    made = graph(Call("worker", "store"), Call("web", "store"), Call("web", "worker"))
    assert made.callers_of("store") == ("web", "worker")
    assert made.callees_of("web") == ("store", "worker")


def test_a_service_without_edges_has_neither_callers_nor_callees() -> None:
    """Nothing is allowed that was not declared, in either direction."""
    made = graph(Call("web", "worker"))
    assert (made.callers_of("store"), made.callees_of("store")) == ((), ())
    assert (made.callers_of("web"), made.callees_of("worker")) == ((), ())


def test_calls_from_one_caller_are_its_edges() -> None:
    """A callee that is named twice is one edge."""
    assert calls_from("web", ["store", "worker", "store"]) == {Call("web", "store"), Call("web", "worker")}


@pytest.mark.parametrize(
    "make",
    [
        lambda: graph(Call("web", "nobody")),
        lambda: graph(Call("nobody", "web")),
        lambda: graph(entered=frozenset({"nobody"})),
        lambda: graph(internet=frozenset({"nobody"})),
    ],
    ids=["callee", "caller", "ingress", "internet"],
)
def test_an_unknown_service_is_refused_wherever_it_is_named(make: type) -> None:
    """The message names it and all that exist."""
    with pytest.raises(ServiceGraphError) as caught:
        make()
    assert str(caught.value) == ("the service graph names the unknown service 'nobody'; known: web, worker, store")


def test_a_service_that_calls_itself_is_refused() -> None:
    """Such an edge is always a mistake: pods of a service do not talk to each other."""
    with pytest.raises(ServiceGraphError, match=r"^the service graph lets web call itself; remove the call$"):
        graph(Call("web", "web"))


def test_pods_are_selected_by_our_labels_unless_their_operator_has_chosen_others() -> None:
    """A store's pods are labelled by the component or operator that makes them."""
    made = ServiceGraph(ports=PORTS, calls=frozenset(), pod_labels={"store": {"cluster": "store"}})
    assert made.selector_of("store") == {"cluster": "store"}
    assert made.selector_of("web") == {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "alt-las"}


@pytest.mark.parametrize(
    ("outside", "public"),
    [
        ((), ()),
        ((Outside((), 443),), (443,)),
        ((Outside(("192.0.2.0/28",), 9000),), ()),
        ((Outside(("192.0.2.0/28",), 9000), Outside((), 587), Outside((), 443)), (443, 587)),
    ],
    ids=["none", "all", "some", "both"],
)
def test_a_job_calls_without_a_port_of_its_own(outside: tuple[Outside, ...], public: tuple[int, ...]) -> None:
    """And reaches public addresses only where it names no ranges."""
    job = Job(name="store-backup", calls=("store",), outside=outside)
    made = ServiceGraph(
        ports=PORTS, calls=calls_from(job.name, job.calls), jobs={job.name: job}, outside={job.name: outside}
    )
    assert made.callers_of("store") == ("store-backup",)
    assert made.internet_ports_of("store-backup") == public


@given(st.sets(st.tuples(st.sampled_from(sorted(PORTS)), st.sampled_from(sorted(PORTS)))))
def test_callers_and_callees_are_two_views_of_the_same_edges(pairs: set[tuple[str, str]]) -> None:
    """Callers and the callers that the callee admits are the same, or the two policies would contradict each other."""
    made = graph(*(Call(one, other) for one, other in pairs if one != other))
    outgoing = {(name, callee) for name in PORTS for callee in made.callees_of(name)}
    incoming = {(caller, name) for name in PORTS for caller in made.callers_of(name)}
    assert outgoing == incoming == {pair for pair in pairs if pair[0] != pair[1]}
