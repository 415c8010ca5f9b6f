"""The deployer of a stack: enough rights for its whole life, and none beyond."""

import sys
from pathlib import Path

import pytest
import yaml

from cluster.certificates import CertificateAuthority, CertificateRequest
from cluster.kubeconfig import read_server, render_kubeconfig
from tests.e2e.conftest import Done, Project
from tests.e2e.stack_files import change, without_stores

pytestmark = pytest.mark.e2e

USER = "alpha-deployer"


@pytest.fixture(scope="module")
def kubeconfig(project: Project) -> Path:
    """The deployer's own kubeconfig, with a certificate of the cluster's authority; the rights are applied."""
    done = project.run(sys.executable, "-m", "cluster", "start")
    assert done.code == 0, done.text
    without_stores(project, "alpha")
    # A right that is missing shows as a wait without end, so the wait is short.
    change(project, "alpha", {"rollout": {"progressDeadlineSeconds": 40, "timeoutSeconds": 60}})
    simulated = project.root / ".altlas" / "sim"
    pki = next(simulated.rglob("ca.crt")).parent
    authority = CertificateAuthority(pki, "ca", "alt-las-sim-ca")
    user = authority.ensure(CertificateRequest("deployer", USER))
    server = read_server(simulated / "kubeconfig").url
    path = project.root / "deployer.kubeconfig"
    path.write_text(render_kubeconfig("deployer", server, authority.files.certificate, user))
    roles = project.root / "roles.yaml"
    roles.write_text(project.altlas("deployer-role", "alpha", "--user", USER).out)
    done = project.kubectl("apply", "--filename", str(roles))
    assert done.code == 0, done.text
    return path


def as_deployer(project: Project, kubeconfig: Path, *arguments: str) -> Done:
    """Run `altlas` as the deployer."""
    return project.altlas(*arguments, TARGET="kubeconfig", KUBECONFIG=str(kubeconfig))


def may(project: Project, kubeconfig: Path, *question: str) -> bool:
    """Ask the API server whether the deployer may do something."""
    done = project.kubectl("--kubeconfig", str(kubeconfig), "auth", "can-i", *question)
    assert done.out.strip() in {"yes", "no"}, done.text
    return done.out.strip() == "yes"


def test_the_deployer_brings_the_stack_up(project: Project, kubeconfig: Path) -> None:
    """From the first object to the last, without one refusal."""
    done = as_deployer(project, kubeconfig, "up", "--stack", "alpha", "--yes", "--no-addons")
    assert done.code == 0, done.text
    assert "forbidden" not in (done.out + done.error).lower(), done.text
    assert len([line for line in done.out.splitlines() if "frozen68/" in line]) == 5
    assert as_deployer(project, kubeconfig, "status", "--stack", "alpha").code == 0


@pytest.mark.parametrize(
    "question",
    [
        ("list", "secrets", "--all-namespaces"),
        ("get", "secrets", "--namespace", "kube-system"),
        ("get", "namespaces/kube-system"),
        ("create", "namespaces"),
        ("delete", "namespaces/kube-system"),
        ("create", "clusterroles"),
        ("create", "clusterrolebindings"),
        ("create", "rolebindings", "--namespace", "alt-las"),
        ("patch", "validatingadmissionpolicies/other"),
        ("create", "pods/exec", "--namespace", "alt-las"),
        ("create", "deployments", "--namespace", "default"),
        ("create", "customresourcedefinitions"),
        ("get", "nodes"),
        ("impersonate", "users"),
        ("escalate", "clusterroles"),
    ],
    ids=" ".join,
)
def test_the_deployer_may_do_nothing_else(project: Project, kubeconfig: Path, question: tuple[str, ...]) -> None:
    """Asked of the API server itself."""
    assert not may(project, kubeconfig, *question)


def test_the_questions_can_be_answered_with_yes(project: Project, kubeconfig: Path) -> None:
    """The control of the refusals above."""
    for question in (("create", "deployments", "--namespace", "alt-las"), ("delete", "namespaces/alt-las")):
        assert may(project, kubeconfig, *question)


def test_every_right_is_by_name_or_inside_the_namespace(project: Project) -> None:
    """No wildcard; what is cluster-wide names its objects, but for seeing which of a harmless kind there are."""
    for role in yaml.safe_load_all(project.altlas("deployer-role", "alpha").out):
        for rule in role.get("rules", ()):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert role["kind"] == "Role" or rule.get("resourceNames") or set(rule["verbs"]) == {"list", "watch"}
            assert role["kind"] == "Role" or "secrets" not in rule["resources"]


def test_the_deployer_removes_the_stack(project: Project, kubeconfig: Path) -> None:
    """With the namespace goes the right to work in it."""
    done = as_deployer(project, kubeconfig, "destroy", "--stack", "alpha", "--yes")
    assert done.code == 0, done.text
    assert "forbidden" not in (done.out + done.error).lower(), done.text
    assert "namespace/alt-las" not in project.kubectl("get", "namespaces", "--output", "name").out.split()
    assert not may(project, kubeconfig, "create", "deployments", "--namespace", "alt-las")
