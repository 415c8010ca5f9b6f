"""The commands `altlas check ...`: the policies, over the rendered objects of stacks.

Each starts a module of the package `policy` as a process, because neither `altlas` nor `policy` imports the other. The
stack files are those of the checkout that ALT_LAS_ROOT names, as for all commands; program and rules are this one's.
"""

import subprocess
import sys
from typing import Annotated

import typer

from altlas.commands.lazy import command_group
from altlas.session.console import workspace
from rendering.root import ROOT

app = command_group(help="Check stacks against the policies.")

_Stacks = Annotated[list[str] | None, typer.Argument(metavar="STACK", help="Stacks to check; all without any.")]


@app.command()
def rules(stacks: _Stacks = None) -> None:
    """Check the rendered objects of a stack against every policy rule."""
    _run("policy.rules", stacks)


@app.command()
def prove(stacks: _Stacks = None) -> None:
    """Prove that the NetworkPolicies of a stack allow exactly the declared traffic."""
    _run("policy.prove", stacks)


@app.command()
def matrix(stacks: _Stacks = None) -> None:
    """Print the hardening matrix: one question per row, one workload per column."""
    _run("policy.matrix", stacks)


@app.command()
def scan(stacks: _Stacks = None) -> None:
    """Run the scanners (Trivy, Checkov, kube-score, kubeconform ...) over stacks, workflows and packages."""
    _run("policy.scan", stacks)


def _run(module: str, stacks: list[str] | None) -> None:
    workspace()
    command = [sys.executable, "-m", module, *(stacks or ())]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, check=False).returncode)
