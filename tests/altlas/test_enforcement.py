"""`altlas preflight --probe` and the mesh, by a recorder: which pods are started, what they show, and what is left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from altlas.preflight import enforcement, services
from altlas.preflight.check import Check, answered
from policy.manifests import ManifestSet
from policy.rules import Parameters, evaluate
from rendering.errors import CommandError, ExitCode
from tests.altlas.conftest import Altlas
from tests.support.documents import alpha_settings
from tests.support.recorded_cluster import Recorded

FORBIDDEN = CommandError("`kubectl create` failed: (Forbidden)", ExitCode.NO_CLUSTER)


class Cluster(Recorded):
    """Keeps what was created and deleted; pods end as a test says."""

    ends: Mapping[str, Any] = {}
    created: list[dict[str, Any]] = []  # of the class that each test makes
    deleted: list[str] = []

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Keep an object, or refuse it."""
        refusal = self.answers.get(f"create {manifest['kind']}")
        if refusal:
            raise refusal
        self.created.append(dict(manifest))
        return True

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """A pod with the end of its container."""
        assert (kind, namespace) == ("pod", self.created[0]["metadata"]["name"])
        end = self.ends[name]
        if isinstance(end, BaseException):
            raise end
        state = {"terminated": {"exitCode": end}} if isinstance(end, int) else {"waiting": {"reason": end}}
        return {"status": {"containerStatuses": [{"state": state}]}}

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Deletion of a namespace."""
        if arguments[0] != "delete":
            return super().text(*arguments, stdin=stdin)
        if refusal := self.answers.get("delete"):
            raise refusal
        self.deleted.append(arguments[2])
        return ""


def cluster(answers: dict[str, Any] | None = None, **ends: Any) -> Cluster:
    """A cluster on which the two pods end so."""
    attributes = {"answers": answers or {}, "ends": ends, "created": [], "deleted": []}
    made: Cluster = type("Made", (Cluster,), attributes)(Path("kubectl"), Path("kubeconfig"))
    return made


@pytest.mark.parametrize(
    ("denied", "free", "state", "text"),
    [
        (1, 0, "ok", "a denied connection failed, and one that nothing denies was made"),
        (0, 0, "failed", "a connection that a NetworkPolicy denies was made"),
        (0, 1, "failed", "a connection that a NetworkPolicy denies was made"),
        (1, 1, "unknown", "not even one that nothing denies"),
        (1, "ImagePullBackOff", "unknown", "free: ImagePullBackOff"),
        ("ContainerCreating", 0, "unknown", "denied: ContainerCreating"),
    ],
)
def test_two_connections_show_whether_policies_are_enforced(
    denied: int | str, free: int | str, state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a denied one that fails while a free one succeeds proves it; nothing is left."""
    monkeypatch.setattr(enforcement, "_SECONDS", 0)
    made = cluster(denied=denied, free=free)
    (check,) = enforcement.enforcement(made, alpha_settings())
    assert (check.state, check.name) == (state, "policy enforcement")
    assert text in str(check)
    assert made.deleted == [made.created[0]["metadata"]["name"]]


def test_what_is_started_is_restricted_and_only_one_pod_is_denied() -> None:
    """A namespace that admits restricted pods only, a policy without any rule, and two equal pods without a token."""
    made = cluster(denied=1, free=0)
    list(enforcement.enforcement(made, alpha_settings()))
    namespace, network_policy, *pods = made.created
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    spec = network_policy["spec"]
    assert spec == {"podSelector": spec["podSelector"], "policyTypes": ["Ingress", "Egress"]}
    selected = [pod["metadata"]["labels"].items() >= spec["podSelector"]["matchLabels"].items() for pod in pods]
    assert selected == [True, False]
    assert pods[0]["spec"] == pods[1]["spec"]
    assert len(ManifestSet(pods).pods) == 2
    found = {each.rule for each in evaluate(pods, Parameters())}
    assert not {each for each in found if "privilege" in each or "root" in each or "token" in each}, found
    assert pods[0]["spec"]["activeDeadlineSeconds"] == 60


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), CommandError("cannot read pod: gone", ExitCode.NO_CLUSTER)])
def test_nothing_is_left_after_an_interruption_or_a_failure(failure: BaseException) -> None:
    """Ctrl-C while the pods run, and a cluster that stops to answer."""
    made = cluster(denied=failure, free=0)
    with pytest.raises(type(failure)):
        list(enforcement.enforcement(made, alpha_settings()))
    assert made.deleted == [made.created[0]["metadata"]["name"]]


def test_a_user_without_the_right_to_make_a_namespace_gets_unknown() -> None:
    """As for every other check."""
    made = cluster({"create Namespace": FORBIDDEN, "delete": FORBIDDEN})
    (check,) = answered("policy enforcement", lambda: enforcement.enforcement(made, alpha_settings()))
    assert check.state == "unknown"
    assert made.created == []


def test_a_namespace_that_cannot_be_removed_is_named() -> None:
    """With the command that removes it."""
    made = cluster({"delete": CommandError("connection refused", ExitCode.NO_CLUSTER)}, denied=1, free=0)
    with pytest.raises(CommandError, match=r"kubectl delete namespace alt-las-probe-[0-9a-f]{8}") as caught:
        list(enforcement.enforcement(made, alpha_settings()))
    assert caught.value.code == ExitCode.NO_CLUSTER


@pytest.mark.parametrize(
    ("sets", "version", "state", "found"),
    [
        (["calico-node", "kube-proxy"], "v1.35.4", "ok", "calico-node; no proof"),
        ([], "v1.35.4+k3s1", "ok", "k3s itself; no proof"),
        (["kube-flannel-ds"], "v1.35.4", "warning", "none is known to enforce policies"),
    ],
)
def test_what_is_installed_is_named_and_proves_nothing(sets: list[str], version: str, state: str, found: str) -> None:
    """Without --probe."""
    answers = {
        "daemonsets.apps kube-system": [{"metadata": {"name": each}} for each in sets],
        "versions of nodes": version,
    }
    kubectl = type("Made", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    (check,) = enforcement.installed(kubectl)
    assert check.state == state
    assert found in check.found
    assert "--probe" in str(check)


SERVED = {
    "deployments.apps istio-system app=istiod": ("availableReplicas", "replicas"),
    "daemonsets.apps istio-system app=ztunnel": ("numberReady", "desiredNumberScheduled"),
    "daemonsets.apps istio-system k8s-app=istio-cni-node": ("numberReady", "desiredNumberScheduled"),
}


def mesh(ready: Mapping[str, int]) -> list[Check]:
    """Checks of the mesh where each of the programs, by its query, has so many of two pods ready."""
    answers = {
        query: [
            {
                "metadata": {"name": "x", "namespace": "istio-system"},
                "status": {SERVED[query][0]: count, SERVED[query][1]: 2},
            }
        ]
        for query, count in ready.items()
    }
    kubectl = type("Made", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    return list(services.mesh(kubectl, alpha_settings({"mesh": {"mode": "ambient"}})))


def test_a_mesh_needs_its_control_plane_and_both_programs_on_every_node() -> None:
    """Each that is missing, or not ready somewhere, is named; a stack without a mesh needs none."""
    whole = dict.fromkeys(SERVED, 2)
    assert [each.state for each in mesh(whole)] == ["ok", "ok", "ok"]
    for query in SERVED:
        program = query.rpartition("=")[2]
        for lacking in ({key: value for key, value in whole.items() if key != query}, whole | {query: 1}):
            (wrong,) = [each for each in mesh(lacking) if each.state != "ok"]
            assert (wrong.state, wrong.name) == ("failed", f"mesh: {program}")
            assert wrong.cure
    kubectl = type("Made", (Recorded,), {"answers": {}})(Path("kubectl"), Path("kubeconfig"))
    assert list(services.mesh(kubectl, alpha_settings())) == []


def test_the_option_is_described_by_the_command(altlas: Altlas) -> None:
    """With what it starts."""
    assert "--probe" in altlas("preflight", "--help").out


ISSUER = {"ingress.api": "gateway", "ingress.tls": {"issuer": {"name": "letsencrypt"}}}


@pytest.mark.parametrize(
    ("arguments", "configuration", "state"),
    [
        (["--enable-gateway-api"], None, "ok"),
        (["--config=/var/cert-manager/config.yaml"], "apiVersion: x\nenableGatewayAPI: true\n", "ok"),
        (["--config=/var/cert-manager/config.yaml"], "enableGatewayAPI: false\n", "warning"),
        (["--enable-gateway-api=false"], None, "warning"),
        (["--v=2"], None, "warning"),
    ],
)
def test_an_issuer_of_a_gateway_needs_a_cert_manager_that_looks_at_gateways(
    arguments: list[str], configuration: str | None, state: str
) -> None:
    """By its arguments or its configuration file; an Ingress needs neither."""
    volumes = [{"configMap": {"name": "cert-manager"}}] if configuration else []
    deployment = {
        "metadata": {"namespace": "cert-manager"},
        "spec": {"template": {"spec": {"containers": [{"args": arguments}], "volumes": volumes}}},
    }
    selector = "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller"
    answers = {
        f"deployments.apps cert-manager {selector}": [deployment],
        "configmap cert-manager/cert-manager": {"data": {"config.yaml": configuration}},
    }
    kubectl = type("Made", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    (check,) = services.gateway_shim(kubectl, alpha_settings(ISSUER))
    assert check.state == state
    assert list(services.gateway_shim(kubectl, alpha_settings({**ISSUER, "ingress.api": "ingress"}))) == []
    nothing = type("Made", (Recorded,), {"answers": {}})(Path("kubectl"), Path("kubeconfig"))
    assert [each.state for each in services.gateway_shim(nothing, alpha_settings(ISSUER))] == ["warning"]
