"""Grafana's configuration: closed, quiet, and showing only what is provisioned. Pure functions of the settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.traffic.observers import GRAFANA_PORT

DATA = "/var/lib/grafana"
PROVISIONING = "/etc/grafana/provisioning"
SECRETS = "/etc/grafana/secrets"
DASHBOARDS = "/etc/grafana/dashboards"
PASSWORD_FILE = "admin-password"  # noqa: S105  # the name of a file
KEY_FILE = "secret-key"
PROMETHEUS_UID, LOKI_UID = "prometheus", "loki"
FOLDER = "ALT_LAS"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Data source of Grafana.

    Attributes:
        uid: Identifier by which dashboards refer to it; also its type.
        url: Address inside the namespace.
        options: What else its type wants to know.
    """

    uid: str
    url: str
    options: Mapping[str, Any]


def main_file(host: str | None) -> str:
    """`grafana.ini`.

    Args:
        host: DNS name under which people reach it, or None where they forward a port.
    """
    sections: dict[str, dict[str, str]] = {
        "server": {
            "http_port": str(GRAFANA_PORT),
            **({"domain": host, "root_url": f"https://{host}/"} if host else {}),
        },
        "paths": {"data": DATA, "logs": f"{DATA}/log", "plugins": f"{DATA}/plugins", "provisioning": PROVISIONING},
        "log": {"mode": "console"},
        "log.console": {"format": "json"},
        # The password is read from its file at the first start; nothing of it stands here.
        "security": {
            "admin_user": "admin",
            "admin_password": f"$__file{{{SECRETS}/{PASSWORD_FILE}}}",
            "secret_key": f"$__file{{{SECRETS}/{KEY_FILE}}}",
            "cookie_secure": "true" if host else "false",
            "cookie_samesite": "strict",
            "content_security_policy": "true",
            "disable_gravatar": "true",
        },
        "auth.anonymous": {"enabled": "false"},
        "auth.basic": {"enabled": "true"},
        "users": {"allow_sign_up": "false", "allow_org_create": "false", "viewers_can_edit": "false"},
        "analytics": {
            "reporting_enabled": "false",
            "check_for_updates": "false",
            "check_for_plugin_updates": "false",
            "feedback_links_enabled": "false",
        },
        "plugins": {
            "plugin_admin_enabled": "false",
            "preinstall_disabled": "true",
            # A newer plugin cannot be unpacked below a read-only root, and the bundled one is unregistered before.
            "preinstall_auto_update": "false",
            "public_key_retrieval_disabled": "true",
        },
        "news": {"news_feed_enabled": "false"},
        "snapshots": {"external_enabled": "false"},
        "unified_alerting": {"enabled": "false"},
        "metrics": {"enabled": "true"},
    }
    return "\n".join(_section(name, values) for name, values in sections.items())


def _section(name: str, values: Mapping[str, str]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in values.items())]) + "\n"


def datasource_file(sources: Sequence[Source]) -> str:
    """The datasources, which nobody can change in Grafana. JSON is YAML, too."""
    entries = [
        {
            "name": each.uid.capitalize(),
            "uid": each.uid,
            "type": each.uid,
            "access": "proxy",
            "url": each.url,
            "isDefault": each is sources[0],
            "editable": False,
            "jsonData": dict(each.options),
        }
        for each in sources
    ]
    return json.dumps({"apiVersion": 1, "prune": True, "datasources": entries}, indent=2) + "\n"


def provider_file() -> str:
    """Provider of the dashboards, which nobody can change or delete in Grafana."""
    provider = {
        "name": "platform",
        "folder": FOLDER,
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": DASHBOARDS, "foldersFromFilesStructure": False},
    }
    return json.dumps({"apiVersion": 1, "providers": [provider]}, indent=2) + "\n"


def prometheus_source(url: str, interval_seconds: int) -> Source:
    """Prometheus, with the time between two scrapes, from which Grafana chooses its steps."""
    options = {"httpMethod": "POST", "timeInterval": f"{interval_seconds}s"}
    return Source(uid=PROMETHEUS_UID, url=url, options=options)


def loki_source(url: str) -> Source:
    """Loki."""
    return Source(uid=LOKI_UID, url=url, options={"maxLines": 1000})
