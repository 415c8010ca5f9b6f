"""Pods that a real API server admits into the platform's namespace: its own pods, and none with a forbidden setting."""

import copy
import json
import sys
import time
from typing import Any

import pytest

from policy.paths import ABSENT, write
from rendering.recorder import record
from tests.e2e.conftest import Done, Project
from tests.support.documents import BESIDE_SERVICES, platform_of

pytestmark = pytest.mark.e2e

DIGEST = f"sha256:{'0' * 64}"
GATEWAY = "registry.invalid/alt-las/api-gateway:1.0.0-alpha"
NEEDED = ("Namespace", "ServiceAccount", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
KINDS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
CONTAINER = "spec.containers[0]"


def with_digests() -> list[dict[str, Any]]:
    """Everything that alpha registers where digests are required."""
    document = platform_of("alpha")
    document["admission"] = {"requireDigests": True}
    for block in BESIDE_SERVICES:
        document.pop(block, None)
    for service in document["services"].values():
        service["image"]["digest"] = DIGEST
    return record("alpha", document).objects


@pytest.fixture(scope="module")
def gateway(project: Project) -> dict[str, Any]:
    """A namespace with the platform's rules in force, and the gateway's pod as its Deployment makes it."""
    done = project.run(sys.executable, "-m", "cluster", "start")
    assert done.code == 0, done.text
    objects = with_digests()
    path = project.root / "objects.json"
    needed = [each for each in objects if each["kind"] in NEEDED]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": needed}))
    done = project.kubectl("apply", "--filename", str(path))
    assert done.code == 0, done.text
    (deployment,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == ("Deployment", "api-gateway"))
    pod = of_kind("Pod", deployment["spec"]["template"])
    # The API server learns of a new policy a moment after it has stored it.
    deadline = time.monotonic() + 60
    stranger = copy.deepcopy(pod)
    write(stranger, f"{CONTAINER}.image", f"nobody/nothing:1@{DIGEST}")
    while "known-repository" not in (said := refused(project, stranger)):
        assert time.monotonic() < deadline, f"the rules do not come into force: {said}"
        time.sleep(0.2)
    return pod


def of_kind(kind: str, template: dict[str, Any]) -> dict[str, Any]:
    """An object of a kind that makes pods from a template."""
    template = copy.deepcopy(template)
    labels = template["metadata"]["labels"]
    metadata = {"name": "probe", "namespace": "alt-las"}
    spec: dict[str, Any]
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata | {"labels": labels}, "spec": template["spec"]}
    if kind in {"Job", "CronJob"}:
        template["spec"]["restartPolicy"] = "Never"
        job = {"template": template}
        spec = job if kind == "Job" else {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "probe"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def refused(project: Project, manifest: dict[str, Any]) -> str:
    """Refusal of an object by the API server; nothing if it would admit it."""
    path = project.root / "probe.json"
    path.write_text(json.dumps(manifest))
    done = project.kubectl("create", "--dry-run=server", "--filename", str(path))
    return done.error if done.code else ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_platform_s_pods_are_admitted_whatever_makes_them(
    project: Project, gateway: dict[str, Any], kind: str
) -> None:
    """The control of all refusals below."""
    template = {"metadata": {"labels": gateway["metadata"]["labels"]}, "spec": gateway["spec"]}
    assert refused(project, of_kind(kind, template)) == ""


def test_an_image_by_digest_alone_is_admitted(project: Project, gateway: dict[str, Any]) -> None:
    """Webhooks that look digests up leave the tag out; nothing is more fixed than a digest."""
    repository = GATEWAY.rpartition(":")[0]
    container, *others = gateway["spec"]["containers"]
    spec = {**gateway["spec"], "containers": [{**container, "image": f"{repository}@{DIGEST}"}, *others]}
    template = {"metadata": {"labels": gateway["metadata"]["labels"]}, "spec": spec}
    assert refused(project, of_kind("Deployment", template)) == ""


@pytest.mark.parametrize(
    ("rule", "image"),
    [
        ("retired-image", f"frozen68/api-gateway:latest@{DIGEST}"),
        ("retired-image", f"docker.io/frozen68/archive-service:latest@{DIGEST}"),
        ("fixed-tag", f"frozen68/api-gateway@{DIGEST[:-1]}"),
        ("fixed-tag", f"frozen68/api-gateway:Latest@{DIGEST}"),
        ("known-repository", f"frozen68/api-gateway-copy:1@{DIGEST}"),
        ("known-repository", f"ghcr.io/frozen68/api-gateway:1@{DIGEST}"),
        ("known-repository", f"another/frozen68/api-gateway:1@{DIGEST}"),
        ("digest", GATEWAY),
    ],
)
@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_an_image_that_breaks_a_rule_is_refused_by_the_rule_s_name(
    project: Project, gateway: dict[str, Any], kind: str, rule: str, image: str
) -> None:
    """The message names policy, rule and image."""
    pod = copy.deepcopy(gateway)
    write(pod, f"{CONTAINER}.image", image)
    said = refused(project, of_kind(kind, {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}))
    assert "ValidatingAdmissionPolicy 'alt-las-alpha-workloads'" in said
    assert f"{rule}: {image} " in said


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_and_no_list_of_containers_is_forgotten(project: Project, gateway: dict[str, Any], kind: str) -> None:
    """An init container counts as any other."""
    pod = copy.deepcopy(gateway)
    first = copy.deepcopy(pod["spec"]["containers"][0]) | {"name": "first", "image": f"nobody/nothing:1@{DIGEST}"}
    for key in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
        first.pop(key)
    pod["spec"]["initContainers"] = [first]
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    assert f"known-repository: nobody/nothing:1@{DIGEST} is from no repository" in refused(
        project, of_kind(kind, template)
    )


def test_a_container_that_is_put_into_a_running_pod_is_judged(project: Project, gateway: dict[str, Any]) -> None:
    """A user who may debug a pod brings no image of their own; one of the platform's is admitted."""
    pod = copy.deepcopy(gateway)
    pod["metadata"]["name"] = "debugged"
    path = project.root / "debugged.json"
    path.write_text(json.dumps(pod))
    created = project.kubectl("create", "--filename", str(path))
    assert created.code == 0, created.text

    def debug(image: str) -> Done:
        place = ("--namespace", "alt-las", "pod/debugged", "--profile", "restricted")
        return project.kubectl("debug", *place, "--image", image)

    strange = f"nobody/nothing:1@{DIGEST}"
    assert f"known-repository: {strange} is from no repository" in debug(strange).error
    admitted = debug(f"{GATEWAY}@{DIGEST}")
    assert admitted.code == 0, admitted.text


@pytest.mark.parametrize(
    ("rule", "image"),
    [
        ("known-repository", f"nobody/nothing:1@{DIGEST}"),
        ("fixed-tag", "nobody/nothing"),
        ("retired-image", "frozen68/api-gateway:latest"),
        ("digest", GATEWAY),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_is_mounted_is_judged_as_one_that_runs(
    project: Project, gateway: dict[str, Any], kind: str, rule: str, image: str
) -> None:
    """The restricted profile admits volumes that are images, and a program in one can be run."""
    pod = copy.deepcopy(gateway)
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    write(pod, "spec.volumes[99]", {"name": "tools", "image": {"reference": f"{GATEWAY}@{DIGEST}"}})
    assert refused(project, of_kind(kind, template)) == ""
    write(pod, "spec.volumes[99]", {"name": "more", "image": {"reference": image}})
    assert f"{rule}: {image} " in refused(project, of_kind(kind, template))


@pytest.mark.parametrize("label", ["app.kubernetes.io/name", "app.kubernetes.io/part-of"])
def test_pods_without_a_required_label_are_refused(project: Project, gateway: dict[str, Any], label: str) -> None:
    """No policy would select them, and nobody would know whose they are."""
    pod = copy.deepcopy(gateway)
    del pod["metadata"]["labels"][label]
    assert "required-labels: the pods need the labels app.kubernetes.io/name and" in refused(project, pod)


def test_other_namespaces_are_not_judged(project: Project, gateway: dict[str, Any]) -> None:
    """The rules are the stack's own."""
    pod = copy.deepcopy(gateway)
    write(pod, f"{CONTAINER}.image", "nobody/nothing:1")
    pod["metadata"]["namespace"] = "default"
    pod["spec"]["serviceAccountName"] = "default"
    assert refused(project, pod) == ""


FORBIDDEN = [
    ("host namespaces", "spec.hostNetwork", True),
    ("host namespaces", "spec.hostPID", True),
    ("host namespaces", "spec.hostIPC", True),
    ("privileged (container", f"{CONTAINER}.securityContext", {"privileged": True, "capabilities": {"drop": ["ALL"]}}),
    ("allowPrivilegeEscalation != false", f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True),
    ("allowPrivilegeEscalation != false", f"{CONTAINER}.securityContext.allowPrivilegeEscalation", ABSENT),
    ("unrestricted capabilities", f"{CONTAINER}.securityContext.capabilities.drop", ABSENT),
    ("unrestricted capabilities", f"{CONTAINER}.securityContext.capabilities.add", ["NET_RAW"]),
    ("unrestricted capabilities", f"{CONTAINER}.securityContext.capabilities.add", ["SYS_ADMIN"]),
    ("runAsNonRoot != true", "spec.securityContext.runAsNonRoot", False),
    ("runAsNonRoot != true", "spec.securityContext.runAsNonRoot", ABSENT),
    ("runAsNonRoot != true", f"{CONTAINER}.securityContext.runAsNonRoot", False),
    ("runAsUser=0", "spec.securityContext.runAsUser", 0),
    ("runAsUser=0", f"{CONTAINER}.securityContext.runAsUser", 0),
    ("seccompProfile", "spec.securityContext.seccompProfile", ABSENT),
    ("seccompProfile", "spec.securityContext.seccompProfile.type", "Unconfined"),
    ("seccompProfile", f"{CONTAINER}.securityContext.seccompProfile", {"type": "Unconfined"}),
    ("seLinuxOptions", "spec.securityContext.seLinuxOptions", {"type": "spc_t"}),
    ("seLinuxOptions", "spec.securityContext.seLinuxOptions", {"user": "system_u"}),
    ("AppArmor profile", "spec.securityContext.appArmorProfile", {"type": "Unconfined"}),
    ("forbidden sysctls", "spec.securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("hostPort", f"{CONTAINER}.ports[0].hostPort", 3000),
    ("restricted volume types", "spec.volumes[0]", {"name": "app-logs", "hostPath": {"path": "/"}}),
    ("restricted volume types", "spec.volumes[0]", {"name": "app-logs", "nfs": {"server": "a", "path": "/"}}),
    ("probe or lifecycle host", f"{CONTAINER}.readinessProbe.httpGet.host", "169.254.169.254"),
]
"""The controls of the baseline and restricted Pod Security Standards: what is said, where, and the forbidden value.

Left out are those of Windows containers, which Kubernetes refuses before any standard does.
"""


@pytest.mark.parametrize(("said", "path", "value"), FORBIDDEN, ids=[f"{p}={v}" for _, p, v in FORBIDDEN])
def test_a_pod_with_a_forbidden_setting_is_refused_by_name(
    project: Project, gateway: dict[str, Any], said: str, path: str, value: object
) -> None:
    """One setting changed at a time, in an otherwise good pod."""
    pod = copy.deepcopy(gateway)
    write(pod, path, value)
    answer = refused(project, pod)
    assert 'violates PodSecurity "restricted:v1.35"' in answer
    assert said in answer
