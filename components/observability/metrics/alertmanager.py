"""Alertmanager of a stack, run by Prometheus Operator: alert receivers and routes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import Manifest
from components.settings.alertmanager import NOBODY, SMTPS_PORT, AlertmanagerSettings, ReceiverSettings
from components.settings.image import ImageSettings
from components.stack.configuration import StackConfiguration
from components.traffic.observers import ALERTMANAGER, ALERTMANAGER_GOSSIP_PORT
from components.workloads import operated as objects
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import resources
from components.workloads.pod_set import PodSet

_COMPONENT = "alerting"
_CONFIGURATION_KEY = "alertmanager.yaml"
_GRACE_SECONDS = 60
_HEARTBEAT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """Alertmanager of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Receivers, routes and servers.
        reloader_image: Image of the operator's helper containers.
        secrets: Secrets of the receivers by configuration key; those of `needed_secrets`.
    """

    surroundings: Surroundings
    settings: AlertmanagerSettings
    reloader_image: ImageSettings
    secrets: Mapping[str, pulumi.Output[str]]

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """Take from the configuration of a stack what its Alertmanager needs; None where there is none."""
        settings, metrics = stack.platform.alertmanager, stack.platform.prometheus
        if settings is None or metrics is None:
            return None
        return cls(
            surroundings=surroundings,
            settings=settings,
            reloader_image=metrics.reloader_image,
            secrets={key: stack.secrets[key] for key in needed_secrets(settings)},
        )


def needed_secrets(settings: AlertmanagerSettings) -> dict[str, str]:
    """Configuration keys of the secrets that the receivers need, each with the path of a receiver that does."""
    paths = {each.needed_secret: f"alertmanager.receivers[{index}]" for index, each in enumerate(settings.receivers)}
    return {key: path for key, path in paths.items() if key}


def configuration(settings: AlertmanagerSettings, secrets: Mapping[str, str]) -> str:
    """Alertmanager's configuration as JSON, which is YAML too; it holds secrets.

    Args:
        settings: Receivers and routes of alerts.
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
        # Who is woken about a service needs no ticket about the same objective of it. A label that both lack counts as
        # equal, so without an objective a page would silence tickets about something else.
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"', 'slo!=""'],
                "target_matchers": ['severity="ticket"', 'slo!=""'],
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


def alertmanager(args: AlertmanagerArgs, pods: PodSet, secret_name: pulumi.Input[str]) -> Manifest:
    """The servers. StatefulSet and the headless Service `alertmanager-operated` are the operator's."""
    settings = args.settings
    spec = {
        **objects.pods(ALERTMANAGER, _COMPONENT, settings.image, pods.pod_labels, token=False),
        "replicas": settings.replicas,
        "retention": f"{settings.retention_hours}h",
        "configSecret": secret_name,
        # Nobody makes AlertmanagerConfigs here; the empty strategy would otherwise add matchers to ours.
        "alertmanagerConfigMatcherStrategy": {"type": "None"},
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "resources": resources(settings.resources),
        **objects.storage(settings.storage_size, settings.storage_class, ALERTMANAGER),
        **objects.reloaders(args.reloader_image),
    }
    return {"apiVersion": objects.API_VERSION, "kind": "Alertmanager", "metadata": pods.metadata(), "spec": spec}


def network_policy(args: AlertmanagerArgs, pods: PodSet) -> Manifest:
    """Prometheus in, receivers out, and the servers among each other where there are several."""
    graph = args.surroundings.graph
    policy = dict(pods.declared_policy(graph, args.surroundings.controller))
    if args.settings.replicas > 1:
        own = {"podSelector": {"matchLabels": graph.selector_of(ALERTMANAGER)}}
        ports = [{"protocol": protocol, "port": ALERTMANAGER_GOSSIP_PORT} for protocol in ("TCP", "UDP")]
        policy["spec"]["ingress"].append({"from": [own], "ports": ports})
        policy["spec"]["egress"].append({"to": [own], "ports": ports})
    return policy


class Alertmanager(ObjectComponent):
    """The object Alertmanager, its configuration, its ServiceAccount and its NetworkPolicy.

    Owns receivers and routes. Does not own the alerts, nor the receiving systems.

    Attributes:
        service: Name of the Service at which Prometheus finds the servers; the operator makes it.
    """

    service: str

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Alertmanager", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, ALERTMANAGER, _COMPONENT)
        content = pulumi.Output.all(**args.secrets).apply(lambda values: configuration(args.settings, values))
        # A Secret as a whole, because Alertmanager takes addresses and passwords only inside its configuration.
        made = self._register(f"{name}-configuration", pods.secret({_CONFIGURATION_KEY: pulumi.Output.secret(content)}))
        before = [
            self._register(name, pods.service_account()),
            self._register(name, network_policy(args, pods)),
        ]
        self._register(name, alertmanager(args, pods, made.metadata["name"]), *before)
        self._register(name, pods.disruption_budget())
        self.service = f"{ALERTMANAGER}-operated"
        self.register_outputs({"service": self.service})
