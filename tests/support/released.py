"""Cluster of a project while something is released on it: what a release changes, and what another writer does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.conftest import Project


def redis_memory(project: Project) -> str:
    """Memory of Redis in the ConfigMap that its pods mount."""
    (redis,) = (each for each in project.objects("statefulsets", "alt-las") if each["metadata"]["name"] == "redis")
    volumes = redis["spec"]["template"]["spec"]["volumes"]
    (name,) = (each["configMap"]["name"] for each in volumes if each["name"] == "configuration")
    maps = {each["metadata"]["name"]: each for each in project.objects("configmaps", "alt-las")}
    configuration: str = maps[name]["data"]["redis.conf"]
    return next(line for line in configuration.splitlines() if line.startswith("maxmemory "))


def runner(project: Project) -> dict[str, Any]:
    """Container of the runner-service."""
    (found,) = (
        each for each in project.objects("deployments", "alt-las") if each["metadata"]["name"] == "runner-service"
    )
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return dict(container)


def runner_secret(project: Project) -> dict[str, str]:
    """Content of the Secret that the runner-service reads."""
    (name,) = (each["secretRef"]["name"] for each in runner(project)["envFrom"] if "secretRef" in each)
    found = {each["metadata"]["name"]: each for each in project.objects("secrets", "alt-las")}
    data: dict[str, str] = found[name]["data"]
    return data


def versions(project: Project) -> dict[str, str]:
    """Versions of all objects with a specification in the namespace of alpha, by kind and name."""
    kinds = "configmaps,deployments,networkpolicies,persistentvolumeclaims,poddisruptionbudgets,roles,rolebindings"
    found = project.objects(
        f"{kinds},secrets,serviceaccounts,services,statefulsets,clusters.postgresql.cnpg.io", "alt-las"
    )
    assert len(found) >= 60
    return {f"{each['kind']} {each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in found}


@contextmanager
def changed_by(project: Project, name: str) -> Iterator[list[dict[str, str]]]:
    """Changes of another writer on the cluster of alpha, as a rehearsal says them; taken back at the end."""
    note = ("annotate", "service", "api-gateway", "--namespace", "alt-las")
    made = ("configmap", "notes", "--namespace", "alt-las")
    for written in ((*note, "note=mine"), ("create", *made, "--from-literal=a=b")):
        done = project.kubectl(*written, f"--field-manager={name}")
        assert done.code == 0, done.text
    changes = (("Service api-gateway", "changed metadata.annotations.note"), ("ConfigMap notes", "created"))
    try:
        yield [{"object": each, "what": what, "writer": name, "problem": ""} for each, what in changes]
    finally:
        for removed in ((*note, "note-"), ("delete", *made)):
            done = project.kubectl(*removed)
            assert done.code == 0, done.text
