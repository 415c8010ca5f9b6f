"""The lock of the images: what gets in, what does not, and that the previous lock survives every refusal."""

from pathlib import Path

import pytest
import yaml

from altlas.images.lock import write_lock
from components.stack.image_lock import LOCK_NAME, ImageLock, read_lock
from tests.images.conftest import DIGEST, Altlas, Registry, changed, grype, trivy, write

OTHER = "sha256:" + "c" * 64


@pytest.fixture
def locked(checkout: Path, altlas: Altlas, arguments: list[str]) -> str:
    """The text of a lock that holds archive-service 1.2.3."""
    done = altlas(*arguments)
    assert (done.code, done.out) == (0, ""), done.error
    return (checkout / LOCK_NAME).read_text(encoding="utf-8")


def refused(checkout: Path, before: str, done: object) -> str:
    """Text of a refusal; the lock is as it was."""
    assert (checkout / LOCK_NAME).read_text(encoding="utf-8") == before
    assert getattr(done, "code") == 2, done  # noqa: B009
    message: str = getattr(done, "error")  # noqa: B009
    assert message.rstrip().endswith("Nothing was changed")
    return message


def test_a_good_image_is_locked_with_all_that_is_known_of_it(checkout: Path, locked: str) -> None:
    """Tag, digest, revision, time, SBOM and the findings of both scanners."""
    document = yaml.safe_load(locked)
    image = document["images"]["archive-service"]
    assert (image["tag"], image["digest"], image["builtAt"]) == ("1.2.3", DIGEST, "2026-01-31T12:00:00Z")
    assert (image["sbom"]["file"], image["sbom"]["format"]) == ("sbom.json", "spdx")
    assert [(scan["scanner"], scan["findings"]) for scan in image["scans"]] == [
        ("trivy", {"medium": 1}),
        ("grype", {"low": 1}),
    ]
    assert read_lock(checkout / LOCK_NAME) is not None


def test_the_same_content_is_the_same_lock(checkout: Path, altlas: Altlas, arguments: list[str], locked: str) -> None:
    """Locking twice changes no byte."""
    assert altlas(*arguments).code == 0
    assert (checkout / LOCK_NAME).read_text(encoding="utf-8") == locked


def test_a_digest_that_does_not_match_its_tag_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str
) -> None:
    """Both digests are named."""
    message = refused(checkout, locked, altlas(*changed(arguments, digest=OTHER)))
    assert DIGEST in message
    assert OTHER in message


def test_an_unreachable_registry_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, registry: Registry
) -> None:
    """Without its answer nobody knows what the tag is."""
    registry.close()
    message = refused(checkout, locked, altlas(*arguments))
    assert f"the registry {registry.host} cannot be reached" in message


def test_a_tag_that_the_registry_does_not_have_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str
) -> None:
    """Its answer is named."""
    assert "answers 404" in refused(checkout, locked, altlas(*changed(arguments, tag="9.9.9")))


def test_a_missing_sbom_is_refused(checkout: Path, altlas: Altlas, arguments: list[str], locked: str) -> None:
    """The command that makes it is named."""
    (checkout / "sbom.json").unlink()
    assert "sbom.json is missing; make it with syft" in refused(checkout, locked, altlas(*arguments))


@pytest.mark.parametrize("document", [{}, {"spdxVersion": "SPDX-2.3", "packages": []}, {"components": [1]}, []])
def test_an_sbom_that_lists_nothing_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, document: object
) -> None:
    """An empty list would pass every later question."""
    write(checkout / "sbom.json", document)
    assert "lists nothing" in refused(checkout, locked, altlas(*arguments))


@pytest.mark.parametrize(
    ("scanner", "severity"), [("trivy", "HIGH"), ("trivy", "CRITICAL"), ("grype", "High"), ("grype", "Critical")]
)
def test_a_finding_above_the_threshold_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, *, scanner: str, severity: str
) -> None:
    """Finding, severity, package and scanner are named."""
    report = {"trivy": trivy, "grype": grype}[scanner](("CVE-2026-7", severity))
    write(checkout / f"{scanner}.json", report)
    message = refused(checkout, locked, altlas(*arguments))
    assert f"{scanner} finds CVE-2026-7 ({severity.lower()}) in zlib" in message


@pytest.mark.parametrize(("until", "is_refused"), [("2999-12-31", False), ("2020-01-01", True)])
def test_an_exception_holds_until_its_last_day(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, until: str, *, is_refused: bool
) -> None:
    """An expired one is named with its day."""
    write(checkout / "trivy.json", trivy(("CVE-2026-7", "HIGH")))
    text = f"exceptions:\n- {{identifier: CVE-2026-7, reason: the code is never called, until: {until}}}\n"
    (checkout / "images.exceptions.yaml").write_text(text, encoding="utf-8")
    done = altlas(*arguments)
    if is_refused:
        assert f"its exception expired on {until}" in refused(checkout, locked, done)
    else:
        assert done.code == 0, done.error
        document = yaml.safe_load((checkout / LOCK_NAME).read_text(encoding="utf-8"))
        scans = document["images"]["archive-service"]["scans"]
        assert [each["accepted"] for each in scans] == [["CVE-2026-7"], []], "a promotion asks for these exceptions"


def test_an_exception_without_reason_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str
) -> None:
    """A leave that nobody explains cannot be judged later."""
    text = "exceptions:\n- {identifier: CVE-2026-7, until: 2999-12-31}\n"
    (checkout / "images.exceptions.yaml").write_text(text, encoding="utf-8")
    message = refused(checkout, locked, altlas(*arguments))
    assert "with identifier, reason and until (YYYY-MM-DD): exceptions.0.reason: Field required" in message


def test_one_scanner_is_not_enough(checkout: Path, altlas: Altlas, arguments: list[str], locked: str) -> None:
    """The missing one is named."""
    assert "the report of grype is missing" in refused(checkout, locked, altlas(*arguments[:-2]))


def test_a_report_of_something_else_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str
) -> None:
    """An empty object holds no finding, and no scan."""
    write(checkout / "grype.json", {})
    assert "neither a JSON report of Trivy nor one of Grype" in refused(checkout, locked, altlas(*arguments))


@pytest.mark.parametrize(
    "service", ["api-gateway", "runner-service", "segmentation-service", "ai-orchestrator", "archive-service"]
)
def test_a_retired_image_cannot_be_locked(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, service: str
) -> None:
    """It is refused before a registry is asked."""
    retired = changed(arguments, repository=f"frozen68/{service}", tag="latest")
    message = refused(checkout, locked, altlas(*retired[:2], service, *retired[3:]))
    assert f"frozen68/{service}:latest is retired" in message


def test_latest_cannot_be_locked(checkout: Path, altlas: Altlas, arguments: list[str], locked: str) -> None:
    """Whatever the repository."""
    assert "can change under a running release" in refused(checkout, locked, altlas(*changed(arguments, tag="latest")))


def without_digest(arguments: list[str]) -> list[str]:
    """A command line that leaves the digest to the registry."""
    return [each for each in arguments if not each.startswith("--digest=")]


def test_without_a_digest_that_of_the_registry_is_locked(checkout: Path, altlas: Altlas, arguments: list[str]) -> None:
    """The same lock as with what the build has reported."""
    assert altlas(*without_digest(arguments)).code == 0
    document = yaml.safe_load((checkout / LOCK_NAME).read_text(encoding="utf-8"))
    assert document["images"]["archive-service"]["digest"] == DIGEST


def test_what_must_not_be_deployed_is_refused_before_a_registry_is_asked(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, registry: Registry
) -> None:
    """The reason is the image, not the registry that does not answer."""
    registry.close()
    retired = changed(without_digest(arguments), repository="frozen68/archive-service", tag="latest")
    message = refused(checkout, locked, altlas(*retired))
    assert "frozen68/archive-service:latest cannot be locked: frozen68/archive-service:latest is retired" in message


def test_a_service_that_does_not_exist_cannot_be_locked(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str
) -> None:
    """The known ones are named."""
    for given in (arguments, without_digest(arguments)):
        message = refused(checkout, locked, altlas(*given[:2], "mailer", *given[3:]))
        assert "'mailer' is no service; known: api-gateway" in message


@pytest.mark.parametrize(
    ("old", "new"), [(DIGEST, OTHER), ("medium: 1", "medium: 0"), ("checksum: sha256:", "checksum: ")]
)
def test_a_lock_edited_by_hand_is_refused(
    checkout: Path, altlas: Altlas, arguments: list[str], locked: str, *, old: str, new: str
) -> None:
    """By every command that reads it, and it stays as it is."""
    edited = locked.replace(old, new, 1)
    assert edited != locked
    (checkout / LOCK_NAME).write_text(edited, encoding="utf-8")
    for command in (arguments, ["images", "verify", "--offline"], ["images", "pin", "beta"]):
        assert "was changed by hand" in refused(checkout, edited, altlas(*command))


@pytest.mark.parametrize("text", ["", "[]", "images: {}", "checksum: [", "\x00"])
def test_a_lock_that_is_none_is_refused(checkout: Path, altlas: Altlas, text: str) -> None:
    """Also an empty one: a lost lock must not pass for a new one."""
    (checkout / LOCK_NAME).write_text(text, encoding="utf-8")
    assert "take the last good one from version control" in refused(
        checkout, text, altlas("images", "verify", "--offline")
    )


def test_a_write_that_breaks_off_leaves_the_previous_lock(
    checkout: Path, locked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one is written beside it and takes its place at once."""

    def broken(*_: object, **__: object) -> str:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk is full"):
        write_lock(checkout / LOCK_NAME, ImageLock())
    assert (checkout / LOCK_NAME).read_text(encoding="utf-8") == locked
    assert [path.name for path in checkout.glob(".images*")] == []


def test_verify_asks_the_registry(checkout: Path, altlas: Altlas, locked: str, registry: Registry) -> None:
    """A tag that was moved after it was locked is noticed."""
    assert altlas("images", "verify").out == "1 locked images are as they were locked.\n"
    registry.digests["team/archive-service:1.2.3"] = OTHER
    assert f"is {OTHER} in the registry" in refused(checkout, locked, altlas("images", "verify"))


def test_verify_without_registry_says_what_it_did_not_prove(altlas: Altlas, locked: str, registry: Registry) -> None:
    """It passes, and is no proof of the tags."""
    assert locked
    registry.digests.clear()
    assert "not proven here: the registry was not asked" in altlas("images", "verify", "--offline").out


def test_verify_notices_an_sbom_that_was_changed(checkout: Path, altlas: Altlas, locked: str) -> None:
    """Its digest is in the lock."""
    write(checkout / "sbom.json", {"spdxVersion": "SPDX-2.3", "packages": [{"name": "other"}]})
    message = refused(checkout, locked, altlas("images", "verify", "--offline"))
    assert "is not the one that was locked" in message


def test_without_a_lock_nothing_is_verified_or_pinned(altlas: Altlas) -> None:
    """No lock is no success."""
    for command in (["images", "verify"], ["images", "pin", "beta"]):
        done = altlas(*command)
        assert (done.code, done.out) == (1, "")
        assert "so the stacks deploy by tag" in done.error
