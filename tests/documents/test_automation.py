"""The files that run the checks: hooks before a commit, and the workflows of CI."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.loading import read_platform
from tests.documents.commands import Command, problem
from tests.support.documents import ROOT

HOOKS = ROOT / ".pre-commit-config.yaml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+){2}")


def document(name: str) -> Any:
    """A workflow as a tree."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def test_the_pages_name_every_workflow_and_every_setting_of_the_repository() -> None:
    """docs/releases.md lists the variables, secrets and environments that the workflows read."""
    page = (ROOT / "docs" / "releases.md").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in WORKFLOWS]
    read = {name for text in texts for name in re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", text)}
    table = page.partition("| setting of the repository | content |")[2].partition("\n\n")[0]
    assert read == set(re.findall(r"`((?:ALT_LAS|PULUMI)_[A-Z_]+)`", table))
    environments = {name for text in texts for name in re.findall(r"^    environment: (\w+)$", text, re.MULTILINE)}
    assert environments == {"plan", "preview", "nightly"}
    assert "environments `plan`, `preview`, `nightly`, and one named like each stack" in table
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert [path.stem for path in WORKFLOWS if not re.search(rf"`(\S*/)?{path.stem}(\.yml)?`", pages)] == []


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


def steps_of(job: Any) -> list[str]:
    """Command lines of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_job_that_writes_a_comment_has_no_code_of_the_pull_request() -> None:
    """It checks out the branch that the request goes to, and only it may write; the others only read."""
    jobs = document("pull-request.yml")["jobs"]
    writing = {name for name, job in jobs.items() if "write" in {job["permissions"].get("pull-requests")}}
    assert writing == {"comment"}
    comment = jobs["comment"]
    refs = [step["with"].get("ref") for step in comment["steps"] if "checkout@" in step.get("uses", "")]
    assert refs == ["${{ github.event.pull_request.base.sha }}"]
    assert jobs["diff"]["permissions"] == {"contents": "read"}
    assert "secrets." not in str(jobs["diff"]) + str(comment)
    assert all(
        "head.repo.full_name == github.repository" in " ".join(jobs[name]["if"].split())
        for name in ("comment", "preview")
    )
    assert [line for line in steps_of(comment) if "altlas" in line] == [
        '.venv/bin/altlas github comment changes/*.json --pull "$PULL" --commit "$COMMIT" --link "$RUN"',
        '.venv/bin/altlas github comment --closed --pull "$PULL"',
    ]


def test_a_release_asks_for_the_environment_before_it_plans_and_before_it_applies() -> None:
    """The environment is named like the stack, and what is applied is the plan."""
    jobs = document("release.yml")["jobs"]
    assert (jobs["plan"]["environment"], jobs["apply"]["environment"]) == ("plan", "${{ inputs.stack }}")
    for job, then in (("plan", ".venv/bin/altlas plan"), ("apply", ".venv/bin/altlas apply")):
        lines = steps_of(jobs[job])
        asked = lines.index('.venv/bin/altlas github environment "$STACK"')
        (done,) = (number for number, line in enumerate(lines) if then in line)
        assert asked < done
    assert jobs["apply"]["needs"] == "plan"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_no_text_of_a_stranger_stands_in_a_command(workflow: Any) -> None:
    """Expressions reach a command as variables only."""
    lines = [line for job in document(workflow.name)["jobs"].values() for line in steps_of(job)]
    assert [line for line in lines if "${{" in line] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_commands_of_ours_in_workflows_exist(workflow: Any) -> None:
    """With their options, as in the documents."""
    lines = [
        line for job in document(workflow.name)["jobs"].values() for run in steps_of(job) for line in run.splitlines()
    ]
    ours = [line[line.index(".venv/bin/altlas") + len(".venv/bin/") :] for line in lines if ".venv/bin/altlas" in line]
    ours = [re.sub(r" (\|\||>|\$\{).*", "", line) for line in ours]
    assert [said for line in ours if (said := problem(Command(line, is_whole=False)))] == []


def test_the_k3d_workflow_holds_traffic_against_the_declared_one_and_goes_to_three_servers_and_back(
    tmp_path: Path,
) -> None:
    """Its edit of the stack file makes three servers of each store; traffic is tried before and after."""
    lines = steps_of(document("k3d.yml")["jobs"]["k3d"])
    (transition,) = (number for number, line in enumerate(lines) if "sed --in-place" in line)
    traffic = [number for number, line in enumerate(lines) if "-m tests.node.traffic" in line]
    assert len(traffic) == 2
    assert traffic[0] < transition < traffic[1]
    script = lines[transition]
    assert script.count('.venv/bin/altlas up "$STACK"') == 2
    edit = script[script.index("sed") :].partition('"Pulumi.$STACK.yaml"')
    copy = tmp_path / "Pulumi.local.yaml"
    copy.write_bytes((ROOT / copy.name).read_bytes())
    subprocess.run(["sh", "-ec", "".join(edit[:2])], cwd=tmp_path, env={**os.environ, "STACK": "local"}, check=True)
    changed = read_platform(copy)
    assert changed.redis
    assert changed.nats
    assert changed.postgres
    assert (changed.redis.replicas, changed.nats.replicas, changed.postgres.instances) == (3, 3, 3)
