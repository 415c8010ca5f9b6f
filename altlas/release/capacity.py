"""Capacity of a stack: its load at three scales, nodes, limits of growth, quota, connections, volumes.

Owns the report. Does not own the sums (`altlas.preflight`, `altlas.release.arithmetic`), nor what is read from a
cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.preflight.growth import Limit, fits_at, limits
from altlas.preflight.nodes import ClusterNode, memory_mebibytes, total
from altlas.release.arithmetic import settings_balances
from altlas.session.table import table_text
from components.kubernetes.load import Amount, StackLoad
from components.kubernetes.quantities import millicores
from components.settings import PlatformSettings
from components.settings.quota import FIGURES, QuotaFigure, QuotaSettings, most

_CORES, _GIBIBYTES = 1000, 1024
_BAR = 40
_PEAK = 1_000_000.0
"""More load than any autoscaler follows."""


@dataclass(frozen=True)
class Use:
    """Use of something that has an end.

    Attributes:
        what: Its name.
        used: Most that is used.
        limit: Its end.
        unit: Unit of both.
    """

    what: str
    used: float
    limit: float
    unit: str

    @property
    def fits(self) -> bool:
        """True if it suffices."""
        return self.used <= self.limit


@dataclass(frozen=True)
class Capacity:
    """Capacity of a stack.

    Attributes:
        stack: Name of the stack.
        load: Load of its objects.
        nodes: Nodes that it has; none where they are not known.
        fits: Scale, and whether its pods fit onto the nodes.
        limits: Limits of growth, the first one first.
        uses: Connections, volumes and quotas at the largest scale.
    """

    stack: str
    load: StackLoad
    nodes: tuple[ClusterNode, ...]
    fits: Mapping[str, bool]
    limits: tuple[Limit, ...]
    uses: tuple[Use, ...]

    @property
    def suffices(self) -> bool:
        """True if the pods fit at rest and during an update, and nothing else is used beyond its end."""
        return all(self.fits.get(scale, True) for scale in ("at rest", "during an update")) and all(
            each.fits for each in self.uses
        )


def capacity(
    stack: str,
    platform: PlatformSettings,
    load: StackLoad,
    nodes: tuple[ClusterNode, ...] = (),
    quotas: Sequence[Mapping[str, Any]] = (),
) -> Capacity:
    """Capacity of a stack.

    Args:
        stack: Its name.
        platform: Its settings.
        load: Load of its objects.
        nodes: Nodes that it has; none where they are not known.
        quotas: ResourceQuotas of its namespace.
    """
    scales = {
        "at rest": fits_at(load, nodes, 1),
        "during an update": fits_at(load, nodes, 1, updating=True),
        "at maximum scale": fits_at(load, nodes, _PEAK),
        "during an update at maximum scale": fits_at(load, nodes, _PEAK, updating=True),
    }
    sums = (Use(each.what, each.most, each.limit, each.unit) for each in settings_balances(platform) if each.limit)
    uses = (*sums, *_quota(load, platform.quota or QuotaSettings(), quotas))
    return Capacity(stack, load, nodes, scales if nodes else {}, limits(load, nodes), uses)


def as_text(found: Capacity) -> str:
    """The report for people: a chart, and a table for each question."""
    parts = [f"Capacity of {found.stack}", _chart(found)]
    if found.nodes:
        rows = [(scale, "yes" if fits else "NO") for scale, fits in found.fits.items()]
        parts.append(table_text(("SCALE", f"FITS {len(found.nodes)} NODES"), rows))
    else:
        parts.append("Nodes are not known: name them by --nodes 3x4x16 or a cluster by --target.")
    rows = [(f"{each.factor:.2f} x", each.what) for each in found.limits]
    parts.append(table_text(("LOAD AT REST TIMES", "GIVES WAY BEYOND IT"), rows))
    parts.append(table_text(("AT MOST", "USED", "OF", "SHARE"), [_row(each) for each in found.uses]))
    return "\n\n".join(parts)


def as_document(found: Capacity) -> dict[str, Any]:
    """The report for programs: CPU in millicores, memory and storage in Mi."""
    return {
        "stack": found.stack,
        "nodes": {"number": len(found.nodes), "cpu": total(found.nodes).cpu, "memory": total(found.nodes).memory},
        "fits": dict(found.fits),
        "limits": [{"factor": round(each.factor, 2), "what": each.what} for each in found.limits],
        "uses": [
            {"what": each.what, "used": each.used, "limit": each.limit, "unit": each.unit, "fits": each.fits}
            for each in found.uses
        ],
        "suffices": found.suffices,
    }


def _chart(found: Capacity) -> str:
    """Requests of CPU and memory as bars, with what the nodes have."""
    load, amounts = found.load, {}
    for name, each in (("at rest", load.rest), ("update", load.update), ("maximum", load.peak)):
        amounts[name] = each.requests
    if found.nodes:
        amounts["nodes"] = total(found.nodes)
    return "\n".join(
        [
            *_bars("cores", amounts, lambda amount: amount.cpu / _CORES),
            *_bars("GiB", amounts, lambda amount: amount.memory / _GIBIBYTES),
        ]
    )


def _bars(unit: str, amounts: Mapping[str, Amount], read: Callable[[Amount], float]) -> list[str]:
    most = max(read(each) for each in amounts.values()) or 1
    lines = []
    for name, each in amounts.items():
        value = read(each)
        lines.append(f"{unit:>5}  {name:<8} {'#' * max(1, round(value / most * _BAR)):<{_BAR}} {value:.1f}")
    return lines


_FIGURES = {each.key: each for each in (*FIGURES, QuotaFigure("limits.cpu", "", "m", lambda load: load.limits.cpu))}
_READ: Mapping[str, Callable[[str], float]] = {"m": millicores, "Mi": memory_mebibytes, "": float}
"""Readers of the quantities of a cluster, which may also write plain bytes, by unit."""


def _quota(load: StackLoad, settings: QuotaSettings, quotas: Sequence[Mapping[str, Any]]) -> list[Use]:
    """Quotas against the most that the stack may have at a time, by the figures that a quota of its own has."""
    needed = most(load, settings)
    return [
        Use(f"quota {quota['metadata']['name']}: {key}", each.read(needed), _READ[each.unit](str(limit)), each.unit)
        for quota in quotas
        for key, limit in quota["spec"]["hard"].items()
        if (each := _FIGURES.get(key))
    ]


def _row(use: Use) -> tuple[str, str, str, str]:
    share = f"{use.used / use.limit:.0%}" if use.limit else "no room"
    shown = share if use.fits else f"{share}, TOO LITTLE"
    return use.what, f"{use.used:g}{use.unit}", f"{use.limit:g}{use.unit}", shown
