"""The command `altlas diff`."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.scratch import copy_program

Altlas = Callable[..., Any]
PROGRAM = ("__main__.py", "Pulumi.yaml", "Pulumi.alpha.yaml", "components", "rendering", "images")


def test_text_shows_danger_settings_objects_load_restarts_and_data(altlas: Altlas) -> None:
    """From alpha to beta, and nothing on standard error."""
    done = altlas("diff", "alpha", "beta")
    assert (done.code, done.error) == (0, "")
    lines = done.out.splitlines()
    assert re.fullmatch(
        r"alpha -> beta: \d+ settings change; objects: \d+ created, \d+ changed, \d+ renamed, 1 replaced, 2 deleted",
        lines[0],
    )
    headings = [line for line in lines if re.match(r"(Look|identity|Objects|Load|Restarts|Note)", line)]
    assert headings == [
        "Look at these first (4)",
        "identity (2, stays with its stack)",
        "Objects",
        "Load of all pods and volumes",
        "Restarts",
        "Objects with data",
        *(line for line in lines if line.startswith("Note: ")),
    ]
    assert "      spec.minReplicas: 2 -> 3" in lines
    assert "  > ConfigMap redis-configuration" in done.out
    assert "  - Ingress platform" in lines
    (pods,) = (line for line in lines if line.startswith("pods "))
    assert re.fullmatch(r"pods( +\d+ -> \d+){3}", pods)


def test_fields_can_be_left_out(altlas: Altlas) -> None:
    """One line an object."""
    done = altlas("diff", "alpha", "beta", "--no-fields")
    assert "  ~ Deployment api-gateway\n  ~ HorizontalPodAutoscaler api-gateway\n" in done.out


def test_json_holds_the_same_list_of_steps(altlas: Altlas) -> None:
    """Settings as `altlas stack diff --json` prints them, and steps that can be read again."""
    done = altlas("diff", "alpha", "beta", "--json")
    document = json.loads(done.out)
    listed = json.loads(altlas("stack", "diff", "alpha", "beta", "--json").out)
    assert document["identity"] + document["settings"] == listed
    assert len([step for step in document["steps"] if step["step"] == "change-setting"]) == len(document["settings"])
    assert document["load"]["to"]["peak"]["pods"] > document["load"]["to"]["rest"]["pods"]
    assert altlas("diff", "alpha", "beta", "--format", "json").out == done.out


def test_markdown_begins_with_the_summary(altlas: Altlas) -> None:
    """And fits into a comment."""
    done = altlas("diff", "alpha", "beta", "--format", "markdown")
    assert done.out.startswith("### `alpha -> beta: ")
    assert len(done.out.encode()) <= 65_536


def test_the_exit_code_tells_only_when_asked(altlas: Altlas) -> None:
    """0 is the end of a comparison; with --exit-code 1 is a difference."""
    assert altlas("diff", "alpha", "beta", "--exit-code").code == 1
    same = altlas("diff", "alpha", "alpha", "--exit-code")
    assert (same.code, same.out) == (0, "alpha and alpha make the same objects\n")


def test_a_branch_is_rendered_by_its_own_program(altlas: Altlas, tmp_path: Path) -> None:
    """One changed line of a component shows as the objects that it changes, and nothing else does."""
    branch = tmp_path / "branch"
    branch.mkdir()
    copy_program(branch, PROGRAM)
    objects = branch / "components" / "workloads" / "objects.py"
    text = objects.read_text(encoding="utf-8")
    assert text.count('"AlwaysAllow"') == 1
    objects.write_text(text.replace('"AlwaysAllow"', '"IfHealthyBudget"'), encoding="utf-8")
    done = altlas("diff", "alpha", str(branch / "Pulumi.alpha.yaml"))
    assert (done.code, done.error) == (0, "")
    changed = [line for line in done.out.splitlines() if line.startswith("  ~ ")]
    assert changed
    assert {line.split()[1] for line in changed} == {"PodDisruptionBudget"}
    assert "      spec.unhealthyPodEvictionPolicy: AlwaysAllow -> IfHealthyBudget" in done.out
    broken = branch / "components" / "broken"
    (branch / "__main__.py").write_text(f"import components.{broken.name}\n", encoding="utf-8")
    failed = altlas("diff", "alpha", str(branch / "Pulumi.alpha.yaml"))
    assert failed.code == 2
    assert "cannot be rendered: " in failed.error
    assert "No module named 'components.broken'" in failed.error


def test_bad_settings_are_told_as_everywhere(altlas: Altlas, checkout: Path) -> None:
    """With path and cure, by exit code 2."""
    file = checkout / "Pulumi.beta.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("instances: 3", "instances: 0"), encoding="utf-8")
    done = altlas("diff", "alpha", "beta")
    assert done.code == 2
    assert done.error.startswith("error: 1 problem in the stack configuration, nothing was changed:\n")
    assert "alt-las:platform.postgres.instances" in done.error
