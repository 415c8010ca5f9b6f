"""Rules for requests, limits and probes of containers."""

from collections.abc import Iterator

from policy.manifests import LONG_RUNNING, Container, Manifest, kind_of, pod_of
from policy.paths import read
from policy.quantities import amount
from policy.rules.base import Finding, ObjectCheck, ObjectRule, Parameters
from policy.rules.checks import Problem, each_described_container

_RESOURCES = ("cpu", "memory")


def _missing(container: Container, which: str) -> Iterator[Problem]:
    if container.role == "ephemeralContainers":
        return  # the API server refuses resources on these
    for resource in _RESOURCES:
        path = f"resources.{which}.{resource}"
        value = read(container.spec, path)
        if value is None:
            yield path, "is not set"
        elif not _is_positive(value):
            yield path, f"is {value}"


def _is_positive(value: object) -> bool:
    try:
        return amount(value) > 0
    except ValueError:
        return False


def _without_requests(container: Container) -> Iterator[Problem]:
    yield from _missing(container, "requests")


def _without_limits(container: Container) -> Iterator[Problem]:
    yield from _missing(container, "limits")


def _requests_above_limits(container: Container) -> Iterator[Problem]:
    limits = read(container.spec, "resources.limits", {})
    for resource, request in read(container.spec, "resources.requests", {}).items():
        limit = limits.get(resource)
        if limit is not None and _is_positive(limit) and _is_positive(request) and amount(request) > amount(limit):
            yield f"resources.requests.{resource}", f"is {request}, above the limit {limit}"


def _without(probe: str) -> ObjectCheck:
    def check(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
        pod = pod_of(manifest) if kind_of(manifest) in LONG_RUNNING else None
        for container in pod.containers if pod else ():
            if container.runs_with_the_pod and not container.spec.get(probe):
                yield Finding(manifest, f"{container.path}.{probe}", "is not set")

    return check


RULES = (
    ObjectRule(
        id="requests-are-set",
        title="Every container requests CPU and memory.",
        reason="The scheduler would put it on a full node, where it is the first to be evicted.",
        fix="set resources.requests.cpu and resources.requests.memory",
        check=each_described_container(_without_requests),
    ),
    ObjectRule(
        id="limits-are-set",
        title="Every container has limits for CPU and memory.",
        reason="One leak or one loop would starve every other pod of the node.",
        fix="set resources.limits.cpu and resources.limits.memory",
        check=each_described_container(_without_limits),
    ),
    ObjectRule(
        id="requests-fit-limits",
        title="No request is above its limit.",
        reason="The API server refuses the pods, so the rollout never ends.",
        fix="lower the request or raise the limit",
        check=each_described_container(_requests_above_limits),
    ),
    ObjectRule(
        id="readiness-is-probed",
        title="Every container of a long-running workload has a readiness probe.",
        reason="Requests would reach it before it can answer.",
        fix="set readinessProbe",
        check=_without("readinessProbe"),
    ),
    ObjectRule(
        id="liveness-is-probed",
        title="Every container of a long-running workload has a liveness probe.",
        reason="A process that hangs would never be restarted.",
        fix="set livenessProbe; it must not depend on other services",
        check=_without("livenessProbe"),
    ),
)
"""Rules about resources and probes."""
