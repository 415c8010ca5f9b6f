"""Session of a command: checkout, programs, chosen cluster and engine.

Owns the choice of the cluster. Does not own what a command does with it.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cluster
import tools
from altlas.session.console import Report
from altlas.session.engine import Engine
from altlas.session.environment import environment
from altlas.session.kubectl import Kubectl
from altlas.session.workspace import Workspace
from components.stack.docker_engine import docker_answers
from rendering.errors import CommandError, ExitCode

DEPLOYING_PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes", "kubectl")
"""Programs that every target needs."""


_NOT_PINNED = {
    "k3d": "install 5.8 or newer (https://k3d.io, or `go install github.com/k3d-io/k3d/v5@v5.8.3`)",
}
"""Programs that people install themselves, with the way to get each."""


@dataclass(frozen=True)
class Session:
    """A checkout with its programs and its cluster.

    Attributes:
        workspace: The checkout.
        target: The chosen cluster.
        kubectl: Access to the cluster.
        engine: Runs Pulumi against it.
    """

    workspace: Workspace
    target: cluster.Target
    kubectl: Kubectl
    engine: Engine


def choose_target(workspace: Workspace, target: str | None = None) -> cluster.Target:
    """Choose the cluster to work on.

    Raises:
        CommandError: The named target is unknown or not available.
    """
    outside = dict(os.environ)
    if outside.get("KUBECONFIG") == str(workspace.kubeconfig("sim")):
        # Set by `altlas env`: it is this command's own cluster, not one of the user.
        del outside["KUBECONFIG"]
    return cluster.choose_target(outside, lambda: docker_answers(outside), target=target)


def open_cluster(workspace: Workspace, target: cluster.Target, report: Report) -> tuple[cluster.Cluster, tools.Toolbox]:
    """The cluster of a target, not started, and the programs to work with it.

    Raises:
        CommandError: A program that this project does not pin is not installed.
        ToolsError: A pinned one cannot be had.
    """
    required = cluster.required_programs(target)
    own = {name: _installed(name) for name in required if name in _NOT_PINNED}
    toolbox = tools.ensure((*DEPLOYING_PROGRAMS, *(name for name in required if name not in own)))
    programs = own | {name: toolbox.path(name) for name in required if name not in own}
    return cluster.open_target(target, workspace.private, programs, report), toolbox


def _installed(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise CommandError(
            f"{name} is not installed, and this project does not bring it; {_NOT_PINNED[name]}, or choose the "
            "simulated cluster: TARGET=sim",
            ExitCode.NO_TOOLS,
        )
    return Path(found)


def start_session(workspace: Workspace, target: cluster.Target, report: Report) -> Session:
    """A session with a running cluster: programs, cluster and environment for Pulumi."""
    opened, toolbox = open_cluster(workspace, target, report)
    return _session(workspace, target, toolbox, opened.up())


def engine_session(workspace: Workspace, target: cluster.Target, report: Report) -> Session:
    """A session without starting the cluster."""
    _, toolbox = open_cluster(workspace, target, report)
    return _session(workspace, target, toolbox, target.kubeconfig or workspace.kubeconfig(target.name))


def reading_kubectl(workspace: Workspace, target: cluster.Target, report: Report) -> Kubectl:
    """Access to a cluster without starting it, for commands that only read."""
    _, toolbox = open_cluster(workspace, target, report)
    return _kubectl(target, toolbox, target.kubeconfig or workspace.kubeconfig(target.name))


def _kubectl(target: cluster.Target, toolbox: tools.Toolbox, kubeconfig: Path) -> Kubectl:
    return Kubectl(toolbox.path("kubectl"), kubeconfig, target=target.name)


def _session(workspace: Workspace, target: cluster.Target, toolbox: tools.Toolbox, kubeconfig: Path) -> Session:
    variables = environment(workspace, toolbox, target, kubeconfig, os.environ)
    return Session(workspace, target, _kubectl(target, toolbox, kubeconfig), Engine(workspace.root, variables))
