"""The step before an update that changes the number of servers, and messages that nobody has read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update.first_steps import check_none, steps
from altlas.update.unread_messages import consumers_behind, have_read_users, unread_messages
from components.stack.loading import parse_platform
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record
from tests.support.data_documents import exported_state
from tests.support.documents import STACKS, platform_of


@pytest.fixture(scope="module")
def deployed() -> dict[str, Any]:
    """States of both stacks, as an update leaves them."""
    return {
        stack: exported_state(
            {(each.type, each.name): each.inputs for each in record(stack, platform_of(stack)).registrations}
        )
        for stack in STACKS
    }


@pytest.mark.parametrize(
    ("before", "after", "stores"),
    [
        ("alpha", "beta", ["postgres-db", "nats"]),
        ("beta", "alpha", ["redis", "nats"]),
        ("alpha", "alpha", []),
        ("beta", "beta", []),
    ],
)
def test_what_changes_first(deployed: Mapping[str, Any], before: str, after: str, stores: list[str]) -> None:
    """Servers are added before commits wait for them, and end before the first one runs alone."""
    found = steps(deployed[before], parse_platform(platform_of(after)))
    assert [step.store for step in found] == stores
    kinds = {"postgres-db": "Cluster::postgres-db", "redis": "StatefulSet::redis", "nats": "Secret::nats-users"}
    for step in found:
        assert step.urn.endswith(kinds[step.store])


def test_a_plan_that_changes_a_number_of_servers_is_refused(deployed: Mapping[str, Any]) -> None:
    """A plan is applied exactly, and such a change takes steps before it."""
    check_none(deployed["alpha"], "alpha", parse_platform(platform_of("alpha")))
    with pytest.raises(CommandError, match=r"number of servers of redis, nats.*`altlas up alpha`") as refused:
        check_none(deployed["beta"], "alpha", parse_platform(platform_of("alpha")))
    assert refused.value.code == ExitCode.REFUSED


def test_nothing_changes_first_on_an_empty_cluster() -> None:
    """All servers are new."""
    assert steps({}, parse_platform(platform_of("beta"))) == ()


def stream(name: str, messages: int, leader: str | None = None, *consumers: Mapping[str, Any]) -> dict[str, Any]:
    """A stream as a server describes it."""
    cluster = {"cluster": {"leader": leader}} if leader else {}
    return {"name": name, "state": {"messages": messages}, "consumer_detail": list(consumers), **cluster}


def consumer(pending: int, unacknowledged: int, leader: str | None = None) -> dict[str, Any]:
    """A consumer as a server describes it."""
    cluster = {"cluster": {"leader": leader}} if leader else {}
    return {"name": "c", "num_pending": pending, "num_ack_pending": unacknowledged, "num_waiting": 0, **cluster}


def report(*streams: Mapping[str, Any]) -> dict[str, Any]:
    """Report of a server at /jsz."""
    return {"account_details": [{"name": "PLATFORM", "stream_detail": list(streams)}, {"name": "SYSTEM"}]}


@pytest.mark.parametrize(
    ("reports", "unread", "without_consumer"),
    [
        ({"nats-0": {}}, {}, {}),
        ({"nats-0": report(stream("A", 0))}, {}, {}),
        ({"nats-0": report(stream("A", 5))}, {"A": 5}, {"A": 5}),
        ({"nats-0": report(stream("A", 5, None, consumer(0, 0)))}, {}, {}),
        ({"nats-0": report(stream("A", 5, None, consumer(2, 1)))}, {"A": 3}, {}),
        ({"nats-0": report(stream("A", 5, None, consumer(0, 0), consumer(4, 0)))}, {"A": 4}, {}),
        (
            {
                # Only who leads knows: the other is behind with both.
                "nats-0": report(stream("A", 3, "nats-1", consumer(3, 0, "nats-1"))),
                "nats-1": report(stream("A", 5, "nats-1", consumer(0, 1, "nats-1"))),
            },
            {"A": 1},
            {},
        ),
        (
            {
                "nats-0": report(stream("A", 9, "nats-0")),
                "nats-1": report(stream("A", 5, "nats-0")),
            },
            {"A": 9},
            {"A": 9},
        ),
    ],
)
def test_unread_are_messages_that_a_consumer_has_still_to_read_or_to_acknowledge(
    reports: Mapping[str, Any], unread: Mapping[str, int], without_consumer: Mapping[str, int]
) -> None:
    """Of a stream without a consumer all of them are unread, and nobody will read them."""
    assert unread_messages(reports) == unread
    assert unread_messages(reports, without_consumer=True) == without_consumer


def test_a_refusal_says_what_each_consumer_lacks() -> None:
    """As the server says that leads it; a consumer that has everything is not named."""
    reports = {
        "nats-0": report(stream("A", 3, "nats-1", consumer(3, 0, "nats-1")), stream("B", 3, None, consumer(0, 0))),
        "nats-1": report(stream("A", 5, "nats-1", consumer(2, 1, "nats-1"))),
    }
    assert consumers_behind(reports) == ["c of A has 2 to get and 1 to acknowledge, and 0 of its requests wait"]


@pytest.mark.parametrize(
    ("loaded", "changed", "read"),
    [
        ("2026-11-27T13:38:06.629350443Z", "1795786683", True),
        ("2026-11-27T13:38:02.999999999Z", "1795786683", False),
        ("", "1795786683", False),
        ("2026-11-27T13:38:06Z", "", False),
    ],
    ids=["after the change", "before it", "no time", "no file"],
)
def test_users_count_as_read_when_the_server_has_loaded_them(loaded: str, changed: str, read: bool) -> None:
    """Each server says when it loaded its configuration; both of them must have."""

    class Cluster(Kubectl):
        """Two servers, of which the second one has the times of the case."""

        def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
            """Answer of a command in a pod."""
            is_second, program = arguments[1] == "nats-1", arguments[7]
            assert program == "stat" or arguments[-1] == "http://127.0.0.1:8222/varz"
            if program == "stat":
                assert arguments[-1] == "/etc/nats/..data"
                return changed if is_second else "1795786683"
            return json.dumps({"config_load_time": loaded if is_second else "2026-11-27T13:38:04Z"})

    assert have_read_users(object.__new__(Cluster), "place", 2) is read
