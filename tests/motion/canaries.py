"""Alpha with a canary of each service, and Flagger's real controller beside a simulated cluster."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import tools
from cluster.ports import choose_free_port
from components.stack.problems import PLATFORM_KEY
from tests.data.approvals import ask
from tests.e2e.conftest import Project
from tests.motion.figures import Measured
from tests.support.documents import BESIDE_SERVICES
from tests.support.gateway_api import route_weights
from tests.support.loopback import Process
from tests.support.stack_files import change

NAMESPACE = "alt-las"
SERVICES = ("api-gateway", "runner-service", "segmentation-service", "archive-service", "ai-orchestrator")
CANARY = {"intervalSeconds": 10, "failedChecks": 1, "gates": {"leastRequests": 50}}
"""Flagger's shortest interval. At 40 requests per second each check sees about 400."""

DEADLINE_SECONDS = 30
"""Time after which pods that are not ready have failed."""


@dataclass(frozen=True)
class Motion:
    """Alpha with a canary of each service, Flagger and Prometheus."""

    project: Project
    measured: Measured
    flagger: Process

    def canaries(self) -> dict[str, dict[str, Any]]:
        """Status of each canary, by service."""
        found = self.project.objects("canaries.flagger.app", NAMESPACE)
        return {each["metadata"]["name"]: each.get("status", {}) for each in found}

    def phases(self, *names: str) -> set[str]:
        """Phases of some canaries."""
        found = self.canaries()
        return {found[name].get("phase", "") for name in names}

    def image(self, deployment: str) -> str:
        """Image of a Deployment."""
        return str(self._deployment(deployment)["spec"]["template"]["spec"]["containers"][0]["image"])

    def _deployment(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.project.objects("deployments", NAMESPACE) if each["metadata"]["name"] == name)
        return found

    def weights(self, service: str) -> dict[str, int]:
        """Weights of a service's route, by Service."""
        return route_weights(self.project.objects("httproutes", NAMESPACE), service)

    def level(self, service: str) -> str:
        """Level of the log in the configuration of the pods that serve."""
        spec = self._deployment(f"{service}-primary")["spec"]["template"]["spec"]
        (name,) = (each["configMapRef"]["name"] for each in spec["containers"][0]["envFrom"] if "configMapRef" in each)
        configurations = self.project.objects("configmaps", NAMESPACE)
        (found,) = (each["data"]["LOG_LEVEL"] for each in configurations if each["metadata"]["name"] == name)
        return str(found)

    def decisions(self) -> list[tuple[str, str, str]]:
        """Decisions about canaries in the ledger, each with its service and its reason."""
        done = self.project.altlas("ledger", "show", "alpha", "--json")
        assert done.code == 0, done.text
        bodies = [each["body"] for each in json.loads(done.out) if each["kind"] == "canary"]
        return [(each["decision"], each["service"], each["reason"]) for each in bodies]

    def release(self, services: dict[str, Any]) -> None:
        """Change services in the stack file and update."""
        document = yaml.safe_load(self.project.stack_file("alpha").read_text())
        blocks = document["config"][PLATFORM_KEY]["services"]
        for name, block in services.items():
            blocks[name] |= block
        change(self.project, "alpha", {"services": blocks})
        done = self.project.altlas("up", "--stack", "alpha")
        assert done.code == 0, done.text

    def approve(self, service: str) -> None:
        """Approve the release that waits, as a person does by `altlas canary approve` where pods are real."""
        status, checksum = ask(f"{self.measured.approvals}/asked?service={service}")
        assert status == 200, checksum
        release = {"name": service, "checksum": checksum}
        assert ask(f"{self.measured.approvals}/approve", release | {"checksum": "another"})[0] == 409
        assert ask(f"{self.measured.approvals}/approve", release) == (200, "approved")

    def is_at_rest(self) -> None:
        """Pulumi has nothing to do, nothing has drifted, and every service is ready."""
        preview = self.project.pulumi("preview", "--stack", "alpha", "--expect-no-changes", "--diff")
        assert preview.code == 0, preview.text
        drift = self.project.altlas("drift", "alpha")
        assert drift.code == 0, drift.text
        status = self.project.altlas("status", "--stack", "alpha", "--json")
        assert not set(json.loads(status.out)["notReady"]) & set(SERVICES), status.text


def with_canaries(project: Project) -> None:
    """Give alpha canaries, and leave out what they do not need."""
    platform = yaml.safe_load(project.stack_file("alpha").read_text())["config"][PLATFORM_KEY]
    services = platform["services"]
    for service in services.values():
        service |= {"metrics": {}, "canary": CANARY}
    change(
        project,
        "alpha",
        {
            **{block: None for block in BESIDE_SERVICES if block != "prometheus"},
            "prometheus": platform["prometheus"] | {"scrapeIntervalSeconds": 5},
            "loadTest": None,
            "flagger": {"approvals": {}},
            "rollout": {"progressDeadlineSeconds": DEADLINE_SECONDS},
            "ingress": {
                "host": "alt-las.local",
                "api": "gateway",
                "routes": [{"service": name, "path": f"/{name}"} for name in SERVICES],
            },
            "services": services,
        },
    )


@contextmanager
def running_flagger(project: Project, folder: Path, proxy: str) -> Iterator[Process]:
    """Flagger's controller, until the end of the block."""
    kubeconfig = project.variables()["KUBECONFIG"]
    options = (
        "-mesh-provider=gatewayapi:v1",
        f"-namespace={NAMESPACE}",
        f"-port={choose_free_port(())}",
        "-log-level=info",
    )
    program = str(tools.ensure(["flagger"]).path("flagger"))
    made = Process((program, f"-kubeconfig={kubeconfig}", *options), folder, "flagger", {"HTTP_PROXY": proxy})
    made.start()
    try:
        yield made
    finally:
        made.kill()
