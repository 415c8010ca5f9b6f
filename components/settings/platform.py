"""The whole of `alt-las:platform` in a stack file."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from components.naming import DNS_LABEL_MAXIMUM, is_dns_label, is_dns_name
from components.settings.base import Settings, section, setting
from components.settings.services import ServicesSettings
from components.settings.workload import AutoscalingSettings

_RESERVED_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def _dns_label(text: str) -> str:
    if not is_dns_label(text):
        raise ValueError(
            f"is not a DNS label; use 1 to {DNS_LABEL_MAXIMUM} lower-case letters, digits or '-', "
            "with a letter or digit at both ends, such as alt-las"
        )
    return text


def _own_namespace(text: str) -> str:
    if text in _RESERVED_NAMESPACES:
        raise ValueError("belongs to the cluster; choose a namespace of the platform's own, such as alt-las")
    return text


def _dns_name(text: str) -> str:
    if not is_dns_name(text):
        raise ValueError("is not a DNS name; write lower-case labels joined by dots, such as alt-las.local")
    return text


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
DnsName = Annotated[str, AfterValidator(_dns_name)]


class IngressSettings(Settings):
    """Where the platform is reached from outside."""

    host: DnsName = setting("identity", "DNS name under which api-gateway is reached.")
    controller_namespace: DnsLabel = setting(
        "security", "Namespace whose pods may send requests to api-gateway (the ingress controller's).", "kube-system"
    )


class RolloutSettings(Settings):
    """How a new release replaces the running one."""

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

    @model_validator(mode="after")
    def _deadline_comes_before_timeout(self) -> Self:
        if self.progress_deadline_seconds >= self.timeout_seconds:
            raise ValueError(
                f"progressDeadlineSeconds ({self.progress_deadline_seconds}) is not below timeoutSeconds "
                f"({self.timeout_seconds}), so an update would stop waiting before Kubernetes can say what is wrong; "
                "raise the timeout"
            )
        return self


class CallSettings(Settings):
    """One more edge of the service graph."""

    caller: str = setting("security", "Service that calls.")
    callee: str = setting("security", "Service that is called.")


class PlatformSettings(Settings):
    """Everything that a phase decides. What is left out has the default that is right in every phase."""

    namespace: Annotated[DnsLabel, AfterValidator(_own_namespace)] = setting(
        "identity", "Namespace that the stack owns."
    )
    ingress: IngressSettings = section("Where the platform is reached from outside.")
    autoscaling: AutoscalingSettings = section("Targets and speed of all HorizontalPodAutoscalers.")
    rollout: RolloutSettings = section("How a new release replaces the running one.", RolloutSettings())
    services: ServicesSettings = section("The services, by name.")
    additional_calls: tuple[CallSettings, ...] = setting(
        "security",
        "Calls between services beyond those that their code makes, such as ai-orchestrator to segmentation-service.",
        (),
    )

    @model_validator(mode="after")
    def _additional_calls_name_services(self) -> Self:
        known = tuple(self.services.by_name())
        for index, call in enumerate(self.additional_calls):
            for role, name in (("caller", call.caller), ("callee", call.callee)):
                if name not in known:
                    raise ValueError(
                        f"additionalCalls[{index}].{role} names the unknown service {name!r}; known: {', '.join(known)}"
                    )
            if call.caller == call.callee:
                raise ValueError(
                    f"additionalCalls[{index}] lets {call.caller} call itself, which needs no rule; remove it"
                )
        return self
