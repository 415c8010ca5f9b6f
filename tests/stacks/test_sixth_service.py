"""A sixth service with a database and a queue subject, added to a copy of the program by the edits of the docs."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.problems import PLATFORM_KEY
from rendering.root import ROOT

SERVICE = "report-service"
_COPIED = ("altlas", "cluster", "components", "images", "policy", "rendering", "tools")
_STEP = re.compile(r"^\*\*(.+?)\*\*: .*?`([^`]+\.(?:py|yaml))`.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str]]:
    """File and code block of each edit, in the order of the page."""
    for found in _STEP.finditer((ROOT / "docs" / "adding-a-service.md").read_text(encoding="utf-8")):
        yield found[2], found[3]


def with_block(text: str, block: str) -> str:
    """A Python file with a block of the docs: new lines join the class or tuple of the same name, the rest is new."""
    lines, tree = text.splitlines(), ast.parse(text)
    names = {name: node for node in tree.body if (name := _name(node))}
    insertions = []
    for node in ast.parse(block).body:
        own = block.splitlines()[node.lineno - 1 : node.end_lineno]
        if known := names.get(_name(node)):
            insertions.append((_end(known), [line for line in own[1:] if line.strip() not in ("...", "...,", ")")]))
        elif isinstance(node, ast.ClassDef):
            insertions.append((names["ServicesSettings"].lineno - 1, [*own, "", ""]))
        else:
            last = max(each.end_lineno or 0 for each in tree.body if isinstance(each, ast.ImportFrom))
            insertions.append((last, own))
    for place, added in sorted(insertions, key=lambda each: each[0], reverse=True):
        lines[place:place] = added
    return "\n".join(lines) + "\n"


def _name(node: ast.stmt) -> str:
    """Name of the class or the variable that a statement defines."""
    if isinstance(node, ast.ClassDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return next((each.id for each in targets if isinstance(each, ast.Name)), "")


def _end(node: ast.stmt) -> int:
    """Line behind the last field of a class, or before the closing bracket of a tuple."""
    if isinstance(node, ast.ClassDef):
        return max(each.end_lineno or 0 for each in node.body if isinstance(each, ast.AnnAssign))
    return (node.end_lineno or 0) - 1


def merged(document: Any, addition: Any) -> Any:
    """A stack's settings with those of the docs: mappings are joined, lists are appended."""
    if isinstance(document, dict):
        added = {key: merged(document[key], value) if key in document else value for key, value in addition.items()}
        return document | added
    return [*document, *addition]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the sixth service."""
    root = tmp_path_factory.mktemp("sixth") / "program"
    for folder in _COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.alpha.yaml", "Pulumi.beta.yaml"):
        shutil.copy(ROOT / name, root / name)
    for name, block in steps():
        file = root / name.replace("<stack>", "alpha")
        if file.suffix == ".yaml":
            document = yaml.safe_load(file.read_text())
            document["config"][PLATFORM_KEY] = merged(document["config"][PLATFORM_KEY], yaml.safe_load(block))
            file.write_text(yaml.safe_dump(document))
        else:
            file.write_text(with_block(file.read_text(), block) if file.exists() else block, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def seen(copy: Path) -> dict[str, Any]:
    """Findings in the changed program."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    # -P: no helper beside the script may stand in for a package of the program.
    command = [sys.executable, "-P", str(ROOT / "tests" / "support" / "observed_program.py")]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_docs_name_three_edits_and_the_stack_files() -> None:
    """No fourth one."""
    assert [name for name, _ in steps()] == [
        "components/settings/services.py",
        "components/services/report_service.py",
        "components/services/__init__.py",
        "Pulumi.<stack>.yaml",
    ]


def objects(seen: dict[str, Any], kind: str, name: str = SERVICE) -> list[dict[str, Any]]:
    """Objects of a kind whose name begins so."""
    found: list[dict[str, Any]] = seen["objects"]
    return [each for each in found if each["kind"] == kind and each["metadata"]["name"].startswith(name)]


@pytest.mark.parametrize(
    "kind",
    [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Probe",
        "Secret",
        "Service",
        "ServiceAccount",
    ],
)
def test_each_kind_of_object_that_a_service_has_is_rendered_once(seen: dict[str, Any], kind: str) -> None:
    """By the name of the service."""
    assert len(objects(seen, kind)) == 1


def test_it_has_a_database_with_a_role_and_a_user_of_the_queue(seen: dict[str, Any]) -> None:
    """Passwords and addresses reach the pods; the queue lets the user receive its subject."""
    (database,) = objects(seen, "Database", "postgres-db-report")
    assert (database["spec"]["name"], database["spec"]["owner"]) == ("report", "report")
    assert len(objects(seen, "Secret", "postgres-db-report")) == 2
    (secret,) = objects(seen, "Secret")
    assert secret["stringData"]["DB_PASSWORD"] == "<postgresReportPassword>"
    assert secret["stringData"]["NATS_URL"] == f"nats://{SERVICE}:<natsReportPassword>@nats:4222"
    (users,) = objects(seen, "Secret", "nats-users")
    assert re.search(rf"{SERVICE}.*reports\.wanted", json.dumps(users))
    assert {"postgresReportPassword", "natsReportPassword", "reportDatabaseUrl"} <= set(seen["secrets"])


def test_its_calls_are_in_the_graph_and_proven_in_the_policies(seen: dict[str, Any]) -> None:
    """Declared calls are possible, and nothing else."""
    proven = {each.rpartition(" ")[0] for each in seen["proven"]}
    for callee in ("archive-service", "postgres", "nats"):
        assert f"Call(caller='{SERVICE}', callee='{callee}')" in seen["calls"]
        assert f"{SERVICE} -> {callee}" in proven
    assert seen["differences"] == []


def test_it_has_alerts_and_a_dashboard(seen: dict[str, Any]) -> None:
    """Of its own, as each other service."""
    assert SERVICE in json.dumps(objects(seen, "PrometheusRule", "objectives"))
    dashboards = json.dumps(objects(seen, "ConfigMap", "grafana"))
    assert dashboards.count(SERVICE) >= dashboards.count("archive-service") // 2 > 0


def test_its_image_can_be_built_and_locked(seen: dict[str, Any]) -> None:
    """Both know the services by their runtimes."""
    assert seen["runtimes"][SERVICE] == "go"


def test_compose_runs_it_with_its_role_and_its_user(seen: dict[str, Any]) -> None:
    """Beside the others."""
    document = yaml.safe_load(seen["compose"])
    assert SERVICE in document["services"]
    assert 'make report "$$REPORT_PASSWORD"' in document["configs"]["postgres-roles"]["content"]
    assert f'user: "{SERVICE}"' in document["configs"]["nats-configuration"]["content"]


def test_its_settings_are_in_the_schema(seen: dict[str, Any]) -> None:
    """Its block, that of its database, and its secrets."""
    definitions = seen["schema"]["$defs"]
    assert SERVICE in definitions["ServicesSettings"]["properties"]
    assert SERVICE in definitions["DatabasesSettings"]["properties"]
    assert "alt-las:natsReportPassword" in seen["schema"]["properties"]["config"]["properties"]
