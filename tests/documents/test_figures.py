"""Figures in the documents: versions, counts, objectives and exit codes are those of the code and its pins."""

import json
import re

import pytest

from components.settings.platform import PlatformSettings
from components.stack.loading import parse_platform
from loadtests.profiles import PROFILES, WHOLE_PATH
from rendering.errors import ExitCode
from rendering.recorder import record
from tests.documents.pages import ROOT
from tests.support.documents import STACKS, platform_of

SERVICES = ("api-gateway", "runner-service", "segmentation-service", "ai-orchestrator", "archive-service")
"""Services in the order of the columns of docs/metrics.md."""


def rows(page: str) -> dict[str, list[str]]:
    """Cells of the rows of all tables of a page, by their first cell."""
    lines = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for line in lines if (cells := [cell.strip() for cell in line.strip("|").split(" | ")])}


def settings(stack: str) -> PlatformSettings:
    """Settings of a stack."""
    return parse_platform(platform_of(stack))


def test_objectives_are_those_of_the_stack_files() -> None:
    """Latency by service and stack, and the defaults of availability."""
    table = rows("docs/metrics.md")
    for stack in STACKS:
        objectives = [settings(stack).services.by_name()[name].slo for name in SERVICES]
        assert table[f"latency, {stack}, ms"][:5] == [str(each.latency_milliseconds) for each in objectives if each]
        (availability,) = {each.availability_percent for each in objectives if each}
        assert f"{availability:g} in {stack}" in table["availability, %"][0]


def test_goals_of_load_tests_are_those_of_the_profiles() -> None:
    """loadtests/README.md, by service and profile."""
    table = rows("loadtests/README.md")
    for column, profile in enumerate(PROFILES.values()):
        assert table["whole path: users"][column] == str(profile.users)
        for name, goal in profile.goals.items():
            row = f"{WHOLE_PATH}: requests per second / p95 ms" if name == WHOLE_PATH else name
            assert table[row][column] == f"{goal.requests_per_second} / {goal.p95_milliseconds}"


def test_prometheus_is_sized_as_the_page_says() -> None:
    """Retention, replicas and volume."""
    table = rows("docs/metrics.md")
    for column, stack in enumerate(STACKS):
        prometheus = settings(stack).prometheus
        assert prometheus is not None
        assert table["`retentionDays`"][column] == str(prometheus.retention_days)
        assert table["`replicas`"][column] == str(prometheus.replicas)
        assert table["`storageSize`"][column] == prometheus.storage_size


def test_addons_have_the_pinned_versions() -> None:
    """cluster/addons/README.md and its manifest name the same addons at the same versions."""
    pinned = json.loads((ROOT / "cluster" / "addons" / "manifest.json").read_text(encoding="utf-8"))["addons"]
    table = rows("cluster/addons/README.md")
    assert {name.strip("`"): cells[0].partition(",")[0] for name, cells in table.items() if "`" in name} == {
        name: addon["version"] for name, addon in pinned.items()
    }


def test_scanners_have_the_pinned_versions() -> None:
    """The first numbers of each version in docs/edge-and-security.md are those of the pins."""
    programs = json.loads((ROOT / "tools" / "manifest.json").read_text(encoding="utf-8"))["packages"]
    versions = {name: package["version"] for name, package in programs.items()}
    lock = (ROOT / "tools" / "python" / "scanners" / "uv.lock").read_text(encoding="utf-8")
    versions |= dict(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', lock, re.MULTILINE))
    text = "\n".join(rows("docs/edge-and-security.md"))
    named = re.findall(r"\b(checkov|kube-score|kubeconform|trivy|actionlint|zizmor|pip-audit) ([\d.]+)", text)
    assert len(named) == 7
    assert [each for each in named if not versions[each[0]].startswith(each[1])] == []


@pytest.mark.parametrize("stack", STACKS)
def test_only_the_named_pods_have_a_token(stack: str) -> None:
    """docs/observability.md names the workloads whose pods may ask the API server."""
    having = set()
    for each in record(stack, platform_of(stack)).objects:
        spec = each.get("spec", {})
        pod = spec.get("jobTemplate", {}).get("spec", spec).get("template", {}).get("spec", {})
        if "containers" in pod and pod.get("automountServiceAccountToken") is not False:
            having.add(each["metadata"]["name"])
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"Of the pods of this program only (.+) have a token", text)
    assert having == set(re.findall(r"`([\w-]+)`", sentence))


def test_exit_codes_are_those_of_the_command() -> None:
    """docs/operating.md explains each of them, and no other."""
    assert {int(code) for code in rows("docs/operating.md") if code.isdigit()} == {int(code) for code in ExitCode}
