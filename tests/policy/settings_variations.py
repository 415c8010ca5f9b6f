"""Makes other valid settings documents out of one: the control run of every gate."""

import copy
from random import Random
from typing import Any

from components.stack.loading import parse_platform
from policy.paths import write
from policy.quantities import amount

Document = dict[str, Any]
"""What stands below `alt-las:platform` in a stack file."""

_CALLS = (("ai-orchestrator", "segmentation-service"), ("ai-orchestrator", "runner-service"))
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535
_MOST_PODS = 7  # with more pods their connections would not fit the small database
_CPUS = ("50m", "100m", "0.25", "500m", "1", "2", "4")
_MEMORY = ("512Mi", "768Mi", "1Gi", "2Gi", "4Gi")


def repeatable(seed: int) -> Random:
    """A source of choices that are the same in every run. Never for secrets."""
    return Random(seed)  # noqa: S311  # repeatable on purpose


def with_digests(document: Document, chance: Random) -> Document:
    """The same document with every image held to a digest, those that it leaves to the defaults included."""
    changed = copy.deepcopy(document)
    for path, image in parse_platform(document).images():
        digest = "sha256:" + "".join(chance.choices("0123456789abcdef", k=64))
        write(changed, path, {"repository": image.repository, "tag": image.tag, "digest": digest})
    return changed


def variation(document: Document, chance: Random) -> Document:
    """Another document that is valid if the given one is."""
    changed = with_digests(document, chance) if chance.random() < 1 / 2 else copy.deepcopy(document)
    write(changed, "namespace", f"stack-{chance.randrange(10**6)}")
    write(changed, "ingress.host", f"host-{chance.randrange(10**6)}.example.com")
    if chance.random() < 1 / 2:
        write(changed, "ingress.controllerNamespace", chance.choice(("traefik", "ingress", "edge")))
    calls = chance.sample(_CALLS, chance.randrange(len(_CALLS) + 1))
    write(changed, "additionalCalls", [{"caller": caller, "callee": callee} for caller, callee in calls])
    write(changed, "autoscaling.cpuUtilizationPercent", chance.randint(20, 95))
    # Enough for the largest scale that any variation has.
    changed["postgres"]["parameters"] |= {"maxConnections": 500, "workMemMebibytes": 1}
    ports = chance.sample(range(_LOWEST_PORT, _HIGHEST_PORT), len(changed["services"]))
    for port, service in zip(ports, changed["services"].values(), strict=True):
        _vary_service(service, port, chance)
    return changed


def _vary_service(service: Document, port: int, chance: Random) -> None:
    service["port"] = port
    service["runAsUser"] = chance.randint(1000, 2**31 - 1)
    service["image"]["tag"] = f"{chance.randrange(9)}.{chance.randrange(99)}.{chance.randrange(99)}"
    service["shutdown"] = {"preStopSleepSeconds": (sleep := chance.randint(1, 20)), "gracePeriodSeconds": sleep + 30}
    service["resources"] = {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": chance.choice(_CPUS), "memory": chance.choice(_MEMORY)},
    }
    if "highMemoryThresholdMebibytes" in service:
        limit = int(amount(service["resources"]["limits"]["memory"]) / 2**20)
        service["memoryThresholdMebibytes"], service["highMemoryThresholdMebibytes"] = limit // 4, limit // 2
    if chance.random() < 1 / 2:
        service.pop("autoscaling", None)
        service["replicas"] = chance.randint(1, _MOST_PODS)
    else:
        service.pop("replicas", None)
        fewest = chance.randint(1, _MOST_PODS)
        service["autoscaling"] = {"minReplicas": fewest, "maxReplicas": chance.randint(fewest, _MOST_PODS)}
