"""Rules: accepted by promtool, made of known metrics only, and each alert seen firing and seen quiet."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.alerts.alert import runbook_page
from components.stack.loading import parse_platform
from rendering.recorder import record
from tests.observability.scenario import Scenario, Series
from tests.observability.scenarios import KUBELET, SCENARIOS
from tests.observability.store_scenarios import SEVERAL
from tests.support.documents import ROOT, STACKS, alpha_with, platform_of
from tests.support.figures import Figures
from tests.support.known_metrics import series_of
from tests.support.programs import objects, parsed, rules, run, write_rules
from tests.support.promql import metric_names

pytestmark = pytest.mark.data
EXTERNAL = {"mode": "external", "external": {"monitorLabels": {"release": "stack"}}}


def scenario_test(scenario: Scenario, series: Series, *, fires: bool) -> dict[str, Any]:
    """A test as promtool reads it. It counts, so that no label of the result has to be written down."""
    where = {"alertname": scenario.alert, "alertstate": "firing", **scenario.where}
    labels = ",".join(f'{name}="{value}"' for name, value in where.items())
    expected = [{"labels": f'{{severity="{scenario.severity}"}}', "value": 1}] if fires else []
    expression = f"count by (severity) (ALERTS{{{labels}}}) > bool 0"
    return {
        "name": f"{scenario.alert} {'fires' if fires else 'keeps quiet'}",
        "interval": f"{scenario.step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{scenario.minute}m", "exp_samples": expected},
        ],
    }


def write_tests(folder: Path, rule_file: Path, scenarios: tuple[Scenario, ...]) -> list[Path]:
    """Test files for promtool, one for each resolution."""
    # Of itself promtool evaluates groups in a random order: alerts now and then before what they ask for is recorded.
    order = [group["name"] for group in yaml.safe_load(rule_file.read_text(encoding="utf-8"))["groups"]]
    written = []
    for step in sorted({scenario.step for scenario in scenarios}):
        tests = [
            scenario_test(scenario, series, fires=fires)
            for scenario in scenarios
            if scenario.step == step
            for fires, series in ((True, scenario.firing), (False, scenario.quiet))
        ]
        path = folder / f"tests-{step}.yml"
        document = {
            "rule_files": [str(rule_file)],
            "evaluation_interval": f"{step}m",
            "group_eval_order": order,
            "tests": tests,
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        written.append(path)
    return written


@pytest.mark.parametrize("stack", STACKS)
def test_promtool_accepts_the_rules(stack: str, tmp_path: Path) -> None:
    """And finds no two that record the same."""
    text = run("promtool", "check", "rules", str(write_rules(tmp_path, objects(stack))))
    assert f"SUCCESS: {len(rules(objects(stack)))} rules found" in text


def test_every_alert_fires_when_it_should_and_keeps_quiet_when_it_should(tmp_path: Path, figures: Figures) -> None:
    """Two runs of promtool's own rule engine for each alert: one with trouble, one right below its threshold."""
    made = objects("alpha")
    for path in write_tests(tmp_path, write_rules(tmp_path, made), SCENARIOS):
        run("promtool", "test", "rules", str(path))
    tested = {scenario.alert for scenario in SCENARIOS}
    alerts = [rule["alert"] for rule in rules(made) if "alert" in rule]
    assert set(alerts) == tested | {"Watchdog"}
    figures.add(
        "observability: 1 rules", f"{len(rules(made))}, of which alerts {len(alerts)} of {len(set(alerts))} names"
    )
    figures.add("observability: 2 tested", f"{len(tested)} alerts fire and keep quiet, and the Watchdog always fires")


def test_the_rules_of_the_kubelet_are_tested_in_the_mode_that_has_them(tmp_path: Path) -> None:
    """The mode in which the cluster's own Prometheus scrapes the kubelets."""
    made = record("alpha", alpha_with({"prometheus": EXTERNAL, "alertmanager": None})).objects
    for path in write_tests(tmp_path, write_rules(tmp_path, list(made)), KUBELET):
        run("promtool", "test", "rules", str(path))
    assert {rule["alert"] for rule in rules(list(made)) if "alert" in rule} >= {"VolumeFills"}


def test_the_rules_of_several_servers_are_tested_where_there_are_several(tmp_path: Path) -> None:
    """A single PostgreSQL has no replica to miss; a stream that drops its oldest messages wakes nobody."""
    platform = platform_of("alpha")
    (stream,) = platform["nats"]["streams"]
    changes = {"postgres.instances": 3, "nats.streams": [stream | {"whenFull": "drop-oldest"}]}
    made = record("alpha", alpha_with(changes)).objects
    for path in write_tests(tmp_path, write_rules(tmp_path, list(made)), SEVERAL):
        run("promtool", "test", "rules", str(path))


def test_the_sign_of_life_always_fires(tmp_path: Path) -> None:
    """Without a single series."""
    test = {
        "interval": "1m",
        "input_series": [],
        "promql_expr_test": [
            {
                "expr": 'count(ALERTS{alertname="Watchdog",severity="heartbeat",alertstate="firing"})',
                "eval_time": "1m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    path = tmp_path / "watchdog.yml"
    rule_file = write_rules(tmp_path, objects("alpha"))
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "tests": [test]}))
    run("promtool", "test", "rules", str(path))


def test_a_wrong_expectation_is_noticed(tmp_path: Path) -> None:
    """The control: the same engine fails when trouble is called quiet."""
    scenario = next(each for each in SCENARIOS if each.alert == "RedisDown")
    swapped = Scenario(alert=scenario.alert, cases=(scenario.quiet, scenario.firing), severity="page")
    (path,) = write_tests(tmp_path, write_rules(tmp_path, objects("alpha")), (swapped,))
    text = run("promtool", "test", "rules", str(path), code=1)
    assert text.count("got: nil") == 1, "it does not fire where it was said to"
    assert text.count("exp: nil") == 1, "it fires where it was said to keep quiet"


@pytest.mark.parametrize("stack", STACKS)
def test_every_query_parses_and_asks_for_known_metrics_only(stack: str, figures: Figures) -> None:
    """By Prometheus' own parser, which also confirms the quick reading of the tests without programs."""
    queries = [rule["expr"] for rule in rules(objects(stack))]
    answers = parsed(queries)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert [set(answer["series"]) for answer in answers] == [set(metric_names(query)) for query in queries]
    known = series_of(parse_platform(platform_of(stack)))
    asked = set().union(*(answer["series"] for answer in answers))
    assert asked - known == set()
    figures.add(
        f"observability: 3 queries of rules, {stack}", f"parsed {len(answers)} of {len(queries)}, unknown metrics 0"
    )


def test_a_query_that_does_not_parse_is_noticed() -> None:
    """The control."""
    (answer,) = parsed(["sum(rate(up[5m])"])
    assert "unclosed left parenthesis" in answer["error"]


def test_commands_of_runbooks_are_whole_and_ask_for_nothing_that_an_alert_does_not_say() -> None:
    """The person on call pastes them: a shell takes each line, and each variable is explained."""

    def refused(line: str) -> bool:
        return subprocess.run(["bash", "-n"], input=line, capture_output=True, text=True, check=False).returncode != 0

    folder = ROOT / "docs" / "runbooks"
    known = set(re.findall(r"`\$([A-Z]+)`", (folder / "README.md").read_text(encoding="utf-8")))
    assert {"NAMESPACE", "STACK", "STORE"} <= known
    for page in folder.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        lines = [line for block in text.split("```")[1::2] for line in block.splitlines()]
        assert [line for line in lines if refused(line)] == [], page.name
        assert set(re.findall(r"\$([A-Z_]+)", text)) <= known, page.name
    assert refused("kubectl get --raw /query?query=topk(5,up)")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """One page for each name, with the parts that the person on call needs."""
    names = {scenario.alert for scenario in (*SCENARIOS, *KUBELET, *SEVERAL)} | {"Watchdog"}
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages.keys() - {"README.md"} == {runbook_page(name) for name in names}
    for name in names:
        text = pages[runbook_page(name)]
        assert text.startswith(f"# {name}\n"), name
        for part in ("## Meaning", "## Impact", "## First three commands", "## Cure"):
            assert part in text, f"{name}: {part}"
        commands = text.partition("## First three commands")[2].partition("## Cure")[0].partition("```")[2]
        assert len([line for line in commands.partition("```")[0].splitlines()[1:] if line.strip()]) == 3, name
