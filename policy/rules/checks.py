"""Turns questions about one container or one pod into checks of whole manifests."""

from collections.abc import Callable, Iterator

from policy.manifests import Container, Manifest, Pod, pod_of
from policy.operator_pods import described_container
from policy.rules.base import Finding, ObjectCheck, Parameters

Problem = tuple[str, str]
"""Path and what is wrong there. For containers the path starts below the container."""


def each_pod(check: Callable[[Pod], Iterator[Problem]]) -> ObjectCheck:
    """A check of every object that makes pods; paths start at the object."""

    def of_object(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
        pod = pod_of(manifest)
        if pod is not None:
            for path, problem in check(pod):
                yield Finding(manifest, path, problem)

    return of_object


def each_container(check: Callable[[Container], Iterator[Problem]]) -> ObjectCheck:
    """A check of every container of every object that makes pods, init and ephemeral containers included."""

    def of_pod(pod: Pod) -> Iterator[Problem]:
        for container in pod.containers:
            for path, problem in check(container):
                yield f"{container.path}.{path}", problem

    return each_pod(of_pod)


def each_described_container(check: Callable[[Container], Iterator[Problem]]) -> ObjectCheck:
    """The same, and of what custom resources say of the containers that an operator makes of them."""
    of_containers = each_container(check)

    def of_object(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
        yield from of_containers(manifest, parameters)
        described = described_container(manifest)
        if described:
            for path, problem in check(described):
                yield Finding(manifest, f"{described.path}.{path}", problem)

    return of_object


def each_security_context(check: Callable[[Manifest], Iterator[Problem]]) -> ObjectCheck:
    """A check of the security context of every pod and of every container; paths start below it."""

    def of_pod(pod: Pod) -> Iterator[Problem]:
        owners = [(pod.path, pod.spec), *((container.path, container.spec) for container in pod.containers)]
        for owner, spec in owners:
            for path, problem in check(spec.get("securityContext") or {}):
                yield f"{owner}.securityContext.{path}", problem

    return each_pod(of_pod)
