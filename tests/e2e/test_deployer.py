"""The deployer of a stack: enough rights for its whole life, and none beyond. What a preview needs: none at all."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.certificates import CertificateAuthority, CertificateRequest
from cluster.kubeconfig import render_kubeconfig
from components.stack.image_build import RUNTIME_OF
from tests.e2e.conftest import Done, Project
from tests.support.figures import Figures
from tests.support.stack_files import change

pytestmark = pytest.mark.e2e

STRANGER = "stranger"
NAMESPACES = {"alpha": "alt-las", "beta": "alt-las-beta"}
FORBIDDEN = (
    ("list", "secrets", "--all-namespaces"),
    ("get", "secrets", "--namespace", "kube-system"),
    ("get", "namespaces/kube-system"),
    ("create", "namespaces"),
    ("delete", "namespaces/kube-system"),
    ("create", "clusterroles"),
    ("create", "clusterrolebindings"),
    ("patch", "validatingadmissionpolicies/other"),
    ("create", "pods", "--namespace", "NAMESPACE"),
    ("create", "pods/exec", "--namespace", "NAMESPACE"),
    ("create", "deployments", "--namespace", "default"),
    ("create", "customresourcedefinitions"),
    ("get", "nodes"),
    ("impersonate", "users"),
    ("escalate", "clusterroles"),
)


@dataclass(frozen=True)
class Deployer:
    """The deployer of one stack, who has no rights until they are applied."""

    project: Project
    stack: str
    kubeconfig: Path

    @property
    def name(self) -> str:
        """Name of the user."""
        return f"{self.stack}-deployer"

    @property
    def chosen(self) -> dict[str, str]:
        """Variables with which commands work as the deployer."""
        return {"TARGET": "kubeconfig", "KUBECONFIG": str(self.kubeconfig)}

    def altlas(self, *arguments: str) -> Done:
        """Run `altlas` as the deployer."""
        return self.project.altlas(*arguments, "--stack", self.stack, **self.chosen)

    def preview(self, *options: str, kubeconfig: Path | None = None) -> Done:
        """Run plain `pulumi preview` as the deployer, or as another user."""
        chosen = self.chosen | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})
        variables = self.project.variables(**chosen)
        return self.project.run("pulumi", "preview", "--stack", self.stack, "--non-interactive", *options, **variables)

    def may(self, *question: str) -> bool:
        """Ask the API server whether the deployer may do something."""
        asked = [part.replace("NAMESPACE", NAMESPACES[self.stack]) for part in question]
        done = self.project.kubectl("--kubeconfig", str(self.kubeconfig), "auth", "can-i", *asked)
        assert done.out.strip() in {"yes", "no"}, done.text
        return done.out.strip() == "yes"

    def roles(self) -> list[dict[str, Any]]:
        """Objects that an administrator applies."""
        return list(
            yaml.safe_load_all(self.project.altlas("stack", "deployer-role", self.stack, "--user", self.name).out)
        )

    def receive(self, manifests: list[dict[str, Any]]) -> None:
        """Let the administrator apply rights."""
        path = self.project.root / f"{self.stack}-roles.yaml"
        path.write_text(yaml.safe_dump_all(manifests))
        done = self.project.kubectl("apply", "--filename", str(path))
        assert done.code == 0, done.text


def kubeconfig_of(project: Project, user: str) -> Path:
    """A kubeconfig with a certificate of the cluster's authority, which gives a name and no right."""
    simulated = project.root / ".altlas" / "sim"
    authority = CertificateAuthority(next(simulated.rglob("ca.crt")).parent, "ca", "alt-las-sim-ca")
    certificate = authority.ensure(CertificateRequest(user, user))
    server = yaml.safe_load((simulated / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
    path = project.root / f"{user}.kubeconfig"
    path.write_text(render_kubeconfig(user, server, authority.files.certificate, certificate))
    return path


@pytest.fixture(scope="module")
def cluster(project: Project) -> Project:
    """A cluster with the pinned addons that writes down who asks for what."""
    done = project.altlas("addons", "install", "--with", "gateway-api", "--with", "istio")
    assert done.code == 0, done.text
    for command in (["stop"], ["--audit-log", "start"]):
        done = project.run(sys.executable, "-m", "cluster", *command)
        assert done.code == 0, done.text
    # A right that is missing shows as a wait without end, so the wait is short.
    for stack in NAMESPACES:
        change(project, stack, {"rollout": {"progressDeadlineSeconds": 90, "timeoutSeconds": 120}})
    return project


@pytest.fixture(scope="module", params=NAMESPACES)
def deployer(request: pytest.FixtureRequest, cluster: Project) -> Deployer:
    """The deployer of each stack, with stores and ingress of the phase."""
    return Deployer(cluster, request.param, kubeconfig_of(cluster, f"{request.param}-deployer"))


def report(deployer: Deployer, resource: str, status: dict[str, Any]) -> Done:
    """Write the status of a custom resource, as its operator does."""
    where = ("--namespace", NAMESPACES[deployer.stack], "--subresource", "status", "--type", "merge")
    return deployer.project.kubectl("patch", resource, *where, "--patch", json.dumps({"status": status}))


@contextmanager
def operators(deployer: Deployer) -> Iterator[None]:
    """Report all servers of custom resources as ready once these exist, in place of the operators that do not run."""
    servers, observers = {"alpha": (1, 1), "beta": (3, 2)}[deployer.stack]
    observed = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), observers)
    observed |= {"paused": False, "unavailableReplicas": 0}
    waiting: dict[str, dict[str, Any]] = {
        "clusters.postgresql.cnpg.io/postgres-db": {"readyInstances": servers, "phase": "Cluster in healthy state"},
        "databases.postgresql.cnpg.io/postgres-db-archive": {"applied": True},
        "databases.postgresql.cnpg.io/postgres-db-segmentation": {"applied": True},
        "prometheuses.monitoring.coreos.com/prometheus": observed,
        "alertmanagers.monitoring.coreos.com/alertmanager": observed,
    }
    over = threading.Event()

    def work() -> None:
        while waiting and not over.wait(1):
            for resource, status in tuple(waiting.items()):
                if report(deployer, resource, status).code == 0:
                    del waiting[resource]

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not waiting, "the update ended before its operators had reported"


def assert_nothing_was_refused(done: Done) -> None:
    """The command ended well and met no missing right."""
    assert done.code == 0, done.text
    assert "forbidden" not in (done.out + done.error).lower(), done.text


def test_with_one_right_less_the_update_fails_and_names_it(deployer: Deployer) -> None:
    """The control of what follows: the rights are not more than enough by accident."""
    manifests = deployer.roles()
    (role,) = (each for each in manifests if each["kind"] == "Role")
    role["rules"] = [rule for rule in role["rules"] if "poddisruptionbudgets" not in rule["resources"]]
    deployer.receive(manifests)
    done = deployer.altlas("up", "--yes", "--no-addons")
    assert done.code != 0, done.text
    assert "poddisruptionbudgets.policy" in done.out + done.error
    assert f'"{deployer.name}" cannot' in done.out + done.error


def test_the_deployer_brings_the_stack_up_with_its_stores_and_its_way_in(deployer: Deployer) -> None:
    """From the first object to the last, without one refusal; then there is nothing left to do."""
    deployer.receive(deployer.roles())
    with operators(deployer):
        done = deployer.altlas("up", "--yes", "--no-addons")
    assert_nothing_was_refused(done)
    assert {name for name in RUNTIME_OF if f"\n{name} " in done.out} == {*RUNTIME_OF}
    namespace = NAMESPACES[deployer.stack]
    stores = deployer.project.objects("statefulsets,clusters.postgresql.cnpg.io", namespace)
    assert {each["metadata"]["name"] for each in stores} >= {"nats", "redis", "postgres-db"}
    way_in = deployer.project.objects("ingresses,gateways.gateway.networking.k8s.io", namespace)
    assert [each["kind"] for each in way_in] == [{"alpha": "Ingress", "beta": "Gateway"}[deployer.stack]]
    assert_nothing_was_refused(deployer.preview("--expect-no-changes"))
    # By a kubeconfig the command does not know that no operator runs here, and shows what is reported.
    report(deployer, "clusters.postgresql.cnpg.io/postgres-db", {"readyInstances": 0, "phase": "Failing over"})
    done = deployer.altlas("status")
    assert done.code == 1, done.text
    assert "not ready: postgres-db\n" in done.error
    assert "servers ready; its operator says: Failing over" in done.error
    assert "forbidden" not in (done.out + done.error).lower(), done.text


def test_a_preview_needs_no_right_at_all(deployer: Deployer) -> None:
    """A pull request needs only a name that the API server knows; it sees the very steps that the deployer sees."""
    stack_file = deployer.project.stack_file(deployer.stack)
    original = stack_file.read_text()
    change(deployer.project, deployer.stack, {"rollout": {"progressDeadlineSeconds": 80, "timeoutSeconds": 120}})
    stranger = kubeconfig_of(deployer.project, STRANGER)
    asked = deployer.project.kubectl("--kubeconfig", str(stranger), "auth", "can-i", "get", "configmaps")
    done = [deployer.preview("--json", kubeconfig=each) for each in (stranger, None)]
    stack_file.write_text(original)
    assert asked.out.strip() == "no"
    assert [each.code for each in done] == [0, 0], done[0].text
    seen = [sorted((step["op"], step["urn"]) for step in json.loads(each.out)["steps"]) for each in done]
    assert seen[0] == seen[1]
    assert sum(operation == "update" for operation, _ in seen[0]) >= 5


def test_the_deployer_may_do_nothing_else(deployer: Deployer) -> None:
    """Asked of the API server itself, which answers yes where it should."""
    assert [question for question in FORBIDDEN if deployer.may(*question)] == []
    assert deployer.may("create", "deployments", "--namespace", "NAMESPACE")
    assert deployer.may("delete", "namespaces/NAMESPACE")


@pytest.mark.parametrize("role", ["admin", "edit", "cluster-admin"])
def test_the_deployer_cannot_bind_more_than_it_has(deployer: Deployer, role: str) -> None:
    """It writes the stack's own RoleBindings; the API server lets it give away nothing beyond its rights."""
    namespace = NAMESPACES[deployer.stack]
    done = deployer.project.kubectl(
        "--kubeconfig", str(deployer.kubeconfig), "create", "rolebinding", "more", "--namespace", namespace,
        f"--clusterrole={role}", f"--user={deployer.name}", "--dry-run=server",
    )  # fmt: skip
    assert done.code != 0, done.text
    assert "is attempting to grant RBAC permissions not currently held" in done.error or "forbidden" in done.error


def test_every_right_is_by_name_or_inside_the_namespace(deployer: Deployer) -> None:
    """No wildcard; what is cluster-wide names its objects, but for seeing which of a harmless kind there are."""
    for role in deployer.roles():
        for rule in role.get("rules", ()):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert role["kind"] == "Role" or rule.get("resourceNames") or set(rule["verbs"]) == {"list", "watch"}
            assert role["kind"] == "Role" or "secrets" not in rule["resources"]


def test_the_deployer_removes_the_stack_and_has_used_every_right(deployer: Deployer, figures: Figures) -> None:
    """With the namespace goes the right to work in it. The API server's audit log names what was used."""
    granted = rights(deployer.roles()) - rights(roles_of_the_stack(deployer))
    done = deployer.altlas("destroy", "--with-data", deployer.stack, "--yes")
    assert_nothing_was_refused(done)
    namespace = NAMESPACES[deployer.stack]
    assert f"namespace/{namespace}" not in deployer.project.kubectl("get", "namespaces", "--output", "name").out.split()
    assert not deployer.may("create", "deployments", "--namespace", "NAMESPACE")
    unused = granted - used_rights(deployer)
    share = 100 * (len(granted) - len(unused)) / len(granted)
    figures.add(f"own rights of the deployer of {deployer.stack}", f"{len(granted)}, of which {share:.1f} % were used")
    assert unused == set()


BINDS = {"rolebindings": "roles", "clusterrolebindings": "clusterroles"}
Right = tuple[str, str, str]
"""API group, resource and verb."""


def rights(roles: list[dict[str, Any]]) -> set[Right]:
    """Every right that some roles give."""
    rules = [rule for role in roles for rule in role.get("rules", ())]
    return {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}


def roles_of_the_stack(deployer: Deployer) -> list[dict[str, Any]]:
    """Roles that the stack gives to its pods. Their rights are the deployer's, too, only to be given away."""
    printed = deployer.project.kubectl("get", "roles,clusterroles", "--all-namespaces", "--output", "json").out
    stacks = {f"alt-las-{stack}-deployer" for stack in NAMESPACES}
    ours = "app.kubernetes.io/part-of"
    return [
        each
        for each in json.loads(printed)["items"]
        if each["metadata"].get("labels", {}).get(ours) == "alt-las" and each["metadata"]["name"] not in stacks
    ]


def used_rights(deployer: Deployer) -> set[Right]:
    """Rights used with success. An apply that makes its object uses `create`, too; a binding `bind`."""
    log = deployer.project.root / ".altlas" / "sim" / "logs" / "audit.jsonl"
    found = set()
    # The API server goes on writing, so the last line may not be whole.
    *lines, _ = log.read_text().split("\n")
    for line in lines:
        event = json.loads(line)
        code = event.get("responseStatus", {}).get("code")
        if event["user"].get("username") != deployer.name or code not in (200, 201, 404):
            continue
        subject = event.get("objectRef", {})
        resource = "/".join(filter(None, (subject.get("resource"), subject.get("subresource"))))
        right = subject.get("apiGroup", ""), resource, event["verb"]
        found |= {right} | ({(*right[:2], "create")} if code == 201 else set())
        if code == 201 and right[1] in BINDS:
            found.add((right[0], BINDS[right[1]], "bind"))
    return found
