"""The files that run the checks: hooks before a commit, and the workflows of CI."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.support.documents import ROOT

HOOKS = ROOT / ".pre-commit-config.yaml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+){2}")


def document(name: str) -> Any:
    """A workflow as a tree."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def test_pre_commit_accepts_its_configuration() -> None:
    """By pre-commit itself."""
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(HOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hooks_download_nothing_and_say_what_make_check_says() -> None:
    """Every hook is a pinned program of this checkout; each command before the fast tests has a hook."""
    repositories = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    checked = re.findall(r"\$\(BIN\)/(ruff \w+|mypy)", re.findall(r"^LINT := (.+)$", makefile, re.MULTILINE)[0])
    assert checked
    assert {
        command for command in checked if not any(f".venv/bin/{command}" in hook["entry"] for hook in hooks)
    } == set()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_actions_are_pinned_by_commit_and_get_no_rights_by_default(workflow: Any) -> None:
    """With the version beside the commit, so that a reader sees how old it is."""
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []
    assert document(workflow.name)["permissions"] == {}


def test_a_job_of_minutes_stands_beside_the_whole_of_it() -> None:
    """It runs `make check` and gives up after a quarter of an hour; the other one is what .ci/run is."""
    jobs = document("ci.yml")["jobs"]
    by_command = {step["run"]: job for job in jobs.values() for step in job["steps"] if "run" in step}
    assert by_command["make check"]["timeout-minutes"] <= 15
    assert by_command[".ci/run"]["name"] == "make up, make test, make verify"
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make \w+$", run, re.MULTILINE) == ["make up", "make test", "make verify"]
