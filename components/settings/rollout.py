"""Replacement of a release, and how nodes get its images. Does not own which image runs."""

from typing import Literal, Self

from pydantic import model_validator

from components.settings.base import Settings, setting
from components.settings.names import DnsName
from components.settings.workload import ProbeSettings

ROLLOUT_SURGE = 1
"""Pods that a rollout of a service may add for a while."""


class RolloutSettings(Settings):
    """Replacement of the running release by a new one."""

    progress_deadline_seconds: int = setting(
        "feature",
        "Time without progress after which Kubernetes calls a rollout failed.",
        300,
        ge=5,
        le=3600,
        unit="seconds",
    )
    timeout_seconds: int = setting(
        "feature", "Time after which an update stops waiting for a rollout.", 900, ge=6, le=7200, unit="seconds"
    )
    revision_history_limit: int = setting("feature", "Old ReplicaSets kept for a rollback.", 5, ge=1, le=50)
    image_pull_policy: Literal["Always", "IfNotPresent"] = setting(
        "security",
        "When a node asks the registry for an image: at each start, which also checks that the pod may have it, or "
        "only for an image that it does not have. Always the latter for an image of registry.invalid.",
        "Always",
    )
    image_pull_secrets: tuple[DnsName, ...] = setting(
        "security",
        "Secrets of the stack's namespace with the credentials of registries (kubernetes.io/dockerconfigjson), for all "
        "pods, also those that operators make. Empty where registries are public or the nodes have credentials.",
        (),
    )
    missing_images: Literal["refuse", "leaveOut"] = setting(
        "feature",
        "Optional parts whose images are not in the registry that the cluster brings itself (target node): refuse the "
        "update, or leave them out by writing null for each into the stack file. Other clusters are asked nothing.",
        "refuse",
    )

    @model_validator(mode="after")
    def _deadline_comes_before_timeout(self) -> Self:
        if self.progress_deadline_seconds >= self.timeout_seconds:
            raise ValueError(
                f"progressDeadlineSeconds ({self.progress_deadline_seconds}) is not below timeoutSeconds "
                f"({self.timeout_seconds}), so an update would stop waiting before Kubernetes can say what is wrong; "
                "raise the timeout"
            )
        return self


def check_start(path: str, probes: ProbeSettings, rollout: RolloutSettings) -> None:
    """Refuse a time to start that is longer than the default and that a rollout does not leave.

    The default is generous, and a deadline below it may be meant.

    Args:
        path: Path of the probes.
        probes: Probes of a service.
        rollout: Times of a rollout.

    Raises:
        ValueError: Kubernetes would call the rollout failed while the pod may still start.
    """
    seconds, deadline = probes.startup_seconds, rollout.progress_deadline_seconds
    if seconds > type(probes).model_fields["startup_seconds"].default and seconds >= deadline:
        raise ValueError(
            f"{path}.startupSeconds ({seconds}) is not below rollout.progressDeadlineSeconds ({deadline}), so a "
            "rollout would be called failed while its pod may still start; raise the deadline"
        )
