"""Karpenter's real controllers, which add and remove simulated nodes: its own provider for that creates the nodes.

Owns the provider's sizes of machines and its NodePool. Does not own what the nodes do: kwok plays them as the others.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

import tools
from cluster.nodes import ZONES
from cluster.ports import choose_free_port
from components.kubernetes.naming import ZONE
from tests.e2e.conftest import Project
from tests.motion.recording import Recording
from tests.support.loopback import Process, wait_until

PROGRAM = "karpenter-kwok"
_POOL = "karpenter.sh/nodepool"
_CAPACITY = "karpenter.sh/capacity-type"
_SIZES = (4, 8)
"""Cores of the machines that can be had, with 4 GiB each."""

_CONSOLIDATE_AFTER = "5s"
_CRDS = (
    "karpenter.sh_nodepools",
    "karpenter.sh_nodeclaims",
    "karpenter.sh_nodeoverlays",
    "karpenter.kwok.sh_kwoknodeclasses",
)


@contextmanager
def node_autoscaler(project: Project, folder: Path) -> Iterator[Process]:
    """Karpenter with one NodePool for all zones, until the block ends."""
    program = Path(tools.ensure([PROGRAM]).path(PROGRAM))
    for name in _CRDS:
        apply(project, program.parent / f"{name}.yaml")
    machines, pool = folder / "machines.json", folder / "pool.yaml"
    machines.write_text(json.dumps([_machine(cores) for cores in _SIZES]))
    pool.write_text(yaml.safe_dump_all(_pool()))
    environment = {"KUBECONFIG": project.variables()["KUBECONFIG"], "INSTANCE_TYPES_FILE_PATH": str(machines)}
    ports = (f"--metrics-port={(first := choose_free_port(()))}", f"--health-probe-port={choose_free_port((first,))}")
    made = Process((str(program), "--disable-leader-election", *ports), folder, PROGRAM, environment)
    made.start()
    try:
        wait_until(lambda: project.kubectl("get", "nodepools").code == 0, "the CRDs are served", 60)
        apply(project, pool)
        yield made
    finally:
        made.kill()


def added_nodes(recording: Recording) -> list[str]:
    """Nodes of the NodePool as they are now."""
    return [each["metadata"]["name"] for each in recording.nodes() if _POOL in each["metadata"]["labels"]]


def apply(project: Project, file: Path) -> None:
    """Apply a file, which must succeed."""
    done = project.kubectl("apply", "--server-side", "--filename", str(file))
    assert done.code == 0, done.text


def _machine(cores: int) -> dict[str, object]:
    return {
        "name": f"sim-{cores}",
        "architecture": "amd64",
        "operatingSystems": ["linux"],
        "resources": {"cpu": str(cores), "memory": f"{cores * 4}Gi", "ephemeral-storage": "200Gi", "pods": "110"},
        "offerings": [
            {
                "Price": cores / 100,
                "Available": True,
                "Requirements": [
                    {"key": _CAPACITY, "operator": "In", "values": ["on-demand"]},
                    {"key": ZONE, "operator": "In", "values": [zone]},
                ],
            }
            for zone in ZONES
        ],
    }


def _pool() -> tuple[dict[str, object], ...]:
    group, kind, name = "karpenter.kwok.sh", "KWOKNodeClass", {"name": "sim"}
    requirements = [{"key": _CAPACITY, "operator": "In", "values": ["on-demand"]}]
    reference = {"group": group, "kind": kind, **name}
    return (
        {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": name},
        {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "metadata": name,
            "spec": {
                "template": {"spec": {"requirements": requirements, "nodeClassRef": reference, "expireAfter": "Never"}},
                "limits": {"cpu": "200"},
                "disruption": {
                    "consolidationPolicy": "WhenEmptyOrUnderutilized",
                    "consolidateAfter": _CONSOLIDATE_AFTER,
                    "budgets": [{"nodes": "100%"}],
                },
            },
        },
    )
