"""Drift that a real API server records: its owners of fields are those of the generated objects, and all is found."""

import copy
import json
import random
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from altlas.release.drift import drift, excluded
from altlas.release.drift_revert import revert
from altlas.release.owned_fields import read, write
from altlas.session.kubectl import Kubectl
from rendering.recorder import Registration, record
from tests.faults.answered_objects import APPLIER, Object
from tests.faults.cases import Cases
from tests.faults.generated_drift import DRIFTS, WRITERS, Done, Expected, Target
from tests.support.documents import platform_of
from tests.support.figures import Figures
from tests.support.own_cluster import NAMESPACE, OwnCluster

pytestmark = pytest.mark.sim

KINDS = (
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "NetworkPolicy",
    "Deployment",
    "StatefulSet",
    "Role",
    "Secret",
    "CronJob",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
)
OF_A_KIND = 2
SAMPLE, ALL = 12, 100
TRIES = 20
"""Changes of one case that the API server may refuse, such as of immutable fields."""


@pytest.fixture(scope="module")
def deployed() -> list[Registration]:
    """Some objects of alpha, one with values that the API server leaves out."""
    made = [each for each in record("alpha", platform_of("alpha")).registrations if "metadata" in each.inputs]
    chosen = [each for kind in KINDS for each in [one for one in made if one.inputs["kind"] == kind][:OF_A_KIND]]
    plain = [Registration(each.type, each.name, copy.deepcopy(dict(each.inputs))) for each in chosen]
    pod = next(each for each in plain if each.inputs["kind"] == "Deployment").inputs["spec"]["template"]["spec"]
    pod |= {"hostNetwork": False, "hostPID": False, "hostAliases": []}
    return plain


def _apply(cluster: OwnCluster, *manifests: Any) -> None:
    options = ("apply", "--server-side", "--force-conflicts", f"--field-manager={APPLIER}", "--filename=-")
    cluster.run(*options, text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))


def _live(cluster: OwnCluster, manifest: Any) -> Object:
    shown = cluster.run("get", manifest["kind"], manifest["metadata"]["name"], "--output=json", "--show-managed-fields")
    found: Object = json.loads(shown)
    return found


def _replaced(cluster: OwnCluster, manifest: Object, writer: str) -> bool:
    """Write an object as another program does; False where the API server refuses it."""
    left_out = ("managedFields", "resourceVersion")
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in left_out}
    command = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "--namespace", NAMESPACE, "replace"]
    done = subprocess.run(
        [*command, f"--field-manager={writer}", "--filename=-"],
        input=json.dumps({**manifest, "metadata": metadata}),
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_every_drift_that_an_api_server_records_is_found(
    cluster: OwnCluster,
    deployed: list[Registration],
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """As applied there is none; after a write of another program the field, the kind and the writer are named."""
    _apply(cluster, *(each.inputs for each in deployed))
    assert drift(deployed, [_live(cluster, each.inputs) for each in deployed]) == ()
    cases = cases_of("drift on a real API server", "all of it found with its writer, and nothing else", "sim")
    wrong = []
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        wanted, found = _case(cluster, deployed, random.Random(f"drift {key}"))  # noqa: S311  # no secrets
        cases.finish(key, held=wanted == found)
        if wanted != found:
            wrong.append((key, sorted(wanted - found), sorted(found - wanted)))
    figures.add("faults: drift on a real API server", str(cases.outcome))
    assert wrong == []
    assert cases.broken == []


def test_drift_is_taken_back_and_what_flagger_has_set_stays(cluster: OwnCluster) -> None:
    """A label of a Service that another writer changed goes back; its selector still leads to the pods that serve."""
    metadata = {"name": "released", "namespace": NAMESPACE, "labels": {"a": "sent"}}
    spec = {"selector": {"app": "released"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    target = {"kind": "Deployment", "name": "released"}
    canary = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": metadata,
        "spec": {"targetRef": target},
    }
    sent = [
        Registration("kubernetes:core/v1:Service", "released", service),
        Registration("kubernetes:flagger.app/v1beta1:Canary", "released", canary),
    ]
    _apply(cluster, service)
    for writer, where, value in (
        ("flagger", ("spec", "selector"), {"app": "released-primary"}),
        ("mallory", ("metadata", "labels"), {"a": "mallory"}),
    ):
        live = _live(cluster, service)
        write(live, where, value)
        assert _replaced(cluster, live, writer)
    found = drift(sent, [_live(cluster, service), canary])
    assert [(each.path, each.manager) for each in found] == [("metadata.labels.a", "mallory")]
    resources = [
        {"type": each.type, "urn": f"urn::{each.name}", "inputs": each.inputs, "outputs": {"__fieldManager": APPLIER}}
        for each in sent
    ]
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
    assert revert(kubectl, {"deployment": {"resources": resources}}, found) == ["Service released"]
    live = _live(cluster, service)
    assert (live["metadata"]["labels"], live["spec"]["selector"]) == ({"a": "sent"}, {"app": "released-primary"})
    assert drift(sent, [live, canary]) == ()


def _case(
    cluster: OwnCluster, deployed: list[Registration], chance: random.Random
) -> tuple[set[Expected], set[Expected]]:
    """Drift of one object, which is made again before: what is to be found, and what is found."""
    scalers = [each for each in deployed if each.inputs["kind"] == "HorizontalPodAutoscaler"]
    table = excluded([each.inputs for each in scalers])
    for _ in range(TRIES):
        one = chance.choice([each for each in deployed if each not in scalers])
        kind, name, writer = one.inputs["kind"], one.inputs["metadata"]["name"], chance.choice(WRITERS)
        cluster.run("delete", kind, name, "--ignore-not-found", "--wait=true")
        _apply(cluster, one.inputs)
        applied = _live(cluster, one.inputs)
        target = Target(dict(one.inputs), copy.deepcopy(applied), table.get((kind, name), {}), chance)
        done = DRIFTS[chance.choice(sorted(DRIFTS))](target, writer)
        if done is None or not _replaced(cluster, target.live, writer):
            continue
        live = _live(cluster, one.inputs)
        if read(live, done.path) == read(applied, done.path):
            # Its default, in place of what was removed, is what was sent.
            continue
        if done.kind == "removed" and read(live, done.path) is not None:
            done = Done("changed", done.path, writer)
        found = drift([one, *scalers], [live, *(each.inputs for each in scalers)], [applied])
        seen: set[Expected] = {
            (each.object.kind, each.object.name, each.kind, each.path, each.manager) for each in found
        }
        return {target.expected(done)}, seen
    raise AssertionError(f"the API server refused {TRIES} changes")
