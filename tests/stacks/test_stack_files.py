"""The stack files: nothing in them is dead, and what differs between them is on record."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from altlas.release.settings_diff import as_text, compare
from components.kubernetes.load import Amount, requests
from components.kubernetes.quantities import mebibytes, millicores
from components.settings.secrets import SECRETS
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY
from rendering.recorder import record
from tests.support.documents import ROOT, STACK_FILES, STACKS, platform_of, stack_text

GOLDEN = Path(__file__).parent / "alpha_to_beta.diff"
REWRITE = "if this difference is wanted, rewrite it: altlas stack diff alpha beta > tests/stacks/alpha_to_beta.diff"


def test_tests_copy_stack_files_without_their_secrets() -> None:
    """After `make up` a file holds secrets of this checkout, which a copy with another passphrase cannot read."""
    read = re.compile(r'\(ROOT / f?"Pulumi\.[^"]+\.yaml"(\)\.read_|, )')
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "support" not in path.parts]
    assert len(tests) > 300
    assert [path.name for path in tests if read.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("stack", STACK_FILES)
def test_a_stack_file_holds_only_keys_that_are_read(stack: str) -> None:
    """The program reads the platform and its secrets, Pulumi the salt; any other key would be dead."""
    document = yaml.safe_load(stack_text(stack))
    assert document.keys() <= {"config", "encryptionsalt"}
    assert PLATFORM_KEY in document["config"]
    assert document["config"].keys() <= {PLATFORM_KEY, *(f"alt-las:{secret.key}" for secret in SECRETS)}


@pytest.mark.parametrize("stack", STACK_FILES)
def test_no_stack_file_is_committed_with_the_secrets_of_a_trial(stack: str) -> None:
    """`altlas up` writes them, encrypted for that checkout; in another one nobody could use the stack."""
    command = ["git", "show", f"HEAD:Pulumi.{stack}.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    committed = yaml.safe_load(done.stdout if done.returncode == 0 else stack_text(stack))
    assert committed.keys() == {"config"}
    assert committed["config"].keys() == {PLATFORM_KEY}


def test_there_is_a_file_for_each_phase_and_one_for_a_single_machine() -> None:
    """Another one is a decision, not a file that was left lying about."""
    assert sorted(path.name for path in ROOT.glob("Pulumi.*.yaml")) == [f"Pulumi.{name}.yaml" for name in STACK_FILES]


BESIDE = {
    "operators, each 100m and 100Mi in its manifest": Amount(200, 200),
    "CoreDNS and metrics-server of k3s, each 100m and 70Mi": Amount(200, 140),
}
"""Requests of what a cluster runs besides the stack."""

MACHINE = Amount(2000, 8192)
LEFT_TO_THE_NODE = Amount(300, 1024)
"""Kubelet, containerd and the API server of k3s on that machine."""


def test_the_local_stack_fits_a_machine_with_two_processors_and_eight_gibibytes() -> None:
    """At every scale, with what it stands on, and with one backup or restore test at a time."""
    settings = parse_platform(platform_of("local"))
    objects = record("local", platform_of("local")).objects
    smallest, largest = requests(objects)
    assert smallest == largest
    jobs = (
        [settings.backup.resources_of(store).requests for store in settings.backup.by_store()]
        if settings.backup
        else []
    )
    job = Amount(max(millicores(each.cpu) for each in jobs), int(max(mebibytes(each.memory) for each in jobs)))
    assert len(jobs) == 3
    needed = sum((*BESIDE.values(), LEFT_TO_THE_NODE, job), largest)
    assert needed.fits(MACHINE), needed
    # Not half empty either: what is guaranteed must be enough to work.
    assert not needed.times(2).fits(MACHINE), needed
    assert not requests(record("alpha", platform_of("alpha")).objects)[0].fits(MACHINE)


def test_the_local_stack_has_one_pod_of_each_and_all_that_alpha_has() -> None:
    """Only the proxies of probes are two, as everywhere."""
    found = {name: record(name, platform_of(name)).objects for name in ("alpha", "local")}
    kinds = ("Deployment", "StatefulSet", "Cluster", "Prometheus", "Alertmanager", "CronJob")
    names = {
        name: {(o["kind"], o["metadata"]["name"]) for o in objects if o["kind"] in kinds}
        for name, objects in found.items()
    }
    assert names["alpha"] == names["local"]
    several = [
        o["metadata"]["name"] for o in found["local"] if o["kind"] in kinds and o["spec"].get("replicas", 1) != 1
    ]
    assert several == ["blackbox-exporter"]
    assert not [o for o in found["local"] if o["kind"] == "HorizontalPodAutoscaler"]


def test_the_project_file_sets_no_defaults() -> None:
    """Pulumi would replace a default there as a whole, so all defaults live in the models; its own switch is none."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["name"] == PLATFORM_KEY.partition(":")[0]
    assert project["config"].keys() == {"pulumi:disable-default-providers"}


@pytest.mark.parametrize("stack", STACK_FILES)
def test_no_secret_stands_in_a_stack_file_in_plain_text(stack: str) -> None:
    """Every value beside the platform is an encrypted one."""
    for key, value in yaml.safe_load(stack_text(stack))["config"].items():
        assert key == PLATFORM_KEY or value.keys() == {"secure"}
    assert not re.search(r"(?i)(password|token|secret): *[^ \n]", stack_text(stack))


def test_the_difference_of_alpha_and_beta_is_the_one_on_record() -> None:
    """Changes by a phase are reviewed here, next to the change that caused them."""
    alpha, beta = (parse_platform(platform_of(stack)) for stack in STACKS)
    assert as_text(compare(alpha, beta), *STACKS) == GOLDEN.read_text(encoding="utf-8"), REWRITE


def test_only_the_settings_that_a_phase_decides_differ() -> None:
    """Pods, sizes, releases, where, and the ingress API; of data only on how many servers a message is kept."""
    alpha, beta = (parse_platform(platform_of(stack)) for stack in STACKS)
    differences = compare(alpha, beta)
    assert {d.decision for d in differences} == {"identity", "capacity", "feature", "data"}
    assert {d.field for d in differences if d.decision == "data"} == {"nats.streams", "loki.retentionDays"}
    assert {d.field for d in differences if d.decision == "identity"} == {"namespace", "ingress.host"}
    features = {d.field for d in differences if d.decision == "feature" and ".image." not in d.field}
    promises = {field for field in features if ".slo." in field or ".metrics." in field}
    assert features - promises == {"ingress.api", "services.segmentation-service.command"}
