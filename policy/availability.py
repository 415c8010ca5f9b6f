"""`python -m policy.availability STACK ...`: the page of what each workload survives, computed from its objects."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from policy.command import run
from policy.proof.availability import STORES, replicas_of
from policy.proof.placements import LOSSES, ClusterShape, Promise, Replicas, verdicts
from policy.stacks import Stack, load_stacks

SHAPES = (ClusterShape(3, 3), ClusterShape(6, 3), ClusterShape(4, 2))
"""Clusters of the page: the smallest that spreads everything, one with room, and one without a third zone."""

PROMISED = SHAPES[:2]
"""Clusters on which services and stores with several servers survive each single loss."""

HEADING = """\
<!-- Written by `make availability-page`; a test compares it with the stack files. -->

# Availability

What is left of each workload while one node or one zone is lost or drained, before anything is replaced: enough ready
pods to serve, and for stores that elect a leader a majority of their servers. Computed from the objects at their
smallest scale: every placement that the scheduler may choose, with every such loss.

- `always`: whichever placement the scheduler chose.
- `if spread`: on all placements that keep the preferences of the objects, as the scheduler does where nodes have room.
- `no`: the workload, or its majority, is away until its pods run again elsewhere or the node is back.

Drains wait for PodDisruptionBudgets; a loss waits for nothing. Not in it: room on the nodes, taints, and volumes that
cannot follow their pod to another node. Tests: `tests/policy/test_availability.py`, and with a real scheduler
`tests/faults/test_scheduled_pods.py`.
"""


def cell(always: Promise, spread: Promise) -> str:
    """Word for a kind of loss."""
    return "always" if always.holds else "if spread" if spread.holds else "no"


def broken_promises(stack: Stack) -> Iterator[str]:
    """Services and stores with several pods that do not survive a loss although the cluster has room.

    Where a majority is needed, the loss of a node must leave it on every placement, not only on preferred ones.
    """
    for replicas in promised(stack):
        for shape in PROMISED:
            for loss, always, spread in verdicts(replicas, shape):
                if not (always if replicas.needed > 1 and loss != "zone lost" else spread).holds:
                    yield f"{replicas.name}: {loss} on {shape}"


def promised(stack: Stack) -> list[Replicas]:
    """Services, and stores with several servers."""
    several = [each for each in replicas_of(stack.manifests) if each.count > 1]
    return [each for each in several if each.name in (*STORES, *stack.platform.services.by_name())]


def page(stacks: Iterable[Stack]) -> str:
    """Text of the page."""
    return "\n".join([HEADING, *(line for stack in stacks for line in _section(stack))])


def _section(stack: Stack) -> Iterator[str]:
    workloads = replicas_of(stack.manifests)
    shapes: dict[tuple[str, ...], list[str]] = {}
    for shape in SHAPES:
        shapes.setdefault(tuple(_rows(workloads, shape)), []).append(str(shape))
    yield f"## {stack.name}"
    yield ""
    for rows, names in shapes.items():
        yield f"| on {'; '.join(names)} | pods | needed | {' | '.join(LOSSES)} |"
        yield f"|---|{'---|' * (len(LOSSES) + 2)}"
        yield from rows
        yield ""


def _rows(workloads: Iterable[Replicas], shape: ClusterShape) -> Iterator[str]:
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in workloads:
        cells = (cell(always, spread) for _, always, spread in verdicts(each, shape))
        rows.setdefault((str(each.count), str(each.needed), *cells), []).append(each.name)
    for row, names in sorted(rows.items()):
        yield f"| {', '.join(names)} | {' | '.join(row)} |"


def main(stacks: Annotated[list[str] | None, typer.Argument(help="Stacks; all when left out.")] = None) -> None:
    """Print the page; end with 1 if a service or a store with several servers does not survive what it should."""
    loaded = list(load_stacks(stacks or []))
    typer.echo(page(loaded).rstrip())
    broken = [f"{stack.name}: {line}" for stack in loaded for line in broken_promises(stack)]
    for line in broken:
        typer.echo(f"error: {line}", err=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    run(main)
