"""Every scanner on the platform itself, and on one planted mistake."""

from random import Random

import pytest

from policy.scan import checkov, kube_score, kubeconform, trivy, workflows
from policy.scan.__main__ import scan_all, stack_jobs
from policy.scan.exceptions import judge, load_exemptions
from policy.scan.findings import ScannerError
from policy.scan.programs import PYTHON_PROJECT, Programs
from policy.scan.schemas import custom_resources
from policy.schemas.document import FILE, as_text, document
from policy.stacks import Stack, load_stack, load_stacks, read_document, stack_names
from rendering.root import ROOT
from tests.policy.settings_variations import with_digests
from tests.scan.conftest import Write, one_of
from tools import python_packages

pytestmark = pytest.mark.scan


def test_no_scanner_finds_anything_in_the_platform_and_every_exemption_is_needed(
    scanners: Programs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All scanners over all stacks, the workflows and the Dockerfiles; only pip-audit may be without its service."""
    judged = scan_all(scanners, list(load_stacks([])), tmp_path_factory.mktemp("scan"))
    assert [(each.scan.scanner, each.scan.subject, each.scan.findings) for each in judged if each.scan.findings] == []
    assert {exemption for each in judged for _, exemption in each.exempt} == set(load_exemptions())
    assert {each.scan.scanner for each in judged if each.scan.unproven} <= {"pip-audit"}
    proven = {(each.scan.scanner, each.scan.subject) for each in judged if not each.scan.unproven}
    for stack in stack_names():
        versions = {f"kubeconform {minor}" for minor in kubeconform.minor_versions()}
        assert {*versions, "checkov", "kube-score", "trivy config"} <= {name for name, of in proven if of == stack}
    assert [each.scan.skipped for each in judged if each.scan.scanner == "checkov"] == [0] * len(stack_names())


def test_with_digests_the_check_for_digests_passes_by_itself(
    scanners: Programs, alpha: Stack, write: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The exemption is void and not needed where a stack requires digests; without them it would be a finding."""
    document = with_digests(read_document("beta"), Random(1))  # noqa: S311  # no secret
    document.setdefault("admission", {})["requireDigests"] = True
    stack = load_stack("beta", document)
    scan, settings = next(iter(stack_jobs(scanners, stack, tmp_path_factory.mktemp("digests"))))
    judged = judge(scan(), load_exemptions(), settings)
    assert (judged.scan.scanner, judged.scan.findings) == ("checkov", ())
    assert "CKV_K8S_43" not in {finding.check for finding, _ in judged.exempt}
    undone = judge(checkov.scan(scanners, "alpha", write(alpha.manifests)), load_exemptions(), settings)
    # CKV_K8S_15 is exempt only for images that no registry has, which the judged settings do not name.
    assert {finding.check for finding in undone.scan.findings} == {"CKV_K8S_15", "CKV_K8S_43"}


def test_checkov_finds_a_privileged_container(scanners: Programs, alpha: Stack, write: Write) -> None:
    """Named by check and object."""
    bad = one_of(alpha, "Deployment", "api-gateway")
    bad["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    found = checkov.scan(scanners, "planted", write([bad])).findings
    assert ("CKV_K8S_16", "Deployment/api-gateway") in {(each.check, each.where) for each in found}


def test_checkov_without_an_object_is_no_pass(scanners: Programs, write: Write) -> None:
    """A folder in which there is nothing to judge is an error, not a clean bill."""
    with pytest.raises(ScannerError, match=r"^checkov judged nothing of nothing$"):
        checkov.scan(scanners, "nothing", write([]))


def test_kube_score_finds_a_missing_limit_even_where_an_annotation_says_ignore(
    scanners: Programs, alpha: Stack, write: Write
) -> None:
    """The annotation has no effect."""
    bad = one_of(alpha, "StatefulSet", "redis")
    bad["metadata"]["annotations"] = {"kube-score/ignore": "container-resources"}
    del bad["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    scan = kube_score.scan(scanners, "planted", write([bad]), "1.35")
    assert ("container-resources", "StatefulSet/redis", "error") in {
        (each.check, each.where, each.level) for each in scan.findings
    }


def test_kube_score_tells_warnings_from_errors(scanners: Programs, alpha: Stack, write: Write) -> None:
    """Pods that may all run on one node are a warning."""
    bad = one_of(alpha, "Deployment", "api-gateway")
    del bad["spec"]["template"]["spec"]["affinity"]
    scan = kube_score.scan(scanners, "planted", write([bad]), "1.35")
    assert "deployment-has-host-podantiaffinity" in {each.check for each in scan.findings if each.level == "warning"}


def test_trivy_finds_an_image_from_elsewhere_and_a_a_pod_that_sees_its_node(
    scanners: Programs, alpha: Stack, write: Write
) -> None:
    """Registries come from what the stack admits; with those of the platform the same object is good."""
    bad = one_of(alpha, "Deployment", "api-gateway")
    folder = write([bad])
    assert trivy.scan(scanners, "good", folder, registries={"registry.invalid"}).findings == ()
    found = trivy.scan(scanners, "planted", folder, registries={"example.org"}).findings
    assert [(each.check, each.where, each.level) for each in found] == [
        ("KSV-0125", "Deployment/api-gateway", "warning")
    ]
    bad["spec"]["template"]["spec"]["hostPID"] = True
    found = trivy.scan(scanners, "planted", write([bad]), registries={"registry.invalid"}).findings
    assert [(each.check, each.level) for each in found] == [("KSV-0010", "error")]


@pytest.mark.parametrize("minor", kubeconform.minor_versions())
def test_kubeconform_finds_unknown_fields_wrong_types_and_unknown_kinds(
    scanners: Programs, alpha: Stack, write: Write, minor: str
) -> None:
    """In Kubernetes' own kinds and in custom resources, deep below too; on each minor version."""
    misspelt = one_of(alpha, "Deployment", "api-gateway")
    misspelt["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    wrong = one_of(alpha, "Service", "api-gateway")
    wrong["spec"]["ports"][0]["port"] = "http"
    custom = one_of(alpha, "Cluster", "postgres-db")
    custom["spec"]["storage"]["sise"] = "1Gi"
    unknown = {"apiVersion": "example.org/v1", "kind": "Boat", "metadata": {"name": "ark"}}
    good = one_of(alpha, "Ingress", "")
    objects = [misspelt, wrong, custom, unknown, good]
    found = kubeconform.scan(scanners, "planted", write(objects), objects, minor).findings
    assert [(each.check, each.where) for each in found] == [
        ("error", "Boat/ark"),
        ("invalid", "Cluster/postgres-db"),
        ("invalid", "Deployment/api-gateway"),
        ("invalid", "Service/api-gateway"),
    ]
    assert "livenesProbe" in found[2].message


def test_a_field_of_a_later_kubernetes_is_refused_by_the_earlier_one(
    scanners: Programs, alpha: Stack, write: Write
) -> None:
    """The three versions are three different sets of schemas."""
    bad = one_of(alpha, "Deployment", "api-gateway")
    bad["spec"]["template"]["spec"]["hostnameOverride"] = "one"
    folder = write([bad])
    judged = {minor: kubeconform.scan(scanners, "later", folder, [bad], minor) for minor in ("1.33", "1.34", "1.35")}
    assert {minor: len(scan.findings) for minor, scan in judged.items()} == {"1.33": 1, "1.34": 0, "1.35": 0}


def test_the_checked_in_schemas_are_those_of_the_pinned_sources() -> None:
    """`make check` validates against them; `make schemas` writes them again after a change of a version."""
    packages = python_packages.ensure(PYTHON_PROJECT).packages
    assert FILE.read_text() == as_text(document(kubeconform.minor_versions()[-1], packages)), "run make schemas"


def test_custom_resources_of_all_addons_have_schemas() -> None:
    """The operators' kinds that the program knows how to render."""
    kinds = {kind for _, kind in custom_resources()}
    assert {"Cluster", "HTTPRoute", "AuthorizationPolicy", "PeerAuthentication", "ServiceMonitor"} <= kinds


WORKFLOW = """\
name: planted
on: [push]
permissions: {}
concurrency: {group: planted, cancel-in-progress: true}
jobs:
  one:
    name: one
    runs-on: ubuntu-24.04
    steps:
      - run: echo "$REF"
        env:
          REF: ${{ github.ref }}
"""


def test_actionlint_and_zizmor_pass_a_good_workflow_and_find_injection(
    scanners: Programs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Text of a stranger inside a shell command is found by both, an action by tag and an open token by zizmor."""
    root = tmp_path_factory.mktemp("repository")
    file = root / ".github" / "workflows" / "planted.yml"
    file.parent.mkdir(parents=True)
    file.write_text(WORKFLOW)
    assert workflows.actionlint(scanners, root).findings == workflows.zizmor(scanners, root).findings == ()
    file.write_text(
        WORKFLOW.replace("permissions: {}\n", "").replace(
            '      - run: echo "$REF"', "      - uses: actions/checkout@v4\n      - run: echo ${{ github.head_ref }}"
        )
    )
    linted = workflows.actionlint(scanners, root).findings
    assert {(each.check, each.where, each.line) for each in linted} == {
        ("expression", ".github/workflows/planted.yml", 10)
    }
    audited = {each.check for each in workflows.zizmor(scanners, root).findings}
    assert {"template-injection", "unpinned-uses", "artipacked", "excessive-permissions"} <= audited


def test_the_workflows_of_this_repository_are_the_ones_judged() -> None:
    """The file of CI is among them."""
    assert ROOT / ".github" / "workflows" / "ci.yml" in workflows.workflow_files(ROOT)
