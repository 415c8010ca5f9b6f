"""Questions to a cluster before anything is written to it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update.deployer_role import plural
from altlas.update.preflight import check_cluster, needed_crds
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from rendering.recorder import record
from tests.support.documents import STACKS, alpha_settings, alpha_with, platform_of

SCRIPT = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
while [ "$1" != get ]; do shift; done
cat "$(dirname "$0")/$2.json" 2>/dev/null || true
"""
GATEWAY = ["gateways.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io"]
ISTIO = ["authorizationpolicies.security.istio.io", "peerauthentications.security.istio.io"]
UPLOADS = {"endpoint": "https://s3.example.com", "bucket": "alt-las"}
WAL = ["objectstores.barmancloud.cnpg.io", "scheduledbackups.postgresql.cnpg.io"]
DATABASE = ["clusters.postgresql.cnpg.io", "databases.postgresql.cnpg.io"]
NO_DATABASE = {"postgres": None, "backup": None}
BOTH = {"ingress.api": "gateway", "mesh.mode": "ambient"}
EVERYTHING = BOTH | {"ingress.traefik": {"maxBodyMebibytes": 10}, "backup.objectStore": UPLOADS}
BUILT_IN = re.compile(r"v1|[a-z0-9]+/v\d+|(\w+\.)+k8s\.io/v\d+")
"""API versions that every API server serves; `gateway.networking.k8s.io` is the one of that form that is not."""


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    """A cluster that has nothing."""
    program = tmp_path / "kubectl"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    return Kubectl(program, tmp_path / "kubeconfig")


def put(kubectl: Kubectl, kind: str, *objects: dict[str, Any]) -> None:
    """Answer for a kind as kubectl does: one object alone, several in a list."""
    document = objects[0] if len(objects) == 1 else {"kind": "List", "items": objects}
    (kubectl.program.parent / f"{kind}.json").write_text(json.dumps(document))


def named(*names: str) -> list[dict[str, Any]]:
    """Objects of which nothing is known but the name."""
    return [{"metadata": {"name": name}} for name in names]


def problems(kubectl: Kubectl, changes: dict[str, Any]) -> list[str]:
    """Problems of the cluster for alpha, changed at paths."""
    try:
        check_cluster(
            kubectl, "alpha", alpha_settings({"prometheus": None, "alertmanager": None, "grafana": None} | changes)
        )
    except SettingsError as error:
        return [str(problem).removeprefix(f"{PLATFORM_KEY}.") for problem in error.problems]
    return []


def test_an_empty_cluster_takes_a_stack_without_custom_resources(kubectl: Kubectl) -> None:
    """One question about the namespace and none about definitions."""
    assert problems(kubectl, NO_DATABASE) == []
    (call,) = (kubectl.program.parent / "calls").read_text().splitlines()
    assert "get namespace alt-las --ignore-not-found" in call


def test_definitions_that_are_missing_are_named_with_the_setting_that_needs_them(kubectl: Kubectl) -> None:
    """All at once, each with its cure, by one question."""
    assert problems(kubectl, EVERYTHING) == [
        f"ingress.api: needs what the cluster does not have: {', '.join(GATEWAY)}; install the Gateway API (altlas "
        "addons install), or write `api: ingress`",
        "ingress.traefik: needs what the cluster does not have: middlewares.traefik.io; install Traefik's CRDs, or "
        "remove `traefik`",
        f"mesh.mode: needs what the cluster does not have: {', '.join(ISTIO)}; install Istio with its CRDs, or write "
        "`mode: off`",
        f"postgres: needs what the cluster does not have: {', '.join(DATABASE)}; install CloudNativePG (altlas addons "
        "install), or remove `postgres` and bring URLs of your own",
        f"backup.objectStore: needs what the cluster does not have: {', '.join(WAL)}; install the Barman Cloud plugin "
        "(altlas addons install --with barman-cloud), or remove `objectStore`",
    ]
    assert (kubectl.program.parent / "calls").read_text().count("customresourcedefinitions") == 1


def test_definitions_that_are_there_are_not_missed(kubectl: Kubectl) -> None:
    """One that is there does not stand for the other."""
    put(kubectl, "customresourcedefinitions", *named(*GATEWAY, *ISTIO, *DATABASE))
    assert problems(kubectl, BOTH) == []
    put(kubectl, "customresourcedefinitions", *named(*GATEWAY[:1], *DATABASE))
    (problem,) = problems(kubectl, {"ingress.api": "gateway"})
    assert GATEWAY[1] in problem
    assert GATEWAY[0] not in problem


@pytest.mark.parametrize(
    ("labels", "whose"),
    [({}, "was not made by this stack"), ({"app.kubernetes.io/instance": "beta"}, "belongs to the stack beta")],
)
def test_the_namespace_of_another_stack_is_refused_with_the_command_that_takes_it_over(
    kubectl: Kubectl, labels: dict[str, str], whose: str
) -> None:
    """The stack would own it, and delete it one day."""
    put(kubectl, "namespace", {"metadata": {"name": "alt-las", "labels": labels}})
    assert problems(kubectl, NO_DATABASE) == [
        f"namespace: is alt-las, which is on the cluster already and {whose}; choose another name, or hand it over "
        "with everything in it: kubectl label --overwrite namespace alt-las app.kubernetes.io/instance=alpha"
    ]


def test_the_stack_s_own_namespace_is_taken(kubectl: Kubectl) -> None:
    """Every update after the first finds it."""
    put(kubectl, "namespace", {"metadata": {"name": "alt-las", "labels": {"app.kubernetes.io/instance": "alpha"}}})
    assert problems(kubectl, NO_DATABASE) == []


def custom_kinds(document: dict[str, Any]) -> set[str]:
    """Definitions of everything that a document renders and that no API server has of itself."""
    found = set()
    for each in record("alpha", document).objects:
        if not BUILT_IN.fullmatch(each["apiVersion"]) or each["apiVersion"].startswith("gateway."):
            group = each["apiVersion"].partition("/")[0]
            found.add(f"{plural(each['kind'])}.{group}")
    return found


@pytest.mark.parametrize(
    ("document", "fewest"),
    [
        *((platform_of(stack), 2) for stack in STACKS),
        (alpha_with(EVERYTHING), 9),
        (alpha_with({"services.api-gateway.canary": {}, "ingress.api": "gateway"}), 4),
    ],
)
def test_every_custom_resource_that_is_rendered_is_looked_for(document: dict[str, Any], fewest: int) -> None:
    """A kind that is forgotten here fails in the middle of an update; one too many refuses a cluster for nothing."""
    needed = needed_crds(parse_platform(document)).values()
    looked_for = {name for names, _ in needed for name in names}
    assert custom_kinds(document) == looked_for
    assert len(looked_for) >= fewest


EXTERNAL = {"mode": "external", "external": {"monitorLabels": {"release": "stack"}}}


@pytest.mark.parametrize(
    ("prometheus", "missing"),
    [
        (EXTERNAL, "podmonitors.monitoring.coreos.com, probes.monitoring.coreos.com"),
        ({}, "podmonitors.monitoring.coreos.com, probes.monitoring.coreos.com"),
    ],
)
def test_monitoring_without_its_definitions_is_refused(
    kubectl: Kubectl, prometheus: dict[str, Any], missing: str
) -> None:
    """In the mode external only monitors and rules are needed; either way the cure is named."""
    (problem,) = problems(kubectl, NO_DATABASE | {"prometheus": prometheus})
    assert problem.startswith(f"prometheus.mode: needs what the cluster does not have: {missing}")
    assert problem.endswith("(altlas addons install), or write `prometheus: null`")
    assert ("prometheuses" in problem) is (prometheus == {})
