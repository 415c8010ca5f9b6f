"""Promotion: what is moved, what stays, holds, and the command."""

import json
from pathlib import Path

import pytest

from altlas.commands import promote as command
from altlas.images.lock import write_lock
from altlas.images.locking import pinned
from altlas.release import promotion_checks as checks
from altlas.release.deployments import recorded
from altlas.release.ledger import Ledger, ledger_of
from altlas.release.promotion import candidate, holds, promotion, write
from altlas.release.verified_set import verified_set
from altlas.session.workspace import Workspace
from components.stack.image_lock import LOCK_NAME
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode
from tests.altlas.release.test_promotion_checks import IMAGES, LOCK, SERVICES, signed
from tests.altlas.release_stand_ins import World, session_of
from tests.support.documents import STACKS
from tests.support.scratch import copy_program


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    """A checkout in which alpha runs locked images with digests."""
    (tmp_path / "components").mkdir()
    copy_program(tmp_path, [f"Pulumi.{stack}.yaml" for stack in STACKS])
    (tmp_path / "__main__.py").write_text("import components\n")
    file = tmp_path / "Pulumi.alpha.yaml"
    file.write_text(pinned(file.read_text(), LOCK))
    write_lock(tmp_path / LOCK_NAME, LOCK)
    session = session_of(tmp_path, World())
    with recorded(ledger(session.workspace, "alpha"), session, "alpha"):
        session.engine.__dict__["world"].replicas = 9
    return session.workspace


def ledger(workspace: Workspace, stack: str) -> Ledger:
    """Ledger of a stack."""
    return ledger_of(workspace, stack, {})


def test_images_and_features_move_and_all_else_stays(here: Workspace) -> None:
    """Namespace, size, security, data and the limits of promotions are the target's own."""
    made = promotion(here, candidate(here, ledger(here, "alpha"), "alpha"), "beta")
    assert {each.decision for each in made.changes} == {"feature", "security"}
    assert {each.field for each in made.changes if each.decision == "security"} == {
        f"services.{name}.image.digest" for name in SERVICES
    }
    assert verified_set(made.after).images == IMAGES
    before = made.before
    assert (made.after.namespace, made.after.nats, made.after.release) == (
        before.namespace,
        before.nats,
        before.release,
    )
    write(here, made, "ada@example.org")
    lock = json.loads((here.root / "promotion.beta.lock.json").read_text())
    assert (lock["from"], lock["release"], lock["images"], lock["apiVersions"]["Cluster"]) == (
        "alpha",
        1,
        IMAGES,
        "postgresql.cnpg.io/v1",
    )
    assert lock["addons"]["cloudnativepg"]
    assert read_platform(here.stack_file("beta")) == made.after


def test_a_release_that_failed_or_was_changed_is_not_promoted(here: Workspace) -> None:
    """Only the last one counts, and only as its archive has it."""
    found = ledger(here, "alpha")
    with pytest.raises(CommandError, match="the stack beta has no deployment to promote"):
        candidate(here, ledger(here, "beta"), "beta")
    path = found.archives / "1.tar.gz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CommandError, match="the archive of release 1 has changed"):
        candidate(here, found, "alpha")
    found.append("apply", "me", {"result": "started", "reason": "planned"})
    with pytest.raises(
        CommandError, match="entry 3 of its ledger, cannot be promoted: it ended as interrupted"
    ) as error:
        candidate(here, found, "alpha")
    assert error.value.code == ExitCode.REFUSED


def test_a_release_that_a_person_rolled_back_is_held_until_it_is_cleared_by_name(here: Workspace) -> None:
    """By its own set, or by the one that was promoted; an automatic rollback holds nothing."""
    made = candidate(here, ledger(here, "alpha"), "alpha").found
    beta = ledger(here, "beta")
    ledgers = {"alpha": ledger(here, "alpha"), "beta": beta}
    beta.append("apply", "me", {"result": "started", "reason": "planned", "set": "other", "promoted": made.digest})
    assert [*checks.held(made, holds(ledgers))] == []
    beta.append("rollback", "me", {"result": "started", "reason": "rollback", "of": 1, "unattended": True})
    assert [*checks.held(made, holds(ledgers))] == []
    beta.append("rollback", "me", {"result": "started", "reason": "rollback", "of": 1, "unattended": False})
    (said,) = checks.held(made, holds(ledgers))
    assert said.startswith("hold beta/1: a person has rolled this release back; end it by --clear-hold beta/1")
    for name, reason, message in (
        ("beta/1", None, "needs --reason"),
        ("beta/9", "x", "no hold beta/9; held are: beta/1"),
    ):
        with pytest.raises(CommandError, match=message):
            command._clear(here, ledgers, "beta", name, reason)
    command._clear(here, ledgers, "beta", "beta/1", "the cause was the network")
    assert [*checks.held(made, holds(ledgers))] == []
    assert beta.entries()[-1].body == {"cleared": "beta/1", "why": "the cause was the network"}


def test_the_command_refuses_with_every_reason_and_writes_what_is_good(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written before all checks hold."""
    monkeypatch.setenv("ALT_LAS_ROOT", str(here.root))
    before = here.stack_file("beta").read_text()
    with pytest.raises(CommandError, match="cannot be promoted to beta") as error:
        command.promote("alpha", "beta", write_files=True)
    assert error.value.code == ExitCode.REFUSED
    lines = str(error.value).splitlines()[1:]
    assert [line.split(": ")[0].strip() for line in lines] == [*SERVICES, "soak"]
    assert "the public key cosign.pub is missing" in lines[0]
    assert (here.stack_file("beta").read_text(), ledger(here, "beta").entries()) == (before, ())
    monkeypatch.setattr(command, "signatures", lambda _: signed)
    monkeypatch.setattr(command, "short_soak", lambda *_: ())
    command.promote("alpha", "beta", write_files=False)
    assert here.stack_file("beta").read_text() == before
    command.promote("alpha", "beta", write_files=True)
    (entry,) = ledger(here, "beta").entries()
    assert (entry.kind, entry.body["from"], entry.body["release"]) == ("promote", "alpha", 1)
    assert "Next: `altlas plan beta" in capsys.readouterr().err
