"""Exemptions, the table, SARIF and the remarks that are refused: without any scanner."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from policy.scan import inline
from policy.scan.__main__ import repository_jobs
from policy.scan.exceptions import FILE, Condition, Exemption, JudgedScan, judge, load_exemptions
from policy.scan.findings import Scan, ScanFinding, ScannerError
from policy.scan.packages import scan as audit
from policy.scan.programs import Programs
from policy.scan.report import as_text
from policy.scan.sarif import write_sarif
from policy.scan.schemas import strict
from rendering.root import ROOT

REASON = "The reason of an exemption is a whole sentence, so this one is."
LIMIT = ScanFinding("no-limit", "Deployment/web-1a2b", "has no limit")
ROOT_USER = ScanFinding("root", "Deployment/web-1a2b", "runs as root", "warning")
SCAN = Scan("judge 1.35", "alpha", 2, (LIMIT, ROOT_USER), 1)


def exemption(**changes: Any) -> Exemption:
    """An exemption for the finding without a limit."""
    fields = {"scanner": "judge", "check": "no-limit", "objects": ("Deployment/web-*",), "reason": REASON}
    return Exemption.model_validate({**fields, **changes})


def test_an_exemption_takes_out_only_what_it_names() -> None:
    """The other finding of the same object remains."""
    judged = judge(SCAN, [exemption()], {})
    assert judged.scan.findings == (ROOT_USER,)
    assert judged.exempt == ((LIMIT, exemption()),)


@pytest.mark.parametrize(
    "changes", [{"scanner": "other"}, {"check": "no-limits"}, {"objects": ("Deployment/web",)}], ids=str
)
def test_an_exemption_of_something_else_changes_nothing(changes: dict[str, Any]) -> None:
    """Scanner, check and object must all be the ones."""
    assert judge(SCAN, [exemption(**changes)], {}).scan == SCAN


def test_an_exemption_can_depend_on_a_setting() -> None:
    """With another value, or without the setting, it is void."""
    conditional = exemption(only_if=Condition(setting="admission.requireDigests", value=False))
    assert judge(SCAN, [conditional], {"admission": {"requireDigests": False}}).scan.findings == (ROOT_USER,)
    assert judge(SCAN, [conditional], {"admission": {"requireDigests": True}}).scan == SCAN
    assert judge(SCAN, [conditional], {}).scan == SCAN


def test_an_exemption_without_scope_or_reason_is_refused(tmp_path: Path) -> None:
    """The error names the place."""
    file = tmp_path / "exceptions.yaml"
    file.write_text("- {scanner: judge, check: no-limit, objects: [], reason: because}\n")
    with pytest.raises(ScannerError, match=r"(?s)0\.objects: .*0\.reason: .*at least 40 characters"):
        load_exemptions(file)


def test_the_exemptions_of_the_project_have_reasons_and_scopes() -> None:
    """Only the digests, which a setting decides, are exempt everywhere."""
    everywhere = [each for each in load_exemptions(FILE) if "*" in each.objects]
    assert [(each.check, each.only_if) for each in everywhere] == [
        ("CKV_K8S_43", Condition(setting="admission.requireDigests", value=False))
    ]


def test_the_table_shows_counts_findings_exemptions_and_what_is_not_proven() -> None:
    """Nothing that matters stands only in a file."""
    unproven = JudgedScan(Scan("audit", "packages", 0, unproven="its service cannot be reached"), ())
    text = as_text([judge(SCAN, [exemption()], {}), unproven], [exemption(check="gone")])
    assert text.splitlines() == [
        "SCANNER     SUBJECT   OBJECTS  FAILED  WARNINGS  SKIPPED  EXEMPT",
        "judge 1.35  alpha           2       0         1        1       1",
        "audit       packages  NOT PROVEN here",
        "judge 1.35 alpha: warning: Deployment/web-1a2b: root: runs as root",
        f"exempt: judge no-limit: {REASON} (alpha: Deployment/web-1a2b)",
        "unused exemption: judge gone covers nothing; remove it",
        "NOT PROVEN here: audit packages: its service cannot be reached",
    ]


def test_sarif_holds_findings_and_suppressions_with_their_reasons(tmp_path: Path) -> None:
    """One run with one result for each, and the line where there is one."""
    lined = ScanFinding("unpinned", ".github/workflows/ci.yml", "by tag", line=7)
    scan = Scan("judge", "alpha", 2, (LIMIT, lined))
    document = json.loads(write_sarif(judge(scan, [exemption()], {}), tmp_path).read_text())
    (run,) = document["runs"]
    first, second = run["results"]
    assert (document["version"], first["ruleId"], first["level"]) == ("2.1.0", "unpinned", "error")
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert second["suppressions"] == [{"kind": "external", "justification": REASON}]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"no-limit", "unpinned"}
    assert [file.name for file in tmp_path.iterdir()] == ["judge-alpha.sarif"]


@pytest.mark.parametrize(
    "remark", ["kube-score/ignore: pod-probes", "checkov.io/skip1: CKV_K8S_8", "# zizmor: ignore[x]", "#trivy:ignore:x"]
)
def test_a_remark_that_hides_findings_is_a_finding(tmp_path: Path, remark: str) -> None:
    """With file and line; a file without one is good."""
    file = tmp_path / "file.yaml"
    file.write_text(f"a: 1\nb: {remark}\n")
    (found,) = inline.scan("files", {"file.yaml": file}).findings
    assert (found.where, found.line) == ("file.yaml", 2)
    file.write_text("a: 1\n")
    assert inline.scan("files", {"file.yaml": file}).findings == ()


class _Auditor:
    """Stands in for the scanners: pip-audit is a script that answers by service."""

    def __init__(self, folder: Path, answers: dict[str, Any]) -> None:
        self._folder, self._answers = folder, answers

    def path(self, name: str) -> Path:
        """The script."""
        program = self._folder / name
        for service, answer in self._answers.items():
            (self._folder / service).write_text(json.dumps(answer) if answer else "")
        program.write_text('#!/bin/sh\nwhile [ "$1" != --vulnerability-service ]; do shift; done\n'
                           f'[ -s {self._folder}/"$2" ] || {{ echo "cannot reach $2" >&2; exit 1; }}\n'
                           f'cat {self._folder}/"$2"\n')  # fmt: skip
        program.chmod(0o755)
        return program


def package(name: str, *known: str) -> dict[str, Any]:
    """A package as pip-audit reports it."""
    return {"name": name, "version": "1.0", "vulns": [{"id": each, "fix_versions": ["1.1"]} for each in known]}


SKIPPED = {"name": "odd", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answers", "objects", "messages", "unproven"),
    [
        ({"pypi": {"dependencies": [package("good")]}}, 1, [], ""),
        (
            {"pypi": {"dependencies": [package("good"), package("bad", "PYSEC-1")]}},
            2,
            ["bad 1.0 has PYSEC-1; fixed in 1.1"],
            "",
        ),
        ({"pypi": None, "osv": {"dependencies": [package("good")]}}, 1, [], ""),
        (
            {"pypi": {"dependencies": [package("good"), SKIPPED]}, "osv": None},
            0,
            [],
            "no service could be asked; pypi: knows 1 of 2 packages; osv: cannot reach osv",
        ),
    ],
    ids=["none known", "one known", "the second service answers", "no service knows all"],
)
def test_packages_are_proven_only_where_a_service_knows_all_of_them(
    tmp_path: Path, answers: dict[str, Any], objects: int, messages: list[str], unproven: str
) -> None:
    """Half an answer is none, because the vulnerable one may be in the other half."""
    scan = audit(_Auditor(tmp_path, answers), tmp_path / "requirements.txt")  # type: ignore[arg-type]  # a stand-in
    assert (scan.objects, [each.message for each in scan.findings], scan.unproven) == (objects, messages, unproven)


def test_a_strict_schema_refuses_unknown_fields_but_where_anything_goes() -> None:
    """Also below lists and maps, and never where the definition preserves unknown fields."""
    schema = {
        "properties": {
            "spec": {
                "properties": {
                    "items": {"type": "array", "items": {"properties": {"a": {"type": "string"}}}},
                    "free": {"properties": {}, "x-kubernetes-preserve-unknown-fields": True},
                    "map": {"additionalProperties": {"properties": {}}},
                }
            }
        }
    }
    made = strict(schema)
    spec = made["properties"]["spec"]
    assert made["additionalProperties"] is spec["additionalProperties"] is False
    assert {"apiVersion", "kind", "metadata"} < made["properties"].keys()
    assert spec["properties"]["items"]["items"]["additionalProperties"] is False
    assert spec["properties"]["map"]["additionalProperties"]["additionalProperties"] is False
    assert "additionalProperties" not in spec["properties"]["free"]


def test_every_lock_of_python_packages_is_asked_about(tmp_path: Path) -> None:
    """Also the packages which go into an image are in one of them."""
    nothing_runs = Programs(None, None)  # type: ignore[arg-type]
    jobs = [job for job, _ in repository_jobs(nothing_runs, ROOT, tmp_path) if isinstance(job, partial)]
    asked = [job.args[1].name for job in jobs if job.func is audit]
    assert asked == ["object-store.txt", "platform.txt", "scanners.txt"]
    listed = (tmp_path / "platform.txt").read_text(encoding="utf-8")
    image = (ROOT / "images" / "backup" / "requirements.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"^[a-z0-9._-]+==[^ ]+", image, re.MULTILINE)) < set(
        re.findall(r"^[a-z0-9._-]+==[^ ]+", listed, re.MULTILINE)
    )
