"""Settings of the five services: what all share, and the few knobs that only one of them has."""

from typing import ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.canary import CanarySettings
from components.settings.image import ImageSettings
from components.settings.slo import ServiceMetricsSettings, SloSettings
from components.settings.workload import (
    GatewayProbeSettings,
    Memory,
    ModelLoadingProbeSettings,
    ProbeSettings,
    ReplicaRangeSettings,
    ResourceSettings,
    RunnerProbeSettings,
    ShutdownSettings,
)

Runtime = Literal["node", "rust", "python", "go"]
StoreName = Literal["postgres", "redis", "nats"]
LogLevel = Literal["debug", "info", "warn", "error"]
RecommendedResource = Literal["cpu", "memory"]
_HIGHEST_PORT = 65535
_LOWEST_UNPRIVILEGED_PORT = 1024


def _port(default: int) -> int:
    port: int = setting(
        "feature",
        "TCP port on which the container answers HTTP; its image decides it.",
        default,
        ge=_LOWEST_UNPRIVILEGED_PORT,
        le=_HIGHEST_PORT,
    )
    return port


class ServiceSettings(Settings):
    """Settings of every service: an image, resources, a number of replicas, probes and a way to end.

    Class attributes:
        runtime: Runtime of its code, which decides how its image is built.
        stores: Stores in which it has a user of its own. Their passwords, and its database, follow.
    """

    runtime: ClassVar[Runtime]
    stores: ClassVar[tuple[StoreName, ...]] = ()

    image: ImageSettings = section("Which image runs.")
    command: tuple[str, ...] = setting(
        "feature",
        "Program and arguments, where the image's own do not fit, such as one that looks for its program in the "
        "working directory. Empty for the image's own.",
        (),
    )
    port: int
    resources: ResourceSettings = section("What each pod is guaranteed and may use.")
    replicas: int | None = setting(
        "capacity", "Fixed number of pods; left out where `autoscaling` decides.", None, ge=1, unit="pods"
    )
    autoscaling: ReplicaRangeSettings | None = section("Range of a HorizontalPodAutoscaler, or null for none.", None)
    recommend: tuple[RecommendedResource, ...] = setting(
        "capacity",
        "Resources for which a VerticalPodAutoscaler recommends requests, for people to read; it never changes pods. "
        "Not what `autoscaling` looks at. Empty for none.",
        (),
    )
    probes: ProbeSettings = section("How the kubelet finds out how the service is.", ProbeSettings())
    shutdown: ShutdownSettings = section("How a pod ends.", ShutdownSettings())
    metrics: ServiceMetricsSettings | None = section(
        "Metrics that the image exports; null for none, and then only its health path is probed.", None
    )
    slo: SloSettings = section("What the service promises.", SloSettings())
    canary: CanarySettings | None = section("Release in judged steps, by Flagger; null for all at once.", None)
    run_as_user: int = setting(
        "security", "Numeric user, group and file system group of the container.", 10001, ge=1000, le=2**31 - 1
    )
    scratch_size: Memory = setting(
        "capacity",
        "Size limit of each writable directory; the root file system is read-only.",
        "256Mi",
        unit="Mi or Gi",
    )

    @model_validator(mode="after")
    def _replicas_have_one_owner(self) -> Self:
        if (self.replicas is None) == (self.autoscaling is None):
            found = "neither is set" if self.replicas is None else "both are set"
            raise ValueError(
                f"exactly one of replicas and autoscaling decides the number of pods, but {found}; "
                "set autoscaling for a range or replicas for a fixed number"
            )
        return self

    @model_validator(mode="after")
    def _a_canary_can_be_judged_and_scaled(self) -> Self:
        if self.canary is not None and self.metrics is None:
            raise ValueError(
                "canary is set, but the image exports no metrics by which it could be judged; set metrics where the "
                "image has some, or remove canary"
            )
        if self.canary is not None and self.autoscaling is None:
            raise ValueError(
                "canary is set, but replicas is fixed: Flagger scales the service to none between releases and has an "
                "autoscaler for the pods that serve; set autoscaling instead of replicas, or remove canary"
            )
        return self

    @model_validator(mode="after")
    def _a_resource_has_one_autoscaler(self) -> Self:
        if self.autoscaling is None:
            return self
        if "cpu" in self.recommend:
            raise ValueError(
                "recommend names cpu, and autoscaling scales on the share of the requested cpu: a recommendation that "
                "a person follows would change that share; remove cpu from recommend, or set replicas instead of "
                "autoscaling"
            )
        if "memory" in self.recommend and self.autoscaling.scale_on_memory:
            raise ValueError(
                "recommend names memory, and autoscaling.scaleOnMemory scales on the share of the requested memory: a "
                "recommendation that a person follows would change that share; remove memory from recommend, or set "
                "scaleOnMemory to false"
            )
        return self

    @property
    def scale(self) -> tuple[int, int]:
        """Smallest and largest number of pods that serve."""
        if self.autoscaling:
            return self.autoscaling.min_replicas, self.autoscaling.max_replicas
        return (self.replicas or 1,) * 2

    @property
    def sets_in_update(self) -> int:
        """Sets of pods while a release is judged: those that serve and, with a canary, those of the release."""
        return 2 if self.canary else 1

    @property
    def most_pods(self) -> int:
        """Largest number of pods, those of a canary included; without those that a rollout adds."""
        return self.scale[1] * self.sets_in_update

    @model_validator(mode="after")
    def _errors_are_counted(self) -> Self:
        if self.slo.success_percent is not None and self.metrics is None:
            raise ValueError(
                "slo.successPercent promises a share of requests without error, but the image exports no metrics that "
                "count them; set metrics where the image has some, or remove the promise"
            )
        return self


class ApiGatewaySettings(ServiceSettings):
    """The only service that is reached from outside (Node.js)."""

    runtime = "node"
    stores = ("redis",)

    port: int = _port(3000)
    probes: GatewayProbeSettings = section("How the kubelet finds out how the service is.", GatewayProbeSettings())
    log_level: LogLevel = setting("feature", "Least severe log line that is written.", "info")


class RunnerServiceSettings(ServiceSettings):
    """Runs tasks and asks the AI orchestrator (Rust)."""

    runtime = "rust"
    stores = ("nats",)

    port: int = _port(8080)
    probes: RunnerProbeSettings = section("How the kubelet finds out how the service is.", RunnerProbeSettings())
    log_level: LogLevel = setting("feature", "Least severe log line that is written.", "info")
    max_concurrent_tasks: int = setting("capacity", "Tasks that one pod runs at a time.", 4, ge=1, le=256)
    max_concurrent_ai_tasks: int = setting("capacity", "AI calls that one pod has open at a time.", 4, ge=1, le=256)
    ai_timeout_seconds: int = setting("feature", "Time that an AI call may take.", 60, ge=1, le=3600, unit="seconds")


class SegmentationServiceSettings(ServiceSettings):
    """Splits commands into tasks (Python)."""

    runtime = "python"
    stores = ("postgres",)

    port: int = _port(8000)
    probes: ModelLoadingProbeSettings = section(
        "How the kubelet finds out how the service is.", ModelLoadingProbeSettings()
    )
    memory_threshold_mebibytes: int = setting(
        "capacity", "Memory in use at which the service starts to collect garbage.", ge=64, unit="Mi"
    )
    high_memory_threshold_mebibytes: int = setting(
        "capacity", "Memory in use at which the service empties its caches.", ge=64, unit="Mi"
    )
    garbage_collection_interval_seconds: int = setting(
        "capacity", "Time between two looks at the memory in use.", 60, ge=1, le=3600, unit="seconds"
    )
    max_cache_size: int = setting("capacity", "Entries that the result cache holds.", 100, ge=0, unit="entries")
    spacy_enabled: bool = setting(
        "feature", "Use spaCy models; off because the recorded images do not contain them.", False
    )

    @model_validator(mode="after")
    def _thresholds_come_before_the_limit(self) -> Self:
        low, high, limit = (
            self.memory_threshold_mebibytes,
            self.high_memory_threshold_mebibytes,
            self.resources.limits.memory,
        )
        if not low < high < mebibytes(limit):
            raise ValueError(
                f"memoryThresholdMebibytes ({low}), highMemoryThresholdMebibytes ({high}) and the memory limit "
                f"({limit}) must rise in this order, or the container is killed before it frees memory; lower the "
                "thresholds or raise the limit"
            )
        return self


class AiOrchestratorSettings(ServiceSettings):
    """Runs and calls models; the only service that may call the internet (Python)."""

    runtime = "python"

    port: int = _port(8001)
    probes: ModelLoadingProbeSettings = section(
        "How the kubelet finds out how the service is.", ModelLoadingProbeSettings()
    )
    log_level: LogLevel = setting("feature", "Least severe log line that is written.", "info")
    cache_size_limit_mebibytes: int = setting("capacity", "Size of the model cache on disk.", 192, ge=16, unit="Mi")
    models_size: Memory = setting(
        "capacity", "Room in each pod for models that its libraries download.", "2Gi", unit="Mi or Gi"
    )
    gpu_enabled: bool = setting("feature", "Run models on a GPU; the pods do not ask for one yet.", False)

    @model_validator(mode="after")
    def _cache_fits_its_directory(self) -> Self:
        if self.cache_size_limit_mebibytes > mebibytes(self.scratch_size):
            raise ValueError(
                f"cacheSizeLimitMebibytes ({self.cache_size_limit_mebibytes}) is above scratchSize "
                f"({self.scratch_size}), so the pod would be evicted; lower the cache or raise scratchSize"
            )
        return self


class ArchiveServiceSettings(ServiceSettings):
    """Keeps results (Go)."""

    runtime = "go"
    stores = ("postgres", "nats")

    port: int = _port(9000)


class ServicesSettings(Settings):
    """The five services by their Kubernetes names."""

    api_gateway: ApiGatewaySettings = Field(alias="api-gateway", description="Public entry point.")
    runner_service: RunnerServiceSettings = Field(alias="runner-service", description="Runs tasks.")
    segmentation_service: SegmentationServiceSettings = Field(
        alias="segmentation-service", description="Splits commands into tasks."
    )
    ai_orchestrator: AiOrchestratorSettings = Field(alias="ai-orchestrator", description="Runs and calls models.")
    archive_service: ArchiveServiceSettings = Field(alias="archive-service", description="Keeps results.")

    def by_name(self) -> dict[str, ServiceSettings]:
        """Settings of each service by its Kubernetes name, in the order of declaration."""
        return {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}

    @classmethod
    def types(cls) -> dict[str, type[ServiceSettings]]:
        """Settings class of each service by its Kubernetes name, in the order of declaration."""
        return {str(field.alias): cast(type[ServiceSettings], field.annotation) for field in cls.model_fields.values()}

    @classmethod
    def with_store(cls, store: StoreName) -> tuple[str, ...]:
        """Names of the services that have a user in a store."""
        return tuple(name for name, settings in cls.types().items() if store in settings.stores)

    @model_validator(mode="after")
    def _ports_are_distinct(self) -> Self:
        owners: dict[int, str] = {}
        for name, service in self.by_name().items():
            if service.port in owners:
                raise ValueError(
                    f"port {service.port} is used twice, by {owners[service.port]} and {name}; give each service its "
                    "own port, so that a network rule, a probe or a port-forward names one service only"
                )
            owners[service.port] = name
        return self


def short_name(service: str) -> str:
    """Name of a service in the names of its database and its secrets: `archive` for archive-service."""
    return service.removesuffix("-service").replace("-", "_")
