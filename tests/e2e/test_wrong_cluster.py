"""A stack meets a cluster that is not its own: nothing is written there, and its state is not lost."""

import json
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import PROGRAM, Project
from tests.support.deployed import project_with
from tests.support.scratch import copy_program

pytestmark = pytest.mark.e2e


project = project_with("small")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that choose a second cluster, on which the stack never was."""
    root = tmp_path_factory.mktemp("other")
    copy_program(root, PROGRAM)
    beside = Project(root)
    assert beside.run(sys.executable, "-m", "cluster", "start").code == 0
    yield {"TARGET": "kubeconfig", "KUBECONFIG": beside.variables()["KUBECONFIG"]}
    assert beside.altlas("down", "--delete").code == 0


@pytest.fixture(scope="module")
def deployed(project: Project) -> str:
    """The stack on its own cluster; its state."""
    return exported(project)


COMMANDS = (
    ("up", "--stack", "alpha", "--yes"),
    ("destroy", "--stack", "alpha", "--yes", "--with-data", "alpha"),
    ("secrets", "rotate", "natsRunnerPassword", "--yes"),
    ("restore", "redis", "--backup", "20260101T010000Z", "--replace", "--confirm", "alpha"),
    ("drill", "nats"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_that_writes_is_refused(
    project: Project, deployed: str, other: dict[str, str], command: tuple[str, ...]
) -> None:
    """Before anything is written: no namespace, no addon, no word less in the state or the stack file."""
    stack_file = project.stack_file("alpha").read_text()
    done = project.altlas(*command, **other)
    assert done.code == 2, done.text
    assert "the stack alpha runs on another cluster: its namespace alt-las has the UID" in done.error
    assert "has none of that name" in done.error
    assert "Nothing was changed" in done.error
    assert project.stack_file("alpha").read_text() == stack_file
    assert exported(project) == deployed
    found = project.run(
        "kubectl", "get", "namespaces,customresourcedefinitions", "--output=name", **there(project, other)
    )
    assert sorted(found.out.split()) == [
        f"namespace/{name}" for name in ("default", "kube-node-lease", "kube-public", "kube-system")
    ]


def there(project: Project, other: dict[str, str]) -> dict[str, str]:
    """The environment of the second cluster."""
    return project.variables(**other)


def name_cluster(project: Project, uid: str) -> None:
    """Write the cluster of a stack into its file."""
    path, key = project.stack_file("alpha"), "alt-las:platform:\n"
    kept = [line for line in path.read_text().splitlines(keepends=True) if "clusterUid" not in line]
    path.write_text("".join(kept).replace(key, f"{key}    clusterUid: {uid}\n"))


def uid_of(project: Project, variables: dict[str, str]) -> str:
    """UID of a cluster's kube-system."""
    return project.run(
        "kubectl", "get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}", **variables
    ).out


def test_plain_pulumi_writes_nothing_to_another_cluster_than_the_named_one(
    project: Project, deployed: str, other: dict[str, str]
) -> None:
    """The program looks by itself, before it registers anything; `altlas` refuses a stack that has no state, too."""
    name_cluster(project, uid_of(project, project.variables()))
    done = project.run(
        "pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "alpha", **there(project, other)
    )
    assert done.code != 0
    assert "but that of KUBECONFIG is " + uid_of(project, there(project, other)) in done.text, done.text
    assert "Nothing was changed" in done.text
    found = project.run("kubectl", "get", "namespaces", "--output=name", **there(project, other))
    assert "namespace/alt-las" not in found.out.split()
    assert modified(exported(project)) == modified(deployed)
    done = project.altlas("up", "--stack", "alpha", "--yes", **other)
    assert (done.code, "alt-las:platform.clusterUid names the cluster" in done.error) == (2, True), done.text
    done = project.pulumi("up", "--yes", "--skip-preview", "--stack", "alpha")
    assert done.code == 0, done.text
    name_cluster(project, "null")


def modified(state: str) -> list[tuple[str, str, str]]:
    """Objects of a state and when each was changed; ciphertexts are others each time that the engine writes it."""
    resources = json.loads(state)["deployment"]["resources"]
    return [(each["urn"], each.get("id", ""), each.get("modified", "")) for each in resources]


def exported(project: Project) -> str:
    """The state."""
    return project.pulumi("stack", "export", "--stack", "alpha").out


def test_a_namespace_of_the_same_name_is_not_taken_for_it(project: Project, other: dict[str, str]) -> None:
    """Names repeat from cluster to cluster; UIDs do not."""
    assert project.run("kubectl", "create", "namespace", "alt-las", **there(project, other)).code == 0
    done = project.altlas("up", "--stack", "alpha", "--yes", **other)
    assert done.code == 2, done.text
    assert "has another one of that name (UID " in done.error


def test_on_its_own_cluster_the_stack_goes_on(project: Project) -> None:
    """The control run."""
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text


def test_a_cluster_that_is_gone_for_good_is_forgotten_on_request(project: Project) -> None:
    """By what the message names, and then the stack goes to the new one."""
    assert project.altlas("down", "--delete").code == 0
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "`altlas addons install` and `pulumi refresh --stack alpha`" in done.error
    assert project.altlas("addons", "install").code == 0
    done = project.pulumi("refresh", "--stack", "alpha", "--yes")
    assert done.code == 0, done.text
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
