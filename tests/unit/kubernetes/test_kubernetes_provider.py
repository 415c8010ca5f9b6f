"""The explicit Kubernetes provider of the program."""

from pathlib import Path

import pulumi
import pytest
import yaml

from components.kubernetes.object import PROVIDER_VERSION, KubernetesObject
from components.kubernetes.provider import KubernetesProvider
from rendering.recorder import run_program
from tests.support.documents import ROOT, STACKS
from tests.support.program import build, configure, full_configuration

_PROVIDER = "pulumi:providers:kubernetes"


def test_the_provider_holds_no_path_and_no_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its inputs are written into the state, which other machines read."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    program = build(lambda: KubernetesProvider("cluster"))
    (request,) = program.requests
    assert (request.type, request.name, request.version) == (_PROVIDER, "cluster", PROVIDER_VERSION)
    assert dict(program.recorder.registrations[0].inputs) == {}


@pytest.mark.parametrize("stack", STACKS)
def test_every_object_of_a_stack_is_registered_with_the_program_s_provider(stack: str) -> None:
    """An object without it would go to a default provider, which the project file disables."""
    values = full_configuration(stack)
    configure(values)
    program = build(lambda: run_program(ROOT), stack)
    objects = [request for request in program.requests if request.type.startswith("kubernetes:")]
    assert len(objects) > 100
    provider = f"{_PROVIDER}::cluster::cluster-id"
    assert [request.name for request in objects if not request.provider.endswith(provider)] == []


@pytest.mark.parametrize("project", [ROOT, ROOT / "cluster" / "addons"], ids=["platform", "addons"])
def test_no_object_may_take_a_default_provider(project: Path) -> None:
    """Also with plain `pulumi`: the project file says it, and not the environment of a command."""
    settings = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    assert settings == {"pulumi:disable-default-providers": {"value": ["kubernetes"]}}


def test_a_component_s_provider_reaches_its_objects() -> None:
    """By parentage, as the program passes it on."""

    class Part(pulumi.ComponentResource):
        def __init__(self, opts: pulumi.ResourceOptions) -> None:
            super().__init__("test:index:Part", "part", None, opts)
            manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
            KubernetesObject("x", manifest, pulumi.ResourceOptions(parent=self))

    program = build(lambda: Part(pulumi.ResourceOptions(provider=KubernetesProvider("other"))))
    assert program.request("kubernetes:core/v1:ConfigMap", "x").provider.endswith("::other::other-id")
