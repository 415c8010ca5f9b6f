"""`altlas capacity --from`: replicas for a rate, from what pods have answered in a load test."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.loading import parse_platform
from loadtests.replicas import LEAST_SECONDS, proposal_text, proposals, rates_of_one, with_proposals
from tests.altlas.conftest import Altlas
from tests.support.documents import alpha_settings
from tests.support.loopback import platform_settings

BETA = platform_settings("beta")
P95 = {"whole path": 200, "api-gateway": 200, "runner-service": 230, "archive-service": 180}


def target(name: str, rate: float, **changes: Any) -> dict[str, Any]:
    """A target of results that passed."""
    goal = {"requestsPerSecond": round(rate), "p95Milliseconds": P95.get(name, 200)}
    return {"name": name, "goal": goal, "requestsPerSecond": rate, "shortfalls": []} | changes


def results(*targets: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Results of beta of five minutes."""
    return {"stack": "beta", "seconds": 300, "standIns": False, "targets": list(targets)} | changes


@pytest.mark.parametrize(
    ("rate", "pods", "wanted", "utilization", "needed"),
    [
        (200.0, 4, 500, 100, 10),
        (200.0, 4, 501, 100, 11),
        (200.0, 4, 500, 70, 15),
        (200.0, 1, 500, 70, 4),
        (199.9, 4, 500, 100, 11),
        (90.0, 3, 63, 70, 3),
        (90.0, 3, 64, 70, 4),
        (200.0, 4, 1, 70, 1),
    ],
)
def test_pods_for_a_rate(rate: float, pods: int, wanted: int, utilization: int, needed: int) -> None:
    """A pod answers its share of what was measured, and is planned with a part of that; rounded up."""
    rates = rates_of_one(results(target("api-gateway", rate)), "beta", BETA, {"api-gateway": pods})
    assert rates == {"api-gateway": pytest.approx(rate / pods)}
    (found,) = proposals(BETA, rates, {"api-gateway": wanted}, utilization)
    assert found.needed == needed
    assert found.settings == {"autoscaling": {"minReplicas": 3, "maxReplicas": max(3, needed)}}


def test_the_whole_path_counts_for_the_gateway_and_the_lower_rate_holds() -> None:
    """It asks the services that it calls, too, so it may answer less than alone."""
    both = results(target("api-gateway", 200), target("whole path", 160))
    assert rates_of_one(both, "beta", BETA, {"api-gateway": 4}) == {"api-gateway": 40}
    assert rates_of_one(results(target("whole path", 160)), "beta", BETA, {"api-gateway": 2}) == {"api-gateway": 80}


def test_a_fixed_number_of_pods_stays_fixed() -> None:
    """And what else the autoscaler of another service says stays."""
    platform = alpha_settings({"services.api-gateway.autoscaling": None, "services.api-gateway.replicas": 2})
    rates = {"api-gateway": 50.0, "segmentation-service": 40.0}
    found = proposals(platform, rates, {"api-gateway": 280, "segmentation-service": 100}, 70)
    assert proposal_text(found).splitlines() == [
        "services:",
        "  api-gateway:",
        "    # 280 requests per second: 70 % of 50.0 measured of one pod, 8 needed",
        "    replicas: 8",
        "  segmentation-service:",
        "    # 100 requests per second: 70 % of 40.0 measured of one pod, 4 needed",
        "    autoscaling: {minReplicas: 2, maxReplicas: 4}",
    ]
    changed = parse_platform(with_proposals(platform, found))
    assert changed.services.api_gateway.replicas == 8
    scaling = changed.services.segmentation_service.autoscaling
    assert scaling is not None
    assert (scaling.min_replicas, scaling.max_replicas, scaling.scale_on_memory) == (2, 4, False)


GOOD = target("api-gateway", 200)
REFUSED: dict[str, tuple[object, str]] = {
    "another stack": (results(GOOD, stack="alpha"), "they are of the stack alpha, not of beta; measure this stack"),
    "stand-ins": (results(GOOD, standIns=True), "they are of stand-ins"),
    "too short": (results(GOOD, seconds=LEAST_SECONDS - 1), "they are of 59 s; measure at least 60 s (--seconds)"),
    "missed goals": (
        results(GOOD, target("runner-service", 1, shortfalls=["p95 231 ms, above 230 ms"])),
        "they missed their goals (runner-service: p95 231 ms, above 230 ms)",
    ),
    "another profile": (
        results(target("api-gateway", 200, goal={"requestsPerSecond": 200, "p95Milliseconds": 250})),
        "are of another profile: api-gateway was judged by a 95th percentile of 250 ms, and "
        "services.api-gateway.slo.latencyMilliseconds is 200",
    ),
    "another service": (results(target("printer", 1)), "they hold printer, which is no service of beta"),
    "no answers": (results(target("api-gateway", 0)), "--from is no results.json"),
    "no results": ([1, 2], "--from is no results.json of `altlas loadtest`"),
    "no pods": (results(GOOD, target("archive-service", 9)), "how many pods of archive-service served; add --pods"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_results_that_prove_nothing_are_refused(altlas: Altlas, tmp_path: Path, what: str) -> None:
    """With the reason and a cure; nothing is proposed. The good ones of the test below are the control."""
    document, message = REFUSED[what]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(document))
    given = ("--from", str(file), "--target-rps", "500", "--pods", "api-gateway=4")
    done = altlas("capacity", "beta", *given)
    assert (done.code, done.out) == (2, "")
    assert message in done.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target-rps", "many"), "--target-rps many is no number of its own; write SERVICE=N"),
        (("--target-rps", "0"), "--target-rps 0 is no number of its own"),
        (("--target-rps", "printer=5"), "--target-rps names printer, which the results do not hold"),
        ((), "--target-rps says nothing of api-gateway; add --target-rps N for all of them, or SERVICE=N"),
        (("--target-rps", "5", "--pods", "runner-service=1"), "--pods names runner-service, which the results do not"),
        (("--target-rps", "5", "--pods", "api-gateway=2"), "--pods api-gateway=2 is no number of its own"),
    ],
)
def test_options_that_say_nothing_are_bad_input(
    altlas: Altlas, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Each names its option."""
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results(GOOD)))
    done = altlas("capacity", "beta", "--from", str(file), "--pods", "api-gateway=4", *arguments)
    assert done.code == 2
    assert message in done.error


def test_the_options_of_a_proposal_need_results(altlas: Altlas, tmp_path: Path) -> None:
    """And a file that can be read."""
    assert "need --from RESULTS" in altlas("capacity", "beta", "--target-rps", "5").error
    done = altlas("capacity", "beta", "--from", str(tmp_path / "none.json"))
    assert (done.code, "none.json cannot be read as JSON" in done.error) == (2, True)


def test_a_proposal_is_printed_and_compared_and_changes_nothing(altlas: Altlas, checkout: Path, tmp_path: Path) -> None:
    """YAML for the stack file, then the capacity of a stack that has it: 15 pods of the gateway instead of 20."""
    before = (checkout / "Pulumi.beta.yaml").read_bytes()
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results(GOOD)))
    given = ("capacity", "beta", "--from", str(file), "--target-rps", "500", "--pods", "api-gateway=4")
    done = altlas(*given)
    assert done.code == 0, done.error
    proposal, _, rest = done.out.partition("\n\n")
    assert yaml.safe_load(proposal) == {
        "services": {"api-gateway": {"autoscaling": {"minReplicas": 3, "maxReplicas": 15}}}
    }
    assert "70 % of 50.0 measured of one pod, 15 needed" in proposal
    assert rest.startswith("Capacity of beta")
    assert "api-gateway at its maximum of 15 pods" in rest
    (listed,) = json.loads(altlas(*given, "--utilization", "100", "--json").out)
    assert listed["proposal"] == {"api-gateway": {"autoscaling": {"minReplicas": 3, "maxReplicas": 10}}}
    assert (checkout / "Pulumi.beta.yaml").read_bytes() == before


def test_a_proposal_beyond_connections_quota_or_nodes_is_refused(
    altlas: Altlas, checkout: Path, tmp_path: Path
) -> None:
    """By the keys of both; without them the same rate is one that fits."""
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results(target("archive-service", 40))))
    given = ("capacity", "beta", "--from", str(file), "--pods", "archive-service=2")
    done = altlas(*given, "--target-rps", "300")
    assert done.code == 2
    assert "maxReplicas: 22" in done.out
    assert "postgres.parameters.maxConnections (200) is below the 215" in done.error
    assert altlas(*given, "--target-rps", "150").code == 0
    assert altlas(*given, "--target-rps", "150", "--nodes", "1x2x4").code == 1
    stack_file = checkout / "Pulumi.beta.yaml"
    document = yaml.safe_load(stack_file.read_text())
    document["config"]["alt-las:platform"]["quota"] = {"hard": {"pods": 200}}
    stack_file.write_text(yaml.safe_dump(document))
    assert altlas("capacity", "beta").code == 0
    done = altlas(*given, "--target-rps", "200")
    assert (done.code, "maxReplicas: 15" in done.out) == (2, True)
    assert "quota.hard.pods (200) is below the 206" in done.error
    assert "services.archive-service.autoscaling.maxReplicas (15)" in done.error
