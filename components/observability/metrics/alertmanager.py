"""Alertmanager of a stack, run by Prometheus Operator: who is told about what, and that nobody else is."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.alertmanager import NOBODY, SMTPS_PORT, AlertmanagerSettings, ReceiverSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.observers import ALERTMANAGER, ALERTMANAGER_GOSSIP_PORT
from components.workloads import operated as objects
from components.workloads.component import StoreComponent
from components.workloads.container import resources
from components.workloads.mesh_labels import opt_out_labels
from components.workloads.pod_set import pod_set

_COMPONENT = "alerting"
_CONFIGURATION_KEY = "alertmanager.yaml"
_GRACE_SECONDS = 60
_HEARTBEAT_SECONDS = 60


def needed_secrets(settings: AlertmanagerSettings) -> dict[str, str]:
    """Configuration keys of the secrets that the receivers need, each with the path of a receiver that does."""
    paths = {each.needed_secret: f"alertmanager.receivers[{index}]" for index, each in enumerate(settings.receivers)}
    return {key: path for key, path in paths.items() if key}


def configuration(settings: AlertmanagerSettings, secrets: Mapping[str, str]) -> str:
    """Alertmanager's configuration as JSON, which is YAML too; it holds secrets.

    Args:
        settings: Who is told about what.
        secrets: Secret values by configuration key; those of `needed_secrets`.
    """
    routes = settings.routes.by_severity()
    heartbeat = {"group_wait": "0s", "group_interval": f"{_HEARTBEAT_SECONDS}s", "repeat_interval": "1m"}
    document = {
        "route": {
            "receiver": NOBODY,
            "group_by": ["alertname", "service"],
            "group_wait": f"{settings.group_wait_seconds}s",
            "group_interval": f"{settings.group_interval_seconds}s",
            "repeat_interval": f"{settings.repeat_interval_hours}h",
            "routes": [
                {
                    "matchers": [f'severity="{severity}"'],
                    "receiver": receiver,
                    **(heartbeat if severity == "heartbeat" else {}),
                }
                for severity, receiver in routes.items()
            ],
        },
        # Who is woken about a service needs no ticket about the same objective of it.
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": ["service", "slo"],
            }
        ],
        "receivers": [{"name": NOBODY}, *(_receiver(each, secrets) for each in settings.receivers)],
    }
    return json.dumps(document, indent=2)


def _receiver(settings: ReceiverSettings, secrets: Mapping[str, str]) -> dict[str, Any]:
    if settings.webhook is not None:
        url = settings.webhook.url or secrets[str(settings.needed_secret)]
        return {"name": settings.name, "webhook_configs": [{"url": url, "send_resolved": True}]}
    mail = settings.mail
    assert mail is not None, "a receiver has one of the two"
    login = (
        {"auth_username": mail.username, "auth_password": secrets[str(settings.needed_secret)]} if mail.username else {}
    )
    return {
        "name": settings.name,
        "email_configs": [
            {
                "to": mail.to,
                "from": mail.sender,
                "smarthost": f"{mail.host}:{mail.port}",
                # On the port of implicit TLS the server offers no STARTTLS, and Alertmanager would still ask for it.
                "require_tls": mail.port != SMTPS_PORT,
                "send_resolved": True,
                **login,
            }
        ],
    }


def secret(platform: PlatformSettings, content: pulumi.Input[str]) -> Manifest:
    """The configuration. It is a Secret as a whole, because Alertmanager takes addresses and passwords in it only.

    It has no name of ours: Pulumi chooses a new one when the content changes.
    """
    return pod_set(platform, ALERTMANAGER, _COMPONENT).secret({_CONFIGURATION_KEY: content})


def alertmanager(
    settings: AlertmanagerSettings, platform: PlatformSettings, secret_name: pulumi.Input[str]
) -> Manifest:
    """The servers. StatefulSet and the headless Service `alertmanager-operated` are the operator's."""
    assert platform.prometheus is not None, "settings refuse the one without the other"
    spec = {
        **objects.pods(ALERTMANAGER, _COMPONENT, settings.image, opt_out_labels(platform), token=False),
        "replicas": settings.replicas,
        "retention": f"{settings.retention_hours}h",
        "configSecret": secret_name,
        # Nobody makes AlertmanagerConfigs here; the empty strategy would otherwise add matchers to ours.
        "alertmanagerConfigMatcherStrategy": {"type": "None"},
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "resources": resources(settings.resources),
        **objects.storage(settings.storage_size, settings.storage_class, ALERTMANAGER),
        **objects.reloaders(platform.prometheus.reloader_image),
    }
    metadata = objects.metadata(ALERTMANAGER, _COMPONENT, platform)
    return {"apiVersion": objects.API_VERSION, "kind": "Alertmanager", "metadata": metadata, "spec": spec}


def network_policy(settings: AlertmanagerSettings, platform: PlatformSettings, graph: ServiceGraph) -> Manifest:
    """Prometheus in, receivers out, and the servers among each other where there are several."""
    policy = objects.network_policy(ALERTMANAGER, _COMPONENT, platform, graph)
    if settings.replicas > 1:
        own = {"podSelector": {"matchLabels": graph.selector_of(ALERTMANAGER)}}
        ports = [{"protocol": protocol, "port": ALERTMANAGER_GOSSIP_PORT} for protocol in ("TCP", "UDP")]
        policy["spec"]["ingress"].append({"from": [own], "ports": ports})
        policy["spec"]["egress"].append({"to": [own], "ports": ports})
    return policy


class Alertmanager(StoreComponent):
    """The object Alertmanager, its configuration, its ServiceAccount and its NetworkPolicy.

    Owns who is told about what. Does not own the alerts, nor whoever is told.
    """

    def __init__(
        self,
        configuration_of_stack: StackConfiguration,
        settings: AlertmanagerSettings,
        graph: ServiceGraph,
        namespace: pulumi.Resource,
    ) -> None:
        platform = configuration_of_stack.platform
        super().__init__("alt-las:observability:Alertmanager", ALERTMANAGER, platform, namespace)
        secrets = {key: configuration_of_stack.secrets[key] for key in needed_secrets(settings)}
        content = pulumi.Output.all(**secrets).apply(lambda values: configuration(settings, values))
        made = self._register(f"{ALERTMANAGER}-configuration", secret(platform, pulumi.Output.secret(content)))
        before = [
            self._register(ALERTMANAGER, objects.service_account(ALERTMANAGER, _COMPONENT, platform)),
            self._register(ALERTMANAGER, network_policy(settings, platform, graph)),
        ]
        self._register(ALERTMANAGER, alertmanager(settings, platform, made.metadata["name"]), *before)
        self.register_outputs({})
