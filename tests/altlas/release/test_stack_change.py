"""The change from one stack to another: identity that stays, steps, restarts, data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from altlas.release.outages import FIGURES
from altlas.release.sides import Side, side
from altlas.release.stack_change import StackChange, stack_change, with_identity
from altlas.release.steps import is_dangerous
from altlas.session.workspace import Workspace
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration, record
from rendering.root import ROOT
from tests.support.documents import REMOVED, alpha_settings, alpha_with, platform_of


@dataclass(frozen=True)
class Recorded:
    """Objects of a side, recorded in this process."""

    registrations: list[Registration]

    def documents(self) -> list[dict[str, Any]]:
        """As the other process would print them."""
        return [{"type": each.type, "name": each.name, "inputs": each.inputs} for each in self.registrations]


def compared(folder: Path, before: dict[str, Any], after: dict[str, Any], stacks: str = "alpha beta") -> StackChange:
    """The change between two documents, as stack files of two stacks."""
    sides = []
    for number, (stack, document) in enumerate(zip(stacks.split(), (before, after), strict=True)):
        file = folder / str(number) / f"Pulumi.{stack}.yaml"
        file.parent.mkdir()
        file.write_text(yaml.safe_dump({"config": {PLATFORM_KEY: document}}), encoding="utf-8")
        sides.append(Side(stack, stack, file, ROOT))
    recorded: Any = Recorded(record(sides[0].stack, before).registrations)
    return stack_change(sides[0], sides[1], recorded)


def first(change: StackChange) -> set[str]:
    """Steps to look at first: kind, object or setting, effort to undo."""
    return {
        f"{step.step} {getattr(step, 'field', '') or step.object.title}: {step.undo}"  # type: ignore[union-attr]
        for step in change.steps
        if is_dangerous(step)
    }


def test_from_alpha_to_beta_and_back(tmp_path: Path) -> None:
    """Steps that a reader must look at, in both directions; everything else is taken back by its inverse."""
    there = compared(tmp_path, platform_of("alpha"), platform_of("beta"))
    assert first(there) == {
        "change-setting nats.replicas: restore",
        "replace Secret nats-secrets: replaces",
        "delete ServiceMonitor api-gateway: reversible",
        "delete Ingress platform: reversible",
    }
    assert {each.field for each in there.identity} == {"namespace", "ingress.host"}
    (tmp_path / "back").mkdir()
    back = compared(tmp_path / "back", platform_of("beta"), platform_of("alpha"), "beta alpha")
    assert {each for each in first(back) if "one-way" in each or "restore" in each} == {
        "change-setting nats.replicas: restore",
        "change-setting nats.streams: one-way",
        "change-setting loki.retentionDays: one-way",
        "change-setting prometheus.retentionDays: one-way",
    }


def test_identity_stays_with_its_stack(tmp_path: Path) -> None:
    """Another namespace, host and stack name alone change no object."""
    other = alpha_with({"namespace": "other", "ingress.host": "other.local"})
    change = compared(tmp_path, platform_of("alpha"), other)
    assert change.steps == ()
    assert [each.field for each in change.identity] == ["namespace", "ingress.host"]


def test_two_files_of_one_stack_are_compared_as_they_are(tmp_path: Path) -> None:
    """Another namespace replaces every object in it, and takes the data along."""
    change = compared(tmp_path, platform_of("alpha"), alpha_with({"namespace": "other"}), "alpha alpha")
    assert change.identity == ()
    assert "replace StatefulSet redis: restore" in first(change)
    assert {step.step for step in change.objects if step.object.namespace} <= {"replace", "rename"}


def test_restarts_have_their_pods_and_a_figure(tmp_path: Path) -> None:
    """A rolling update of a service is free of outage; one server of a store is away for as long as was measured."""
    changes = {"services.runner-service.image.tag": "2", "redis.maxMemory": "200Mi"}
    change = compared(tmp_path, platform_of("alpha"), alpha_with(changes))
    found = {each.title: each for each in change.outages}
    assert found.keys() == {"Deployment runner-service", "StatefulSet redis"}
    assert (found["Deployment runner-service"].servers, found["Deployment runner-service"].figure.seconds) == (2, 0)
    assert found["StatefulSet redis"].servers == 1
    assert found["StatefulSet redis"].figure.seconds == getattr(FIGURES.get(("redis", "one")), "seconds", None)


def test_another_number_of_servers_has_its_own_figure_and_its_steps(tmp_path: Path) -> None:
    """In both directions; PostgreSQL and NATS take a step first upwards, Redis and NATS downwards."""
    there = compared(tmp_path, platform_of("alpha"), platform_of("beta"))
    (tmp_path / "back").mkdir()
    back = compared(tmp_path / "back", platform_of("beta"), platform_of("alpha"), "beta alpha")
    for change, servers in ((there, "more"), (back, "fewer")):
        found = {each.title: each.figure for each in change.outages}
        for store in ("redis", "nats"):
            assert found[f"StatefulSet {store}"] == FIGURES[store, servers]
    assert [each.split()[0] for each in there.first] == ["PostgreSQL", "Services"]
    assert [each.split()[1] for each in back.first] == ["first", "publish"]
    (tmp_path / "same").mkdir()
    same = compared(tmp_path / "same", platform_of("alpha"), alpha_with({"redis.maxMemory": "200Mi"}))
    assert same.first == ()


def test_objects_with_data_are_listed(tmp_path: Path) -> None:
    """Those that a change touches, and no others."""
    change = compared(tmp_path, platform_of("alpha"), alpha_with({"nats": REMOVED, "redis.maxMemory": "200Mi"}))
    assert {f"{each.step} {each.object.title}" for each in change.data} == {
        "update StatefulSet redis",
        "delete StatefulSet nats",
        "delete PersistentVolumeClaim nats-backup-dumps",
    }


def test_identity_goes_only_where_both_have_it() -> None:
    """A block that only one of the two has keeps what it says."""
    own = alpha_settings({"namespace": "kept", "ingress.className": "kept-class"})
    other = parse_platform(platform_of("beta"))
    mixed = with_identity(other, own)
    assert (mixed.namespace, mixed.ingress.class_name, mixed.redis) == ("kept", "kept-class", other.redis)


def test_a_side_is_a_stack_or_a_file(tmp_path: Path) -> None:
    """A file outside a checkout is rendered by this program; its name says which stack it is."""
    here = Workspace(tmp_path)
    assert side(here, "beta") == Side("beta", "beta", tmp_path / "Pulumi.beta.yaml", ROOT)
    path = tmp_path / "Pulumi.gamma.yaml"
    assert side(here, str(path)) == Side(str(path), "gamma", path, ROOT)
    (tmp_path / "__main__.py").touch()
    with pytest.raises(CommandError, match="is older than this command") as refused:
        side(here, str(path))
    assert refused.value.code is ExitCode.BAD_INPUT
    (tmp_path / "rendering").mkdir()
    (tmp_path / "rendering" / "__main__.py").touch()
    assert side(here, str(path)) == Side(str(path), "gamma", path, tmp_path)
