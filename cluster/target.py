"""Which cluster a command works on: a choice that can be read, tested and printed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterRequestError

SIM = "sim"
NODE = "node"
K3D = "k3d"
KUBECONFIG = "kubeconfig"
TARGETS = (SIM, NODE, K3D, KUBECONFIG)


@dataclass(frozen=True)
class Target:
    """The chosen cluster.

    Attributes:
        name: one of `TARGETS`.
        reason: why this one, as the end of a sentence.
        kubeconfig: the user's own file, for the target `kubeconfig` only.
    """

    name: str
    reason: str
    kubeconfig: Path | None = None

    @property
    def runs_containers(self) -> bool:
        """True if pods are processes here, such as operators that answer admission webhooks."""
        return self.name != SIM

    @property
    def belongs_to_checkout(self) -> bool:
        """True if only this checkout starts, uses and ends the cluster, so that there is no prompt before a change."""
        return self.name in {SIM, NODE}

    def __str__(self) -> str:
        """Return the choice and its reason as a sentence."""
        return f"Target {self.name}: {self.reason}."


def choose_target(
    environment: Mapping[str, str],
    docker_answers: Callable[[], bool],
    *,
    target: str | None = None,
) -> Target:
    """Choose the cluster to work on.

    In this order: the target that was named; the file that KUBECONFIG names; k3d where a Docker engine answers;
    else the simulated cluster. The file ~/.kube/config is never taken unless it is named, because whatever it
    points at today could be a production cluster.

    Args:
        environment: TARGET and KUBECONFIG are read from it.
        docker_answers: asked only if nothing was named.
        target: wins over TARGET.

    Raises:
        ClusterRequestError: if the target is unknown, or if the kubeconfig is not there.
    """
    named = target or environment.get("TARGET", "")
    if named:
        return _named_target(named, "--target" if target else "TARGET", environment)
    if environment.get("KUBECONFIG"):
        return _kubeconfig_target(environment)
    if docker_answers():
        return Target(K3D, "no target and no kubeconfig is named, and a Docker engine answers")
    return Target(SIM, "no target and no kubeconfig is named, and no Docker engine answers")


def _named_target(name: str, source: str, environment: Mapping[str, str]) -> Target:
    if name not in TARGETS:
        raise ClusterRequestError(f"{source} is {name!r}; it must be one of: {', '.join(TARGETS)}.")
    if name == KUBECONFIG:
        return _kubeconfig_target(environment)
    return Target(name, f"{source} names it")


def _kubeconfig_target(environment: Mapping[str, str]) -> Target:
    path = _only_file(environment.get("KUBECONFIG", ""))
    if not path.is_file():
        message = (
            f"The kubeconfig {path}, named by KUBECONFIG, does not exist. Correct the path, "
            "or unset KUBECONFIG to use k3d or the simulated cluster."
        )
        raise ClusterRequestError(message)
    return Target(KUBECONFIG, f"KUBECONFIG names {path}", path)


def _only_file(value: str) -> Path:
    files = [entry for entry in value.split(os.pathsep) if entry]
    if not files:
        message = "The target kubeconfig needs a file. Name it in the environment: KUBECONFIG=FILE."
        raise ClusterRequestError(message)
    if len(files) > 1:
        message = (
            f"KUBECONFIG names {len(files)} files, and which cluster they add up to is easily misread. "
            "Name one file; make it with: kubectl config view --minify --flatten."
        )
        raise ClusterRequestError(message)
    return Path(files[0]).expanduser()
