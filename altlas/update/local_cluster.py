"""Preparation of a cluster on this machine, k3d or real nodes, for a stack: images, and where its API server is.

Owns what of that goes into the stack file. Does not own the builds (altlas.images.local) nor the clusters
(cluster.k3d, cluster.node).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from altlas.images.local import LocalBuild, Runner, build_images
from altlas.preflight.network import api_server_places
from altlas.session.console import Report
from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session, open_cluster
from altlas.update.missing_images import leave_out_missing
from cluster.k3d import K3dCluster, run_command
from cluster.node.node_cluster import NodeCluster
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY

_ADDRESSES = f"{PLATFORM_KEY}.egress.apiServerAddresses"
_BUILD_SECONDS = 1800


def prepared(session: Session, stack: str, builds: Sequence[LocalBuild], report: Report) -> PlatformSettings:
    """Prepare the local cluster of a session and return the settings of the stack, which may have changed.

    Args:
        session: Session on a running k3d cluster or on real nodes.
        stack: The stack, which the backend knows.
        builds: Images that no registry has, for k3d; real nodes have a registry with stand-ins of all.
        report: Prints progress.

    Raises:
        ClusterError: A build or an import failed; holds its output.
        CommandError: The cluster does not answer, or the stack file cannot be written.
    """
    opened, _ = open_cluster(session.workspace, session.target, report)
    if isinstance(opened, K3dCluster):
        bring_images(opened, builds, partial(run_command, seconds=_BUILD_SECONDS), report)
    if isinstance(opened, NodeCluster):
        opened.push_images()
        leave_out_missing(session.engine, stack, session.workspace.stack_file(stack), report)
    return with_addresses(session.kubectl, session.engine, stack, session.workspace.stack_file(stack), report)


def bring_images(cluster: K3dCluster, builds: Sequence[LocalBuild], run: Runner, report: Report) -> None:
    """Build images and put them onto the cluster's nodes.

    Raises:
        ClusterError: A build or the import failed; holds its output.
    """
    new = cluster.import_images(build_images(builds, run, report))
    if new:
        report(
            f"Put onto the nodes of the k3d cluster: {', '.join(new)}. Pods that run an earlier build under the same "
            "name keep it until they are replaced (kubectl rollout restart)."
        )


def with_addresses(kubectl: Kubectl, engine: Engine, stack: str, stack_file: Path, report: Report) -> PlatformSettings:
    """Settings of a stack that name the addresses of this cluster's API server; written where they differ.

    Nodes of k3d get other addresses whenever Docker starts them, and network policies judge those of the nodes.

    Raises:
        CommandError: The cluster does not answer, or the stack file cannot be written.
    """
    platform = read_platform(stack_file)
    found = tuple(sorted({address for address, _ in api_server_places(kubectl)}))
    if not found or {*found} == {*platform.egress.api_server_addresses}:
        return platform
    # Address by address, because the engine knows no other way to write a list.
    engine.capture("config", "rm", "--stack", stack, "--path", _ADDRESSES)
    for index, address in enumerate(found):
        engine.capture("config", "set", "--stack", stack, "--path", f"{_ADDRESSES}[{index}]", address)
    report(f"Wrote egress.apiServerAddresses [{', '.join(found)}] into {stack_file.name}: this cluster's API server.")
    return read_platform(stack_file)
