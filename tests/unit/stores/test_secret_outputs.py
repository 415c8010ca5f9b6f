"""Addresses of the stores with their passwords, as outputs."""

import json

import pytest

from components.services import SERVICES, message_flows
from components.stack.configuration import load
from components.stack.problems import PLATFORM_KEY
from components.stores.stores import build_stores
from components.traffic.stack_graph import stack_graph
from components.workloads.component import Surroundings
from tests.support.documents import ROOT, platform_of
from tests.support.program import SECRET_MARK, Anchor, Program, build, configure, full_configuration


@pytest.fixture(scope="module")
def program() -> Program:
    """The stores of alpha."""
    values = full_configuration("alpha") | {PLATFORM_KEY: json.dumps(platform_of("alpha"))}
    configure(values)

    def run() -> None:
        stack = load(ROOT)
        around = Surroundings.of(stack.platform, Anchor(), stack_graph(SERVICES, stack.platform))
        build_stores(stack, around, message_flows(SERVICES))

    return build(run)


@pytest.mark.parametrize(("name", "output"), [("redis", "url"), ("nats", "url_of"), ("postgres-db", "url_of")])
def test_an_address_with_a_password_is_a_secret_output(program: Program, name: str, output: str) -> None:
    """The state holds it encrypted."""
    (outputs,) = (sent for urn, sent in program.sent_outputs.items() if urn.endswith(f"::{name}"))
    texts = outputs.values() if output == "url" else outputs["url_of"].values()
    assert texts
    assert all(SECRET_MARK in str(each) for each in texts)
