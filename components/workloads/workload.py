"""A stateless service on Kubernetes: everything from its ServiceAccount to its autoscaler, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.kubernetes import naming
from components.settings import ServiceSettings
from components.settings.workload import AutoscalingSettings
from components.workloads import objects
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container, probes, sleep_before_stop
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet
from components.workloads.recommender import recommender

_PORT = naming.HTTP_PORT_NAME
DIRECT_PORT = "direct"
"""Name of the port of a Service that is also the port of its pods, where the documented one is another."""


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """Arguments of a workload.

    Attributes:
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        settings: Settings of the service.
        autoscaling: Targets and speed of the autoscaler, where the service has one.
        surroundings: The stack around it.
        environment: Plain environment variables.
        secret_environment: Environment variables whose values are secret.
        writable_paths: Directories that the container may write; all else is read-only.
        scratch_sizes: Room of writable paths that need another than the settings' `scratchSize`.
        working_directory: Directory in which the container starts, or None for the image's own.
        service_port: TCP port under which other services reach this one.
        image: Image that runs, with its digest where an update learns that; None for the one of the settings.
    """

    component: str
    settings: ServiceSettings
    autoscaling: AutoscalingSettings
    surroundings: Surroundings
    environment: Mapping[str, str]
    secret_environment: Mapping[str, pulumi.Input[str]]
    writable_paths: tuple[str, ...]
    service_port: int
    scratch_sizes: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    image: pulumi.Input[str] | None = None


class Workload(ObjectComponent):
    """ServiceAccount, ConfigMap, Secret, NetworkPolicy, Deployment, Service, PodDisruptionBudget and autoscalers.

    Owns the pods and all that decides how they run. Does not own the namespace, ingress or any store.

    Attributes:
        url: Address inside the namespace, such as http://runner-service:8080.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Workload", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, name, args.component, in_mesh=True)
        configuration = pods.metadata(naming.content_name(name, args.environment))
        # The pods start with their policy in place, never before it.
        before_pods = [
            self._register(name, pods.service_account()),
            self._register(f"{name}-environment", objects.config_map(configuration, args.environment)),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        secret = None
        if args.secret_environment:
            secret = self._register(f"{name}-secrets", pods.secret(dict(args.secret_environment))).metadata["name"]
        deployment = pods.deployment(args.settings.replicas, service_pod(name, args, secret), versioned=True)
        if args.settings.replicas is not None:
            deployment["metadata"]["annotations"] = objects.TAKEN_BACK
        self._register(name, deployment, *before_pods, awaited=True)
        service = pods.client_service(service_ports(args), targets={DIRECT_PORT: _PORT})
        # Flagger leads the Service to the pods that serve, as long as there is a canary.
        held = ("spec.selector",) if pods.has_canary else ()
        if not pods.has_canary:
            service["metadata"]["annotations"] = {**service["metadata"]["annotations"], **objects.TAKEN_BACK}
        self._register(name, service, held=held)
        self._register(name, pods.disruption_budget())
        if args.settings.autoscaling:
            self._register(name, objects.autoscaler(pods.metadata(), args.settings.autoscaling, args.autoscaling))
        if args.settings.recommend:
            # Between releases by Flagger, the pods are those of its copy.
            observed = naming.primary_of(name) if pods.has_canary else name
            self._register(name, recommender(pods.metadata(), observed, args.settings.recommend))
        self.url = pulumi.Output.from_input(f"http://{name}:{args.service_port}")
        self.register_outputs({"url": self.url})


def service_ports(args: WorkloadArgs) -> dict[str, int]:
    """Ports of the Service of a workload, always with the pods' own: EKS' network policies refuse any other."""
    own, port = args.settings.port, args.service_port
    return {_PORT: port} if port == own else {_PORT: port, DIRECT_PORT: own}


def service_pod(name: str, args: WorkloadArgs, secret: pulumi.Input[str] | None) -> PodArgs:
    """The pod of a service: one container, with all its variables from a ConfigMap and a Secret.

    Args:
        name: Name of the service.
        args: Arguments of its workload.
        secret: Name of the Secret, or None without one.

    Raises:
        ValueError: A directory would be mounted twice, which Kubernetes would refuse much later.
    """
    if len(set(args.writable_paths)) != len(args.writable_paths):
        raise ValueError(f"{name} names a writable path twice: {', '.join(args.writable_paths)}")
    settings = args.settings
    sources = [{"configMapRef": {"name": naming.content_name(name, args.environment)}}]
    secrets = [{"secretRef": {"name": secret}}] if secret is not None else []
    server = ContainerArgs(
        name=name,
        image=settings.image.reference if args.image is None else args.image,
        command=settings.command,
        resources=settings.resources,
        ports={_PORT: settings.port},
        environment_from=[*sources, *secrets],
        mounts={path: _volume_name(path) for path in args.writable_paths},
        further={
            **sleep_before_stop(settings.shutdown.pre_stop_sleep_seconds),
            **probes(settings.probes, _PORT),
            **({"workingDir": args.working_directory} if args.working_directory else {}),
        },
    )
    return PodArgs(
        version=settings.image.tag,
        user=settings.run_as_user,
        containers=[container(server)],
        volumes=[
            {"name": _volume_name(path), "emptyDir": {"sizeLimit": args.scratch_sizes.get(path, settings.scratch_size)}}
            for path in args.writable_paths
        ],
        grace_period_seconds=settings.shutdown.grace_period_seconds,
        spread_each_revision=True,
    )


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("_", "-")
