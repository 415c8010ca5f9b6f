"""Decisions of a person about a canary: what is written into it, and what is refused."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from altlas.release import canary_control
from altlas.release.canary_control import (
    CanaryState,
    approvable,
    canary_state,
    canary_states,
    decide,
    judged_canary,
)
from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError

_SPEC = {"analysis": {"interval": "10s", "threshold": 2}, "progressDeadlineSeconds": 300}


@dataclass(frozen=True)
class Flagger(Kubectl):
    """A cluster with one Canary, of the service `runner`, whose phase changes with what is written into it.

    Attributes:
        state: Phase and weight, the last of which counts.
        answers: Phase and weight after a field was set.
        patches: What was written.
        conditions: Reason of a condition of a Deployment, by its name.
        asked: Checksum that Flagger asked for last, None where it has not, and empty where nothing could tell.
        approved: Bodies that were sent.
    """

    state: list[tuple[str, int]]
    answers: Mapping[str, tuple[str, int]]
    patches: list[dict[str, Any]] = field(default_factory=list)
    conditions: Mapping[str, str] = field(default_factory=dict)
    asked: str | None = None
    approved: list[dict[str, Any]] = field(default_factory=list)

    def _run(self, arguments: Sequence[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        verb, kind, name, *_ = arguments
        if kind == "--raw":
            return self._raw(verb, name, stdin)
        assert stdin is None
        if kind == "deployments":
            return subprocess.CompletedProcess(arguments, 0, json.dumps({"items": self._deployments()}), "")
        if verb == "patch":
            self._patch(next(each.partition("=")[2] for each in arguments if each.startswith("--patch=")))
        phase, weight = self.state[-1]
        status = {"phase": phase, "canaryWeight": weight}
        canary = {"metadata": {"name": "runner"}, "spec": _SPEC, "status": status}
        found: object = canary if name == "runner" else {"items": [canary]} if name == "--namespace" else None
        return subprocess.CompletedProcess(arguments, 0, json.dumps(found) if found else "", "")

    def _raw(self, verb: str, path: str, stdin: str | None) -> subprocess.CompletedProcess[str]:
        place = "/api/v1/namespaces/alt-las/services/canary-approvals:http/proxy"
        if verb == "create":
            assert path == f"{place}/approve"
            assert stdin is not None
            self.approved.append(json.loads(stdin))
            self.state.append(("Succeeded", 0))
            return subprocess.CompletedProcess((), 0, "approved", "")
        assert path == f"{place}/asked?service=runner"
        if self.asked:
            return subprocess.CompletedProcess((), 0, self.asked, "")
        why = "NotFound" if self.asked is None else "ServiceUnavailable"
        return subprocess.CompletedProcess((), 1, "", f"Error from server ({why}): no")

    def _deployments(self) -> list[dict[str, Any]]:
        reasons = {name: [{"type": "Progressing", "reason": reason}] for name, reason in self.conditions.items()}
        return [{"metadata": {"name": name}, "status": {"conditions": each}} for name, each in reasons.items()]

    def _patch(self, text: str) -> None:
        change = json.loads(text)
        self.patches.append(change)
        ((field_name, value),) = next(iter(change.values())).items()
        if value:
            self.state.append(self.answers[field_name])


def _flagger(phase: str, weight: int = 0, **answers: tuple[str, int]) -> Flagger:
    return Flagger(Path("kubectl"), Path("kubeconfig"), [(phase, weight)], answers)


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_control, "_GRACE_SECONDS", -330)
    monkeypatch.setattr(canary_control, "_POLL_SECONDS", 0)


def test_an_abort_fails_the_checks_and_a_skip_ends_with_the_gates_in_place() -> None:
    """Flagger takes back at the limit of failed checks, and promotes where the analysis is skipped."""
    flagger = _flagger("Progressing", 30, failedChecks=("Failed", 0))
    decide(flagger, "alt-las", judged_canary(flagger, "alt-las", "runner"), "abort")
    assert flagger.patches == [{"status": {"failedChecks": 2}}]
    flagger = _flagger("Progressing", 30, skipAnalysis=("Succeeded", 0))
    decide(flagger, "alt-las", judged_canary(flagger, "alt-las", "runner"), "skip")
    assert flagger.patches == [{"spec": {"skipAnalysis": True}}, {"spec": {"skipAnalysis": None}}]


@pytest.mark.parametrize(("phase", "weight"), [("Failed", 0), ("Failed", 100), ("Progressing", 30)])
def test_a_skip_that_does_not_end_in_a_promotion_is_an_error_and_the_gates_are_in_place(
    phase: str, weight: int
) -> None:
    """Also where Flagger does not act at all."""
    flagger = _flagger("Progressing", 30, skipAnalysis=(phase, weight))
    with pytest.raises(CommandError, match=rf"canary of runner is {phase} with {weight} % .* not Succeeded"):
        decide(flagger, "alt-las", judged_canary(flagger, "alt-las", "runner"), "skip")
    assert flagger.patches[-1] == {"spec": {"skipAnalysis": None}}


@pytest.mark.parametrize("phase", ["Initialized", "Promoting", "Finalising", "Succeeded", "Failed"])
def test_only_a_release_that_is_judged_is_decided(phase: str) -> None:
    """Nothing is written."""
    with pytest.raises(CommandError, match=f"no release of runner is being judged: its canary is {phase}"):
        judged_canary(_flagger(phase), "alt-las", "runner")
    with pytest.raises(
        CommandError, match=r"archive has no canary in alt-las; `services\.archive\.canary` turns it on"
    ):
        judged_canary(_flagger(phase), "alt-las", "archive")
    judged = judged_canary(_flagger("Progressing", 10), "alt-las", "runner")
    assert canary_state(judged) == CanaryState("runner", "Progressing", 10)


@pytest.mark.parametrize(
    ("weight", "conditions", "failed"),
    [
        (0, {}, False),
        (100, {}, True),
        (0, {"runner-primary": "ProgressDeadlineExceeded"}, True),
        (0, {"runner": "ProgressDeadlineExceeded", "runner-primary": "NewReplicaSetAvailable"}, False),
    ],
)
def test_a_failed_promotion_is_known_by_its_weight_and_by_the_pods_that_serve(
    weight: int, conditions: dict[str, str], *, failed: bool
) -> None:
    """The phase is that of a release that was taken back, and so is the weight after a further release."""
    (found,) = canary_states(replace(_flagger("Failed", weight), conditions=conditions), "alt-las")
    assert (found.phase, found.failed_in_promotion) == ("Failed", failed)


def test_gates_that_were_left_off_are_known() -> None:
    """As a skip that was killed leaves them."""
    canary = {"metadata": {"name": "runner"}, "spec": _SPEC | {"skipAnalysis": True}, "status": {"phase": "Succeeded"}}
    assert canary_state(canary) == CanaryState("runner", "Succeeded", 0, ungated=True)


def test_a_release_that_waits_is_approved_by_its_checksum() -> None:
    """The pod that Flagger asks learns it, and nothing else is written."""
    flagger = replace(_flagger("WaitingPromotion", 100), asked="5f6d")
    (found,) = canary_states(flagger, "alt-las")
    assert found == CanaryState("runner", "WaitingPromotion", 100, checksum="5f6d")
    canary = judged_canary(flagger, "alt-las", "runner")
    approvable(flagger, "alt-las", canary, "5f6d")
    decide(flagger, "alt-las", canary, "approve", "5f6d")
    assert flagger.approved == [{"name": "runner", "checksum": "5f6d"}]
    assert flagger.patches == []


@pytest.mark.parametrize(
    ("phase", "asked", "said"),
    [
        ("Progressing", "5f6d", "no release of runner waits for an approval yet: its canary is Progressing, with 30 %"),
        ("WaitingPromotion", "77aa", "the release that waits has the checksum 77aa"),
        ("WaitingPromotion", None, "Flagger has not asked again yet"),
        ("WaitingPromotion", "", r"\(ServiceUnavailable\)"),
    ],
)
def test_what_does_not_wait_is_not_approved(phase: str, asked: str | None, said: str) -> None:
    """Another release, none yet, and a pod that does not answer."""
    flagger = replace(_flagger(phase, 30), asked=asked)
    with pytest.raises(CommandError, match=said):
        approvable(flagger, "alt-las", judged_canary(flagger, "alt-las", "runner"), "5f6d")
    assert flagger.approved == []


def test_a_pod_that_does_not_answer_hides_no_canary() -> None:
    """The list says that it is not known what waits."""
    (found,) = canary_states(replace(_flagger("WaitingPromotion", 100), asked=""), "alt-las")
    assert found.checksum == "unknown"
