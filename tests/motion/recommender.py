"""The real recommender of VerticalPodAutoscaler, which reads the metrics API of a simulated cluster.

Owns the process and its CRDs. Does not own the usage that it reads (`tests.motion.usage`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tools
from cluster.ports import choose_free_port
from tests.e2e.conftest import Project
from tests.motion.node_autoscaler import apply
from tests.support.custom_resources import DEFINITIONS, wait_until_served
from tests.support.loopback import Process

PROGRAM = "vpa-recommender"
_CRDS, _KIND = "vpa-v1-crd-gen.yaml", "verticalpodautoscalers.autoscaling.k8s.io"
LEAST = 10
"""Mi that it recommends without any usage; its default of 250 would hide small usage."""

_OPTIONS = ("--recommender-interval=5s", f"--pod-recommendation-min-memory-mb={LEAST}")


@contextmanager
def recommender(project: Project, folder: Path) -> Iterator[Process]:
    """The recommender with its CRDs, until the block ends."""
    program = Path(tools.ensure([PROGRAM]).path(PROGRAM))
    apply(project, program.parent / _CRDS)
    wait_until_served(lambda: project.objects(DEFINITIONS, "default"))
    where = (f"--kubeconfig={project.variables()['KUBECONFIG']}", f"--address=127.0.0.1:{choose_free_port(())}")
    made = Process((str(program), *where, *_OPTIONS), folder, PROGRAM)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def recommended(project: Project, namespace: str) -> list[float]:
    """Memory that is recommended for each container of a stack, in Mi."""
    found = project.objects(_KIND, namespace)
    status = [each.get("status", {}).get("recommendation", {}) for each in found]
    targets = [
        container["target"]["memory"] for each in status for container in each.get("containerRecommendations", ())
    ]
    return [_bytes(each) / 2**20 for each in targets]


def _bytes(quantity: str) -> int:
    """Bytes of a quantity in one of the forms that the recommender writes."""
    found = re.fullmatch(r"(\d+)(\D*)", quantity)
    assert found, quantity
    return int(found[1]) * {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 2**10, "Mi": 2**20}[found[2]]
