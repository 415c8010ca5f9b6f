"""Growth of time and memory with the platform: `python -m benchmarks.growth`.

The platform of alpha, and the services and routes of further namespaces beside it, up to about 2,000 objects: an update
until all is ready, a preview without changes, and the removal, each once for every size, on one simulated cluster. For
each job the exponent b of `seconds ~ objects ** b` is printed, fitted over all sizes and between the two largest; and
the largest memory of one process so far, so sizes ascend. Owns the program that is that large. Does not own the
platform, nor a comparison with other tools (benchmarks.platform).
"""

import argparse
import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from altlas.session.kubectl import Kubectl
from benchmarks.contenders import Ours
from benchmarks.platform import STACK, prepared_cluster

COPIES = (0, 8, 20, 43)
"""Further namespaces of each size; one has 42 objects, so these are 180, 516, 1,020 and 1,986 objects."""

_VARIABLE = "ALT_LAS_BENCHMARK_COPIES"
_PROGRAM = f"""
import os
from dataclasses import replace

for number in range(int(os.environ["{_VARIABLE}"])):
    route = settings.ingress.model_copy(update={{"host": f"copy-{{number}}.{{settings.ingress.host}}"}})
    part = settings.model_copy(update={{"namespace": f"{{settings.namespace}}-{{number}}", "ingress": route}})
    space = platform.PlatformNamespace(f"copy-{{number}}", platform.NamespaceArgs.of(part), opts)
    near = Surroundings.of(part, space.resource, stack_graph(SERVICES, part))
    own = service_args(
        SERVICES, replace(stack, platform=part), near, stores=stores.environment, images=images, telemetry_endpoint=None
    )
    for service in SERVICES:
        service(f"copy-{{number}}-{{service.service_name}}", own[service.service_name], opts)
    platform.PlatformIngress(f"copy-{{number}}-ingress", platform.IngressArgs.of(part, near, ports), opts)
"""
JOBS: Mapping[str, Callable[[Ours], None]] = {
    "up until ready": Ours.create,
    "nothing to change": Ours.no_change,
    "remove all": Ours.destroy,
}
"""Timed jobs in their order, by their names in the table."""


_NODE = {"cpu": "200", "memory": "400Gi", "pods": "500"}
"""Capacity of a node: the largest size has some 470 pods, which three simulated nodes as they are do not hold."""


def enlarge_nodes(kubectl: Kubectl) -> None:
    """Let the simulated nodes hold the largest size."""
    patch = json.dumps({"status": {"capacity": _NODE, "allocatable": _NODE}})
    for node in kubectl.items("nodes", ""):
        kubectl.text(
            "patch", "node", node["metadata"]["name"], "--subresource=status", "--type=merge", f"--patch={patch}"
        )


def enlarge(root: Path) -> None:
    """Let a copy of the program make further namespaces, as many as the environment says."""
    main = root / "__main__.py"
    main.write_text(main.read_text("utf-8") + _PROGRAM, "utf-8")


def exponent(objects: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope b of the line through the logarithms: `seconds ~ objects ** b`."""
    return statistics.linear_regression([*map(math.log, objects)], [*map(math.log, seconds)]).slope


def table(objects: Sequence[int], seconds: Mapping[str, Sequence[float]], memory: Sequence[int]) -> Iterator[str]:
    """A line for each job, and one for memory in MiB."""
    yield f"{'objects':<18}" + "".join(f"{count:>9}" for count in objects) + "  b, all  b, last two"
    for job, taken in seconds.items():
        fits = f"{exponent(objects, taken):8.2f}{exponent(objects[-2:], taken[-2:]):10.2f}" if len(objects) > 1 else ""
        yield f"{job:<18}" + "".join(f"{each:7.1f} s" for each in taken) + fits
    yield f"{'largest process':<18}" + "".join(f"{each:5d} MiB" for each in memory)


def main() -> None:
    """Measure each size on one simulated cluster and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, nargs="+", default=COPIES, help="further namespaces, ascending")
    copies = parser.parse_args().copies
    objects: list[int] = []
    memory: list[int] = []
    seconds: dict[str, list[float]] = {job: [] for job in JOBS}
    with prepared_cluster() as (session, root):
        enlarge(root)
        enlarge_nodes(session.kubectl)
        ours = Ours(session, STACK, session.workspace.stack_file(STACK), "altlas")
        for number in copies:
            os.environ[_VARIABLE] = str(number)
            for job, do in JOBS.items():
                begun = time.perf_counter()
                do(ours)
                seconds[job].append(time.perf_counter() - begun)
                print(f"{number} further namespaces, {job}: {seconds[job][-1]:.1f} s", file=sys.stderr)
                if do is Ours.create:
                    resources = session.engine.exported_state(STACK)["deployment"]["resources"]
                    objects.append(sum(one["type"].startswith("kubernetes:") for one in resources))
            most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            memory.append(most // 1024)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, one run")
    print("\n".join(table(objects, seconds, memory)))


if __name__ == "__main__":
    main()
