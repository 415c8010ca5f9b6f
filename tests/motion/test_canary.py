"""Canaries by Flagger's real controller: promoted when all gates hold, taken back for each reason by itself.

Real: API server, Deployments, Services, routes, Flagger, Prometheus and its queries. Simulated: pods and nodes; no
request is made, so the figures are those of an exporter, and what splits requests (a Gateway's controller) is not here.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Project, project
from tests.motion.canaries import CANARY, NAMESPACE, SERVICES, Motion, running_flagger, with_canaries
from tests.motion.figures import Figures, measured
from tests.support.figures import Figures as Collected
from tests.support.loopback import wait_until

__all__ = ["project"]
pytestmark = pytest.mark.e2e

PROMOTED = "api-gateway"
HALTED = {
    "runner-service": Figures(errors=0.05),
    "segmentation-service": Figures(slow=0.05),
    "archive-service": None,
}
"""Services whose new release is taken back, by its figures: errors, latency, no data."""

WITHOUT_PROMETHEUS = "ai-orchestrator"

_SECONDS = 240


@pytest.fixture(scope="module")
def motion(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Motion]:
    """The stack as `altlas up` brings it up, and then Flagger, which makes the pods that serve."""
    with_canaries(project)
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    folder = tmp_path_factory.mktemp("motion")
    with (
        measured(folder, SERVICES, NAMESPACE) as prometheus,
        running_flagger(project, folder, prometheus.proxy) as flagger,
    ):
        found = Motion(project, prometheus, flagger)
        wait_until(lambda: found.phases(*SERVICES) == {"Initialized"}, f"canaries begin: {found.canaries()}", _SECONDS)
        yield found


def test_flagger_takes_over_without_a_difference_that_pulumi_or_drift_would_see(motion: Motion) -> None:
    """Replicas, selectors of Services and backends of routes are Flagger's; the pods that serve have our labels."""
    for service in SERVICES:
        assert motion.weights(service) == {f"{service}-primary": 100, f"{service}-canary": 0}
    pods = [each["metadata"]["labels"] for each in motion.project.objects("pods", NAMESPACE)]
    names = {each["app.kubernetes.io/name"] for each in pods if each["app.kubernetes.io/part-of"] == "alt-las"}
    assert {f"{service}-primary" for service in SERVICES} <= names
    motion.is_at_rest()


def test_a_good_release_is_promoted_and_three_bad_ones_are_taken_back(motion: Motion) -> None:
    """Configuration alone, in steps of 10, 30, 50 and 100 %, and with a person's approval; three bad ones beside it."""
    old = {service: motion.image(f"{service}-primary") for service in HALTED}
    for service, figures in HALTED.items():
        motion.measured.set(f"{service}-canary", figures)
    tags = {name: {"image": {"repository": old[name].rpartition(":")[0], "tag": "2.0.0"}} for name in HALTED}
    motion.release({PROMOTED: {"logLevel": "debug", "canary": CANARY | {"approval": True}}, **tags})
    seen: set[int] = set()

    def ended() -> bool:
        found = motion.canaries()
        seen.add(found[PROMOTED].get("canaryWeight", 0))
        return found[PROMOTED]["phase"] == "WaitingPromotion" and motion.phases(*HALTED) == {"Failed"}

    wait_until(ended, f"one waits, and three are taken back: {motion.flagger.log[-3000:]}", _SECONDS)
    assert seen >= {10, 30, 50, 100}
    assert motion.level(PROMOTED) == "info"
    motion.approve(PROMOTED)
    wait_until(lambda: motion.phases(PROMOTED) == {"Succeeded"}, "the approved release is promoted", _SECONDS)
    for service in HALTED:
        assert motion.image(f"{service}-primary") == old[service]
        assert motion.image(service).endswith(":2.0.0")
        assert motion.weights(service) == {f"{service}-primary": 100, f"{service}-canary": 0}
    assert motion.weights(PROMOTED) == {f"{PROMOTED}-primary": 100, f"{PROMOTED}-canary": 0}
    assert motion.level(PROMOTED) == "debug", "the copy that serves has the new configuration"
    reasons = {service: [line for line in motion.flagger.log.splitlines() if service in line] for service in HALTED}
    assert any("advancement errors" in line for line in reasons["runner-service"])
    assert any("advancement latency" in line for line in reasons["segmentation-service"])
    assert any("no values found" in line for line in reasons["archive-service"])
    motion.is_at_rest()


def test_a_person_takes_a_good_release_back(motion: Motion) -> None:
    """While it is judged; what serves keeps its configuration, and the reason stands in the ledger."""
    motion.release({PROMOTED: {"logLevel": "warn", "canary": CANARY}})
    wait_until(lambda: motion.phases(PROMOTED) == {"Progressing"}, "the release is judged", _SECONDS)
    done = motion.project.altlas("canary", "abort", "alpha", PROMOTED, "--reason", "wrong customers")
    assert done.code == 0, done.text
    assert motion.phases(PROMOTED) == {"Failed"}
    assert motion.weights(PROMOTED) == {f"{PROMOTED}-primary": 100, f"{PROMOTED}-canary": 0}
    assert motion.level(PROMOTED) == "debug"
    again = motion.project.altlas("canary", "abort", "alpha", PROMOTED, "--reason", "once more")
    assert again.code == 1, again.text
    assert f"no release of {PROMOTED} is being judged: its canary is Failed" in again.error
    assert motion.decisions() == [("abort", PROMOTED, "wrong customers")]
    motion.is_at_rest()


def test_a_promotion_that_fails_is_noticed_and_a_correction_ends_it(
    whole: bool, motion: Motion, figures: Collected
) -> None:
    """The namespace has no room for the pods that serve; all requests stay with the release that the gates let pass."""
    if not whole:
        pytest.skip("a sample: a promotion that fails is part of `make test-motion` alone")
    project = motion.project
    motion.release({PROMOTED: {"logLevel": "error"}})
    wait_until(lambda: motion.canaries()[PROMOTED].get("canaryWeight", 0) > 0, "the release is judged", _SECONDS)
    pods = str(len(project.objects("pods", NAMESPACE)))
    quota = ("quota", "full", f"--namespace={NAMESPACE}")
    assert project.kubectl("create", *quota, f"--hard=pods={pods}").code == 0
    wait_until(lambda: motion.phases(PROMOTED) == {"Failed"}, "the promotion is given up", _SECONDS)
    assert motion.weights(PROMOTED) == {f"{PROMOTED}-primary": 0, f"{PROMOTED}-canary": 100}
    told = project.altlas("canary", "list", "alpha")
    assert told.code == 1, told.text
    assert f"the promotion of {PROMOTED} has failed: the pods that serve are not ready" in told.error
    serving = (f"deployment/{PROMOTED}-primary", f"--namespace={NAMESPACE}")
    assert project.kubectl("rollout", "undo", *serving).code == 0
    ready = project.kubectl("rollout", "status", *serving, "--timeout=60s")
    assert ready.code == 0, ready.text
    assert project.kubectl("delete", *quota).code == 0
    motion.release({PROMOTED: {"logLevel": "info"}})
    wait_until(lambda: motion.phases(PROMOTED) == {"Succeeded"}, "the correction is promoted", _SECONDS)
    assert motion.weights(PROMOTED) == {f"{PROMOTED}-primary": 100, f"{PROMOTED}-canary": 0}
    assert motion.level(PROMOTED) == "info"
    assert project.altlas("canary", "list", "alpha").code == 0
    motion.is_at_rest()
    figures.add("promotion that fails, sim", "noticed 1 of 1 by its weight; the corrected release promoted")


def test_without_prometheus_nothing_is_promoted(motion: Motion, figures: Collected) -> None:
    """The figures before its end were good; Flagger asked the address that the templates name."""
    # The other one is Flagger's own default, which it asks once when it starts.
    assert motion.measured.asked == {
        *("prometheus:9090", "prometheus-operated.alt-las:9090"),
        "canary-approvals.alt-las:8080",
    }
    old = motion.image(f"{WITHOUT_PROMETHEUS}-primary")
    motion.measured.prometheus.kill()
    motion.release({WITHOUT_PROMETHEUS: {"image": {"repository": old.rpartition(":")[0], "tag": "2.0.0"}}})
    wait_until(lambda: motion.phases(WITHOUT_PROMETHEUS) == {"Failed"}, "the release is taken back", _SECONDS)
    assert motion.image(f"{WITHOUT_PROMETHEUS}-primary") == old
    assert motion.weights(WITHOUT_PROMETHEUS)[f"{WITHOUT_PROMETHEUS}-canary"] == 0
    motion.is_at_rest()
    _promote_without_gates(motion)
    reasons = "errors, latency, no data, Prometheus down"
    figures.add("canaries, sim", f"promoted 1 of 1; halted 4 of 4 ({reasons}); by hand 3 of 3; previews empty; drift 0")


def _promote_without_gates(motion: Motion) -> None:
    """Release in an emergency, while nothing could be judged; afterwards the gates are there again."""
    (service, *_) = HALTED
    old = motion.image(f"{service}-primary")
    motion.release({service: {"image": {"repository": old.rpartition(":")[0], "tag": "3.0.0"}}})
    wait_until(lambda: motion.phases(service) == {"Progressing"}, "the release is judged", _SECONDS)
    done = motion.project.altlas("canary", "skip", "alpha", service, "--reason", "Prometheus is down")
    assert done.code == 0, done.text
    assert motion.image(f"{service}-primary").endswith(":3.0.0")
    found = motion.project.objects("canaries.flagger.app", NAMESPACE)
    assert [each["spec"].get("skipAnalysis", False) for each in found] == [False] * len(SERVICES)
    assert motion.decisions()[1:] == [("skip", service, "Prometheus is down")]
    motion.is_at_rest()


def test_a_canary_is_turned_off(motion: Motion, figures: Collected) -> None:
    """In the order of docs/releases.md: Flagger gives Service and pods back, and they are the program's again."""
    project, ended = motion.project, "segmentation-service"
    start = time.monotonic()
    deleted = project.kubectl("delete", "canary", ended, f"--namespace={NAMESPACE}", "--wait", "--timeout=120s")
    assert deleted.code == 0, deleted.text
    # Until the update, the route leads to the Services that go with the Canary.
    assert motion.weights(ended) == {f"{ended}-primary": 100, f"{ended}-canary": 0}
    motion.release({ended: {"canary": None}})
    seconds = time.monotonic() - start
    services = {each["metadata"]["name"]: each["spec"]["selector"] for each in project.objects("services", NAMESPACE)}
    assert services[ended]["app.kubernetes.io/name"] == ended
    assert f"{ended}-primary" not in services
    routes = {each["metadata"]["name"]: each for each in project.objects("httproutes", NAMESPACE)}
    assert ended not in routes
    plain = [rule for name, route in routes.items() if name not in SERVICES for rule in route["spec"]["rules"]]
    assert [each["name"] for rule in plain for each in rule.get("backendRefs", ())] == [ended]
    motion.is_at_rest()
    figures.add("canary turned off, sim", f"Service and pods given back after {seconds:.0f} s; preview empty; drift 0")
