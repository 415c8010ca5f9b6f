"""ResourceQuota and LimitRange of the stack's namespace: the arithmetic, room beyond it, figures given by hand.

A quota counts each pod until it has ended. Does not own the objects (`components.platform.quota`).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from pydantic import model_validator

from components.kubernetes.load import Amount, Load, StackLoad
from components.kubernetes.quantities import cpu_text, mebibytes, memory_text, millicores
from components.settings.base import Settings, section, setting
from components.settings.workload import Cpu, Memory, QuantitySettings

_DATABASE = "Cluster"
_ALL = 100


class QuotaHardSettings(Settings):
    """Figures of the quota that are given, such as by the cluster's administrator; the others are computed."""

    pods: int | None = setting("capacity", "Most pods; null: computed.", None, ge=1, unit="pods")
    requests_cpu: Cpu | None = setting(
        "capacity", "Most requested CPU; null: computed.", None, unit="millicores or cores"
    )
    requests_memory: Memory | None = setting(
        "capacity", "Most requested memory; null: computed.", None, unit="Mi or Gi"
    )
    limits_memory: Memory | None = setting(
        "capacity", "Most memory that all limits allow; null: computed.", None, unit="Mi or Gi"
    )
    volume_claims: int | None = setting("capacity", "Most volume claims; null: computed.", None, ge=1, unit="claims")
    storage: Memory | None = setting(
        "capacity", "Most requested storage of all volumes; null: computed.", None, unit="Mi or Gi"
    )


class QuotaSettings(Settings):
    """Quota from what the stack may need at a time: at its largest scale, during an update, with all Jobs twice."""

    headroom_percent: int = setting(
        "capacity",
        "Room beyond the arithmetic, for what no setting names. At least 12: with less, the alert of a quota that is "
        "nearly full would fire for volumes, whose number does not change.",
        20,
        ge=12,
        le=900,
        unit="percent",
    )
    other_pods: int = setting(
        "capacity",
        "Pods in the namespace that neither this program nor its operators make; each counts as one container of the "
        "default size.",
        0,
        ge=0,
        le=10_000,
        unit="pods",
    )
    default_requests: QuantitySettings = section(
        "Requests of a container that names none, such as an operator's.", QuantitySettings(cpu="100m", memory="128Mi")
    )
    default_limits: QuantitySettings = section(
        "Limits of a container that names none.", QuantitySettings(cpu="500m", memory="512Mi")
    )
    hard: QuotaHardSettings = section("Figures given by hand.", QuotaHardSettings())

    @property
    def default_amounts(self) -> tuple[Amount, Amount]:
        """Requests and limits of a container that names none."""
        requests, limits = self.default_requests, self.default_limits
        return (
            Amount(millicores(requests.cpu), requests.memory_mebibytes),
            Amount(millicores(limits.cpu), limits.memory_mebibytes),
        )

    @model_validator(mode="after")
    def _default_requests_fit_default_limits(self) -> Self:
        requests, limits = self.default_requests, self.default_limits
        asked, most_of_it = self.default_amounts
        if not asked.fits(most_of_it):
            raise ValueError(
                f"defaultRequests ({requests.cpu}, {requests.memory}) are above defaultLimits ({limits.cpu}, "
                f"{limits.memory}), and the API server would refuse every container that names neither; lower the "
                "requests or raise the limits"
            )
        return self


@dataclass(frozen=True)
class QuotaFigure:
    """One figure of a quota.

    Attributes:
        key: Its name in a ResourceQuota.
        setting: Field of `quota.hard` that gives it by hand.
        unit: `m` for millicores, `Mi`, or nothing for a number.
        read: Reads it from a load.
    """

    key: str
    setting: str
    unit: str
    read: Callable[[Load], int]

    def text(self, amount: int) -> str:
        """An amount as a quantity."""
        return {"m": cpu_text, "Mi": memory_text}.get(self.unit, str)(amount)

    def amount(self, text: str) -> int | Fraction:
        """Amount of a quantity."""
        return millicores(text) if self.unit == "m" else mebibytes(text) if self.unit else int(text)


FIGURES = (
    QuotaFigure("pods", "pods", "", lambda load: load.pods),
    QuotaFigure("requests.cpu", "requestsCpu", "m", lambda load: load.requests.cpu),
    QuotaFigure("requests.memory", "requestsMemory", "Mi", lambda load: load.requests.memory),
    QuotaFigure("limits.memory", "limitsMemory", "Mi", lambda load: load.limits.memory),
    QuotaFigure("persistentvolumeclaims", "volumeClaims", "", lambda load: load.volumes),
    QuotaFigure("requests.storage", "storage", "Mi", lambda load: load.storage),
)
"""Figures of the stack's own quota. Limits of CPU are none of them: nothing is kept from others for them."""

_NONE = {"services.loadbalancers": "0", "services.nodeports": "0"}
"""The stack is reached through the cluster's ingress controller, which lies elsewhere."""


def most(load: StackLoad, settings: QuotaSettings) -> Load:
    """The most that a stack may have at a time, without headroom.

    The largest scale while all Deployments roll, with pods that are still ending; all Jobs twice, for those that are
    made by hand of CronJobs, such as restores; one database server more, which is restored or replaces another one;
    containers that name no resources, and pods of others, at the default size.
    """
    found = load.peak_update + load.ending + load.jobs + load.jobs
    unnamed = settings.other_pods
    for each in load.workloads:
        more = 1 if each.kind == _DATABASE else 0
        found += each.times(more)
        unnamed += each.unnamed * (each.most + each.surge_at_most + each.ending + more)
    asked, limits = (each.times(unnamed) for each in settings.default_amounts)
    return found + Load(settings.other_pods, asked, limits)


def hard(load: StackLoad, settings: QuotaSettings) -> dict[str, str]:
    """Figures of the ResourceQuota: those given by hand, else the most that the stack may have, and the headroom."""
    needed, given = most(load, settings), _given(settings.hard)
    share = _ALL + settings.headroom_percent
    computed = {each.key: each.text(math.ceil(each.read(needed) * share / _ALL)) for each in FIGURES}
    return {**computed, **{each.key: given[each.setting] for each in FIGURES if each.setting in given}, **_NONE}


def problem(load: StackLoad, settings: QuotaSettings) -> str | None:
    """Cause and cure if a figure given by hand is below what the stack may need; None if all suffice."""
    needed, given = most(load, settings), _given(settings.hard)
    short = [
        f"quota.hard.{each.setting} ({given[each.setting]}) is below the {each.text(each.read(needed))}"
        for each in FIGURES
        if each.setting in given and each.amount(given[each.setting]) < each.read(needed)
    ]
    if not short:
        return None
    scaled = sorted((each for each in load.workloads if each.most > each.fewest), key=lambda each: -each.most)
    keys = ", ".join(f"services.{each.name}.autoscaling.maxReplicas ({each.most})" for each in scaled)
    cure = f"lower {keys}" if keys else "run less"
    return f"{'; '.join(short)} that the stack may need at its largest scale during an update; raise it or {cure}"


def _given(settings: QuotaHardSettings) -> Mapping[str, str]:
    return {key: str(value) for key, value in settings.model_dump(by_alias=True, exclude_none=True).items()}
