"""Canaries: Flagger releases a service in steps and asks the stack's Prometheus before each of them.

Flagger makes what serves: `NAME-primary`, a copy of the Deployment, of its autoscaler and of the ConfigMaps and Secrets
that it reads. The Deployment `NAME` has pods only while a release is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.platform.canary_approvals import CanaryApprovalsArgs, PlatformCanaryApprovals, confirmation_url
from components.settings import PlatformSettings
from components.settings.canary import CanaryGateSettings, CanarySettings
from components.settings.slo import ServiceMetricsSettings
from components.traffic.observers import PROMETHEUS_PORT, PROMETHEUS_SERVICE
from components.traffic.routes import https_listener, parent, route_labels
from components.workloads.component import ObjectComponent, Surroundings

_API_VERSION = "flagger.app/v1beta1"
_COMPONENT = "canary"
_USUAL = "1d"
"""Time over which the usual latency is taken: of the pods that serve, which are those of the release before."""


@dataclass(frozen=True, kw_only=True)
class CanariesArgs:
    """Canaries of a stack.

    Attributes:
        surroundings: The stack around it.
        canaries: Canary of each service that is released in steps, with its MetricTemplates.
        after: Services and routes that Flagger works on: a Canary goes before them, because it gives them back.
    """

    surroundings: Surroundings
    canaries: Sequence[tuple[Manifest, Sequence[Manifest]]]
    after: Sequence[pulumi.Resource] = ()

    @classmethod
    def of(
        cls, platform: PlatformSettings, surroundings: Surroundings, after: Sequence[pulumi.Resource]
    ) -> Self | None:
        """Take from the settings of a stack what its canaries need; None without any."""
        made = [(canary(name, platform), metric_templates(name, platform)) for name in platform.canaries()]
        return cls(surroundings=surroundings, canaries=made, after=after) if made else None


class PlatformCanaries(ObjectComponent):
    """Canary and MetricTemplates of each service that is released in steps.

    Does not own the Deployment, the Service and the route of these services, nor what Flagger makes of them.
    """

    def __init__(self, name: str, args: CanariesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Canaries", name, args.surroundings, opts)
        for made, templates in args.canaries:
            metrics = [self._register(f"{name}-{each['metadata']['name']}", each) for each in templates]
            self._register(f"{name}-{made['metadata']['name']}", made, *metrics, *args.after)
        self.register_outputs({})


def build_canaries(
    platform: PlatformSettings,
    surroundings: Surroundings,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """Make what the canaries of a stack need: nothing, their objects, or these and the pod that Flagger asks."""
    approvals = CanaryApprovalsArgs.of(platform, surroundings)
    PlatformCanaryApprovals.optional("canary-approvals", approvals, opts)
    PlatformCanaries.optional("canaries", CanariesArgs.of(platform, surroundings, after), opts)


def canary(name: str, platform: PlatformSettings) -> Manifest:
    """Canary of a service."""
    settings, analysis = _settings_of(name, platform)
    routes = [each for each in platform.ingress.routes if each.service == name]
    host = platform.ingress.host_of(routes[0])
    paths = sorted((each.path for each in routes), key=lambda path: (-len(path), path))
    seconds = platform.ingress.request_timeout_seconds
    service = {
        "port": settings.port,
        "portName": naming.HTTP_PORT_NAME,
        "targetPort": naming.HTTP_PORT_NAME,
        # Flagger writes the default into the object, which would be a difference.
        "portDiscovery": False,
        "gatewayRefs": [parent(https_listener(host))],
        "hosts": [host],
        "match": [{"uri": {"prefix": path}} for path in paths],
        **({"timeout": f"{seconds}s"} if seconds else {}),
        # Flagger gives the route these labels and no others.
        "apex": {"labels": route_labels(name)},
        "primary": {"labels": naming.selector_labels(naming.primary_of(name))},
        "canary": {"labels": naming.selector_labels(naming.canary_of(name))},
    }
    spec = {
        "provider": "gatewayapi:v1",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": name},
        "progressDeadlineSeconds": platform.rollout.progress_deadline_seconds,
        "revertOnDeletion": True,
        "service": service,
        "analysis": {
            "interval": _interval(analysis),
            "threshold": analysis.failed_checks,
            "stepWeights": list(analysis.steps),
            "metrics": [_check(name, gate, analysis, bound) for gate, bound in _bounds(analysis.gates).items()],
            **({"webhooks": [_approval(platform.namespace)]} if analysis.approval else {}),
        },
    }
    return _object("Canary", name, name, platform, spec)


def metric_templates(name: str, platform: PlatformSettings) -> tuple[Manifest, ...]:
    """MetricTemplates of a service, one for each gate."""
    settings, analysis = _settings_of(name, platform)
    assert settings.metrics is not None, "the settings refuse a canary without metrics"
    provider = {"type": "prometheus", "address": prometheus_address(platform.namespace)}
    queries = _queries(name, platform.namespace, settings.metrics, analysis.gates)
    return tuple(
        _object("MetricTemplate", f"{name}-{gate}", name, platform, {"provider": provider, "query": queries[gate]})
        for gate in _bounds(analysis.gates)
    )


def prometheus_address(namespace: str) -> str:
    """Address of the stack's Prometheus for pods of other namespaces."""
    return f"http://{PROMETHEUS_SERVICE}.{namespace}:{PROMETHEUS_PORT}"


def _approval(namespace: str) -> dict[str, Any]:
    url = confirmation_url(namespace)
    # Flagger writes the default of the alert into the object, which would be a difference.
    return {"name": "approval", "type": "confirm-promotion", "url": url, "timeout": "5s", "muteAlert": False}


def _settings_of(name: str, platform: PlatformSettings) -> tuple[Any, CanarySettings]:
    settings = platform.services.by_name()[name]
    assert settings.canary is not None, "asked for only where there is one"
    return settings, settings.canary


def _bounds(gates: CanaryGateSettings) -> dict[str, Mapping[str, float]]:
    """Bounds of the gates that a canary has. Each has a maximum or is a count: Flagger lets infinity pass a minimum."""
    bounds: dict[str, Mapping[str, float]] = {"requests": {"min": gates.least_requests}}
    if gates.most_errors_percent is not None:
        bounds["errors"] = {"max": gates.most_errors_percent}
    if gates.latency_factor is not None:
        bounds["latency"] = {"max": gates.latency_factor}
    return bounds


def _queries(name: str, namespace: str, metrics: ServiceMetricsSettings, gates: CanaryGateSettings) -> dict[str, str]:
    """Queries by gate. Each gives one value, or none without figures: Flagger would take the last of several."""
    new, usual = (_series(namespace, each) for each in (naming.canary_of(name), name))
    histogram, window = metrics.duration_histogram, "{{ interval }}"
    count, buckets = f"{histogram}_count", f"{histogram}_bucket"
    requests = f"sum(increase({count}{{{new}}}[{window}]))"
    errors = f'(sum(increase({count}{{{new},code=~"5.."}}[{window}])) or vector(0))'
    share = gates.latency_percent / 100
    new_time = f"histogram_quantile({share:g}, sum by (le) (rate({buckets}{{{new}}}[{window}])))"
    usual_time = f"histogram_quantile({share:g}, sum by (le) (rate({buckets}{{{usual}}}[{_USUAL}])))"
    return {"requests": requests, "errors": f"100 * {errors} / {requests}", "latency": f"{new_time} / {usual_time}"}


def _series(namespace: str, service: str) -> str:
    return f'namespace="{namespace}",service="{service}"'


def _check(name: str, gate: str, analysis: CanarySettings, bound: Mapping[str, float]) -> dict[str, Any]:
    template = {"name": f"{name}-{gate}"}
    return {"name": gate, "templateRef": template, "interval": _interval(analysis), "thresholdRange": dict(bound)}


def _interval(analysis: CanarySettings) -> str:
    return f"{analysis.interval_seconds}s"


def _object(kind: str, name: str, service: str, platform: PlatformSettings, spec: Mapping[str, Any]) -> Manifest:
    labels = naming.labels(service, _COMPONENT)
    metadata = {"name": name, "namespace": platform.namespace, "labels": labels}
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}
