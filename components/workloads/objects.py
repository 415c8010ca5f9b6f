"""The Kubernetes objects of a stateless service, as manifests: pure functions of what the program knows about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings, ServiceSettings
from components.settings.platform import ROLLOUT_SURGE
from components.settings.workload import ReplicaRangeSettings, ScalingStepSettings
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController, service_policy
from components.workloads.pod import PodArgs, pod_template


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """What the program knows about a workload beyond its settings.

    Attributes:
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        settings: What the stack file says about the service.
        image: Image that runs; None for the one of the settings.
        platform: What the stack file says about the whole platform.
        graph: Who may call whom.
        environment: Plain environment variables.
        secret_environment: Environment variables whose values are secret.
        writable_paths: Directories that the container may write.
        working_directory: Directory in which the container starts, or None for the image's own.
        service_port: TCP port under which other services reach this one.
        namespace: The namespace as a resource, which everything here must wait for.
    """

    component: str
    settings: ServiceSettings
    platform: PlatformSettings
    graph: ServiceGraph
    environment: Mapping[str, str]
    secret_environment: Mapping[str, pulumi.Input[str]]
    writable_paths: tuple[str, ...]
    service_port: int
    namespace: pulumi.Resource
    working_directory: str | None = None
    image: pulumi.Input[str] | None = None


def _metadata(name: str, args: WorkloadArgs, owner: str | None = None) -> dict[str, Any]:
    labels = naming.labels(owner or name, args.component)
    return {"name": name, "namespace": args.platform.namespace, "labels": labels}


def service_account(name: str, args: WorkloadArgs) -> Manifest:
    """The identity of the pods, without a token: no service calls the API server."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(name, args),
        "automountServiceAccountToken": False,
    }


def config_map(name: str, args: WorkloadArgs) -> Manifest:
    """The plain environment, under a name that changes with it."""
    metadata = _metadata(naming.content_name(name, args.environment), args, owner=name)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(args.environment)}


def secret(name: str, args: WorkloadArgs) -> Manifest:
    """The secret environment. It has no name: Pulumi chooses a new one when a value changes, which rolls the pods."""
    metadata = {key: value for key, value in _metadata(name, args).items() if key != "name"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(args.secret_environment)}


def network_policy(name: str, args: WorkloadArgs) -> Manifest:
    """What the pods may receive and send."""
    ingress = args.platform.ingress
    controller = IngressController(ingress.controller_namespace, ingress.controller_labels)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(name, args),
        "spec": service_policy(name, args.graph, controller),
    }


def deployment(name: str, args: WorkloadArgs, secret_name: pulumi.Input[str] | None) -> Manifest:
    """The pods and how a new release replaces them. Only what a release really changes carries its version."""
    labels = naming.labels(name, args.component) | naming.version_label(args.settings.image.tag)
    pod = PodArgs(
        name=name,
        labels=labels,
        settings=args.settings,
        image=args.settings.image.reference if args.image is None else args.image,
        config_map=naming.content_name(name, args.environment),
        secret=secret_name,
        writable_paths=args.writable_paths,
        working_directory=args.working_directory,
        image_pull_policy=args.platform.rollout.image_pull_policy,
    )
    spec = {
        "revisionHistoryLimit": args.platform.rollout.revision_history_limit,
        "progressDeadlineSeconds": args.platform.rollout.progress_deadline_seconds,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": ROLLOUT_SURGE, "maxUnavailable": 0}},
        "selector": {"matchLabels": naming.selector_labels(name)},
        "template": pod_template(pod),
    }
    # With an autoscaler the number of replicas is the autoscaler's.
    replicas = {"replicas": args.settings.replicas} if args.settings.replicas is not None else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, args) | {"labels": labels},
        "spec": replicas | spec,
    }


def service(name: str, args: WorkloadArgs) -> Manifest:
    """The address of the pods inside the namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        # The Deployment's readiness already covers the endpoints; waiting for them too costs ten seconds each.
        "metadata": _metadata(name, args) | {"annotations": {"pulumi.com/skipAwait": "true"}},
        "spec": {
            "type": "ClusterIP",
            "selector": naming.selector_labels(name),
            "ports": [
                {
                    "name": naming.HTTP_PORT_NAME,
                    "port": args.service_port,
                    "targetPort": naming.HTTP_PORT_NAME,
                    "protocol": "TCP",
                }
            ],
        },
    }


def disruption_budget(name: str, args: WorkloadArgs) -> Manifest:
    """How many pods an eviction may take at a time; it fits every number of replicas."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name, args),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": naming.selector_labels(name)},
            # A pod that is not ready serves nobody; guarding it would only block the drain of its node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def autoscaler(name: str, args: WorkloadArgs, replicas: ReplicaRangeSettings) -> Manifest:
    """Who owns the number of replicas."""
    scaling = args.platform.autoscaling
    metrics = [_utilization("cpu", scaling.cpu_utilization_percent)]
    if replicas.scale_on_memory:
        metrics.append(_utilization("memory", scaling.memory_utilization_percent))
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(name, args),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": replicas.min_replicas,
            "maxReplicas": replicas.max_replicas,
            "metrics": metrics,
            "behavior": {"scaleUp": _step(scaling.scale_up), "scaleDown": _step(scaling.scale_down)},
        },
    }


def _utilization(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _step(settings: ScalingStepSettings) -> dict[str, Any]:
    policies = [{"type": "Percent", "value": settings.percent, "periodSeconds": settings.period_seconds}]
    if settings.pods is not None:
        policies.append({"type": "Pods", "value": settings.pods, "periodSeconds": settings.period_seconds})
    return {
        "stabilizationWindowSeconds": settings.stabilization_window_seconds,
        "selectPolicy": "Max",
        "policies": policies,
    }
