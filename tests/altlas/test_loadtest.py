"""The command `altlas loadtest`: what it refuses, its thresholds, and how results read."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from altlas.pictures.load_test import LoadTestResults, load_test_document, load_test_page, load_test_text
from components.stack.problems import PLATFORM_KEY
from loadtests.measure import LoadFigures, LoadTarget, measured, percentile, shortfalls
from loadtests.plan import load_targets, parse_urls
from loadtests.profiles import PROFILES, WHOLE_PATH, LoadGoal
from tests.altlas.conftest import Altlas
from tests.support.documents import STACKS, alpha_settings, alpha_with, only_problem
from tests.support.loopback import platform_settings

GOAL = LoadGoal(100, 200)


def figures(answered: int, milliseconds: float, failures: Mapping[str, int] | None = None) -> LoadFigures:
    """Figures of ten seconds in which every answer took as long."""
    return measured(10.0, [milliseconds] * answered, failures or {})


@pytest.mark.parametrize("stack", STACKS)
def test_percentiles_of_a_profile_are_the_objectives_of_its_phase(stack: str) -> None:
    """One figure for the alert and for the load test; the whole path has that of the gateway."""
    goals = PROFILES[stack].goals
    services = platform_settings(stack).services.by_name()
    assert {name: goals[name].p95_milliseconds for name in services} == {
        name: each.slo.latency_milliseconds for name, each in services.items()
    }
    assert goals.keys() == {*services, WHOLE_PATH}
    assert goals[WHOLE_PATH].p95_milliseconds == goals["api-gateway"].p95_milliseconds


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_takes_the_profile_of_its_phase(stack: str) -> None:
    """All of it, at the first stack; every service has as many users for a request as the whole path."""
    urls = dict.fromkeys(PROFILES[stack].goals, "http://one")
    targets = load_targets(platform_settings(stack), stack, stack, urls)
    assert [each.users / each.goal.requests_per_second for each in targets] == [
        targets[0].users / targets[0].goal.requests_per_second
    ] * 6


def test_percentiles_are_values_that_occurred() -> None:
    """Nearest rank: of a hundred the 95th, of one the one."""
    hundred = [float(each) for each in range(1, 101)]
    assert [percentile(hundred, each) for each in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 95) == 7
    assert measured(5.0, [3.0, 1.0, 2.0], {}) == LoadFigures(5.0, 3, {}, {50: 2.0, 95: 3.0, 99: 3.0, 100: 3.0})


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (figures(1000, 200), ()),
        (figures(950, 200, {"HTTP 503": 9}), ()),
        (figures(949, 1), ("94.9 answers per second, fewer than 95",)),
        (figures(1000, 201), ("p95 201 ms, above 200 ms",)),
        (figures(1000, 1, {"HTTP 503": 11}), ("1.1 % failed, more than 1 % (11 x HTTP 503)",)),
        (figures(0, 1), ("100.0 % failed, more than 1 % (no answer at all)", "0.0 answers per second, fewer than 95")),
    ],
)
def test_each_threshold_fails_alone(found: LoadFigures, reasons: tuple[str, ...]) -> None:
    """At the bound a test passes, beyond it it fails; no answer at all is a failure."""
    assert shortfalls(GOAL, found) == reasons


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--profile", "gamma", "--stand-ins"), 2, "--profile gamma is unknown; choose alpha or beta"),
        ((), 2, "give either --url or --stand-ins or --in-cluster"),
        (("--url", "http://127.0.0.1:1", "--stand-ins"), 2, "give either --url or --stand-ins or --in-cluster"),
        (("--url", "127.0.0.1"), 2, "--url 127.0.0.1 is no URL; write one such as https://alt-las.local"),
        (
            ("--url", "http://me:word@127.0.0.1"),
            2,
            "--url holds a user or a password, which results would show; give a URL without them",
        ),
        (("--url", "http://a", "--url", "http://b"), 2, "--url is given twice for whole path; give one"),
        (
            ("--url", "printer=http://127.0.0.1:1"),
            2,
            "--url printer=... names no service of the stack; choose one of api-gateway, runner-service, "
            "segmentation-service, ai-orchestrator, archive-service",
        ),
        (
            ("--url", "http://127.0.0.1:1", "--profile", "beta"),
            2,
            "loadTest.maxUsers of Pulumi.alpha.yaml is 50, but 100 % of the profile beta is 1000 for whole path; "
            "choose another profile, lower --percent to 5, or raise the limit",
        ),
        (
            ("--url", "https://beta-api.atlas.example.com"),
            2,
            "--url https://beta-api.atlas.example.com/api/v1/status leads to the stack beta, but the limit of alpha "
            "would count; run `altlas loadtest beta`",
        ),
        (
            ("--url", "archive-service=http://127.0.0.1:1"),
            4,
            "--url archive-service=http://127.0.0.1:1/health does not answer ([Errno 111] Connection refused); start "
            "it, forward a port to it, or correct the URL",
        ),
    ],
)
def test_bad_input_is_refused_before_any_load(
    altlas: Altlas, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """With what is wrong, where, and what to do."""
    monkeypatch.setattr("altlas.commands.loadtest.locust_python", lambda: Path("python"))
    monkeypatch.setattr("altlas.commands.loadtest.generate", None)
    done = altlas("loadtest", "alpha", *arguments)
    assert (done.code, done.error.splitlines()[-1]) == (code, f"error: {message}")


def test_a_stack_without_a_limit_takes_no_load(altlas: Altlas, checkout: Path) -> None:
    """The default, so that a new stack is not loaded by mistake."""
    file = checkout / "Pulumi.alpha.yaml"
    document = yaml.safe_load(file.read_text())
    del document["config"][PLATFORM_KEY]["loadTest"]
    file.write_text(yaml.safe_dump(document))
    done = altlas("loadtest", "alpha", "--url", "http://127.0.0.1:1")
    assert done.code == 2
    assert "Pulumi.alpha.yaml allows no load test; add loadTest: {maxUsers: ..., maxRequestsPerSecond" in done.error


def test_a_limit_of_nothing_is_refused() -> None:
    """The bound of the setting; leave the block out for no load test."""
    path, _ = only_problem(alpha_with({"loadTest.maxUsers": 0}))
    assert path == "loadTest.maxUsers"


def test_without_locust_the_command_says_how_to_get_it(altlas: Altlas, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    monkeypatch.setattr("loadtests.generator.ENVIRONMENT", ".venv-nowhere")
    done = altlas("loadtest", "alpha", "--url", "http://127.0.0.1:1")
    assert (done.code, done.error) == (
        3,
        "error: Locust is not installed in .venv-nowhere; run `make install-loadtests`\n",
    )


def test_a_share_of_a_profile_has_a_share_of_its_goal() -> None:
    """The percentile stays; the limit is that of the share."""
    urls = parse_urls(["runner-service=http://127.0.0.1:8080", "https://alt-las.local"], alpha_settings())
    targets = load_targets(alpha_settings(), "alpha", "beta", urls, percent=5)
    assert targets == (
        LoadTarget("runner-service", "http://127.0.0.1:8080/api/v1/health", 14, LoadGoal(7, 230)),
        LoadTarget(WHOLE_PATH, "https://alt-las.local/api/v1/status", 50, LoadGoal(25, 200)),
    )


def test_results_read_the_same_in_text_json_and_html() -> None:
    """Percentiles, verdict and reasons of a test that passed and of one that failed."""
    good, bad = (LoadTarget(name, f"http://{name}", 50, GOAL) for name in ("good", "bad"))
    results = LoadTestResults(
        "alpha",
        "alpha",
        100,
        5,
        10,
        datetime(2026, 1, 2, tzinfo=UTC),
        ((good, figures(1000, 10)), (bad, figures(1000, 500))),
    )
    text = load_test_text(results).splitlines()
    assert text[1].split() == ["good", "100.0", "100", "0.0", "%", "10.0", "10.0", "200", "10.0", "pass"]
    assert text[2].split()[-1] == "FAIL"
    assert text[3:] == ["bad: p95 500 ms, above 200 ms"]
    document = json.loads(json.dumps(load_test_document(results)))
    assert not document["passed"]
    assert document["targets"][0]["milliseconds"] == {"p50": 10, "p95": 10, "p99": 10, "max": 10}
    assert [each["shortfalls"] for each in document["targets"]] == [[], ["p95 500 ms, above 200 ms"]]
    html = load_test_page(results)
    assert "Failed: bad" in html
    assert html.count("<figure>") == 2
    assert "p95 at most 200 ms" in html
