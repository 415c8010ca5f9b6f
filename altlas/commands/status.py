"""The command `altlas status`."""

import typer

from altlas.commands.options import StackArgument, StackOption, TargetOption, one_stack
from altlas.session.console import report, workspace
from altlas.session.kubectl import Kubectl
from altlas.session.session import choose_target, open_cluster
from altlas.status.custom_resources import operated_statuses
from altlas.status.monitoring import monitoring_text
from altlas.status.rollout import pod_problems, workload_statuses
from altlas.status.table import workloads_text
from components.stack.loading import read_platform
from rendering.errors import CommandError


def status(stack: StackArgument = None, stack_option: StackOption = None, target: TargetOption = None) -> None:
    """Show what of a stack runs, which targets are down, which alerts fire, and how old the backups are.

    Ends with 1 if something is not ready, and says why.
    """
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    chosen = choose_target(here, target)
    _, toolbox = open_cluster(here, chosen, report)
    kubeconfig = chosen.kubeconfig or here.kubeconfig(chosen.name)
    kubectl = Kubectl(toolbox.path("kubectl"), kubeconfig)
    statuses = workload_statuses(kubectl, platform.namespace) + operated_statuses(kubectl, platform, chosen)
    typer.echo(workloads_text(name, platform, statuses, kubeconfig))
    typer.echo(monitoring_text(platform, chosen, kubectl))
    missing = platform.services.by_name().keys() - {each.name for each in statuses}
    missing |= {each.name for each in statuses if each.operated and not each.is_ready}
    if missing:
        problems = "".join(f"\n  {problem}" for problem in pod_problems(kubectl, platform.namespace))
        raise CommandError(f"not ready: {', '.join(sorted(missing))}{problems}")
