"""Checks of a promotion: every reason against it, each with a case that passes."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from altlas.images.findings import FindingException
from altlas.images.signatures import signatures
from altlas.release import promotion_checks as checks
from altlas.release.steps import ChangeSetting
from components.settings import PlatformSettings
from components.settings.release import PromotionSettings
from components.stack.image_lock import parse_lock
from components.stack.loading import read_platform
from tests.support.scratch import copy_program

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LIMITS = PromotionSettings()
SERVICES = ("api-gateway", "runner-service", "segmentation-service", "ai-orchestrator", "archive-service")


def reference(service: str, digit: str = "1") -> str:
    """Image of a service with a digest."""
    return f"registry.example.com/{service}:1.2.3@sha256:{digit * 64}"


def locked(findings: dict[str, int] | None = None, accepted: Sequence[str] = ()) -> dict[str, Any]:
    """The image lock of all services."""
    known = {"report": f"sha256:{'2' * 64}", "findings": findings or {}, "accepted": list(accepted)}
    scans = [{"scanner": name, **known} for name in ("trivy", "grype")]
    common = {"tag": "1.2.3", "digest": f"sha256:{'1' * 64}", "revision": "0" * 40, "builtAt": "2026-01-01T00:00:00Z"}
    sbom = {"file": "sbom.json", "format": "spdx", "digest": f"sha256:{'3' * 64}"}
    return {
        "images": {
            name: {"repository": f"registry.example.com/{name}", **common, "sbom": sbom, "scans": scans}
            for name in SERVICES
        }
    }


IMAGES = {service: reference(service) for service in SERVICES}
LOCK = parse_lock(locked())


def change(field: str, before: Any, after: Any) -> ChangeSetting:
    """A change of a setting of class security."""
    return ChangeSetting(field=field, before=before, after=after, decision="security")


def signed(_: str) -> str:
    """Accept every image."""
    return ""


@pytest.mark.parametrize(
    ("field", "weaker", "stronger"),
    [
        ("admission.requireDigests", False, True),
        ("release.automatic", True, False),
        ("mesh.mode", "off", "strict"),
        ("release.approvals.data", 1, 2),
        ("release.planHours", 48, 24),
        ("egress.privateRanges", ["10.0.0.0/8", "192.168.0.0/16"], ["10.0.0.0/8"]),
    ],
)
def test_weaker_security_is_refused_and_stronger_is_not(field: str, weaker: Any, stronger: Any) -> None:
    """By the direction of the change."""
    assert [*checks.weaker_security([change(field, weaker, stronger)])] == []
    (said,) = checks.weaker_security([change(field, stronger, weaker)])
    assert said.startswith(f"security: {field} would go from {stronger} to {weaker}, which is weaker")


def test_security_that_cannot_be_compared_is_refused() -> None:
    """A person decides it in the stack file; other classes are free, and a digest that is new is no loss."""
    assert len([*checks.weaker_security([change("mesh.trustDomain", "one", "other")])]) == 1
    free = replace(change("mesh.trustDomain", "one", "other"), decision="feature")
    digest = change("services.api-gateway.image.digest", None, "sha256:1")
    assert [*checks.weaker_security([free, digest])] == []
    assert len([*checks.weaker_security([replace(digest, before="sha256:1", after=None)])]) == 1


GATEWAY = "registry.example.com/api-gateway:1.2.3"


@pytest.mark.parametrize(
    ("images", "lock", "retired", "check", "said"),
    [
        (IMAGES, LOCK, {"registry.example.com/api-gateway:1.2.2": "2026"}, signed, ""),
        (IMAGES, LOCK, {GATEWAY: "2026-01-01"}, signed, f"api-gateway: {GATEWAY} is retired since 2026-01-01"),
        (IMAGES | {"api-gateway": GATEWAY}, LOCK, {}, signed, f"api-gateway: {GATEWAY} is known by its tag only"),
        (IMAGES | {"api-gateway": reference("api-gateway", "9")}, LOCK, {}, signed, "is not the image in the lock"),
        (IMAGES, LOCK, {}, lambda one: "no key" if "api-g" in one else "", "is not signed: no key"),
    ],
    ids=["good", "retired", "no digest", "not locked", "not signed"],
)
def test_an_image_must_be_in_use_locked_and_signed(
    images: dict[str, str], lock: Any, retired: dict[str, str], check: Callable[[str], str], said: str
) -> None:
    """Each of the five."""
    found = [*checks.unsafe_images(images, lock, retired, check)]
    assert len(found) == bool(said)
    assert all(said in each for each in found)


@pytest.mark.parametrize(
    ("findings", "accepted", "exceptions", "said"),
    [
        ({"medium": 3}, [], {}, []),
        ({"high": 1}, ["CVE-1"], {"CVE-1": "2026-11-27"}, []),
        ({"high": 2}, ["CVE-1", "CVE-2"], {"CVE-1": "2026-11-27"}, ["found CVE-2, and there is no exception for it"]),
        ({"high": 1}, ["CVE-1"], {"CVE-9": "2099-01-01"}, ["found CVE-1, and there is no exception for it"]),
        ({"high": 1}, ["CVE-1"], {"CVE-1": "2026-11-27", "CVE-9": "2020-01-01"}, []),
        ({"critical": 2}, ["CVE-1"], {"CVE-1": "2026-11-26"}, ["CVE-1, and its exception expired on 2026-11-26"]),
        ({"high": 1}, [], {"CVE-1": "2099-01-01"}, ["found 1 critical or high .*, which the lock does not name; lock"]),
    ],
    ids=["harmless", "accepted", "one of two", "another one accepted", "another one expired", "expired", "old lock"],
)
def test_a_failing_scan_is_refused(
    findings: dict[str, int], accepted: list[str], exceptions: dict[str, str], said: list[str]
) -> None:
    """Each finding needs its own exception, which counts until its last day."""
    held = [FindingException(identifier=name, reason="does no harm", until=day) for name, day in exceptions.items()]
    found = [*checks.failing_scans(parse_lock(locked(findings, accepted)), held, NOW)]
    assert len(found) == 10 * len(said), "two scanners of five images"
    assert all(re.search(text, each) for text in said for each in found)


def cron_jobs(backup: timedelta, test: timedelta, stores: Iterable[str]) -> list[dict[str, Any]]:
    """CronJobs with the time since their last success."""
    return [
        {"metadata": {"name": f"{store}-backup{suffix}"}, "status": {"lastSuccessfulTime": f"{NOW - age:%Y-%m-%dT%XZ}"}}
        for store in stores
        for suffix, age in (("", backup), ("-drill", test))
    ]


@pytest.mark.parametrize(
    ("hours", "days", "stores", "said"),
    [
        (26, 8, ("postgres", "redis", "nats"), []),
        (27, 8, ("postgres", "redis", "nats"), ["backup of postgres", "backup of redis", "backup of nats"]),
        (26, 9, ("redis",), ["backup of postgres: none", "restore test of postgres: none", "restore test of redis"]),
    ],
    ids=["fresh", "old backup", "old test and none"],
)
def test_an_old_backup_or_restore_test_is_refused(
    hours: int, days: int, stores: tuple[str, ...], said: list[str], alpha: PlatformSettings
) -> None:
    """At its limit it still counts."""
    jobs = cron_jobs(timedelta(hours=hours), timedelta(days=days), stores)
    found = [*checks.old_backups(alpha, jobs, LIMITS, NOW)]
    assert [each[: len(text)] for each, text in zip(found, said, strict=False)] == said
    assert bool(found) == bool(said)


def test_a_short_soak_is_refused_with_the_time_that_is_left() -> None:
    """At one minute too few, and not at the limit."""
    ended = NOW - timedelta(minutes=59)
    (said,) = checks.short_soak(ended, LIMITS, NOW)
    assert said.endswith("1 of 60 min are left")
    assert [*checks.short_soak(NOW - timedelta(minutes=60), LIMITS, NOW)] == []


def test_another_program_or_addon_is_refused() -> None:
    """The checkout must hold the program and the addons that ran."""
    same = ({"a.py": "1"}, {"a.py": "1"}), ({"istio": "1"}, {"istio": "1"})
    assert [*checks.other_versions(*same, "alpha")] == []
    other = ({"a.py": "1"}, {"a.py": "2", "b.py": "1"}), ({"istio": "1"}, {"istio": "2"})
    assert [*checks.other_versions(*other, "alpha")] == [
        "program: a.py and 1 more changed since the release; deploy alpha with this checkout first",
        "addon istio: the release ran with 1, and this checkout installs 2",
    ]


def test_an_image_that_the_stack_file_would_name_otherwise_is_refused(alpha: PlatformSettings) -> None:
    """A digest that only the lock has does not come along in the text."""
    own = {name: service.image.reference for name, service in alpha.services.by_name().items()}
    assert [*checks.other_images(own, alpha)] == []
    assert len([*checks.other_images(own | {"api-gateway": "another"}, alpha)]) == 1


@pytest.fixture(scope="module")
def alpha(tmp_path_factory: pytest.TempPathFactory) -> PlatformSettings:
    """Settings of alpha."""
    folder = tmp_path_factory.mktemp("alpha")
    copy_program(folder, ["Pulumi.alpha.yaml"])
    return read_platform(folder / "Pulumi.alpha.yaml")


def test_a_signature_is_what_cosign_accepts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the key of the repository; the last line of cosign says why not."""
    program = tmp_path / "cosign"
    program.write_text('#!/bin/sh\ncase "$5" in *good*) exit 0;; esac\necho "Error: no signatures found" >&2\nexit 1\n')
    program.chmod(0o755)

    class Box:
        def path(self, _: str) -> Path:
            return program

    monkeypatch.setattr("altlas.images.signatures.tools.ensure", lambda _: Box())
    key = tmp_path / "cosign.pub"
    assert signatures(key)("good") == "the public key cosign.pub is missing (release.promotion.signingKey)"
    key.touch()
    assert [signatures(key)(name) for name in ("good", "bad")] == ["", "Error: no signatures found"]
