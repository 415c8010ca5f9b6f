"""Autoscalers of services that get a fixed number of pods."""

from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update.autoscalers import remove_autoscalers
from tests.support.documents import REMOVED, alpha_settings

GATEWAY = "services.api-gateway"
DELETED = ("delete", "horizontalpodautoscaler", "api-gateway", "--namespace", "alt-las", "--ignore-not-found")


class Recording(Kubectl):
    """Notes commands and changes nothing."""

    commands: list[tuple[str, ...]]

    def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """Note a command."""
        self.commands.append(arguments)
        return ""


def autoscaler(name: str) -> dict[str, Any]:
    """An autoscaler as the state has it."""
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}
    metadata = {"name": name, "namespace": "alt-las"}
    inputs = {"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
    return {"type": "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "urn": name, "inputs": inputs}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, []), ({f"{GATEWAY}.autoscaling": REMOVED, f"{GATEWAY}.replicas": 1}, [DELETED])],
)
def test_only_the_autoscaler_of_a_service_with_a_fixed_number_is_removed(
    changes: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    """Its Deployment is no autoscaler, and another service keeps its own."""
    deployment = {"type": "kubernetes:apps/v1:Deployment", "inputs": {"kind": "Deployment"}}
    names = ("api-gateway", "runner-service")
    state = {"deployment": {"resources": [deployment, *(autoscaler(name) for name in names)]}}
    kubectl, said = Recording(Path("kubectl"), Path("kubeconfig")), list[str]()
    kubectl.commands = []
    remove_autoscalers(kubectl, state, alpha_settings(changes), said.append)
    assert kubectl.commands == expected
    assert len(said) == len(expected)
