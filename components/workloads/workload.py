"""A stateless service on Kubernetes: everything from its ServiceAccount to its autoscaler, in one place."""

from collections.abc import Sequence

import pulumi

from components.kubernetes.object import KubernetesObject, Manifest
from components.workloads import objects as manifests
from components.workloads.objects import WorkloadArgs

__all__ = ["Workload", "WorkloadArgs"]


class Workload(pulumi.ComponentResource):
    """ServiceAccount, ConfigMap, Secret, NetworkPolicy, Deployment, Service, PodDisruptionBudget and autoscaler.

    Owns the pods and all that decides how they run. Does not own the namespace, ingress or any store.

    Attributes:
        url: Address inside the namespace, such as http://runner-service:8080.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Workload", name, None, opts)
        self._namespace = args.namespace
        # The pods start with their policy in place, never before it.
        before_pods = [
            self._register(name, manifests.service_account(name, args)),
            self._register(f"{name}-environment", manifests.config_map(name, args)),
            self._register(name, manifests.network_policy(name, args)),
        ]
        secret_name = None
        if args.secret_environment:
            secret_name = self._register(f"{name}-secrets", manifests.secret(name, args)).metadata["name"]
        self._register(
            name,
            manifests.deployment(name, args, secret_name),
            after=before_pods,
            timeout_seconds=args.platform.rollout.timeout_seconds,
        )
        self._register(name, manifests.service(name, args))
        self._register(name, manifests.disruption_budget(name, args))
        if args.settings.autoscaling:
            self._register(name, manifests.autoscaler(name, args, args.settings.autoscaling))
        self.url = pulumi.Output.from_input(f"http://{name}:{args.service_port}")
        self.register_outputs({"url": self.url})

    def _register(
        self,
        name: str,
        manifest: Manifest,
        *,
        after: Sequence[pulumi.Resource] = (),
        timeout_seconds: int | None = None,
    ) -> KubernetesObject:
        timeout = f"{timeout_seconds}s"
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=[self._namespace, *after],
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if timeout_seconds else None,
        )
        return KubernetesObject(name, manifest, options)
