"""Both scanners themselves on a stand-in image, and what the release makes of what they find, or cannot find.

Their databases are made by the test with their own libraries and hold advisories about a package that is in the image.
Not proven here: the published databases, which are on their publishers' own sites.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from components.stack.image_lock import LOCK_NAME
from rendering.errors import CommandError
from tests.e2e.conftest import Project, project
from tests.images.loopback_registry import LoopbackRegistry
from tests.images.releasing import HARMLESS, Release, images, refused, registry, release
from tests.images.vulnerability_databases import Advisory, databases

__all__ = ["images", "project", "registry", "release"]

pytestmark = pytest.mark.e2e

SERVICE = "api-gateway"
SEVERE = Advisory("STAND-IN-2", "high", "acorn", "9.0.0")
PAST = Advisory("STAND-IN-3", "critical", "acorn", "8.0.0")
"""About a version before the one in the image."""
EXCEPTIONS = "images.exceptions.yaml"
SCANNERS = ("trivy", "grype")


@pytest.fixture(scope="module")
def locked(release: Release) -> str:
    """A lock with the gateway in it, made when nothing severe was known."""
    for program in ("syft", *SCANNERS, "altlas"):
        release.run(program, SERVICE)
    return (release.project.root / LOCK_NAME).read_text(encoding="utf-8")


Scan = Callable[..., None]


@pytest.fixture
def scan(release: Release, tmp_path: Path) -> Scan:
    """Scan the gateway's image while one or both scanners know of what is severe."""

    def scanned(*knowing: str) -> None:
        known = {name: [HARMLESS, PAST, *([SEVERE] if name in knowing else [])] for name in SCANNERS}
        variables = databases(tmp_path / "databases", **known)
        for program in SCANNERS:
            release.run(program, SERVICE, **variables)

    return scanned


@pytest.fixture
def leave(release: Release) -> Callable[[int], str]:
    """Allow what is severe until some days from today; the exception ends with the test."""
    return lambda days: _allow(release.project, days)


def _allow(project: Project, days: int) -> str:
    until = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    exception = {"identifier": SEVERE.id, "reason": "the service parses no foreign program", "until": until}
    (project.root / EXCEPTIONS).write_text(yaml.safe_dump({"exceptions": [exception]}), encoding="utf-8")
    return until


@pytest.fixture(autouse=True)
def _no_exceptions(release: Release) -> None:
    (release.project.root / EXCEPTIONS).unlink(missing_ok=True)


def findings(lock: str) -> dict[str, dict[str, int]]:
    """Findings of each scanner in the gateway's image, as the lock has them."""
    scans = yaml.safe_load(lock)["images"][SERVICE]["scans"]
    return {each["scanner"]: each["findings"] for each in scans}


def test_both_scanners_find_what_their_databases_know(release: Release, locked: str) -> None:
    """In the package of the image, from the registry; what is not severe is counted and locked."""
    assert findings(locked) == {"trivy": {"medium": 1}, "grype": {"medium": 1}}
    trivy, grype = (json.loads(release.file(SERVICE, name).read_text(encoding="utf-8")) for name in SCANNERS)
    seen = [each for result in trivy["Results"] for each in result.get("Vulnerabilities", ())]
    assert [(each["VulnerabilityID"], each["PkgName"], each["Severity"]) for each in seen] == [
        (HARMLESS.id, HARMLESS.package, "MEDIUM")
    ]
    assert [(each["vulnerability"]["id"], each["artifact"]["name"]) for each in grype["matches"]] == [
        (HARMLESS.id, HARMLESS.package)
    ]
    assert seen[0]["InstalledVersion"] == grype["matches"][0]["artifact"]["version"]


@pytest.mark.parametrize("scanner", SCANNERS)
def test_one_severe_finding_of_one_scanner_keeps_the_image_out_of_the_lock(
    release: Release, locked: str, scan: Scan, scanner: str
) -> None:
    """Scanner, finding and package are named; the lock is as it was."""
    scan(scanner)
    said = refused(release.project, locked, *release.lock_command(SERVICE))
    assert f"{scanner} finds {SEVERE.id} (high) in {SEVERE.package}, and there is no exception for it; update" in said


def test_an_image_with_a_severe_finding_is_not_signed(
    release: Release, registry: LoopbackRegistry, locked: str, tmp_path: Path
) -> None:
    """The whole chain of the pipeline's commands ends at the lock."""
    known = databases(tmp_path, trivy=[SEVERE], grype=[SEVERE])
    with pytest.raises(CommandError, match=r"altlas images lock api-gateway .* failed, so the release is not made"):
        release.run_all(SERVICE, **known)
    assert (release.project.root / LOCK_NAME).read_text(encoding="utf-8") == locked
    assert not [tag for tag in registry.crane("ls", registry.repository(SERVICE)).split() if tag.startswith("sha256-")]


def test_an_exception_lets_the_image_in_until_its_last_day(
    release: Release, locked: str, scan: Scan, leave: Callable[[int], str]
) -> None:
    """The finding is counted and locked; the day after, the same image is refused."""
    scan(*SCANNERS)
    file = release.project.root / LOCK_NAME
    leave(0)
    done = release.project.altlas(*release.lock_command(SERVICE))
    assert done.code == 0, done.text
    allowed = file.read_text(encoding="utf-8")
    assert findings(allowed) == {scanner: {"high": 1, "medium": 1} for scanner in SCANNERS}
    until = leave(-1)
    said = refused(release.project, allowed, *release.lock_command(SERVICE))
    assert f"trivy finds {SEVERE.id} (high) in acorn, and its exception expired on {until}" in said
    file.write_text(locked, encoding="utf-8")


@pytest.mark.parametrize(
    ("scanner", "variables"),
    [
        (
            "trivy",
            {"TRIVY_CACHE_DIR": "{empty}", "TRIVY_SKIP_DB_UPDATE": "false", "TRIVY_DB_REPOSITORY": "{host}/no:2"},
        ),
        ("trivy", {"TRIVY_CACHE_DIR": "{empty}"}),
        (
            "grype",
            {
                "GRYPE_DB_CACHE_DIR": "{empty}",
                "GRYPE_DB_AUTO_UPDATE": "true",
                "GRYPE_DB_UPDATE_URL": "http://{host}/no/latest.json",
            },
        ),
        ("grype", {"GRYPE_DB_CACHE_DIR": "{empty}"}),
        ("grype", {"GRYPE_DB_MAX_ALLOWED_BUILT_AGE": "1ms"}),
    ],
    ids=["trivy cannot get it", "trivy has none", "grype cannot get it", "grype has none", "grype's is too old"],
)
def test_a_scanner_without_a_database_does_not_pass(
    release: Release, locked: str, tmp_path: Path, scanner: str, variables: dict[str, str]
) -> None:
    """No finding is reported as none: the release ends, and the lock refuses what the scanner left."""
    for each in SCANNERS:
        release.run(each, SERVICE)
    report = release.file(SERVICE, scanner)
    report.unlink()
    filled = {name: text.format(empty=tmp_path, host=release.registry.host) for name, text in variables.items()}
    with pytest.raises(CommandError, match=f"^{scanner} .* failed, so the release is not made"):
        release.run(scanner, SERVICE, **filled)
    # Grype makes the file before it looks for its database.
    assert not report.exists() or not report.read_text(encoding="utf-8")
    said = refused(release.project, locked, *release.lock_command(SERVICE))
    left = "is cut off or no JSON" if report.exists() else "is missing; run the scanner first"
    assert f"{SERVICE}.{scanner}.json {left}" in said
