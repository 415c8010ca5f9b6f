"""Beta in motion: autoscalers under a load, a lost zone, drained nodes, a bad release while the load rises.

Real: API server, controllers, autoscalers, metrics-server, scheduler, evictions; every change of a pod is seen by a
watch. Simulated: nodes, pods and their usage; no request is made. PostgreSQL has no pods here, as its operator does not
run: tests/node drains a node under it.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes.quantities import mebibytes, millicores
from components.stack.problems import PLATFORM_KEY
from tests.e2e.conftest import Project, project
from tests.motion.node_autoscaler import added_nodes, node_autoscaler
from tests.motion.plot import motion_page, node_counts
from tests.motion.recommender import LEAST, recommended, recommender
from tests.motion.recording import Recording, budget_violations, quorum_losses, recording
from tests.motion.usage import MEMORY_SHARE, Load, usage
from tests.support.documents import MONITORING_BLOCKS, ROOT
from tests.support.figures import Figures
from tests.support.loopback import wait_until
from tests.support.running import stays_ready
from tests.support.stack_files import change

__all__ = ["project"]
pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las-beta"
STORES = ("redis", "nats")
RECOMMENDED = "archive-service"
"""Service of whose pods the size is recommended."""

BAD = "runner-service"
"""Service with the bad release."""

LOST_ZONE = "topology.kubernetes.io/zone=zone-c"
PAGE = ROOT / ".altlas/motion.html"
"""Plots of all that these tests have seen."""

_SECONDS = 240
_ABOVE = 1.25
"""Load at the maximum of replicas, in parts of the load that they are meant for."""


@dataclass(frozen=True)
class Motion:
    """Beta with metrics of its pods.

    Attributes:
        project: The stack and its cluster.
        record: Changes of its objects.
        load: Load of its services.
        platform: Settings, as the stack file has them.
    """

    project: Project
    record: Recording
    load: Load
    platform: dict[str, Any]

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Settings of each service."""
        found: dict[str, dict[str, Any]] = self.platform["services"]
        return found

    def bounds(self, which: str) -> dict[str, int]:
        """Fewest or most replicas of each service."""
        return {name: each["autoscaling"][f"{which}Replicas"] for name, each in self.services.items()}

    def carry(self, replicas: dict[str, int]) -> None:
        """Give each service a load that needs some replicas, and no load where it needs none."""
        target = self.platform["autoscaling"]["cpuUtilizationPercent"] / 100 * _ABOVE
        requests = {name: millicores(self.services[name]["resources"]["requests"]["cpu"]) for name in replicas}
        self.load.set({name: count * target * requests[name] for name, count in replicas.items()})

    def reach(self, replicas: dict[str, int], what: str) -> float:
        """Wait until services have exactly so many pods and all are ready; gives the seconds."""
        wanted = {name: (count, count) for name, count in replicas.items()}

        def there() -> bool:
            return {name: self.record.count(name) for name in wanted} == wanted

        return wait_until(there, what, _SECONDS)

    def ready_of(self, uids: set[str]) -> int:
        """Pods that are ready, of some."""
        return sum(stays_ready(each) for each in self.record.pods() if each["metadata"]["uid"] in uids)

    def has_bad_pod(self) -> bool:
        """True if there is a pod whose image cannot be pulled."""
        return any("-unpullable" in each["spec"]["containers"][0]["image"] for each in self.record.pods())

    def judged(self, since: float) -> None:
        """No budget was violated and no store had lost its majority since a moment."""
        rows = self.record.samples()
        assert set(STORES) | set(self.services) <= set(rows)
        assert budget_violations(rows, since) == ()
        assert quorum_losses(rows, STORES, since) == ()

    def done(self, *arguments: str) -> str:
        """Run kubectl, which must succeed."""
        done = self.project.kubectl(*arguments)
        assert done.code == 0, done.text
        return done.out


def _settings(project: Project) -> dict[str, Any]:
    """Beta without monitoring and PostgreSQL; the autoscalers look at shorter times, but take the phase's steps."""
    platform: dict[str, Any] = yaml.safe_load(project.stack_file("beta").read_text())["config"][PLATFORM_KEY]
    scaling = platform["autoscaling"]
    scaling["scaleUp"] |= {"periodSeconds": 15}
    scaling["scaleDown"] |= {"stabilizationWindowSeconds": 15, "periodSeconds": 5}
    platform["ingress"] |= {"api": "ingress"}
    left_out: dict[str, Any] = dict.fromkeys((*MONITORING_BLOCKS, "postgres", "backup"))
    change(project, "beta", left_out | {"autoscaling": scaling, "ingress": platform["ingress"]})
    return platform


@pytest.fixture(scope="module")
def motion(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Motion]:
    """The stack as `altlas up` brings it up, with as many pods as the autoscalers keep without load."""
    platform = _settings(project)
    done = project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    folder = tmp_path_factory.mktemp("motion")
    with (
        recording(project, NAMESPACE) as record,
        usage(project, folder, record) as load,
        node_autoscaler(project, folder),
    ):
        found = Motion(project, record, load, platform)
        found.reach(found.bounds("min"), f"the services are at rest: {done.text}")
        yield found
        head = "Beta on the simulated cluster, as tests/motion/test_scaling.py saw it."
        used = {name: load.history[name] for name in sorted(found.services)}
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(motion_page(record.samples(), node_counts(record.events), used, head))


def test_each_service_reaches_its_maximum(motion: Motion, figures: Figures) -> None:
    """By the figures of a real metrics-server; never more than one pod is missing of those that were ready."""
    since = time.monotonic()
    motion.carry(motion.bounds("max"))
    seconds = motion.reach(motion.bounds("max"), "all services are at their maximum")
    motion.judged(since)
    added = added_nodes(motion.record)
    assert added, "three nodes of 16 cores are not enough for all services at their maximum"
    least, most = (sum(motion.bounds(which).values()) for which in ("min", "max"))
    figures.add("nodes of beta, sim", f"{len(added)} added by Karpenter while the load rises")
    figures.add("scale-up of beta, sim", f"{least} to {most} pods in {seconds:.0f} s, with steps of 15 s, not 60")


def test_a_lost_zone_leaves_majorities_and_half_of_each_service(motion: Motion, figures: Figures) -> None:
    """All nodes of a zone fail at once, under full load. Other nodes, old and new, take what is evicted."""
    since = time.monotonic()
    lost = motion.done("get", "nodes", f"--selector={LOST_ZONE}", "--output=jsonpath={.items[*].metadata.name}").split()
    motion.done("cordon", *lost)
    for node in lost:
        on_it = ("pods", f"--field-selector=spec.nodeName={node}", f"--namespace={NAMESPACE}")
        motion.done("annotate", *on_it, "sim.alt-las/fault=never-ready")
    gone = {each["metadata"]["uid"] for each in motion.record.pods() if each["spec"].get("nodeName") in lost}
    wait_until(lambda: motion.ready_of(gone) == 0, "no pod of the zone is ready", _SECONDS)
    rows = motion.record.samples()
    left = {name: rows[name][-1].ready for name in motion.services}
    evicted = time.monotonic()
    # Kubernetes evicts after five minutes without news of a node; the test does not wait for these.
    for node in lost:
        motion.done("delete", "pods", f"--field-selector=spec.nodeName={node}", f"--namespace={NAMESPACE}")
    motion.reach(motion.bounds("max"), "other nodes run all pods of the services")
    seconds = time.monotonic() - evicted
    motion.done("uncordon", "node-c")
    motion.reach(dict.fromkeys(STORES, 3), "the stores have all servers")
    assert quorum_losses(motion.record.samples(), STORES, since) == ()
    for name, most in motion.bounds("max").items():
        assert 2 * left[name] >= most, left
    share = sum(left.values()) / sum(motion.bounds("max").values())
    figures.add("lost zone of beta, sim", f"{share:.0%} of the pods stay, all run again {seconds:.0f} s after eviction")


def test_each_service_falls_back_to_its_minimum(motion: Motion, figures: Figures) -> None:
    """Step by step, as fast as the phase allows for its present number of pods."""
    since = time.monotonic()
    motion.carry(dict.fromkeys(motion.services, 0))
    seconds = motion.reach(motion.bounds("min"), "all services are at their minimum")
    removed = wait_until(lambda: not added_nodes(motion.record), "Karpenter has removed its nodes", _SECONDS)
    motion.reach(motion.bounds("min"), "what stood on these nodes runs elsewhere")
    motion.judged(since)
    figures.add("scale-down of beta, sim", f"{seconds:.0f} s, with steps of 5 s, not 60, after 15 s, not 300")
    figures.add("nodes of beta, sim", f"all removed {removed:.0f} s after the scale-down")


def test_draining_each_node_in_turn_keeps_budgets_and_majorities(motion: Motion, figures: Figures) -> None:
    """`kubectl drain` of every node, back to work before the next; nothing blocks it."""
    since = time.monotonic()
    nodes = motion.done("get", "nodes", "--output=name").split()
    for node in (each.removeprefix("node/") for each in nodes):
        motion.done("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
        motion.done("uncordon", node)
    motion.reach(motion.bounds("min"), "all services are back")
    motion.judged(since)
    figures.add("drains of beta, sim", f"{len(nodes)} nodes in {time.monotonic() - since:.0f} s")


def test_requests_are_recommended_from_what_the_pods_use(
    whole: bool, motion: Motion, tmp_path: Path, figures: Figures
) -> None:
    """By the real recommender and metrics-server; it changes no pod. A value is up to 15 % above, in steps of 5 %."""
    if not whole:
        pytest.skip("a sample: recommended sizes are part of `make test-motion` alone")
    pods = {each["metadata"]["uid"] for each in motion.record.pods()}
    original = motion.project.stack_file("beta").read_text()
    block = motion.services[RECOMMENDED]
    block = {**block, "recommend": ["memory"], "autoscaling": {**block["autoscaling"], "scaleOnMemory": False}}
    with recommender(motion.project, tmp_path) as process:
        change(motion.project, "beta", {"services": {**motion.services, RECOMMENDED: block}})
        done = motion.project.altlas("up", "--stack", "beta")
        assert done.code == 0, done.text
        wait_until(
            lambda: recommended(motion.project, NAMESPACE) > [LEAST],
            f"a size is recommended: {process.log[-2000:]}",
            _SECONDS,
        )
        (found,) = recommended(motion.project, NAMESPACE)
    used = mebibytes(block["resources"]["requests"]["memory"]) * MEMORY_SHARE
    assert used < found <= used * 1.15 * 1.05, used
    assert {each["metadata"]["uid"] for each in motion.record.pods()} == pods
    motion.project.stack_file("beta").write_text(original)
    done = motion.project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    figures.add("recommended size, sim", f"{found:.0f} Mi for pods of {RECOMMENDED} that use {float(used):.0f} Mi")


def test_a_bad_release_while_the_load_rises_takes_nothing_away(motion: Motion, figures: Figures) -> None:
    """Its image cannot be pulled. The autoscaler adds pods of both releases meanwhile; a good release ends it."""
    since = time.monotonic()
    original = motion.project.stack_file("beta").read_text()
    block = motion.services[BAD]
    bad = {**block, "image": {**block["image"], "tag": "beta.next-unpullable"}}
    rollout = {"progressDeadlineSeconds": 30, "timeoutSeconds": 60}
    change(motion.project, "beta", {"services": {**motion.services, BAD: bad}, "rollout": rollout})
    with ThreadPoolExecutor(1) as beside:
        update = beside.submit(motion.project.altlas, "up", "--stack", "beta")
        wait_until(motion.has_bad_pod, "a pod of the release is there", _SECONDS)
        motion.carry(motion.bounds("max"))
        done = update.result()
    assert done.code == 1, done.text
    assert "ImagePullBackOff" in done.error
    others = {name: count for name, count in motion.bounds("max").items() if name != BAD}
    motion.reach(others, "all other services are at their maximum")
    ready, desired = motion.record.count(BAD)
    assert desired == motion.bounds("max")[BAD]
    assert motion.has_bad_pod()
    assert motion.bounds("min")[BAD] <= ready <= desired
    motion.project.stack_file("beta").write_text(original)
    done = motion.project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    motion.reach(motion.bounds("max"), "all services are at their maximum")
    motion.judged(since)
    figures.add("bad release of beta during a scale-up, sim", f"{ready} of {desired} pods served until it was replaced")
    figures.add("scaling of beta, sim", "PDB violations 0; quorum losses 0, at every change of a pod")
