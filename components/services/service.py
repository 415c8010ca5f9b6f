"""What the five services have in common: a workload made from what each of them declares about itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import pulumi

from components.settings import PlatformSettings, ServiceSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import MessageFlow
from components.workloads.component import Surroundings
from components.workloads.workload import Workload, WorkloadArgs

SettingsType = TypeVar("SettingsType", bound=ServiceSettings)


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """What every service needs from the program.

    Attributes:
        configuration: The stack's settings and secrets.
        surroundings: The stack around the services.
        store_environment: How each service reaches the stores that the stack runs itself: secret variables by service.
            They win over what the stack file gives.
        images: Images of services whose digest the update itself learns, by service.
        further_environment: Plain variables that every service gets.
    """

    configuration: StackConfiguration
    surroundings: Surroundings
    store_environment: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    images: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    further_environment: Mapping[str, str] = field(default_factory=dict)


class Service(pulumi.ComponentResource, Generic[SettingsType]):
    """Base of the service components. A subclass declares what its code needs; this makes a workload of it.

    Class attributes:
        service_name: Kubernetes name, also the key in the stack file.
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        calls: Names of the services that its code calls.
        stores: Names of the stores that its code, or its documentation, calls.
        publishes: Subjects of the message queue that it publishes, or is documented to.
        consumes: Subjects of the message queue that its pods consume together.
        service_port: Port under which others reach it, where it is not the container's own.
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

    def __init__(self, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        name = self.service_name
        super().__init__(f"alt-las:services:{type(self).__name__}", name, None, opts)
        platform = args.configuration.platform
        settings = platform.services.by_name()[name]
        own = self.environment(settings, platform)  # type: ignore[arg-type]  # same name, same type
        workload = Workload(
            name,
            WorkloadArgs(
                component=self.component,
                settings=settings,
                autoscaling=platform.autoscaling,
                surroundings=args.surroundings,
                environment={**args.further_environment, **own},
                secret_environment={
                    **args.configuration.secret_environment(name),
                    **args.store_environment.get(name, {}),
                },
                writable_paths=self.writable_paths,
                working_directory=self.working_directory,
                service_port=self.service_port or settings.port,
                image=args.images.get(name),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.url = workload.url
        self.register_outputs({"url": self.url})

    @classmethod
    def environment(cls, settings: SettingsType, platform: PlatformSettings) -> Mapping[str, str]:
        """Plain environment variables: every name that is documented and every name that the code reads."""
        raise NotImplementedError


def service_url(name: str, platform: PlatformSettings) -> str:
    """Address of a service inside the namespace. Only for services whose Service port is the container's own."""
    return f"http://{name}:{platform.services.by_name()[name].port}"


def message_flows(services: Iterable[type[Service[Any]]]) -> tuple[MessageFlow, ...]:
    """What the services that use the message queue send to it and take from it."""
    return tuple(
        MessageFlow(service=each.service_name, publishes=each.publishes, consumes=each.consumes)
        for each in services
        if each.publishes or each.consumes
    )


def service_ports(services: Iterable[type[Service[Any]]], platform: PlatformSettings) -> dict[str, int]:
    """Port under which each service is reached inside the namespace, by name."""
    settings = platform.services.by_name()
    return {each.service_name: each.service_port or settings[each.service_name].port for each in services}
