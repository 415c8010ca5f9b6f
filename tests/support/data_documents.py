"""Settings of the data tier for tests: sizes that fit alpha's and beta's services."""

from collections.abc import Mapping
from typing import Any

from components.settings import PlatformSettings
from tests.support.documents import alpha_settings, alpha_with


def postgres_document(**changes: Any) -> dict[str, Any]:
    """One small server, changed at its first level."""
    document: dict[str, Any] = {
        "instances": 1,
        "storageSize": "5Gi",
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "parameters": {"maxConnections": 100, "sharedBuffersMebibytes": 256},
    }
    return document | changes


def backup_document(**changes: Any) -> dict[str, Any]:
    """Daily dumps, changed at its first level."""
    document: dict[str, Any] = {
        "image": {"repository": "alt-las/backup", "tag": "18.4-1"},
        "volumeSize": "10Gi",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
    }
    return document | changes


def with_postgres(**changes: Any) -> dict[str, Any]:
    """Alpha's document with PostgreSQL."""
    return alpha_with({"postgres": postgres_document(**changes)})


def postgres_platform(**changes: Any) -> PlatformSettings:
    """Alpha's settings with PostgreSQL and backups."""
    return alpha_settings({"postgres": postgres_document(**changes), "backup": backup_document()})


def exported_state(objects: Mapping[tuple[str, str], Mapping[str, Any]], protect: bool = True) -> dict[str, Any]:
    """Output of `pulumi stack export` after these objects were deployed."""
    data = ("Cluster", "Database", "StatefulSet", "PersistentVolumeClaim")
    resources = [
        {
            "urn": f"urn:pulumi:alpha::alt-las::{type_token}::{name}",
            "type": type_token,
            "inputs": inputs,
            "protect": protect and type_token.endswith(data),
            "retainOnDelete": protect,
        }
        for (type_token, name), inputs in objects.items()
    ]
    return {"version": 3, "deployment": {"resources": resources}}
