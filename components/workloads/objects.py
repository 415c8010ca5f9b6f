"""Kubernetes objects as manifests. Each kind is written out here and nowhere else, as a pure function.

Kinds that are no workload's stand where they belong: Namespace and admission policies in `platform`, ingress kinds in
`traffic.routes`. Custom resources stand in the folder of the component that needs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings.rollout import ROLLOUT_SURGE, RolloutSettings
from components.settings.workload import AutoscalingSettings, ReplicaRangeSettings, ScalingStepSettings
from components.workloads.pod import token

RBAC_GROUP = "rbac.authorization.k8s.io"
DATA_VOLUME = "data"
SKIP_AWAIT = {"annotations": {"pulumi.com/skipAwait": "true"}}
"""Metadata of an object for which an update does not wait."""

REPLACED_AFTER_FAILURE = {"pulumi.com/replaceUnready": "true"}
"""Annotation of a Job that the next update creates again after it failed, instead of waiting for the failed one."""

TAKEN_BACK = {"pulumi.com/patchForce": "true"}
"""Annotation of an object with fields that a controller may have set and that are the program's again.

Without it the controller owns them, and an update is refused. Such are a Deployment's number of pods after an
autoscaler, and a Service's selector after Flagger.
"""

RETAIN_CLAIMS = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}
"""Field of a workload whose volumes stay when a server or all of them go."""

Metadata = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CronJobArgs:
    """When a CronJob runs, and how often it may fail.

    Attributes:
        schedule: Five fields of cron.
        time_zone: IANA name of the schedule's time zone.
        start_seconds: Delay after which a missed start is given up.
        history: Finished Jobs of each outcome that are kept.
    """

    schedule: str
    time_zone: str
    start_seconds: int
    history: int


@dataclass(frozen=True, kw_only=True)
class JobArgs:
    """Deadline and retries of a Job.

    Attributes:
        deadline_seconds: Time after which it has failed.
        retries: Further tries after the first.
        kept_seconds: Time for which a finished Job is kept.
    """

    deadline_seconds: int
    retries: int
    kept_seconds: int


def service_account(metadata: Metadata, pull_secrets: Sequence[str] = ()) -> Manifest:
    """Identity of pods, without a token: pods that call the API server ask for one.

    Args:
        metadata: Its metadata.
        pull_secrets: Secrets with credentials of registries, which every pod of the identity gets.
    """
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **token(used=False)}
    return account | pull_secret_field(pull_secrets)


def pull_secret_field(names: Sequence[str]) -> dict[str, Any]:
    """Field of a ServiceAccount, and of an operator's custom resource, for the credentials of registries."""
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def role(metadata: Metadata, rules: Sequence[Mapping[str, Any]]) -> Manifest:
    """Requests to the API server that a ServiceAccount may make, in its own namespace."""
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)}


def role_binding(metadata: Metadata) -> Manifest:
    """Gives the Role of a name to the ServiceAccount of the same name."""
    name, namespace = metadata["name"], metadata["namespace"]
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def config_map(metadata: Metadata, content: Mapping[str, str]) -> Manifest:
    """Plain configuration."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(content)}


def secret(metadata: Metadata, content: pulumi.Input[Mapping[str, Any]], secret_type: str | None = None) -> Manifest:
    """Secret configuration."""
    kind = {"type": secret_type} if secret_type else {}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **kind, "stringData": content}


def service(
    metadata: Metadata, ports: Mapping[str, int], spec: Mapping[str, Any], targets: Mapping[str, str] | None = None
) -> Manifest:
    """Address of pods, or host names for each of them.

    Args:
        metadata: Its metadata.
        ports: Ports by name.
        spec: Type and selector.
        targets: Name of the pods' port that a port leads to, where it is not the port's own name.
    """
    led = {key: (targets or {}).get(key, key) for key in ports}
    named = [{"name": key, "port": port, "targetPort": led[key], "protocol": "TCP"} for key, port in ports.items()]
    # The pods' readiness already covers the endpoints; waiting for them too costs ten seconds each.
    described = {**metadata, **SKIP_AWAIT}
    return {"apiVersion": "v1", "kind": "Service", "metadata": described, "spec": {**spec, "ports": named}}


def network_policy(metadata: Metadata, spec: Mapping[str, Any]) -> Manifest:
    """Allowed traffic to and from pods. `traffic.network_policy` makes the spec."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def disruption_budget(metadata: Metadata, selector: Mapping[str, Any]) -> Manifest:
    """One pod at a time may be evicted. This fits every number of replicas: of three servers, two are a majority."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {
            "maxUnavailable": 1,
            "selector": dict(selector),
            # A pod that is not ready serves nobody; guarding it would only block the drain of its node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def deployment(
    metadata: Metadata,
    selector: Mapping[str, str],
    template: Mapping[str, Any],
    rollout: RolloutSettings,
    replicas: int | None,
    *,
    alone: bool = False,
) -> Manifest:
    """Pods without a volume of their own. A new release takes none away before its own are ready.

    Args:
        metadata: Its metadata.
        selector: Labels that select its pods.
        template: Its pods.
        rollout: How a release is rolled out.
        replicas: Number of pods; None where an autoscaler decides it.
        alone: Whether an old pod must have ended before a new one starts.
    """
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": ROLLOUT_SURGE, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "revisionHistoryLimit": rollout.revision_history_limit,
            "progressDeadlineSeconds": rollout.progress_deadline_seconds,
            "strategy": {"type": "Recreate"} if alone else rolling,
            "selector": {"matchLabels": dict(selector)},
            "template": template,
        },
    }


def stateful_set(
    metadata: Metadata,
    headless: str,
    claim: Manifest,
    template: Mapping[str, Any],
    rollout: RolloutSettings,
    *,
    replicas: int,
) -> Manifest:
    """Servers with a volume each, started side by side. A volume stays when its server or all of them go."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "serviceName": headless,
            # Servers elect a leader among those that are there, so none waits for the one before it.
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "revisionHistoryLimit": rollout.revision_history_limit,
            **RETAIN_CLAIMS,
            "selector": {"matchLabels": claim["metadata"]["labels"]},
            "template": template,
            "volumeClaimTemplates": [claim],
        },
    }


def volume_claim(metadata: Metadata, size: str, storage_class: str | None) -> Manifest:
    """A volume of one pod at a time."""
    spec = claim_spec(size, storage_class)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def claim_spec(size: str, storage_class: str | None) -> dict[str, Any]:
    """Spec of a claim; without a StorageClass the cluster's default makes the volume."""
    named = {"storageClassName": storage_class} if storage_class else {}
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **named}


def job(metadata: Metadata, args: JobArgs, template: Mapping[str, Any]) -> Manifest:
    """Pods that run once, to their end."""
    spec = {"activeDeadlineSeconds": args.deadline_seconds, "backoffLimit": args.retries}
    kept = {"ttlSecondsAfterFinished": args.kept_seconds, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, **kept}}


def cron_job(metadata: Metadata, args: CronJobArgs, each: JobArgs, template: Mapping[str, Any]) -> Manifest:
    """Jobs on a schedule, one at a time. A failed Job stays, so that people can look at it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {
            "schedule": args.schedule,
            "timeZone": args.time_zone,
            "startingDeadlineSeconds": args.start_seconds,
            # Two at once would be two writers on one volume.
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": args.history,
            "failedJobsHistoryLimit": args.history,
            "jobTemplate": {
                "metadata": {"labels": metadata["labels"]},
                "spec": {
                    "backoffLimit": each.retries,
                    "activeDeadlineSeconds": each.deadline_seconds,
                    "ttlSecondsAfterFinished": each.kept_seconds,
                    "template": template,
                },
            },
        },
    }


def autoscaler(metadata: Metadata, replicas: ReplicaRangeSettings, scaling: AutoscalingSettings) -> Manifest:
    """Owner of the number of replicas of the Deployment of the same name."""
    metrics = [_utilization("cpu", scaling.cpu_utilization_percent)]
    if replicas.scale_on_memory:
        metrics.append(_utilization("memory", scaling.memory_utilization_percent))
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]},
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
