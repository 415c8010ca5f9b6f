"""Seal of a plan: after one change of anything it depends on, it is refused by name; unchanged, it applies."""

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import altlas.release.apply as applying
from altlas.release.plan import read_plan
from rendering.errors import CommandError, ExitCode
from tests.altlas.release_stand_ins import Release, World, allowed, key_of, session_of
from tests.support.documents import STACKS
from tests.support.scratch import copy_program

OTHER = f"sha256:{'9' * 64}"
ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One key for each person."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: key_of(folder, name.partition("@")[0]) for name in (ADA, BOB, EVE)}


@pytest.fixture
def release(tmp_path: Path, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Release:
    """A plan for one more replica that Ada has approved and Mallory has made."""
    root = tmp_path / "checkout"
    (root / "components").mkdir(parents=True)
    copy_program(root, [f"Pulumi.{stack}.yaml" for stack in STACKS])
    (root / "__main__.py").write_text("import components\n")
    (root / "components" / "boats.py").write_text("BOATS = 2\n")
    monkeypatch.setattr(applying, "wait_until_ready", lambda *_: ())
    monkeypatch.setattr(applying, "failure", lambda *_: "the update failed")
    for module in ("planning", "apply", "deployments"):
        monkeypatch.setattr(f"altlas.release.{module}.person", lambda _: "mallory@example.org")
    monkeypatch.setattr("altlas.release.planning.prepare_stack", lambda *_, **__: None)
    found = Release(session_of(root, World()), World(), keys, tmp_path / "plan.json")
    found.world = found.session.engine.world  # type: ignore[attr-defined]  # a stand-in
    found.signers.write_text(allowed(keys[ADA], ADA) + allowed(keys[BOB], BOB))
    found.lock()
    found.plan(ADA)
    return found


def refused(release: Release, said: str, code: ExitCode = ExitCode.REFUSED) -> None:
    """Expect a refusal before anything is written."""
    with pytest.raises(CommandError, match=said) as error:
        release.apply()
    assert error.value.code == code
    assert "Nothing was changed" in str(error.value)
    assert release.world.updates == []
    assert [each for each in release.ledger.entries() if each.kind == "apply"] == []


def test_an_unchanged_plan_is_applied_exactly(release: Release) -> None:
    """The control: the engine is held to the plan that was compared, and both ends are in the ledger."""
    recording = release.apply()
    ((command, *options),) = release.world.updates
    assert command == "up"
    assert options[:3] == ["--stack", "alpha", "--plan"]
    assert not Path(options[3]).exists(), "the engine's own plan holds encrypted secrets and is removed"
    begin, end = release.ledger.entries()
    digest = read_plan(release.path).plan.digest
    assert (begin.number, begin.body["plan"], begin.body["approvers"]) == (recording.number, digest, [ADA])
    assert (end.body["result"], end.body["changes"]) == ("succeeded", {"same": 1, "update": 1})


MUTATIONS: dict[str, tuple[Callable[[Release], object], str]] = {
    "setting": (
        lambda r: r.set("cpuUtilizationPercent: 70", "cpuUtilizationPercent: 71"),
        "the setting autoscaling.cpuUtilizationPercent has changed",
    ),
    "secret": (
        lambda r: r.stack_file.write_text(r.stack_file.read_text() + "  alt-las:redisInternalSecret: {secure: v1:x}\n"),
        "the key of the stack file alt-las:redisInternalSecret is new",
    ),
    "program file": (
        lambda r: (r.root / "components" / "boats.py").write_text("BOATS = 3\n"),
        "the program's file components/boats.py has changed",
    ),
    "new program file": (
        lambda r: (r.root / "components" / "more.py").write_text(""),
        "the program's file components/more.py is new",
    ),
    "removed program file": (
        lambda r: (r.root / "__main__.py").unlink(),
        "the program's file __main__.py is gone",
    ),
    "allowed signers": (
        lambda r: r.signers.write_text(r.signers.read_text() + allowed(r.keys[EVE], EVE)),
        "the file of allowed signers allowed_signers has changed",
    ),
    "SBOM": (lambda r: r.lock(sbom={"digest": OTHER}), "the SBOM of api-gateway has changed"),
    "report": (lambda r: r.lock(trivy={"report": OTHER}), "the trivy scan of api-gateway has changed"),
    "findings": (lambda r: r.lock(grype={"findings": {"high": 1}}), "the grype scan of api-gateway has changed"),
    "accepted findings": (
        lambda r: (r.root / "images.exceptions.yaml").write_text("exceptions: []\n"),
        "the file images.exceptions.yaml is new",
    ),
    "state": (
        lambda r: setattr(r.world, "replicas", 1),
        "the state of urn:pulumi:alpha::alt-las::kubernetes:apps/v1:Deployment::boats has changed",
    ),
    "live object": (
        lambda r: setattr(r.world, "live", 9),
        "the object on the cluster Deployment alt-las/boats has changed",
    ),
    "cluster": (lambda r: setattr(r.world, "uid", "cluster-2"), "the plan is for the cluster cluster-1"),
    "engine's plan": (
        lambda r: setattr(r.world, "planned", 4),
        "the engine now plans something else than was sealed: Deployment boats has other fields",
    ),
    "expiry in the plan": (
        lambda r: r.edit(lambda d: d["plan"].update(expires="2099-01-01T00:00:00+00:00")),
        "the approval by ada@example.org is for another expiry",
    ),
    "cluster in the plan": (
        lambda r: r.edit(lambda d: d["plan"].update(cluster="cluster-2")),
        "the approval by ada@example.org is for another cluster",
    ),
    "digest of an image in the plan": (
        lambda r: r.edit(lambda d: d["plan"]["seal"]["images"].update({"nats.image": "nats:evil"})),
        "the plan has changed since",
    ),
    "authors in the plan": (
        lambda r: r.edit(lambda d: d["plan"].update(authors=["nobody@example.org"])),
        "the plan has changed since",
    ),
    "number of approvals in the plan": (
        lambda r: r.edit(lambda d: (d["plan"].update(approvals=0), d.update(approvals=[]))),
        "the plan was edited: it asks for 0 approvals, and its content needs 1",
    ),
    "signature": (
        lambda r: r.edit(lambda d: d["approvals"][0]["signatures"][0].update(sig="AAAA")),
        "the signature of ada@example.org does not hold",
    ),
    "approver in the statement": (
        lambda r: r.edit(lambda d: d["approvals"][0].update(payload=_renamed(d["approvals"][0]["payload"]))),
        "the signature of bob@example.org does not hold",
    ),
    "no approval": (lambda r: r.edit(lambda d: d.update(approvals=[])), "needs 1 approvals .* and has none"),
}


def _renamed(payload: str) -> str:
    from base64 import b64decode, b64encode  # noqa: PLC0415

    return b64encode(b64decode(payload).replace(ADA.encode(), BOB.encode())).decode()


@pytest.mark.parametrize(("mutate", "said"), MUTATIONS.values(), ids=MUTATIONS.keys())
def test_one_change_of_anything_sealed_is_refused_and_named(
    release: Release, mutate: Callable[[Release], object], said: str
) -> None:
    """Before an entry or an update."""
    mutate(release)
    refused(release, said)


def test_a_digest_of_an_image_is_sealed(release: Release) -> None:
    """A tag that gets a digest is another image."""
    release.set(
        "image: {repository: registry.invalid/alt-las/api-gateway, tag: 1.0.0-alpha}",
        f"image: {{repository: registry.invalid/alt-las/api-gateway, tag: 1.0.0-alpha, digest: 'sha256:{'0' * 64}'}}",
    )
    refused(release, "the setting services.api-gateway.image.digest has changed")


def test_a_plan_is_spent_by_its_first_use_also_by_one_that_failed(release: Release) -> None:
    """Or by one that was killed: the entry of the begin counts."""
    release.world.code = 255
    with pytest.raises(CommandError, match="the plan is spent"):
        release.apply()
    assert [each.body["result"] for each in release.ledger.entries()] == ["started", "failed"]
    release.world.code = 0
    with pytest.raises(CommandError, match="the plan and its approvals are spent: entry 1 of the ledger") as error:
        release.apply()
    assert error.value.code == ExitCode.REFUSED
    assert len(release.world.updates) == 1


def test_a_state_that_another_process_holds_is_left_alone(release: Release) -> None:
    """Pulumi's lock is asked for before anything is measured; the message names the process."""
    state = release.root / ".altlas" / "state"
    locks = state / ".pulumi" / "locks" / "organization" / "alt-las" / "alpha"
    locks.mkdir(parents=True)
    lock = {
        "pid": os.getpid(),
        "username": "ada",
        "hostname": socket.gethostname(),
        "timestamp": "2026-01-01T00:00:00Z",
    }
    (locks / "1.json").write_text(json.dumps(lock))
    release.session.engine.__dict__["variables"] = {"PULUMI_BACKEND_URL": f"file://{state}"}
    refused(release, f"the stack alpha is being updated .process {os.getpid()} of ada", ExitCode.BUSY)


def test_an_expired_plan_is_refused(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its expiry, not a second later."""
    expiry = read_plan(release.path).plan.expiry

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            assert tz is UTC
            return expiry

    monkeypatch.setattr("altlas.release.approval.datetime", Later)
    refused(release, "the plan has expired at")
    monkeypatch.setattr(Later, "now", classmethod(lambda _, tz: expiry - timedelta(seconds=1) if tz else None))
    release.apply()


def test_an_empty_plan_is_nothing_and_no_deployment(release: Release) -> None:
    """No update runs, no approval is needed, and the ledger says so."""
    release.world.planned = 2
    release.plan()
    assert release.apply().is_nothing
    assert release.world.updates == []
    assert [each.body["result"] for each in release.ledger.entries()] == ["nothing"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        ('{"plan": {"schema', "is cut off or no JSON"),
        ("[]", "is no plan"),
        ('{"plan": {"schema_name": "alt-las/release-plan/v0"}}', "has the schema alt-las/release-plan/v0"),
        ('{"plan": {"schema_name": "alt-las/release-plan/v1"}}', "was edited"),
    ],
)
def test_what_is_no_plan_of_this_version_is_refused(release: Release, content: str | None, said: str) -> None:
    """With the way to a new one."""
    release.path.unlink() if content is None else release.path.write_text(content)
    refused(release, said, ExitCode.BAD_INPUT)


def test_an_expiry_without_a_time_zone_is_refused(release: Release) -> None:
    """Nobody knows when that is."""
    release.edit(lambda document: document["plan"].update(expires="2099-01-01T00:00:00"))
    refused(release, "was edited: can't subtract offset-naive", ExitCode.BAD_INPUT)


def test_the_engine_s_text_is_filtered(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets of configuration and state, and all that a refused plan prints of values; other text passes."""
    release.world.printed = (
        "password: CANARY-of-the-configuration\n",
        "hash of CANARY-of-the-state here\n",
        "error: resource violates plan: properties changed: ++password[{&{{CANARY-new}}}]\n",
        "Resources: 1 updated\n",
    )
    release.apply()
    printed = capsys.readouterr().out
    assert "CANARY" not in printed
    assert printed.splitlines() == [
        "password: [secret]",
        "hash of [secret] here",
        "error: resource violates plan: (values are left out)",
        "Resources: 1 updated",
    ]
