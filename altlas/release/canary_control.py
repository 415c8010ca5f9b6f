"""Decisions of a person about a release that Flagger judges: approve it, take it back, or promote it without its gates.

Owns what is written into the Canary object, and the wait for Flagger's answer. Does not own the ledger, nor the gates
(components.platform.canaries).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from altlas.session.kubectl import Kubectl
from cluster.waiting import wait_for
from components.kubernetes.naming import HTTP_PORT_NAME, primary_of
from components.traffic.observers import CANARY_APPROVALS
from rendering.errors import CommandError

Decision = Literal["approve", "abort", "skip"]

KIND = "canaries.flagger.app"
GATED = '{"spec": {"skipAnalysis": null}}'
"""Patch of a Canary whose gates count again."""

WAITING = "WaitingPromotion"
"""Phase of a Canary whose release waits for a person's approval."""

UNKNOWN = "unknown"
"""Stands for the checksum of a release of which the pod that Flagger asks does not know, or does not answer."""

JUDGED = ("Progressing", WAITING, "Waiting")
"""Phases of a Canary in which a release can still be taken back (Flagger's API, `CanaryPhase`)."""

_ENDS: Mapping[Decision, str] = {"approve": "Succeeded", "abort": "Failed", "skip": "Succeeded"}
_APPROVALS = f"services/{CANARY_APPROVALS}:{HTTP_PORT_NAME}/proxy"
_OPEN = (*JUDGED, "Promoting", "Finalising")
_GRACE_SECONDS, _POLL_SECONDS = 60, 1
_INTERVALS = 3
"""Ticks of Flagger within which it must have acted: one that was running, one that acts, one that ends it."""


@dataclass(frozen=True)
class CanaryState:
    """A Canary as Flagger reports it.

    Attributes:
        service: Name of the service.
        phase: Phase, such as `Progressing`.
        weight: Share of the requests that the new release gets, in percent.
        ungated: Whether releases are promoted without any check, as a skip that was killed leaves it.
        is_stuck: Whether the rollout of the pods that serve has exceeded its deadline.
        checksum: What names the release that waits for an approval, or `UNKNOWN`; empty where none waits.
    """

    service: str
    phase: str
    weight: int
    ungated: bool = False
    is_stuck: bool = False
    checksum: str = ""

    @property
    def is_judged(self) -> bool:
        """True while the release can still be taken back."""
        return self.phase in JUDGED

    @property
    def failed_in_promotion(self) -> bool:
        """True if the pods that serve did not become ready with a release that the gates had let pass.

        Flagger calls that Failed as well, but leaves all requests with the new release. A further release gives them
        back, and fails at once as long as these pods are not ready.
        """
        return self.phase == "Failed" and (self.weight > 0 or self.is_stuck)


def canary_states(kubectl: Kubectl, namespace: str) -> tuple[CanaryState, ...]:
    """All Canaries of a stack, by name.

    Raises:
        CommandError: The cluster does not answer, or has no such kind.
    """
    stuck = {each["metadata"]["name"] for each in kubectl.items("deployments", namespace) if _is_stuck(each)}
    found = [canary_state(each) for each in kubectl.items(KIND, namespace)]
    return tuple(
        replace(
            each,
            is_stuck=primary_of(each.service) in stuck,
            checksum=_waiting(kubectl, namespace, each.service) if each.phase == WAITING else "",
        )
        for each in found
    )


def _waiting(kubectl: Kubectl, namespace: str, service: str) -> str:
    try:
        return asked_for(kubectl, namespace, service) or UNKNOWN
    except CommandError:
        return UNKNOWN


def asked_for(kubectl: Kubectl, namespace: str, service: str) -> str:
    """Checksum of the release of a service for which Flagger asked last; empty where it has not asked.

    Raises:
        CommandError: The cluster does not answer, or has no pod that could know.
    """
    path = f"/api/v1/namespaces/{namespace}/{_APPROVALS}/asked?service={service}"
    try:
        return kubectl.text("get", "--raw", path).strip()
    except CommandError as error:
        if "(NotFound)" in str(error):
            return ""
        raise


def approvable(kubectl: Kubectl, namespace: str, canary: Mapping[str, Any], checksum: str) -> None:
    """Check that a release waits for an approval, and that it is the one that a person has looked at.

    Raises:
        CommandError: It does not, or another one does.
    """
    state = canary_state(canary)
    if state.phase != WAITING:
        raise CommandError(
            f"no release of {state.service} waits for an approval yet: its canary is {state.phase}, with "
            f"{state.weight} % of the requests; `altlas canary list` shows when one does"
        )
    asked = asked_for(kubectl, namespace, state.service)
    if asked != checksum:
        waits = f"the release that waits has the checksum {asked}" if asked else "Flagger has not asked again yet"
        raise CommandError(
            f"{checksum} names no release of {state.service} that waits: {waits}; look at `altlas canary list` again"
        )


def _is_stuck(deployment: Mapping[str, Any]) -> bool:
    conditions = deployment.get("status", {}).get("conditions", ())
    return any(each.get("reason") == "ProgressDeadlineExceeded" for each in conditions)


def canary_state(manifest: Mapping[str, Any]) -> CanaryState:
    """State of a Canary object."""
    status, ungated = manifest.get("status", {}), bool(manifest["spec"].get("skipAnalysis"))
    phase, weight = status.get("phase", "unknown"), status.get("canaryWeight", 0)
    return CanaryState(manifest["metadata"]["name"], phase, weight, ungated)


def judged_canary(kubectl: Kubectl, namespace: str, service: str) -> Mapping[str, Any]:
    """Canary object of a service whose release is being judged.

    Raises:
        CommandError: There is no such Canary, or no release of the service is being judged.
    """
    found = kubectl.find(KIND, namespace, service)
    if found is None:
        raise CommandError(f"{service} has no canary in {namespace}; `services.{service}.canary` turns it on")
    state = canary_state(found)
    if not state.is_judged:
        cure = " To go back to an earlier release: `altlas rollback`." if state.phase == "Succeeded" else ""
        raise CommandError(f"no release of {service} is being judged: its canary is {state.phase}.{cure}")
    return found


def _approve(kubectl: Kubectl, namespace: str, service: str, checksum: str) -> None:
    body = json.dumps({"name": service, "checksum": checksum})
    path = f"/api/v1/namespaces/{namespace}/{_APPROVALS}/approve"
    kubectl.text("create", "--raw", path, "--filename", "-", stdin=body)


def decide(kubectl: Kubectl, namespace: str, canary: Mapping[str, Any], decision: Decision, checksum: str = "") -> None:
    """Let Flagger end the judgement of a release, and wait until it has.

    To abort, the failed checks are set to their limit, so that the next tick takes the release back. To skip, the
    analysis is skipped until the release is promoted, and never longer. To approve, the pod that Flagger asks learns of
    the release of that checksum.

    Raises:
        CommandError: The cluster refuses, or Flagger has decided otherwise or not at all; says what to look at.
    """
    service, analysis = canary["metadata"]["name"], canary["spec"]["analysis"]
    seconds = _GRACE_SECONDS + _INTERVALS * int(analysis["interval"].removesuffix("s"))
    if decision == "abort":
        status = {"failedChecks": analysis["threshold"]}
        _patch(kubectl, namespace, service, {"status": status}, "--subresource=status")
        _wait(kubectl, namespace, service, _ENDS[decision], seconds)
        return
    seconds += canary["spec"]["progressDeadlineSeconds"]
    if decision == "approve":
        _approve(kubectl, namespace, service, checksum)
        _wait(kubectl, namespace, service, _ENDS[decision], seconds)
        return
    _patch(kubectl, namespace, service, {"spec": {"skipAnalysis": True}})
    try:
        _wait(kubectl, namespace, service, _ENDS[decision], seconds)
    finally:
        _patch(kubectl, namespace, service, json.loads(GATED))


def _patch(kubectl: Kubectl, namespace: str, service: str, change: Mapping[str, Any], *options: str) -> None:
    where = (KIND, service, f"--namespace={namespace}")
    kubectl.text("patch", *where, "--type=merge", f"--patch={json.dumps(change)}", *options)


def _wait(kubectl: Kubectl, namespace: str, service: str, wanted: str, seconds: float) -> None:
    def state() -> CanaryState:
        found = kubectl.find(KIND, namespace, service)
        return canary_state(found) if found else CanaryState(service, "gone", 0)

    last = wait_for(state, lambda each: each.phase not in _OPEN, seconds=seconds, poll_seconds=_POLL_SECONDS)
    if last.phase != wanted or last.failed_in_promotion:
        look = f"kubectl --namespace {namespace} describe canary {service}"
        raise CommandError(
            f"the canary of {service} is {last.phase} with {last.weight} % of the requests, not {wanted}, after up to "
            f"{seconds:.0f} s; see `{look}` and whether Flagger runs"
        )
