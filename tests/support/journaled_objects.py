"""ConfigMaps on a simulated cluster, made and changed by a small project whose updates are journaled."""

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.kubernetes.object import PROVIDER_VERSION
from tests.support.journaled import Project, make
from tests.support.own_cluster import NAMESPACE, OwnCluster, own_cluster

Wanted = Mapping[str, tuple[str, int]]
"""Objects by logical name: object name, value."""

# As in the program of the platform, a deletion whose event was missed is looked at again early.
_PROGRAM = """
import json
from pathlib import Path
import pulumi

wanted = json.loads((Path(__file__).parent / "wanted.json").read_text())
before = None
for name, (object_name, value) in wanted.items():
    options = pulumi.ResourceOptions(
        depends_on=[before] if before and value % 3 == 0 else [],
        custom_timeouts=pulumi.CustomTimeouts(delete="20s"),
        version="VERSION",
    )
    properties = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"value": str(value)},
        "metadata": {"name": object_name, "namespace": "alt-las", "labels": {"made-by": "test"}},
    }
    before = pulumi.CustomResource("kubernetes:core/v1:ConfigMap", name, properties, options)
"""


@contextmanager
def cluster_with_namespace(folder: Path) -> Iterator[OwnCluster]:
    """A simulated cluster with the namespace until the end of the block."""
    with own_cluster(folder) as made:
        made.run("create", "namespace", NAMESPACE)
        yield made


def objects_project(folder: Path, kubeconfig: Path) -> Project:
    """A project that makes what wanted.json asks for."""
    return make(folder, _PROGRAM.replace("VERSION", PROVIDER_VERSION), KUBECONFIG=str(kubeconfig), PULUMI_PARALLEL="4")


def config_map(name: str, value: int) -> dict[str, Any]:
    """An object as the program makes it."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"made-by": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": str(value)}, "metadata": metadata}


def wanted_objects(chance: random.Random, count: int) -> Wanted:
    """Four in five of so many objects, with new values. Half of them have their value in their name."""
    wanted = {}
    for number in range(count):
        name, value = f"object-{number}", chance.randrange(3)
        if chance.random() < 0.8:
            wanted[name] = (f"{name}-{value}" if number % 2 else name, value)
    return wanted


def found_objects(cluster: OwnCluster) -> dict[str, str]:
    """Names and values of the objects on the cluster."""
    listed = json.loads(cluster.run("get", "configmaps", "--selector=made-by=test", "--output=json"))
    return {one["metadata"]["name"]: one["data"]["value"] for one in listed["items"]}


def as_found(wanted: Wanted) -> dict[str, str]:
    """Result of `found_objects` when all is as wanted."""
    return {name: str(value) for name, value in wanted.values()}
