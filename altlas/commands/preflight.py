"""The command `altlas preflight`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from altlas.commands.options import JsonOption, StackArgument, StackOption, TargetOption, one_stack
from altlas.preflight.check import Check, answered, require
from altlas.preflight.enforcement import enforcement
from altlas.preflight.run import checks, is_simulated
from altlas.session.console import report, workspace
from altlas.session.kubectl import Kubectl
from altlas.session.session import choose_target, reading_kubectl
from altlas.session.table import table_text
from altlas.update.preflight import check_cluster
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY, SettingsError

ProbeOption = Annotated[
    bool,
    typer.Option(
        "--probe", help="Start two short-lived pods in a namespace of their own: one that a policy denies everything."
    ),
]


def preflight(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    probe: ProbeOption = False,
) -> None:
    """Check whether a cluster can take a stack: one line per check, with its cure. Changes nothing without --probe.

    Reads metadata, and pull Secrets for the registries. Ends with 2 or 4 if a check failed: the settings or the cluster
    must be corrected. An installed network plugin is no proof that it enforces policies.
    """
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    chosen = choose_target(here, target)
    report(str(chosen))
    kubectl = reading_kubectl(here, chosen, report)
    found = [*checks(kubectl, name, platform), *_crds_and_namespace(kubectl, name, platform)]
    found += _probed(kubectl, platform) if probe else ()
    if as_json:
        documents = [{**asdict(each), "code": int(each.code)} for each in found]
        typer.echo(json.dumps({"stack": name, "checks": documents}, indent=2))
    else:
        rows = [(each.state, each.name, f"{each.found}; {each.cure}" if each.cure else each.found) for each in found]
        typer.echo(table_text(("STATE", "CHECK", "FOUND AND CURE"), rows))
    require(found)


def _probed(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    name = "policy enforcement"
    if is_simulated(kubectl):
        yield Check(name=name, state="unknown", found="nodes are simulated, so no pod connects to anything")
    else:
        yield from answered(name, lambda: enforcement(kubectl, platform))


def _crds_and_namespace(kubectl: Kubectl, stack: str, platform: PlatformSettings) -> list[Check]:
    try:
        check_cluster(kubectl, stack, platform)
    except SettingsError as error:
        return [
            Check(
                name=each.path.removeprefix(f"{PLATFORM_KEY}."),
                state="failed",
                found=each.message.partition("; ")[0],
                cure=each.message.partition("; ")[2],
            )
            for each in error.problems
        ]
    return [
        Check(name="CRDs and namespace", state="ok", found="all CRDs exist, and the namespace is free or the stack's")
    ]
