"""Base of the five services: a workload made from what each of them declares about itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import pulumi

from components.settings import PlatformSettings, ServiceSettings
from components.settings.services import ServicesSettings
from components.settings.workload import AutoscalingSettings
from components.stack.configuration import StackConfiguration
from components.traffic.message_flow import MessageFlow
from components.workloads.component import Surroundings
from components.workloads.workload import Workload, WorkloadArgs

SettingsType = TypeVar("SettingsType", bound=ServiceSettings)


@dataclass(frozen=True, kw_only=True)
class ServiceArgs(Generic[SettingsType]):
    """One service of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Its own settings.
        autoscaling: Targets and speed of its autoscaler, where it has one.
        addresses: Address of each service inside the namespace, by name.
        public_host: Host under which the platform is reached from outside.
        secret_environment: Environment variables whose values are secret.
        telemetry_endpoint: Address that takes what its OpenTelemetry SDK sends, or None.
        image: Image whose digest the update itself learns; None for the one of the settings.
    """

    surroundings: Surroundings
    settings: SettingsType
    autoscaling: AutoscalingSettings
    addresses: Mapping[str, str]
    public_host: str
    secret_environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    telemetry_endpoint: str | None = None
    image: pulumi.Input[str] | None = None


class Service(pulumi.ComponentResource, Generic[SettingsType]):
    """Base of the service components. A subclass declares what its code needs; this makes a workload of it.

    Class attributes:
        service_name: Kubernetes name, also the key in the stack file.
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        calls: Names of the services that its code calls.
        stores: Names of the stores that its code, or its documentation, calls; its settings class declares them.
        publishes: Subjects of the message queue that it publishes, or is documented to.
        consumes: Subjects of the message queue that its pods consume together.
        service_port: Port under which others reach it, where it is not the container's own and no canary releases it.
        writable_paths: Directories that its code writes.
        working_directory: Directory in which it starts, where the image's own is not writable.
        reaches_internet: Whether it may reach port 443 of public addresses.

    Attributes:
        url: Address inside the namespace.
    """

    service_name: ClassVar[str]
    component: ClassVar[str]
    calls: ClassVar[tuple[str, ...]] = ()
    stores: ClassVar[tuple[str, ...]] = ()
    publishes: ClassVar[tuple[str, ...]] = ()
    consumes: ClassVar[tuple[str, ...]] = ()
    service_port: ClassVar[int | None] = None
    writable_paths: ClassVar[tuple[str, ...]]
    working_directory: ClassVar[str | None] = None
    reaches_internet: ClassVar[bool] = False

    url: pulumi.Output[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.stores = ServicesSettings.types()[cls.service_name].stores

    def __init__(self, name: str, args: ServiceArgs[SettingsType], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"alt-las:services:{type(self).__name__}", name, None, opts)
        telemetry = telemetry_environment(args.telemetry_endpoint)
        workload = Workload(
            name,
            WorkloadArgs(
                component=self.component,
                settings=args.settings,
                autoscaling=args.autoscaling,
                surroundings=args.surroundings,
                # Libraries would write below the read-only root, because the user has no home in the image.
                environment={**telemetry, "HOME": "/tmp", **self.environment(args)},  # noqa: S108  # in the container
                secret_environment=args.secret_environment,
                writable_paths=self.writable_paths,
                scratch_sizes=self.scratch_sizes(args.settings),
                working_directory=self.working_directory,
                service_port=self.port_of(args.settings),
                image=args.image,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.url = workload.url
        self.register_outputs({"url": self.url})

    @classmethod
    def port_of(cls, settings: ServiceSettings) -> int:
        """Port of its Service. Flagger makes Services with one port, which must then be that of the pods."""
        return settings.port if settings.canary else cls.service_port or settings.port

    @classmethod
    def scratch_sizes(cls, settings: SettingsType) -> Mapping[str, str]:  # noqa: ARG003  # for services that need more
        """Room of writable paths that need another than `scratchSize`."""
        return {}

    @classmethod
    def environment(cls, args: ServiceArgs[SettingsType]) -> Mapping[str, str]:
        """Plain environment variables: every name that is documented and every name that the code reads."""
        raise NotImplementedError


def telemetry_environment(endpoint: str | None) -> dict[str, str]:
    """Variables of OpenTelemetry SDKs. Alloy takes logs and metrics; traces would be refused batch by batch."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_EXPORTER": "none"} if endpoint else {}


def message_flows(services: Iterable[type[Service[Any]]]) -> tuple[MessageFlow, ...]:
    """Messages that services send to the message queue and take from it."""
    return tuple(
        MessageFlow(service=each.service_name, publishes=each.publishes, consumes=each.consumes)
        for each in services
        if each.publishes or each.consumes
    )


def service_ports(services: Iterable[type[Service[Any]]], platform: PlatformSettings) -> dict[str, int]:
    """Port under which each service is reached inside the namespace, by name."""
    settings = platform.services.by_name()
    return {each.service_name: each.port_of(settings[each.service_name]) for each in services}


def service_args(
    services: Iterable[type[Service[Any]]],
    stack: StackConfiguration,
    surroundings: Surroundings,
    *,
    stores: Mapping[str, Mapping[str, pulumi.Input[str]]],
    images: Mapping[str, pulumi.Input[str]],
    telemetry_endpoint: str | None,
) -> dict[str, ServiceArgs[Any]]:
    """Take from the configuration of a stack what each of its services needs, by name.

    Args:
        services: The services.
        stack: The configuration.
        surroundings: The stack around them.
        stores: Secret variables by which each service reaches the stack's own stores. They win over those of the stack
            file.
        images: Images whose digest the update itself learns, by service.
        telemetry_endpoint: Address that takes what OpenTelemetry SDKs send, or None.
    """
    platform = stack.platform
    settings, ports = platform.services.by_name(), service_ports(services, platform)
    return {
        name: ServiceArgs(
            surroundings=surroundings,
            settings=settings[name],
            autoscaling=platform.autoscaling,
            addresses={service: f"http://{service}:{port}" for service, port in ports.items()},
            public_host=platform.ingress.host,
            secret_environment={**stack.secret_environment(name), **stores.get(name, {})},
            telemetry_endpoint=telemetry_endpoint,
            image=images.get(name),
        )
        for name in ports
    }
