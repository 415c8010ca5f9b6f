"""The real programs, and what a stack gives them."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

import tools
from components.kubernetes.object import Manifest
from rendering.recorder import record
from tests.observability.official import OFFICIAL, official
from tests.support.documents import platform_of

Rule = dict[str, Any]


@functools.cache
def program(name: str) -> Path:
    """Path of a pinned program, or of Loki or Alloy where it is installed; skips the test where it is not."""
    return official(name) if name in OFFICIAL else tools.ensure([name]).path(name)


def run(name: str, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
    """Output of a program; it must end with a code.

    Raises:
        AssertionError: It ended with another one; holds what it said.
    """
    done = subprocess.run([program(name), *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{name} {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@functools.cache
def _objects(stack: str) -> str:
    return json.dumps(record(stack, platform_of(stack)).objects)


def objects(stack: str) -> list[Manifest]:
    """Everything that a stack's program registers."""
    made: list[Manifest] = json.loads(_objects(stack))
    return made


def groups(made: list[Manifest]) -> list[dict[str, Any]]:
    """The groups of rules among objects."""
    return [group for each in made if each["kind"] == "PrometheusRule" for group in each["spec"]["groups"]]


def rules(made: list[Manifest]) -> list[Rule]:
    """All rules among objects."""
    return [rule for group in groups(made) for rule in group["rules"]]


def write_rules(folder: Path, made: list[Manifest]) -> Path:
    """A rule file for promtool and Prometheus."""
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": groups(made)}), encoding="utf-8")
    return path


def operator_configuration(made: list[Manifest]) -> str:
    """The configuration that the operator's own code makes of the monitors, as it would give it to Prometheus."""
    return run("monitoring-check", "configuration", stdin=json.dumps(made))


def parsed(queries: list[str]) -> list[dict[str, Any]]:
    """Results of Prometheus' own parser for queries: an error, or the series that each asks for."""
    answers: list[dict[str, Any]] = json.loads(run("monitoring-check", "queries", stdin=json.dumps(queries)))
    return answers
