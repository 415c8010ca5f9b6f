"""Places where a secret could stand in the open, and whether one does."""

import base64
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.settings.secrets import SECRETS
from components.stores.nats import objects as nats_objects
from components.stores.redis import objects as redis_objects
from tests.e2e.conftest import Project


def secret_values(project: Project) -> list[str]:
    """The generated secrets of alpha and the passwords that derive from them, in clear text."""
    values = json.loads(project.pulumi("config", "--stack", "alpha", "--json", "--show-secrets").out)
    generated = {secret.key: values[f"alt-las:{secret.key}"]["value"] for secret in SECRETS if secret.required}
    redis, nats = generated["redisInternalSecret"], generated["natsInternalSecret"]
    derived = {*redis_objects.internal_passwords(redis).values(), *nats_objects.internal_passwords(nats).values()}
    return [*generated.values(), *sorted(derived)]


def forms(value: str) -> set[bytes]:
    """Forms in which a value could be written."""
    plain = value.encode()
    return {plain, base64.b64encode(plain), base64.urlsafe_b64encode(plain), plain.hex().encode()}


def hits(values: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Places in which one of the values stands."""
    wanted = [form for value in values for form in forms(value)]
    return [name for name, content in places if any(form in content for form in wanted)]


def files(*folders: Path) -> Iterable[tuple[str, bytes]]:
    """Every file below some folders, unpacked."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                yield str(path), gzip.decompress(content) if path.suffix == ".gz" else content


def objects_in_the_open(project: Project) -> list[tuple[str, bytes]]:
    """Everything in the namespace that is no Secret, as the API server has it."""
    kinds = project.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").out.split()
    found: list[tuple[str, bytes]] = []
    for kind in kinds:
        if kind != "secrets":
            done = project.kubectl("get", kind, "--namespace", "alt-las", "--output", "json", "--show-managed-fields")
            items: list[dict[str, Any]] = json.loads(done.out or "{}").get("items", [])
            found += [(f"{kind}/{each['metadata']['name']}", json.dumps(each).encode()) for each in items]
    return found
