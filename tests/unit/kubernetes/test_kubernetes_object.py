"""Registration of Kubernetes objects."""

import sys
from importlib.metadata import version
from pathlib import Path

import pulumi
import pytest

from components.kubernetes.object import (
    DATA_ANNOTATION,
    DELETION_TIMEOUT,
    PROVIDER_VERSION,
    KubernetesObject,
    resource_type,
)
from tests.support.program import build

MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}}


@pytest.mark.parametrize(
    ("api_version", "kind", "token"),
    [
        ("v1", "Service", "kubernetes:core/v1:Service"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
        ("networking.k8s.io/v1", "NetworkPolicy", "kubernetes:networking.k8s.io/v1:NetworkPolicy"),
    ],
)
def test_the_type_token_is_the_provider_s(api_version: str, kind: str, token: str) -> None:
    """Pulumi calls the group without a name `core`."""
    assert resource_type({"apiVersion": api_version, "kind": kind}) == token


def test_a_manifest_is_registered_as_it_is() -> None:
    """Nothing is added, renamed or left out on the way to the engine."""
    program = build(lambda: KubernetesObject("web", MANIFEST, pulumi.ResourceOptions()))
    (registration,) = program.recorder.registrations
    assert (registration.type, registration.name) == ("kubernetes:apps/v1:Deployment", "web")
    assert registration.inputs == MANIFEST


def test_a_protected_object_says_so_and_the_manifest_of_the_caller_stays_as_it_was() -> None:
    """The mark comes from Pulumi's own protection, so that the two cannot differ."""
    manifest = MANIFEST | {"metadata": {"name": "web", "annotations": {"note": "mine"}}}
    program = build(lambda: KubernetesObject("web", manifest, pulumi.ResourceOptions(protect=True)))
    (registration,) = program.recorder.registrations
    assert registration.inputs["metadata"]["annotations"] == {"note": "mine", DATA_ANNOTATION: "protected"}
    assert manifest["metadata"] == {"name": "web", "annotations": {"note": "mine"}}


def test_every_object_is_pinned_to_one_provider_version() -> None:
    """Without the version the engine would take any plugin that is installed."""
    program = build(lambda: KubernetesObject("web", MANIFEST, pulumi.ResourceOptions()))
    assert program.request("kubernetes:apps/v1:Deployment", "web").version == PROVIDER_VERSION


@pytest.mark.parametrize(("kind", "timeout"), [("ConfigMap", DELETION_TIMEOUT), ("Deployment", "")])
def test_a_deletion_that_waits_for_nothing_is_looked_at_soon(kind: str, timeout: str) -> None:
    """An event that the provider misses would hold an update for ten minutes; pods may take their time."""
    program = build(lambda: KubernetesObject("web", MANIFEST | {"kind": kind}, pulumi.ResourceOptions()))
    assert program.request(f"kubernetes:apps/v1:{kind}", "web").customTimeouts.delete == timeout


def test_an_object_notes_where_it_was_made_and_not_all_that_runs_around_it() -> None:
    """The nearest frames, the maker's first; the rest would be written into the state again and again."""
    program = build(lambda: KubernetesObject("web", MANIFEST, pulumi.ResourceOptions()))
    request = program.request("kubernetes:apps/v1:Deployment", "web")
    frames = [frame.pc.uri for frame in request.stackTrace.frames]
    assert frames[0] == request.sourcePosition.uri == Path(__file__).as_uri()
    assert len(frames) == 5


@pytest.mark.parametrize("outside", [None, 3])
def test_tracebacks_outside_of_a_registration_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch, outside: int | None
) -> None:
    """Also after one that fails: an error of the program is shown whole."""
    monkeypatch.delattr(sys, "tracebacklimit", raising=False)
    if outside is not None:
        monkeypatch.setattr(sys, "tracebacklimit", outside, raising=False)
    with pytest.raises(TypeError, match="Missing resource name"):
        KubernetesObject("", MANIFEST, pulumi.ResourceOptions())
    build(lambda: KubernetesObject("web", MANIFEST, pulumi.ResourceOptions()))
    assert getattr(sys, "tracebacklimit", None) == outside


def test_the_pinned_provider_is_the_installed_package_s() -> None:
    """Plugin and Python package are released together."""
    assert version("pulumi_kubernetes") == PROVIDER_VERSION
