"""Rehearsal of a change: order of its updates, its scratch, and what it says has not come back."""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from altlas.release import rehearsal, scratch
from altlas.release.rehearsal import Rehearsal, rehearse
from altlas.release.returned import Remainder, remainders
from altlas.release.sides import Side, recording, side
from altlas.release.stack_change import StackChange, stack_change
from altlas.release.steps import DeleteObject, ObjectName
from altlas.session.workspace import Workspace
from components.settings.alertmanager import MAIL_SECRET, WEBHOOK_SECRET
from components.settings.secrets import SECRETS
from components.stack.loading import read_platform
from rendering.errors import CommandError
from rendering.root import ROOT
from tests.support.scratch import copy_stack_file

REAL = {"KUBECONFIG": "/real", "PULUMI_BACKEND_URL": "s3://real", "PULUMI_CONFIG_PASSPHRASE": "real", "TARGET": "k3d"}


def live(kind: str, name: str, uid: str = "1", **more: Any) -> dict[str, Any]:
    """An object of a cluster."""
    metadata = {"name": name, "namespace": "harbour", "uid": uid, "resourceVersion": uid, "generation": 1}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "status": {"seen": uid}} | more


BOATS = live("Deployment", "boats", spec={"replicas": 2, "paused": False})
FLEET = [BOATS, live("ConfigMap", "charts", data={"sea": "calm"}), live("PersistentVolumeClaim", "hold-0")]


def changed(change: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    """The fleet after a change."""
    fleet = copy.deepcopy(FLEET)
    change(fleet)
    return fleet


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda _: None, [], id="nothing"),
        pytest.param(lambda fleet: fleet[0].update(status={"replicas": 9}), [], id="status"),
        pytest.param(lambda fleet: fleet[0]["metadata"].update(generation=7, resourceVersion="9"), [], id="versions"),
        pytest.param(lambda fleet: fleet[1]["metadata"].update(uid="2"), [], id="created again with the same content"),
        pytest.param(
            lambda fleet: fleet.append(live("Pod", "crew") | {"metadata": {"name": "crew", "ownerReferences": [{}]}}),
            [],
            id="owned by another object",
        ),
        pytest.param(
            lambda fleet: fleet[2]["metadata"].update(uid="2"),
            [("PersistentVolumeClaim hold-0", "recreated", "", "it was deleted and created, so data in it is gone")],
            id="data created again",
        ),
        pytest.param(
            lambda fleet: fleet[0]["spec"].update(paused=True),
            [("Deployment boats", "changed", "spec.paused", "")],
            id="a field",
        ),
        pytest.param(lambda fleet: fleet.pop(1), [("ConfigMap charts", "missing", "", "the tide took it")], id="gone"),
        pytest.param(
            lambda fleet: fleet.append(live("PersistentVolumeClaim", "hold-1")),
            [
                (
                    "PersistentVolumeClaim hold-1",
                    "left behind",
                    "",
                    "Kubernetes keeps the volumes of servers that end, with their data",
                )
            ],
            id="a volume",
        ),
        pytest.param(
            lambda fleet: fleet.append(live("Secret", "map", data={"x": "canary"})),
            [("Secret map", "left behind", "", "")],
            id="an object",
        ),
    ],
)
def test_what_did_not_come_back_is_named_with_its_reason(change: Any, expected: list[tuple[str, ...]]) -> None:
    """A reason is known from the steps or from Kubernetes; what has none is a surprise."""
    name = ObjectName(type="kubernetes:core/v1:ConfigMap", logical="charts", name="charts")
    steps = [DeleteObject(object=name, manifest={}, undo="restore", why="the tide took it")]
    assert remainders(FLEET, changed(change), steps) == tuple(Remainder(*each) for each in expected)  # type: ignore[arg-type]


def test_replicas_of_an_autoscaler_are_its_own() -> None:
    """They differ whenever load does."""
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "boats"}}
    fleet = [*FLEET, live("HorizontalPodAutoscaler", "boats", spec=target)]
    after = copy.deepcopy(fleet)
    after[0]["spec"]["replicas"] = 5
    assert remainders(fleet, after, ()) == ()
    assert [each.field for each in remainders(FLEET, after[:3], ())] == ["spec.replicas"]


def test_a_generated_name_is_another_one_in_each_update() -> None:
    """Also where a pod mounts it; one that an update has left behind is named."""

    def fleet(*names: str) -> list[dict[str, Any]]:
        secrets = [live("Secret", name, data={"x": "1"}) for name in names]
        for each in secrets:
            each["metadata"]["annotations"] = {"pulumi.com/autonamed": "true"}
        return [live("Deployment", "boats", spec={"secret": names[0]}), *secrets]

    assert remainders(fleet("map-0123abcd"), fleet("map-4567abcd"), ()) == ()
    found = remainders(fleet("map-0123abcd"), fleet("map-0123abcd", "map-4567abcd"), ())
    assert [(each.object, each.kind) for each in found][-1] == ("Secret map-4567abcd", "left behind")


class Updates:
    """Stand-in for the updates of the scratch: remembers the stack file and the environment of each."""

    def __init__(self, failing: int | None = None, error: type[BaseException] = CommandError) -> None:
        self.failing = failing
        self.error = error
        self.texts: list[str] = []
        self.outside: list[dict[str, str]] = []

    def __call__(self, workspace: Workspace, stack: str, target: str, options: Any, report: Any) -> Any:
        """Update."""
        del options, report
        assert target == "sim"
        (workspace.private / "sim").mkdir(exist_ok=True)
        self.texts.append(workspace.stack_file(stack).read_text())
        self.outside.append({name: os.environ[name] for name in REAL if name in os.environ})
        if len(self.texts) == self.failing:
            raise self.error("the tide is low")
        return None, None, ()


class FakeCluster:
    """Cluster of a scratch."""

    def __init__(self, folder: Path, deleted: list[Path]) -> None:
        self.folder = folder
        self.deleted = deleted

    def delete(self) -> None:
        """Remove it."""
        self.deleted.append(self.folder)
        self.folder.rmdir()


@pytest.fixture(scope="module")
def change() -> StackChange:
    """The change from alpha to beta, recorded once."""
    before, after = (side(Workspace(ROOT), stack) for stack in ("alpha", "beta"))
    with recording(before) as recorded:
        return stack_change(before, after, recorded)


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch, change: StackChange) -> list[Path]:
    """Clusters that were removed; every cluster holds the fleet."""
    found: list[Path] = []
    monkeypatch.setattr(rehearsal, "stack_change", lambda *_: change)
    monkeypatch.setattr(scratch, "open_cluster", lambda where, *_: (FakeCluster(where.private / "sim", found), None))
    monkeypatch.setattr("altlas.release.rehearsal._Stage.objects", lambda _: FLEET)
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    return found


def rehearsed(folder: Path, updates: Updates, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """Rehearse beta's settings on alpha, whose file holds a secret."""
    monkeypatch.setattr(rehearsal, "up", updates)
    workspace = Workspace(ROOT, home=folder / "home")
    file = folder / "Pulumi.alpha.yaml"
    copy_stack_file("alpha", file)
    file.write_text(
        f"{file.read_text()}  alt-las:redisInternalSecret:\n    secure: v1:canary\nencryptionsalt: v1:canary\n"
    )
    before = Side("alpha", "alpha", file, ROOT)
    return rehearse(workspace, before, side(Workspace(ROOT), "beta"), folder / "log", lambda _: None)


def test_a_rehearsal_goes_there_and_back_on_a_cluster_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: list[Path]
) -> None:
    """Without a secret of the stack, and without the user's cluster, state and passphrase."""
    updates = Updates()
    found = rehearsed(tmp_path, updates, monkeypatch)
    first, second, third = updates.texts
    assert first == third
    assert "canary" not in f"{first}{second}"
    assert updates.outside == [{}, {}, {}]
    assert {name: os.environ[name] for name in REAL} == REAL
    (tmp_path / "Pulumi.alpha.yaml").write_text(second)
    there, beta = read_platform(tmp_path / "Pulumi.alpha.yaml"), read_platform(ROOT / "Pulumi.beta.yaml")
    assert (there.redis, there.namespace) == (beta.redis, "alt-las")
    assert [each.name for each in found.phases] == ["alpha", "beta", "back to alpha"]
    assert (found.is_good, found.left, found.objects) == (True, (), 3)
    assert {each.step for each in found.warnings} >= {"change-setting"}
    assert deleted == [tmp_path / "home" / "rehearsal" / "sim"]
    assert [each.name for each in (tmp_path / "home" / "rehearsal").iterdir()] == ["lock"]
    assert found.facts["result"] == "succeeded"


def test_the_inverse_is_tried_after_a_change_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: list[Path]
) -> None:
    """As a person would; the rehearsal has failed all the same."""
    found = rehearsed(tmp_path, Updates(failing=2), monkeypatch)
    assert [each.problem for each in found.phases] == ["", "the tide is low", ""]
    assert (found.is_good, found.facts["result"], len(deleted)) == (False, "failed", 1)


@pytest.mark.parametrize(("failing", "error"), [(1, CommandError), (2, KeyboardInterrupt)], ids=["failure", "Ctrl-C"])
def test_the_cluster_is_removed_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: list[Path], failing: int, error: type[BaseException]
) -> None:
    """Also after a stack that cannot be deployed; then there is nothing to rehearse."""
    with pytest.raises(error):
        rehearsed(tmp_path, Updates(failing, error), monkeypatch)
    assert len(deleted) == 1
    assert not (tmp_path / "home" / "rehearsal" / "program").exists()


def test_what_a_killed_rehearsal_left_is_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: list[Path]
) -> None:
    """Its cluster runs on until then."""
    (tmp_path / "home" / "rehearsal" / "sim").mkdir(parents=True)
    rehearsed(tmp_path, Updates(), monkeypatch)
    assert len(deleted) == 2


def test_a_rehearsal_has_the_digest_of_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: list[Path]
) -> None:
    """The same for the same settings, program and images; secrets do not count."""
    assert not deleted
    subjects = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        subjects.append(rehearsed(tmp_path / str(number), Updates(), monkeypatch).subject)
    assert subjects[0] == subjects[1]
    monkeypatch.setattr(rehearsal, "_REHEARSED", ("settings",))
    (tmp_path / "3").mkdir()
    assert rehearsed(tmp_path / "3", Updates(), monkeypatch).subject != subjects[0]


def test_a_scratch_has_the_optional_secrets_of_its_stack(tmp_path: Path) -> None:
    """As placeholders, so that its objects are those of the stack; without what is generated and what is not set."""
    source = tmp_path / "Pulumi.boats.yaml"
    source.write_text(
        "encryptionsalt: v1:x\nconfig:\n  alt-las:openaiApiKey:\n    secure: v1:y\n"
        "  alt-las:redisInternalSecret:\n    secure: v1:z\n  alt-las:platform: {}\n"
    )
    (tmp_path / "scratch").mkdir()
    found = Workspace(tmp_path / "scratch", home=tmp_path)
    scratch.take_stack_file(found, "boats", source)
    config = yaml.safe_load(found.stack_file("boats").read_text())["config"]
    assert config["alt-las:openaiApiKey"] == "<openaiApiKey>"
    needed = {f"alt-las:{each.key}" for each in SECRETS if each.needed_by or each.key in (WEBHOOK_SECRET, MAIL_SECRET)}
    assert config.keys() == needed | {"alt-las:openaiApiKey", "alt-las:platform"}
