"""The two stack files: nothing in them is dead, and what differs between them is on record."""

import re
from pathlib import Path

import pytest
import yaml

from altlas.release.settings_diff import as_text, compare
from components.settings.secrets import SECRETS
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY
from tests.support.documents import ROOT, STACKS, platform_of, stack_text

GOLDEN = Path(__file__).parent / "alpha_to_beta.diff"
REWRITE = "if this difference is wanted, rewrite it: altlas stack diff alpha beta > tests/stacks/alpha_to_beta.diff"


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_holds_only_keys_that_are_read(stack: str) -> None:
    """The program reads the platform and its secrets, Pulumi the salt; any other key would be dead."""
    document = yaml.safe_load(stack_text(stack))
    assert document.keys() <= {"config", "encryptionsalt"}
    assert PLATFORM_KEY in document["config"]
    assert document["config"].keys() <= {PLATFORM_KEY, *(f"alt-las:{secret.key}" for secret in SECRETS)}


def test_there_is_a_file_for_each_phase_and_none_for_another() -> None:
    """A third phase is a decision, not a file that was left lying about."""
    assert sorted(path.name for path in ROOT.glob("Pulumi.*.yaml")) == ["Pulumi.alpha.yaml", "Pulumi.beta.yaml"]


def test_the_project_file_sets_no_defaults() -> None:
    """Pulumi would replace a default there as a whole, so all defaults live in the models; its own switch is none."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["name"] == PLATFORM_KEY.partition(":")[0]
    assert project["config"].keys() == {"pulumi:disable-default-providers"}


@pytest.mark.parametrize("stack", STACKS)
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
