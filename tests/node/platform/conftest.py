"""The platform that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from cluster.errors import ClusterError
from cluster.node.packages import node_packages
from cluster.node.requirements import check
from tests.e2e.conftest import PROGRAM
from tests.faults.cases import note_refusal
from tests.faults.conftest import all_faults, cases_of
from tests.node.platform.changes import moved
from tests.node.platform.project import HOME, STACK, NodeProject
from tests.node.platform.users import Users, users
from tests.support.scratch import copy_program

__all__ = ["all_faults", "cases_of"]
PLACE = "tests/node/platform"


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory, *, all_faults: bool) -> Iterator[NodeProject]:
    """The stack `local`, up, without what has no image; its nodes are removed at the end.

    Skips, with the reason, where there can be none.
    """
    root = tmp_path_factory.mktemp("platform")
    try:
        check(root, node_packages().environment(root, {}))
    except ClusterError as error:
        reason = f"not proven here: the platform on real nodes: {error}"
        if all_faults:
            note_refusal(PLACE, reason.rstrip("."))
        pytest.skip(reason)
    if all_faults:
        note_refusal(PLACE, None)
    copy_program(root, (*PROGRAM, f"Pulumi.{STACK}.yaml", "images", "backup"))
    found = NodeProject(root)
    try:
        done = found.altlas("up", "--stack", STACK, TARGET="node")
        assert done.code == 0, done.text
        found.printed.write_text(done.text)
        yield found
    finally:
        down = found.altlas("down", "--delete", TARGET="node")
    assert down.code == 0, down.text


@pytest.fixture(scope="package")
def busy(project: NodeProject) -> Iterator[Users]:
    """Users of everything until all tests of this folder have ended; each test adds to what may be lost."""
    with users(project, HOME) as made:
        yield made


@pytest.fixture
def three_servers(whole: bool, project: NodeProject, busy: Users) -> None:
    """Three servers of each store, in use. Skips where a sample is enough."""
    if not whole:
        pytest.skip("a sample: failover, drains, lost nodes and other faults are part of `make test-node` alone")
    if not busy.replicas:
        moved(project, busy, 3)
