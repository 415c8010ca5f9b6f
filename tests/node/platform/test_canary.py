"""Canaries of api-gateway on real nodes: a good release is promoted and a bad one taken back, judged by real answers.

Requests from outside are split by Traefik, answered by pods, measured by the stack's Prometheus, and judged by Flagger
in a pod, through the policies. The images are stand-ins of the gateway; one of them fails by its own configuration.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.node.images import push
from cluster.waiting import wait_for
from components.stack.problems import PLATFORM_KEY
from tests.data.traffic import Traffic
from tests.node.platform.changes import load
from tests.node.platform.flagger import BAD, FLAGGER_NAMESPACE, GOOD, TLS_SECRET, controller, images
from tests.node.platform.project import HOME, HOST, NAMESPACE, STACK, NodeProject
from tests.node.platform.sessions import PATHS, GatewaySession
from tests.node.real_cluster import wait_until
from tests.support.figures import Figures
from tests.support.gateway_api import gateway_class, route_weights, tls_secret

pytestmark = pytest.mark.node

SERVICE = "api-gateway"
STEPS = (25, 50, 100)
CANARY = {
    "steps": list(STEPS),
    "intervalSeconds": 20,
    "failedChecks": 2,
    # Of a busy machine: a slower answer is no error of the release.
    "gates": {"leastRequests": 50, "latencyFactor": 20},
    "approval": True,
}
VISITORS = 2
"""Each asks by two connections, some ten times a second."""

MOST_FAILED_PERCENT = 1.0
"""Of all requests while a good release is promoted."""

_SECONDS = 300


@dataclass
class Canary:
    """The platform with a canary of the gateway, and visitors from outside.

    Attributes:
        project: The platform.
        answers: Requests by their outcome, of all visitors.
    """

    project: NodeProject
    answers: Counter[bool] = field(default_factory=Counter)

    def status(self) -> dict[str, Any]:
        """Status of the canary."""
        found: list[dict[str, Any]] = self.project.objects("canaries.flagger.app", NAMESPACE)
        status: dict[str, Any] = found[0].get("status", {}) if found else {}
        return status

    def weights(self) -> dict[str, int]:
        """Weights of the route, by Service."""
        return route_weights(self.project.objects("httproutes", NAMESPACE), SERVICE)

    def image(self, deployment: str) -> str:
        """Image of a Deployment."""
        path = "--output=jsonpath={.spec.template.spec.containers[0].image}"
        return self.project.ask("get", "deployment", deployment, path)

    def judged(self, release: Mapping[str, str], end: str) -> tuple[list[int], str]:
        """Release an image and wait for the decision; return the shares that it got, and what visitors noticed."""
        self.answers.clear()
        start = time.monotonic()
        seen = dict[int, None]()
        with ThreadPoolExecutor(1) as pool:
            updating = pool.submit(update, self.project, {"image": dict(release)})

            def decided() -> bool:
                status = self.status()
                seen[status.get("canaryWeight", 0)] = None
                # An error of the update ends the wait.
                return updating.done() and updating.result() is None and status.get("phase") == end

            assert wait_for(decided, bool, seconds=_SECONDS, poll_seconds=2), f"{end} is not reached: {self.status()}"
        asked, failed = sum(self.answers.values()), self.answers[False]
        return list(seen), f"{time.monotonic() - start:.0f} s, {asked} requests, {failed} failed{load()}"

    def approve(self) -> float:
        """Approve the release that waits, by the checksum that is listed; return the seconds until it is promoted."""
        listed = self.project.altlas("canary", "list", STACK, "--json", TARGET="node")
        assert listed.code == 0, listed.text
        (checksum,) = (each["checksum"] for each in json.loads(listed.out))
        why = ("--reason", "looked at it")
        other = self.project.altlas("canary", "approve", STACK, SERVICE, f"{checksum}0", *why, TARGET="node")
        assert other.code == 1, other.text
        assert f"the release that waits has the checksum {checksum}" in other.error
        start = time.monotonic()
        done = self.project.altlas("canary", "approve", STACK, SERVICE, checksum, *why, TARGET="node")
        assert done.code == 0, done.text
        return time.monotonic() - start

    def is_at_rest(self) -> None:
        """Pulumi has nothing to do, and nothing has drifted."""
        preview = self.project.pulumi("preview", "--stack", STACK, "--expect-no-changes", "--diff")
        assert preview.code == 0, preview.text
        drift = self.project.altlas("drift", STACK, TARGET="node")
        assert drift.code == 0, drift.text


class Visitor(GatewaySession):
    """Requests to the gateway, counted by their outcome."""

    def __init__(self, node: str, answers: Counter[bool]) -> None:
        super().__init__(node, PATHS[SERVICE])
        self._answers = answers

    def write(self, number: int) -> None:
        """Ask for the gateway's health."""
        answered = False
        try:
            super().write(number)
            answered = True
        finally:
            self._answers[answered] += 1


def update(project: NodeProject, gateway: Mapping[str, Any], **settings: Mapping[str, Any]) -> None:
    """Change settings of the gateway, where None takes one out, and of other blocks; update the stack."""
    file = project.stack_file(STACK)
    document = yaml.safe_load(file.read_text("utf-8"))
    platform = document["config"][PLATFORM_KEY]
    for name, values in settings.items():
        platform.setdefault(name, {}).update(values)
    service = platform["services"][SERVICE]
    service.update(gateway)
    for name in [name for name, value in service.items() if value is None]:
        del service[name]
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    # The registry has images of this test that the cluster does not offer.
    done = project.altlas("up", "--stack", STACK, "--no-preflight", TARGET="node")
    assert done.code == 0, done.text


def applied(project: NodeProject, *manifests: Mapping[str, Any]) -> None:
    """Apply manifests."""
    file = project.root / "canary.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    done = project.kubectl("apply", "--server-side", f"--filename={file}")
    assert done.code == 0, done.text


def prepare(project: NodeProject, folder: Path) -> None:
    """CRDs and controllers of the Gateway API and of canaries, a certificate, and images of releases."""
    done = project.altlas("addons", "install", "--with", "gateway-api", "--with", "flagger", "--yes", TARGET="node")
    assert done.code == 0, done.text
    list(push(project.network().registry, images()))
    applied(project, gateway_class(), *controller(), tls_secret(folder, NAMESPACE, TLS_SECRET, HOST))
    accepted = ("wait", "--for=condition=Accepted", "gatewayclass/traefik", "--timeout=120s")
    available = ("wait", "--for=condition=Available", "deployment/flagger", "--timeout=120s")
    for command in (accepted, (*available, f"--namespace={FLAGGER_NAMESPACE}")):
        done = project.kubectl(*command)
        assert done.code == 0, done.text


@pytest.fixture(scope="module")
def canary(whole: bool, project: NodeProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    """The platform with a canary of the gateway; without it again at the end, for the tests that follow."""
    if not whole:
        pytest.skip("a sample: canaries on real nodes are part of `make test-node` alone")
    before = project.stack_file(STACK).read_text("utf-8")
    prepare(project, tmp_path_factory.mktemp("certificate"))
    scale = {"replicas": None, "autoscaling": {"minReplicas": 1, "maxReplicas": 2}}
    found = Canary(project)
    try:
        update(
            project,
            {**scale, "canary": CANARY},
            ingress={"api": "gateway"},
            prometheus={"scrapeIntervalSeconds": 5},
            flagger={"approvals": {}},
        )
        wait_until(lambda: found.status().get("phase") == "Initialized", _SECONDS)
        address = project.network().address_of(HOME)
        with ExitStack() as asking:
            for _ in range(VISITORS):
                asking.enter_context(Traffic(partial(Visitor, address, found.answers), rest_seconds=0.05))
            wait_until(lambda: found.answers[True] > 100)
            yield found
    finally:
        # As docs/releases.md says: Flagger gives Service and pods back before the canary leaves the settings.
        project.kubectl("delete", "canary", SERVICE, f"--namespace={NAMESPACE}", "--wait", "--ignore-not-found")
        project.stack_file(STACK).write_text(before, "utf-8")
        update(project, {})
        project.kubectl("delete", "namespace", FLAGGER_NAMESPACE, "--wait=false")


def test_a_good_release_is_promoted(canary: Canary, figures: Figures) -> None:
    """In steps, by the requests that it has answered, and when a person has approved it; then all go to it."""
    assert canary.weights() == {f"{SERVICE}-primary": 100, f"{SERVICE}-canary": 0}
    canary.is_at_rest()
    before = canary.image(f"{SERVICE}-primary")
    shares, noticed = canary.judged(GOOD, "WaitingPromotion")
    assert {*shares} >= {*STEPS}
    assert canary.image(f"{SERVICE}-primary") == before
    seconds = canary.approve()
    figures.add(
        "canary on real nodes, a good release",
        f"shares {shares} %, waits for a person after {noticed}, promoted {seconds:.0f} s after the approval",
    )
    assert canary.image(f"{SERVICE}-primary") == f"{GOOD['repository']}:{GOOD['tag']}"
    assert canary.weights() == {f"{SERVICE}-primary": 100, f"{SERVICE}-canary": 0}
    assert canary.answers[False] <= sum(canary.answers.values()) * MOST_FAILED_PERCENT / 100
    canary.is_at_rest()


def test_a_release_with_errors_is_taken_back(canary: Canary, figures: Figures) -> None:
    """At the first step; the release before it has served most requests all the time, and serves all of them again."""
    before = canary.image(f"{SERVICE}-primary")
    shares, noticed = canary.judged(BAD, "Failed")
    figures.add("canary on real nodes, a release with errors", f"shares {shares} %, taken back after {noticed}")
    assert max(shares) == STEPS[0]
    assert canary.answers[False] > 0
    assert canary.image(SERVICE) == f"{BAD['repository']}:{BAD['tag']}"
    assert canary.image(f"{SERVICE}-primary") == before
    assert canary.weights() == {f"{SERVICE}-primary": 100, f"{SERVICE}-canary": 0}
    canary.answers.clear()
    wait_until(lambda: canary.answers[True] > 100)
    assert canary.answers[False] == 0
    canary.is_at_rest()
    figures.add("canary on real nodes, at rest", json.dumps({"preview": "empty", "drift": 0}))
