"""Replicas for a rate: from what pods have answered in a load test to the figures of their autoscaler.

A pod that has answered a rate within the goals can answer it again, so the figures are on the safe side. Owns which
results count, and the proposal. Does not own the load test, nor whether nodes and connections suffice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import PlatformSettings
from loadtests.profiles import WHOLE_PATH
from loadtests.stand_ins import GATEWAY
from rendering.errors import CommandError, ExitCode

LEAST_SECONDS = 60
"""Shortest measurement that counts: four looks of an autoscaler, which come every 15 seconds."""

_WHOLE = 100


@dataclass(frozen=True)
class ReplicaProposal:
    """Figures of a service for a rate.

    Attributes:
        service: Its name.
        rate_of_one: Requests per second that one pod has answered.
        wanted: Requests per second that all pods are to answer.
        utilization: Share of `rate_of_one` in percent that each of them may have to answer then.
        needed: Pods for that.
        fewest: Fewest pods, as the stack has them; with a fixed number of pods none are fewer.
    """

    service: str
    rate_of_one: float
    wanted: int
    utilization: int
    needed: int
    fewest: int | None

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the service that change."""
        if self.fewest is None:
            return {"replicas": self.needed}
        return {"autoscaling": {"minReplicas": self.fewest, "maxReplicas": max(self.fewest, self.needed)}}


def rates_of_one(results: object, stack: str, platform: PlatformSettings, pods: Mapping[str, int]) -> dict[str, float]:
    """Requests per second that one pod of each service has answered. The whole path counts for the gateway.

    Args:
        results: Content of `results.json`.
        stack: Stack for which they are to count.
        platform: Its settings.
        pods: Number of pods that served, by service.

    Raises:
        CommandError: The results are none, or are not usable for this stack; says why.
    """
    targets = _checked(results, stack)
    services, found = platform.services.by_name(), dict[str, float]()
    for target in targets:
        name = GATEWAY if target["name"] == WHOLE_PATH else target["name"]
        if name not in services:
            raise _refusal(f"hold {name}, which is no service of {stack}", "measure this stack")
        promised, judged = services[name].slo.latency_milliseconds, target["goal"]["p95Milliseconds"]
        if judged != promised:
            raise _refusal(
                f"are of another profile: {name} was judged by a 95th percentile of {judged} ms, and "
                f"services.{name}.slo.latencyMilliseconds is {promised}",
                "measure with the profile of this phase",
            )
        if name not in pods:
            raise CommandError(
                f"the results do not say how many pods of {name} served; add --pods {name}=N, with the number that "
                f"`kubectl get deployment {name}` showed all the while",
                ExitCode.BAD_INPUT,
            )
        rate = target["requestsPerSecond"] / pods[name]
        found[name] = min(rate, found.get(name, rate))
    if unknown := pods.keys() - found.keys():
        raise CommandError(
            f"--pods names {', '.join(sorted(unknown))}, which the results do not hold; they hold {', '.join(found)}",
            ExitCode.BAD_INPUT,
        )
    return found


def proposals(
    platform: PlatformSettings, rates: Mapping[str, float], wanted: Mapping[str, int], utilization: int
) -> tuple[ReplicaProposal, ...]:
    """Pods for a rate of each service.

    Args:
        platform: Settings of the stack.
        rates: Requests per second of one pod, by service.
        wanted: Requests per second to answer, by service.
        utilization: Share of a pod's rate in percent that it may have to answer.
    """
    services, found = platform.services.by_name(), []
    for name, rate in rates.items():
        needed = max(1, math.ceil(round(_WHOLE * wanted[name] / (utilization * rate), 9)))
        scaling = services[name].autoscaling
        fewest = scaling.min_replicas if scaling else None
        found.append(ReplicaProposal(name, rate, wanted[name], utilization, needed, fewest))
    return tuple(found)


def with_proposals(platform: PlatformSettings, found: tuple[ReplicaProposal, ...]) -> dict[str, Any]:
    """The settings of a stack with a proposal in them, to be checked as a stack file is."""
    document: dict[str, Any] = platform.model_dump(mode="json", by_alias=True)
    for each in found:
        service = document["services"][each.service]
        for key, value in each.settings.items():
            service[key] = service[key] | value if isinstance(value, dict) else value
    return document


def proposal_text(found: tuple[ReplicaProposal, ...]) -> str:
    """The proposal as YAML for `alt-las:platform` of a stack file."""
    lines = ["services:"]
    for each in found:
        ((key, value),) = each.settings.items()
        text = ", ".join(f"{name}: {number}" for name, number in value.items()) if isinstance(value, dict) else value
        reason = (
            f"{each.wanted} requests per second: {each.utilization} % of {each.rate_of_one:.1f} measured of one pod"
        )
        lines += [
            f"  {each.service}:",
            f"    # {reason}, {each.needed} needed",
            f"    {key}: {{{text}}}" if isinstance(value, dict) else f"    {key}: {text}",
        ]
    return "\n".join(lines)


def _checked(results: object, stack: str) -> list[dict[str, Any]]:
    """Targets of results that passed, were long enough, and are of the stack itself."""
    try:
        document: Any = results
        made_for, seconds, targets = document["stack"], document["seconds"], document["targets"]
        failed = {each["name"]: each["shortfalls"] for each in targets if each["shortfalls"]}
        _ = [(each["goal"]["p95Milliseconds"], 1 / each["requestsPerSecond"]) for each in targets if not failed]
        is_stand_in = document.get("standIns", False)
    except (KeyError, TypeError, AttributeError, ZeroDivisionError):
        raise CommandError(
            "--from is no results.json of `altlas loadtest`; name the one in .altlas/loadtests/<stack>",
            ExitCode.BAD_INPUT,
        ) from None
    if made_for != stack:
        raise _refusal(f"are of the stack {made_for}, not of {stack}", "measure this stack")
    if is_stand_in:
        raise _refusal("are of stand-ins, which do nothing that the services do", "measure the services")
    if failed:
        reasons = "; ".join(f"{name}: {', '.join(each)}" for name, each in failed.items())
        raise _refusal(f"missed their goals ({reasons})", "measure again with more pods, or with a lower --percent")
    if seconds < LEAST_SECONDS:
        raise _refusal(f"are of {seconds} s", f"measure at least {LEAST_SECONDS} s (--seconds)")
    return list(targets)


def _refusal(reason: str, cure: str) -> CommandError:
    return CommandError(f"these results cannot be counted on: they {reason}; {cure}", ExitCode.BAD_INPUT)
