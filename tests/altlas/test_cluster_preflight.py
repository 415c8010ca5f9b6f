"""Checks of `altlas preflight` by recorded answers of a cluster: one fault at a time, and none."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from altlas.preflight.check import require
from altlas.preflight.run import is_simulated
from altlas.session.engine import Engine
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from altlas.update.up import look_first
from cluster import Target
from rendering.errors import CommandError, ExitCode
from tests.support.cluster_faults import CACHE, FAULTS, to_openshift
from tests.support.documents import alpha_settings
from tests.support.recorded_cluster import Recorded, look, sound

FORBIDDEN = CommandError("cannot read x: Error from server (Forbidden): no")


def test_a_sound_cluster_has_no_fault() -> None:
    """Every check is there, and says what it found."""
    found = look(sound())
    assert [str(check) for check in found if check.state != "ok"] == []
    assert [check.name for check in found] == [
        "API server",
        "cluster DNS",
        "default StorageClass",
        "metrics API",
        "IngressClass traefik",
        "ingress controller",
        "certificate of alt-las.local",
        "network plugin",
        "images",
        "registries",
        "capacity",
        "CloudNativePG",
        "Prometheus Operator",
    ]
    require(found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_alone_with_its_cure(fault: str) -> None:
    """Every other check says the same as on the sound cluster."""
    break_it, changes, state, name, text = FAULTS[fault]
    answers = copy.deepcopy(sound())
    break_it(answers)
    (wrong,) = [check for check in look(answers, changes) if check.state != "ok"]
    assert (wrong.state, wrong.name) == (state, name)
    assert text in str(wrong)
    assert wrong.cure


def test_a_cure_names_only_what_helps() -> None:
    """A cluster without any class offers none to choose, and no setting says where Prometheus' operator is."""
    nothing: dict[str, Any] = {
        "ingressclasses.networking.k8s.io default": [],
        "storageclasses.storage.k8s.io default": [],
        "deployments.apps default app.kubernetes.io/name=prometheus-operator": [],
        "deployments.apps default app.kubernetes.io/name=cloudnative-pg": [],
    }
    assert {check.name: check.cure for check in look(sound() | nothing) if check.state == "failed"} == {
        "IngressClass traefik": "install a controller that serves it",
        "default StorageClass": "install a provisioner with a default class",
        "Prometheus Operator": "install it (altlas addons install)",
        "CloudNativePG": "install it (altlas addons install), or correct postgres.operatorNamespace",
    }


def test_the_service_of_the_api_server_alone_is_not_enough_and_the_endpoints_alone_are() -> None:
    """Networks differ in when they judge; after DNAT is what nearly all do."""
    only_service = look(sound(), {"egress.apiServerAddresses": ["10.43.0.1"]})[0]
    only_endpoints = look(sound(), {"egress.apiServerAddresses": ["172.18.0.3"]})[0]
    assert (only_service.state, only_endpoints.state) == ("failed", "warning")


@pytest.mark.parametrize(
    ("deployments", "state", "said"),
    [
        ([], "failed", "no Deployment with app.kubernetes.io/name=flagger (--namespace=flagger-system)"),
        ([{"metadata": {"namespace": "f", "name": "flagger"}, "status": {}}], "failed", "has no available pod"),
        ([{"metadata": {"namespace": "f", "name": "flagger"}, "status": {"availableReplicas": 1}}], "ok", "f/flagger"),
    ],
)
def test_a_canary_needs_flagger_s_pods(deployments: list[dict[str, Any]], state: str, said: str) -> None:
    """Its CRDs alone would store the canary, and nobody would release anything; without a canary nobody asks."""
    answers = sound() | {"deployments.apps default app.kubernetes.io/name=flagger": deployments}
    found = look(answers, {"services.api-gateway.canary": {}, "ingress.api": "gateway"})
    (check,) = (each for each in found if each.name == "Flagger")
    assert (check.state, said in check.found) == (state, True)
    assert check.cure or state == "ok"
    assert not any(each.name == "Flagger" for each in look(sound()))


def test_settings_that_follow_the_cure_pass() -> None:
    """The settings take what a check says to write, which then covers the cluster."""
    answers = sound()
    to_openshift(answers)
    answers["daemonset kube-system/node-local-dns"] = CACHE
    there = {
        "namespace": "openshift-dns",
        "labels": {"dns.operator.openshift.io/daemonset-dns": "default"},
        "ports": [5353],
        "addresses": ["169.254.25.10", "10.96.0.10"],
    }
    assert {check.state for check in look(answers, {"egress.dns": there})} == {"ok"}


def test_what_a_user_may_not_read_is_unknown_and_stops_nothing() -> None:
    """A deployer with the rights of one namespace goes on."""
    found = look(dict.fromkeys(sound(), FORBIDDEN))
    assert {check.state for check in found} == {"unknown"} | {check.state for check in found if check.state == "ok"}
    assert sum(check.state == "unknown" for check in found) >= 8
    require(found)


def test_a_cluster_that_does_not_answer_stops_the_checks() -> None:
    """With its own message."""
    answers = sound() | {"service default/kubernetes": CommandError("connection refused", ExitCode.NO_CLUSTER)}
    with pytest.raises(CommandError, match="connection refused"):
        look(answers)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("API server moved", ExitCode.BAD_INPUT), ("no StorageClass", ExitCode.NO_CLUSTER), ("no metrics", None)],
)
def test_a_failed_check_stops_an_update_with_a_code_that_says_what_to_correct(
    fault: str, code: ExitCode | None
) -> None:
    """2 for the settings, 4 for the cluster; a warning stops nothing."""
    break_it, changes, *_ = FAULTS[fault]
    answers = copy.deepcopy(sound())
    break_it(answers)
    found = look(answers, changes)
    if code is None:
        require(found)
        return
    with pytest.raises(CommandError, match="nothing was changed") as caught:
        require(found)
    assert caught.value.code == code


@pytest.mark.parametrize(("answer", "expected"), [("fake fake fake", True), ("", False), (FORBIDDEN, False)])
def test_simulated_nodes_are_known_by_their_annotation(answer: Any, expected: bool) -> None:
    """A user who may not read nodes is not on a simulated cluster, as far as anybody can tell."""
    kubectl = type("Cluster", (Recorded,), {"answers": {"simulated nodes": answer}})(
        Path("kubectl"), Path("kubeconfig")
    )
    assert is_simulated(kubectl) is expected


def test_checks_are_documents() -> None:
    """As `--json` prints them."""
    assert json.loads(json.dumps([vars(check) for check in look(sound())]))[0]["state"] == "ok"


def session_on(answers: dict[str, Any], target: str) -> Session:
    """A session on a recorded cluster."""
    kubectl = type("Cluster", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    engine = Engine(Path(), {})
    return Session(Workspace(Path()), Target(target, "a test names it"), kubectl, engine)


@pytest.mark.parametrize("target", ["k3d", "kubeconfig"])
def test_an_update_is_refused_before_anything_is_written(target: str) -> None:
    """Default settings on a new k3d cluster: the exact lines to write, at once and without waiting."""
    with pytest.raises(CommandError) as caught:
        look_first(session_on(sound(), target), "alpha", alpha_settings(), print)
    assert caught.value.code == ExitCode.BAD_INPUT
    lines = ["apiServerAddresses: [10.43.0.1, 172.18.0.3]", "apiServerPorts: [443, 6443]"]
    assert [line.strip() for line in str(caught.value).splitlines()[-2:]] == lines


def test_an_update_says_what_it_is_warned_of_and_goes_on() -> None:
    """Settings that fit, without metrics and as a user who may not look at nodes."""
    answers = sound() | {"nodes": FORBIDDEN, "simulated nodes": FORBIDDEN}
    del answers["apiservices.apiregistration.k8s.io v1beta1.metrics.k8s.io"]
    settings = alpha_settings({"egress.apiServerAddresses": ["10.43.0.1", "172.18.0.3"]})
    said: list[str] = []
    look_first(session_on(answers, "kubeconfig"), "alpha", settings, said.append)
    assert [line.split(":")[:2] for line in said] == [["warning", " metrics API"], ["unknown", " capacity"]]
    assert "orbidden" not in "".join(said)


def test_an_update_asks_nothing_of_a_cluster_with_simulated_nodes() -> None:
    """No traffic flows there."""
    look_first(session_on({"simulated nodes": "fake fake"}, "kubeconfig"), "alpha", alpha_settings(), print)


def test_images_that_the_cluster_offers_by_itself_are_there() -> None:
    """Those of the registry of the target `node`, before any node has pulled one; all but one are not enough.

    Also an image that a registry elsewhere has is not there: nodes ask their own registry alone.
    """
    names = [image.reference for _, image in alpha_settings().images()]
    loki = next(index for index, name in enumerate(names) if name.startswith("grafana/loki:"))
    lacks = "the registry that the cluster brings itself has no images for"
    for left_out, expected in (
        (None, ("ok", f"the cluster's own registry has the {len(names)} images of the stack")),
        (0, ("failed", f"{lacks} services.api-gateway.image")),
        (loki, ("failed", f"{lacks} loki.image")),
    ):
        offered = [name for index, name in enumerate(names) if index != left_out]
        images = {"data": {"references": "\n".join(offered)}}
        found = look(sound() | {"images of nodes": "\n", "configmap kube-public/local-images": images})
        assert [(check.state, check.found) for check in found if check.name == "images"] == [expected]
        assert ("STACK=node" in str(found)) == (left_out is not None)
