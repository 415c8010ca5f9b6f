"""The command `altlas status`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer

from altlas.commands.options import JsonOption, StackArgument, StackOption, TargetOption, one_stack
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, reading_kubectl
from altlas.status.monitoring import MonitoringStatus, monitoring_status, monitoring_text
from altlas.status.problems import problems, workload_problems
from altlas.status.rollout import WorkloadStatus
from altlas.status.stack_workloads import stack_statuses
from altlas.status.table import workloads_text
from components.stack.loading import read_platform
from rendering.errors import CommandError
from rendering.recorder import record


def status(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what runs of a stack, which targets are down, which alerts fire, and how old the backups are.

    Ends with 1 if something is not ready, and says why.
    """
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    chosen = choose_target(here, target)
    kubectl = reading_kubectl(here, chosen, report)
    objects = record(name, platform).objects
    statuses = stack_statuses(kubectl, platform, objects, operated=chosen.runs_containers)
    monitoring = monitoring_status(platform, chosen, kubectl)
    missing = {each.name for each in statuses if each.operated and not each.is_ready}
    if as_json:
        document = {"stack": name, "namespace": platform.namespace, "notReady": sorted(missing)}
        typer.echo(json.dumps({**document, **as_documents(statuses, monitoring)}, indent=2))
    else:
        typer.echo(workloads_text(name, platform, statuses, kubectl.kubeconfig))
        typer.echo(monitoring_text(monitoring, platform))
    if missing:
        reasons = (*workload_problems(statuses), *problems(kubectl, platform.namespace))
        text = "".join(f"\n  {reason}" for reason in reasons)
        raise CommandError(f"not ready: {', '.join(sorted(missing))}{text}")


def as_documents(statuses: Sequence[WorkloadStatus], monitoring: MonitoringStatus | str) -> dict[str, object]:
    """Workloads and monitoring for programs. A simulated operator's servers have no number of ready ones."""
    workloads = [
        {
            "name": each.name,
            "kind": each.kind,
            "image": each.image,
            "ready": each.ready if each.operated else None,
            "wanted": each.wanted,
            "nodes": each.nodes,
        }
        for each in statuses
    ]
    figures = {"unknown": monitoring} if isinstance(monitoring, str) else asdict(monitoring)
    return {"workloads": workloads, "monitoring": figures}
