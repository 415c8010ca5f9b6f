"""A set of equal pods and the objects that belong to it: one name, one pair of labels, one identity, one policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings.egress import DnsSettings
from components.settings.rollout import RolloutSettings
from components.settings.workload import NodeAutoscaler
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController, peers_policy, service_policy
from components.workloads import objects
from components.workloads.component import Surroundings
from components.workloads.node_autoscaler import node_annotations
from components.workloads.pod import PodArgs, pod_template


@dataclass(frozen=True, kw_only=True)
class ClaimArgs:
    """The volume of each server.

    Attributes:
        size: Size as Kubernetes writes it.
        storage_class: StorageClass, or None for the cluster's default.
    """

    size: str
    storage_class: str | None


@dataclass(frozen=True, kw_only=True)
class PodSet:
    """Makes the manifests of one set of pods and of what belongs to them.

    Attributes:
        name: Name of the pods' workload, of its client Service and of its ServiceAccount.
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        namespace: Namespace of all objects.
        rollout: How a release replaces the running one.
        pod_labels: Further labels of the pods.
        dns: DNS of the cluster.
        has_canary: Whether a canary releases it, so that Flagger makes a second set of the pods.
        node_autoscaler: What adds and removes nodes; None where nothing does.
    """

    name: str
    component: str
    namespace: str
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    dns: DnsSettings = field(default_factory=DnsSettings)
    has_canary: bool = False
    node_autoscaler: NodeAutoscaler | None = None

    @classmethod
    def of(cls, surroundings: Surroundings, name: str, component: str, *, in_mesh: bool = False) -> Self:
        """The set of a name in a stack. Its pods stay outside the mesh unless `in_mesh` says otherwise."""
        return cls(
            name=name,
            component=component,
            namespace=surroundings.namespace,
            rollout=surroundings.rollout,
            pod_labels={} if in_mesh else surroundings.mesh_opt_out,
            dns=surroundings.graph.egress.dns,
            has_canary=name in surroundings.graph.canaries,
            node_autoscaler=surroundings.node_autoscaler,
        )

    @property
    def selector(self) -> dict[str, str]:
        """Labels that select the pods."""
        return naming.selector_labels(self.name)

    @property
    def headless(self) -> str:
        """Name of the Service that gives each pod a host name."""
        return f"{self.name}-servers"

    def hosts(self, replicas: int) -> tuple[str, ...]:
        """Host names of the pods of a StatefulSet, which stay the same wherever the pods run."""
        domain = f"{self.headless}.{self.namespace}.svc"
        return tuple(f"{self.name}-{index}.{domain}" for index in range(replicas))

    def metadata(self, name: str | None = None) -> dict[str, Any]:
        """Metadata of an object that belongs to the pods."""
        labels = naming.labels(self.name, self.component)
        return {"name": name or self.name, "namespace": self.namespace, "labels": labels}

    def service_account(self) -> Manifest:
        """Identity of the pods, without a token."""
        return objects.service_account(self.metadata(), self.rollout.image_pull_secrets)

    def reader_role(self, rules: Sequence[Mapping[str, Any]]) -> list[Manifest]:
        """A Role in the namespace, and its binding to the identity of the pods."""
        return [objects.role(self.metadata(), rules), objects.role_binding(self.metadata())]

    def configuration_name(self, content: Mapping[str, str]) -> str:
        """Name of the ConfigMap, which changes with its content."""
        return naming.content_name(f"{self.name}-configuration", content)

    def config_map(self, content: Mapping[str, str]) -> Manifest:
        """Plain configuration, one key for each file."""
        return objects.config_map(self.metadata(self.configuration_name(content)), content)

    def secret(self, content: pulumi.Input[Mapping[str, Any]], name: str | None = None) -> Manifest:
        """Secret configuration. Without a name, Pulumi chooses a new one when a value changes, which rolls the pods."""
        metadata = self.metadata(name)
        return objects.secret(metadata if name else {key: metadata[key] for key in ("namespace", "labels")}, content)

    def client_service(
        self,
        ports: Mapping[str, int],
        selector: Mapping[str, str] | None = None,
        targets: Mapping[str, str] | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """The one address that clients know, see `objects.service`; `further` adds to its spec."""
        spec = {"type": "ClusterIP", "selector": dict(selector or self.selector), **(further or {})}
        return objects.service(self.metadata(), ports, spec, targets)

    def headless_service(self, ports: Mapping[str, int]) -> Manifest:
        """Host names of the pods. Servers must find each other before they are ready."""
        spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": self.selector}
        return objects.service(self.metadata(self.headless), ports, spec)

    def disruption_budget(self) -> Manifest:
        """Limit of evictions at a time, of all sets of the pods together."""
        names = (self.name, naming.primary_of(self.name)) if self.has_canary else (self.name,)
        return objects.disruption_budget(self.metadata(), naming.selector(*names))

    def network_policy(
        self,
        callers: Sequence[tuple[Sequence[Mapping[str, str]], Sequence[int]]],
        callees: Sequence[tuple[Mapping[str, str], Sequence[int]]],
        further: Sequence[Mapping[str, Any]] = (),
    ) -> Manifest:
        """Allowed traffic to and from the pods, see `peers_policy`."""
        policy = peers_policy(self.selector, callers, callees, further, dns=self.dns)
        return objects.network_policy(self.metadata(), policy)

    def declared_policy(self, graph: ServiceGraph, controller: IngressController) -> Manifest:
        """Allowed traffic to and from the pods: exactly what the service graph says of their name."""
        return objects.network_policy(self.metadata(), service_policy(self.name, graph, controller))

    def pod_template(self, args: PodArgs) -> dict[str, Any]:
        """Template of the pods."""
        version = naming.version_label(args.version)
        labels = naming.labels(self.name, self.component) | version | dict(self.pod_labels)
        annotations = node_annotations(self.node_autoscaler, args.volumes, ends=args.restart_policy is not None)
        pull_policy = self.rollout.image_pull_policy
        return pod_template(args, self.name, labels, self.selector, pull_policy, annotations=annotations)

    def deployment(
        self, replicas: int | None, pod: PodArgs, *, alone: bool = False, versioned: bool = False
    ) -> Manifest:
        """Pods without a volume of their own.

        Args:
            replicas: Number of pods; None where an autoscaler decides it.
            pod: The pods.
            alone: Whether an old pod must have ended before a new one starts.
            versioned: Whether the Deployment itself carries the label of the release.
        """
        metadata, template = self.metadata(), self.pod_template(pod)
        if versioned:
            metadata["labels"] |= naming.version_label(pod.version)
        return objects.deployment(metadata, self.selector, template, self.rollout, replicas, alone=alone)

    def stateful_set(self, replicas: int, pod: PodArgs, claim: ClaimArgs) -> Manifest:
        """Servers with a volume each."""
        volume = {"name": objects.DATA_VOLUME, "labels": self.selector}
        volumes = objects.volume_claim(volume, claim.size, claim.storage_class)
        template = self.pod_template(pod)
        return objects.stateful_set(self.metadata(), self.headless, volumes, template, self.rollout, replicas=replicas)
