"""Figures in the documents: versions, counts, objectives and exit codes are those of the code and its pins."""

import json
import re
from importlib import metadata

import pytest
import yaml

from altlas.release import archive, dora, markdown
from altlas.update import rotation
from cluster.node import objects as node_objects
from cluster.node import requirements
from cluster.node.network import API_PORT
from cluster.node.packages import PACKAGES
from cluster.nodes import ZONES
from cluster.variant import LEASE_GRACE_SECONDS
from components.settings.platform import PlatformSettings
from components.settings.release import PromotionSettings, ReleaseSettings
from components.stack.loading import parse_platform
from loadtests.profiles import PROFILES, WHOLE_PATH
from rendering.errors import ExitCode
from rendering.recorder import record
from tests.documents.pages import ROOT
from tests.e2e import test_apply_kills
from tests.observability.scenarios import SCENARIOS
from tests.support.documents import STACKS, platform_of
from tests.support.programs import objects, rules
from tests.support.promql import dashboards_of, queries_of
from tests.tiers import BUDGET_MINUTES
from tests.unit import test_house_rules

SERVICES = ("api-gateway", "runner-service", "segmentation-service", "ai-orchestrator", "archive-service")
"""Services in the order of the columns of docs/metrics.md."""


def page(name: str) -> str:
    """Text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def rows(name: str) -> dict[str, list[str]]:
    """Cells of the rows of all tables of a page, by their first cell."""
    lines = [line for line in page(name).splitlines() if line.startswith("| ")]
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


def test_programs_of_real_nodes_have_the_pinned_versions() -> None:
    """cluster/README.md names those of the tools and of Debian; docs/images.md the plugin of the Python package."""
    pinned = json.loads((ROOT / "tools" / "manifest.json").read_text(encoding="utf-8"))["packages"]
    names = {"kubelet and kube-proxy": "kubelet", "CoreDNS": "coredns"}
    names |= {name: name for name in ("kube-router", "metrics-server")}
    for name, program in names.items():
        assert f"{name} {pinned[program]['version']}" in page("cluster/README.md")
    for name in ("containerd", "runc"):
        (version,) = [each.partition("=")[2] for each in PACKAGES if each.startswith(f"{name}=")]
        assert f"{name} {re.split('[+~]', version)[0]}" in page("cluster/README.md")
    assert f"pulumi plugin install resource docker {metadata.version('pulumi-docker')}" in page("docs/images.md")


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/releases.md", f"at most {markdown.LIMIT:,} characters"),
        ("docs/releases.md", f"The newest {archive.KEPT} are kept"),
        ("docs/secrets.md", f"surely read that ({rotation.FOLLOW_SECONDS} s)"),
        ("cluster/README.md", f"A node without news for {LEASE_GRACE_SECONDS} seconds is lost"),
        ("cluster/README.md", f"{node_objects.VOLUMES} local volumes for each node"),
        ("cluster/README.md", f"it listens on port {API_PORT} of the bridge"),
        ("cluster/README.md", f"in {', '.join(f'`{zone}`' for zone in ZONES)}"),
        ("docs/operating.md", f"{requirements.LEAST_FREE_GIB} GiB on the disk"),
        ("CONTRIBUTING.md", f"Files stay below {test_house_rules.MOST_LINES_OF_A_FILE} lines"),
        ("CONTRIBUTING.md", f"and functions below {test_house_rules.MOST_LINES_OF_A_FUNCTION}."),
        ("CONTRIBUTING.md", f"the life of a stack on the simulated cluster; {BUDGET_MINUTES['test']} minutes"),
        ("CONTRIBUTING.md", f"scanners, gates, real nodes; {BUDGET_MINUTES['verify']} minutes"),
        ("Makefile", f"the life of a stack on the simulated cluster: {BUDGET_MINUTES['test']} minutes"),
        ("Makefile", f"scanners, gates, real nodes: {BUDGET_MINUTES['verify']} minutes"),
    ],
)
def test_a_figure_of_a_sentence_is_that_of_the_code(name: str, text: str) -> None:
    """Limits, budgets and what is kept: who changes one changes the page."""
    assert text in page(name)


def test_counts_of_monitoring_are_those_of_alpha() -> None:
    """docs/observability.md: rules, alerts, dashboards, and the queries of all of them."""
    made = objects("alpha")
    alerts = {rule["alert"] for rule in rules(made) if "alert" in rule}
    tested = {scenario.alert for scenario in SCENARIOS}
    documents = dashboards_of(made).values()
    queries = len(rules(made)) + sum(len(list(queries_of(each))) for each in documents)
    said = " ".join(page("docs/observability.md").split())
    assert (
        f"for alpha: {len(rules(made))} rules, {len(alerts)} alert names, of which {len(tested)} are evaluated" in said
    )
    assert f"{len(documents)} dashboards, {queries} of {queries} queries read" in said


def test_figures_in_words_are_those_of_the_code() -> None:
    """docs/releases.md writes small numbers as words."""
    text = page("docs/releases.md")
    words = {2: "two", 5: "five", 20: "twenty"}
    assert f"fewer than {words[dora.FEWEST]} cases" in text
    points, sample = test_apply_kills.POINTS, test_apply_kills.SAMPLE
    assert f"at {words[points]} moments of an apply; `make verify` takes {words[sample]} of them" in text


def test_defaults_of_releases_are_those_of_the_settings() -> None:
    """The two blocks of docs/releases.md that call themselves the defaults."""
    blocks = re.findall(r"^  (approvals|promotion): (\{.+\}) +# the defaults", page("docs/releases.md"), re.MULTILINE)
    written = {name: yaml.safe_load(block) for name, block in blocks}
    assert written["approvals"] == ReleaseSettings().approvals.model_dump(by_alias=True)
    assert written["promotion"] == PromotionSettings().model_dump(by_alias=True, mode="json")


def test_every_folder_of_tests_is_explained() -> None:
    """The table of CONTRIBUTING.md names each, and no other."""
    tests = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")} - {"support"}
    assert tests == {name for cell in rows("CONTRIBUTING.md") for name in re.findall(r"`tests/(\w+)/`", cell)}
