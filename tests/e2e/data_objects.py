"""Objects with data in a project's cluster, who uses them, and changes to alpha's stack file."""

import re
from typing import Any

from tests.e2e.conftest import Project

STATEFUL = "clusters.postgresql.cnpg.io,databases.postgresql.cnpg.io,statefulsets,persistentvolumeclaims"
STORE_PODS = re.compile(r"(redis|nats)-\d+")
"""Of the servers, and not of a dump whose time has just come."""


def identities(project: Project) -> dict[str, str]:
    """UID of every object with data, by kind and name."""
    found = project.objects(STATEFUL, "alt-las")
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in found}


def change(project: Project, old: str, new: str) -> str:
    """Change alpha's stack file in one place and return what it was."""
    path = project.stack_file("alpha")
    original = path.read_text()
    assert original.count(old) >= 1, old
    path.write_text(original.replace(old, new, 1))
    return original


def generations(project: Project) -> dict[str, str]:
    """Which Secret each Deployment's pods read, by the Deployment's name."""
    found = {}
    for each in project.objects("deployments", "alt-las"):
        container = each["spec"]["template"]["spec"]["containers"][0]
        names = [source["secretRef"]["name"] for source in container.get("envFrom", ()) if "secretRef" in source]
        found[each["metadata"]["name"]] = ",".join(names)
    return found


def pods_of_stores(project: Project) -> dict[str, str]:
    """UID of every server's pod."""
    pods = project.objects("pods", "alt-las")
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods if STORE_PODS.fullmatch(p["metadata"]["name"])}


def data_of(project: Project, name: str) -> dict[str, str]:
    """Content of a Secret, as the API server gives it."""
    (found,) = (each for each in project.objects("secrets", "alt-las") if each["metadata"]["name"] == name)
    content: dict[str, str] = found["data"]
    return content


def redis_pods(project: Project) -> list[dict[str, Any]]:
    """The servers of Redis."""
    pods = project.objects("pods", "alt-las")
    return [
        p for p in pods if STORE_PODS.fullmatch(p["metadata"]["name"]) and p["metadata"]["name"].startswith("redis-")
    ]
