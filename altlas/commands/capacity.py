"""The command `altlas capacity`."""

import json
from typing import Annotated

import typer

from altlas.commands.options import JsonOption, StackArgument, TargetOption, known_stacks, one_stack
from altlas.preflight.nodes import ClusterNode, described_nodes, read_nodes
from altlas.release.arithmetic import arithmetic_page
from altlas.release.capacity import Capacity, as_document, as_text
from altlas.release.capacity import capacity as capacity_of
from altlas.session.console import report, workspace
from altlas.session.kubectl import Kubectl
from altlas.session.session import choose_target, open_cluster
from components.kubernetes.load import StackLoad, stack_load
from components.settings import PlatformSettings
from components.stack.loading import read_platform
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
) -> None:
    """Show whether a stack fits: nodes, limits of growing load, quota, connections, volumes. Changes nothing.

    Without --nodes and --target nothing is compared with nodes. Ends with 1 if a stack does not fit at rest or while it
    is updated.
    """
    if nodes and target:
        raise CommandError("--nodes and --target both say which nodes there are; name one", ExitCode.BAD_INPUT)
    if as_page:
        typer.echo(arithmetic_page([_sums(name) for name in (one_stack(stack, None), after) if name]), nl=False)
        return
    kubectl = _kubectl(target) if target else None
    room = described_nodes(nodes) if nodes else read_nodes(kubectl) if kubectl else ()
    found = [_capacity(name, room, kubectl) for name in (one_stack(stack, None), after) if name]
    if as_json:
        typer.echo(json.dumps([as_document(each) for each in found], indent=2))
    else:
        typer.echo("\n\n".join(as_text(each) for each in found))
    if lacking := [each.stack for each in found if not each.suffices]:
        raise CommandError(f"no room for {', '.join(lacking)}; add nodes or lower what is short above")


def _sums(stack: str) -> tuple[str, PlatformSettings, StackLoad]:
    platform = read_platform(workspace().stack_file(stack))
    return stack, platform, stack_load(record(stack, platform).objects)


def _capacity(stack: str, nodes: tuple[ClusterNode, ...], kubectl: Kubectl | None) -> Capacity:
    _, platform, load = _sums(stack)
    quotas = kubectl.items("resourcequota", platform.namespace) if kubectl else ()
    return capacity_of(stack, platform, load, nodes, quotas)


def _kubectl(target: str) -> Kubectl:
    here = workspace()
    chosen = choose_target(here, target)
    _, toolbox = open_cluster(here, chosen, report)
    return Kubectl(toolbox.path("kubectl"), chosen.kubeconfig or here.kubeconfig(chosen.name))
