"""The command `altlas capacity`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.measured_rates import numbers_by_service, read_results, wanted_rates
from altlas.commands.options import JsonOption, StackArgument, TargetOption, known_stacks, one_stack
from altlas.preflight.nodes import ClusterNode, described_nodes, read_nodes
from altlas.release.arithmetic import arithmetic_page
from altlas.release.capacity import Capacity, as_document, as_text
from altlas.release.capacity import capacity as capacity_of
from altlas.session.console import report, workspace
from altlas.session.kubectl import Kubectl
from altlas.session.session import choose_target, reading_kubectl
from components.kubernetes.load import StackLoad, stack_load
from components.settings import PlatformSettings
from components.stack.loading import parse_platform, read_platform
from loadtests.replicas import ReplicaProposal, proposal_text, proposals, rates_of_one, with_proposals
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record

AfterArgument = Annotated[
    str | None, typer.Argument(metavar="AFTER", help="Second stack, shown after it.", autocompletion=known_stacks)
]


def capacity(
    stack: StackArgument = None,
    after: AfterArgument = None,
    *,
    nodes: Annotated[str | None, typer.Option(help="Nodes as number x cores x GiB, such as 3x4x16.")] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    as_page: Annotated[
        bool, typer.Option("--page", help="Print the arithmetic of the settings as a Markdown page.")
    ] = False,
    measured: Annotated[
        Path | None,
        typer.Option("--from", metavar="RESULTS", help="results.json of a load test: propose replicas."),
    ] = None,
    target_rps: Annotated[
        list[str] | None,
        typer.Option(metavar="[SERVICE=]N", help="With --from: requests per second to answer; may be repeated."),
    ] = None,
    pods: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE=N", help="With --from: pods that served in the test; may be repeated."),
    ] = None,
    utilization: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="With --from: percent of a pod's rate to plan; else autoscaling's of CPU."),
    ] = None,
) -> None:
    """Show whether a stack fits: nodes, limits of growing load, quota, connections, volumes. Changes nothing.

    Without --nodes and --target nothing is compared with nodes. Ends with 1 if a stack does not fit at rest or while it
    is updated. With --from it prints figures of the autoscalers for a rate, and compares the stack with them in it.
    """
    if nodes and target:
        raise CommandError("--nodes and --target both say which nodes there are; name one", ExitCode.BAD_INPUT)
    if measured is None and (target_rps or pods or utilization):
        raise CommandError("--target-rps, --pods and --utilization need --from RESULTS", ExitCode.BAD_INPUT)
    first = one_stack(stack, None)
    if as_page:
        typer.echo(arithmetic_page([_sums(name) for name in (first, after) if name]), nl=False)
        return
    proposed = _proposed(first, measured, target_rps or (), pods or (), utilization) if measured else ()
    if proposed and not as_json:
        # First, for the stack may not be usable with it.
        typer.echo(f"{proposal_text(proposed)}\n")
    kubectl = _kubectl(target) if target else None
    room = described_nodes(nodes) if nodes else read_nodes(kubectl) if kubectl else ()
    found = [_capacity(first, room, kubectl, proposed), *([_capacity(after, room, kubectl)] if after else [])]
    typer.echo(_json(found, proposed) if as_json else "\n\n".join(as_text(each) for each in found))
    if lacking := [each.stack for each in found if not each.suffices]:
        raise CommandError(f"no room for {', '.join(lacking)}; add nodes or lower what is short above")


def _json(found: Sequence[Capacity], proposed: Sequence[ReplicaProposal]) -> str:
    changes = {"proposal": {each.service: each.settings for each in proposed}} if proposed else {}
    return json.dumps([as_document(found[0]) | changes, *map(as_document, found[1:])], indent=2)


def _proposed(
    stack: str, file: Path, wanted: Sequence[str], pods: Sequence[str], utilization: int | None
) -> tuple[ReplicaProposal, ...]:
    platform = read_platform(workspace().stack_file(stack))
    rates = rates_of_one(read_results(file), stack, platform, numbers_by_service("--pods", pods))
    goals = wanted_rates(numbers_by_service("--target-rps", wanted), rates)
    return proposals(platform, rates, goals, utilization or platform.autoscaling.cpu_utilization_percent)


def _sums(stack: str, proposed: tuple[ReplicaProposal, ...] = ()) -> tuple[str, PlatformSettings, StackLoad]:
    """Settings and load of a stack; with a proposal in its settings, which is checked as a stack file is."""
    platform = read_platform(workspace().stack_file(stack))
    if proposed:
        platform = parse_platform(with_proposals(platform, proposed))
    return stack, platform, stack_load(record(stack, platform).objects)


def _capacity(
    stack: str,
    nodes: tuple[ClusterNode, ...],
    kubectl: Kubectl | None,
    proposed: tuple[ReplicaProposal, ...] = (),
) -> Capacity:
    _, platform, load = _sums(stack, proposed)
    quotas = kubectl.items("resourcequota", platform.namespace) if kubectl else ()
    return capacity_of(stack, platform, load, nodes, quotas)


def _kubectl(target: str) -> Kubectl:
    here = workspace()
    return reading_kubectl(here, choose_target(here, target), report)
