"""Resources, scaling, probes and end of a workload."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from components.kubernetes.quantities import mebibytes, millicores
from components.settings.base import Settings, section, setting


def _cpu(text: str) -> str:
    millicores(text)
    return text


def _memory(text: str) -> str:
    mebibytes(text)
    return text


Cpu = Annotated[str, AfterValidator(_cpu)]
Memory = Annotated[str, AfterValidator(_memory)]


class QuantitySettings(Settings):
    """CPU and memory of one container."""

    cpu: Cpu = setting("capacity", "CPU as Kubernetes writes it, such as '500m' or '2'.", unit="millicores or cores")
    memory: Memory = setting("capacity", "Memory as Kubernetes writes it, such as '512Mi'.", unit="Mi or Gi")

    @property
    def cores(self) -> float:
        """CPU in cores."""
        return millicores(self.cpu) / 1000

    @property
    def memory_mebibytes(self) -> int:
        """Memory in whole Mi."""
        return int(mebibytes(self.memory))


class EphemeralStorageSettings(Settings):
    """Disk of the node that a container may fill beside its scratch directories: its log, until the node rotates it."""

    request: Memory = setting("capacity", "What the scheduler reserves.", "64Mi", unit="Mi or Gi")
    limit: Memory = setting("capacity", "Use at which the pod is evicted.", "256Mi", unit="Mi or Gi")

    @model_validator(mode="after")
    def _request_fits_limit(self) -> Self:
        if mebibytes(self.request) > mebibytes(self.limit):
            raise ValueError(
                f"the request ({self.request}) is above the limit ({self.limit}); lower the request or raise the limit"
            )
        return self


class ResourceSettings(Settings):
    """Guarantee (requests) and maximum (limits) of a container."""

    requests: QuantitySettings = section("What the scheduler reserves for each pod.")
    limits: QuantitySettings = section("What each pod may use at most.")
    ephemeral_storage: EphemeralStorageSettings = section(
        "Disk of the node beside the scratch directories, whose size limits are added.", EphemeralStorageSettings()
    )

    @model_validator(mode="after")
    def _requests_fit_limits(self) -> Self:
        over = [
            f"the {what} request ({request}) is above its limit ({limit}); lower the request or raise the limit"
            for what, request, limit, parse in (
                ("cpu", self.requests.cpu, self.limits.cpu, millicores),
                ("memory", self.requests.memory, self.limits.memory, mebibytes),
            )
            if parse(request) > parse(limit)
        ]
        if over:
            raise ValueError("; ".join(over))
        return self


class ReplicaRangeSettings(Settings):
    """Between how many replicas a HorizontalPodAutoscaler may move a service."""

    min_replicas: int = setting("capacity", "Fewest replicas.", ge=1, unit="pods")
    max_replicas: int = setting("capacity", "Most replicas.", ge=1, unit="pods")
    scale_on_memory: bool = setting(
        "capacity",
        "Also scale on memory. Turn off where the runtime's idle memory is already above the target share of its "
        "request, or the service sits at its maximum for ever.",
        True,
    )

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas ({self.min_replicas}) is above maxReplicas ({self.max_replicas}); "
                "lower the minimum or raise the maximum"
            )
        return self


class ScalingStepSettings(Settings):
    """Speed of the autoscaler in one direction."""

    stabilization_window_seconds: int = setting(
        "capacity", "How long recommendations are watched before moving.", ge=0, le=3600, unit="seconds"
    )
    percent: int = setting("capacity", "Largest change in one period, of the present replicas.", ge=1, unit="percent")
    pods: int | None = setting(
        "capacity", "Change that is allowed in one period whatever the percentage says.", None, ge=1, unit="pods"
    )
    period_seconds: int = setting("capacity", "Length of one period.", ge=1, le=1800, unit="seconds")


NodeAutoscaler = Literal["clusterAutoscaler", "karpenter"]


class AutoscalingSettings(Settings):
    """Targets and speed of all HorizontalPodAutoscalers; the range of replicas is each service's own."""

    cpu_utilization_percent: int = setting("capacity", "CPU target, of the request.", ge=1, le=100, unit="percent")
    memory_utilization_percent: int = setting(
        "capacity", "Memory target, of the request.", ge=1, le=100, unit="percent"
    )
    scale_up: ScalingStepSettings = section("How fast replicas may be added.")
    scale_down: ScalingStepSettings = section("How fast replicas may be taken away.")
    nodes: NodeAutoscaler | None = setting(
        "capacity",
        "What adds and removes the nodes of the cluster: pods get its annotations, so that it moves what can be moved "
        "and lets Jobs end. Null: nothing does.",
        None,
    )


class ProbeSettings(Settings):
    """Checks of the kubelet that a container has started, is ready and is alive.

    No service answers a path of its own for liveness yet. With the path of readiness, an outage of a store, or load,
    would soon restart every pod that it makes slow; so liveness only asks whether the port is open until there is one.

    Subclasses below hold the paths that each service's code really answers and the time that its runtime needs.
    """

    readiness_path: str = setting(
        "feature", "HTTP path of the readiness and startup probes.", "/health", pattern=r"^/\S*$"
    )
    liveness_path: str | None = setting(
        "feature",
        "HTTP path of the liveness probe; null probes the TCP port.",
        None,
        pattern=r"^/\S*$",
        examples=["/live"],
    )
    startup_seconds: int = setting(
        "feature", "How long a container may take to start before it is restarted.", 60, ge=5, le=1800, unit="seconds"
    )
    period_seconds: int = setting("feature", "Time between two probes.", 10, ge=1, le=300, unit="seconds")
    timeout_seconds: int = setting("feature", "Time a probe waits for its answer.", 5, ge=1, le=60, unit="seconds")
    failure_threshold: int = setting("feature", "Failures in a row that count as down.", 3, ge=1, le=20)
    liveness_seconds: int | None = setting(
        "feature",
        "How long the liveness probe may fail before the container is restarted; null for failureThreshold failures.",
        None,
        ge=10,
        le=3600,
        unit="seconds",
    )

    @model_validator(mode="after")
    def _probes_do_not_overlap(self) -> Self:
        if self.timeout_seconds > self.period_seconds:
            raise ValueError(
                f"timeoutSeconds ({self.timeout_seconds}) is above periodSeconds ({self.period_seconds}), so probes "
                "would overlap; lower the timeout or raise the period"
            )
        return self


class GatewayProbeSettings(ProbeSettings):
    """Probes of the gateway, whose /health answers 503 while it has no Redis.

    Its client gives up for good after ten tries, in about six seconds (ioredis' retryStrategy in redisClient.ts), so a
    gateway that has been unhealthy for longer than a restart or failover of Redis takes does not recover by itself.
    """

    liveness_path: str | None = setting(
        "feature", "HTTP path of the liveness probe; null probes the TCP port.", "/health", pattern=r"^/\S*$"
    )
    liveness_seconds: int | None = setting(
        "feature",
        "How long the liveness probe may fail before the container is restarted; null for failureThreshold failures.",
        120,
        ge=10,
        le=3600,
        unit="seconds",
    )


class RunnerProbeSettings(ProbeSettings):
    """Probes of the runner, whose API is versioned and answers 404 on /health."""

    readiness_path: str = setting(
        "feature", "HTTP path of the readiness and startup probes.", "/api/v1/health", pattern=r"^/\S*$"
    )
    startup_seconds: int = setting(
        "feature", "How long a container may take to start.", 90, ge=5, le=1800, unit="seconds"
    )
    period_seconds: int = setting("feature", "Time between two probes.", 15, ge=1, le=300, unit="seconds")
    timeout_seconds: int = setting("feature", "Time a probe waits for its answer.", 10, ge=1, le=60, unit="seconds")


class ModelLoadingProbeSettings(ProbeSettings):
    """Probes of a service that loads language models before it answers."""

    startup_seconds: int = setting(
        "feature", "How long a container may take to start.", 120, ge=5, le=1800, unit="seconds"
    )
    period_seconds: int = setting("feature", "Time between two probes.", 15, ge=1, le=300, unit="seconds")
    timeout_seconds: int = setting("feature", "Time a probe waits for its answer.", 10, ge=1, le=60, unit="seconds")


class ShutdownSettings(Settings):
    """End of a pod: first it leaves the endpoints, then it gets SIGTERM, then it is killed."""

    pre_stop_sleep_seconds: int = setting(
        "feature", "Wait before SIGTERM, while endpoints forget the pod.", 5, ge=1, le=60, unit="seconds"
    )
    grace_period_seconds: int = setting(
        "feature", "Time from the decision to end a pod until it is killed.", 45, ge=10, le=600, unit="seconds"
    )

    @model_validator(mode="after")
    def _time_is_left_to_drain(self) -> Self:
        if self.pre_stop_sleep_seconds >= self.grace_period_seconds:
            raise ValueError(
                f"preStopSleepSeconds ({self.pre_stop_sleep_seconds}) leaves no time before gracePeriodSeconds "
                f"({self.grace_period_seconds}) ends; raise the grace period"
            )
        return self
