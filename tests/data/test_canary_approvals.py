"""The pod that Flagger asks for approvals: HAProxy itself, with the program's configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.traffic.observers import CANARY_APPROVALS_PORT
from tests.data.approvals import approvals_program, ask
from tests.support.loopback import addresses, answers, wait_until

pytestmark = pytest.mark.data

SERVICE = "api-gateway"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Address of the running program."""
    (host,) = addresses(1, (CANARY_APPROVALS_PORT,))
    process = approvals_program(tmp_path, host)
    process.start()
    try:
        wait_until(lambda: answers(host, CANARY_APPROVALS_PORT), "it listens")
        yield f"{host}:{CANARY_APPROVALS_PORT}"
    finally:
        process.stop()


def release(checksum: str, service: str = SERVICE) -> dict[str, object]:
    """Question of Flagger about a release."""
    phase, metadata = "Progressing", {"of": "a release"}
    return {"name": service, "namespace": "alt-las", "phase": phase, "checksum": checksum, "metadata": metadata}


def test_a_release_passes_when_it_was_approved_and_no_other_one_does(address: str) -> None:
    """Another checksum, another service and an earlier release wait; what nobody has asked for cannot be approved."""
    confirm, approve, asked = f"{address}/confirm", f"{address}/approve", f"{address}/asked?service={SERVICE}"
    assert ask(asked)[0] == 404
    assert ask(approve, release("one"))[0] == 409
    assert ask(confirm, release("one"))[0] == 403
    assert ask(asked) == (200, "one")
    assert ask(approve, release("other"))[0] == 409
    assert ask(confirm, release("one"))[0] == 403
    assert ask(approve, release("one")) == (200, "approved")
    assert ask(confirm, release("one"))[0] == 200
    assert ask(confirm, release("one", "runner-service"))[0] == 403
    assert ask(confirm, release("two"))[0] == 403
    assert ask(asked) == (200, "two")
    assert ask(approve, release("one"))[0] == 409
    assert ask(confirm, release("one"))[0] == 403, "its approval has ended with the release after it"


@pytest.mark.parametrize(
    "body", [None, {}, {"name": SERVICE}, {"checksum": "one"}, "text", {"name": "", "checksum": ""}]
)
def test_what_names_no_release_approves_none(address: str, body: object) -> None:
    """Not even after a question of the same kind."""
    assert ask(f"{address}/confirm", body)[0] == 403
    assert ask(f"{address}/approve", body)[0] == 409
    assert ask(f"{address}/confirm", body)[0] == 403
    assert ask(f"{address}/confirm", release("one"))[0] == 403


def test_it_says_that_it_works(address: str) -> None:
    """To the kubelet; other paths are not there."""
    assert ask(f"{address}/healthz") == (200, "ok")
    assert ask(f"{address}/")[0] == 404
