"""What the objects of the stores that the program runs itself have in common, as manifests."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.ingress import IngressSettings
from components.settings.platform import ROLLOUT_SURGE, RolloutSettings
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController, dns_rule, service_policy
from components.workloads.containers import ClaimArgs, PodArgs
from components.workloads.mesh_labels import opt_out_labels
from components.workloads.pod import apart_from, pod_security_context, with_scratch

DATA_VOLUME = "data"


def derived_password(secret: str, user: str) -> str:
    """Password of a user that no service is, such as a server's own: its like cannot be found from another's."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True)
class StoreObjects:
    """Makes the manifests of one set of pods and of what belongs to them.

    Attributes:
        name: Name of the pods' workload, of its client Service and of its ServiceAccount.
        component: Role in the platform, the value of `app.kubernetes.io/component`.
        namespace: Namespace of all objects.
        pod_labels: Further labels of the pods.
        image_pull_policy: When a node asks the registry for an image.
    """

    name: str
    component: str
    namespace: str
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    image_pull_policy: str = "Always"

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

    def unnamed_metadata(self) -> dict[str, Any]:
        """The same without a name: Pulumi chooses a new one when the content changes, which rolls the pods."""
        return {key: value for key, value in self.metadata().items() if key != "name"}

    def service_account(self) -> Manifest:
        """The identity of the pods, without a token."""
        return {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self.metadata(),
            "automountServiceAccountToken": False,
        }

    def configuration_name(self, content: Mapping[str, str]) -> str:
        """Name of the ConfigMap, which changes with its content."""
        return naming.content_name(f"{self.name}-configuration", content)

    def config_map(self, content: Mapping[str, str]) -> Manifest:
        """The plain configuration, one key for each file."""
        metadata = self.metadata(self.configuration_name(content))
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(content)}

    def secret(self, content: pulumi.Input[Mapping[str, str]], name: str | None = None) -> Manifest:
        """The secret configuration. Without a name it rolls the pods when it changes, see `unnamed_metadata`."""
        metadata = self.metadata(name) if name else self.unnamed_metadata()
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}

    def client_service(self, ports: Mapping[str, int], selector: Mapping[str, str] | None = None) -> Manifest:
        """The one address that services know."""
        return self._service(self.name, ports, {"type": "ClusterIP", "selector": dict(selector or self.selector)})

    def headless_service(self, ports: Mapping[str, int]) -> Manifest:
        """Host names of the pods. Servers must find each other before they are ready."""
        spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": self.selector}
        return self._service(self.headless, ports, spec)

    def _service(self, name: str, ports: Mapping[str, int], spec: Mapping[str, Any]) -> Manifest:
        named = [{"name": key, "port": port, "targetPort": key, "protocol": "TCP"} for key, port in ports.items()]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            # The pods' readiness already covers the endpoints; waiting for them too costs ten seconds each.
            "metadata": self.metadata(name) | {"annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {**spec, "ports": named},
        }

    def disruption_budget(self) -> Manifest:
        """How many pods an eviction may take at a time: with three servers, the other two are a majority."""
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": self.metadata(),
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": self.selector},
                # One that is not ready may be the one that the others wait for; its node can still be drained.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }

    def network_policy(
        self,
        callers: Sequence[tuple[Sequence[Mapping[str, str]], Sequence[int]]],
        callees: Sequence[tuple[Mapping[str, str], Sequence[int]]],
        further: Sequence[Mapping[str, Any]] = (),
    ) -> Manifest:
        """Who may reach the pods and whom they may reach.

        Args:
            callers: Labels of pods, and the ports that these may reach.
            callees: Labels of pods, and the ports on which these may be reached; DNS comes with the first.
            further: Ingress rules beside those of the callers, such as those of monitoring.
        """
        ingress = [
            {"from": [_pods(labels) for labels in peers], "ports": _tcp(ports)} for peers, ports in callers if peers
        ]
        egress: list[dict[str, Any]] = [{"to": [_pods(labels)], "ports": _tcp(ports)} for labels, ports in callees]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": self.metadata(),
            "spec": {
                "podSelector": {"matchLabels": self.selector},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [*ingress, *further],
                "egress": [*egress, dns_rule()] if egress else [],
            },
        }

    def observer_policy(self, graph: ServiceGraph, ingress: IngressSettings) -> Manifest:
        """Who may reach pods that watch the others, and whom these may reach: exactly what the graph says."""
        controller = IngressController(ingress.controller_namespace, ingress.controller_labels)
        spec = service_policy(self.name, graph, controller)
        metadata = self.metadata()
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    def pod_template(self, args: PodArgs) -> dict[str, Any]:
        """Pods that the `restricted` Pod Security Standard admits."""
        return {
            "metadata": {
                "labels": naming.labels(self.name, self.component)
                | naming.version_label(args.version)
                | dict(self.pod_labels)
            },
            "spec": {
                "serviceAccountName": self.name,
                "automountServiceAccountToken": args.token,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": args.grace_period_seconds,
                "securityContext": pod_security_context(args.user),
                "topologySpreadConstraints": [
                    # A cluster without zones must still be able to run every pod.
                    self._spread("topology.kubernetes.io/zone", "ScheduleAnyway"),
                    self._spread("kubernetes.io/hostname", "DoNotSchedule" if args.apart else "ScheduleAnyway"),
                ],
                "affinity": apart_from(self.selector),
                "containers": [
                    {**each, "imagePullPolicy": self.image_pull_policy}
                    for each in with_scratch(args.containers, args.volumes)
                ],
                "volumes": list(args.volumes),
                **({"restartPolicy": args.restart_policy} if args.restart_policy else {}),
            },
        }

    def deployment(self, replicas: int, pod: PodArgs, rollout: RolloutSettings, *, alone: bool = False) -> Manifest:
        """Pods without a volume of their own, of which a new release takes none before its own are ready.

        Args:
            replicas: How many.
            pod: What they are made of.
            rollout: How a release is rolled out.
            alone: Whether an old one must have ended before a new one starts.
        """
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": ROLLOUT_SURGE, "maxUnavailable": 0}}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.metadata(),
            "spec": {
                "replicas": replicas,
                "revisionHistoryLimit": rollout.revision_history_limit,
                "progressDeadlineSeconds": rollout.progress_deadline_seconds,
                "strategy": {"type": "Recreate"} if alone else rolling,
                "selector": {"matchLabels": self.selector},
                "template": self.pod_template(pod),
            },
        }

    def _spread(self, topology_key: str, when_unsatisfiable: str) -> dict[str, Any]:
        return {
            "maxSkew": 1,
            "topologyKey": topology_key,
            "whenUnsatisfiable": when_unsatisfiable,
            "labelSelector": {"matchLabels": self.selector},
        }

    def stateful_set(self, replicas: int, pod: PodArgs, claim: ClaimArgs) -> Manifest:
        """Servers with a volume each, started side by side. A volume stays when its server or all of them go."""
        claim_spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": claim.size}},
        }
        if claim.storage_class is not None:
            claim_spec["storageClassName"] = claim.storage_class
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": self.metadata(),
            "spec": {
                "replicas": replicas,
                "serviceName": self.headless,
                # Servers elect a leader among those that are there, so none waits for the one before it.
                "podManagementPolicy": "Parallel",
                "updateStrategy": {"type": "RollingUpdate"},
                "revisionHistoryLimit": claim.revision_history_limit,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                "selector": {"matchLabels": self.selector},
                "template": self.pod_template(pod),
                "volumeClaimTemplates": [
                    {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "metadata": {"name": DATA_VOLUME, "labels": self.selector},
                        "spec": claim_spec,
                    }
                ],
            },
        }


def _pods(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": dict(labels)}}


def _tcp(ports: Sequence[int]) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def store_objects(platform: PlatformSettings, name: str, component: str, *, in_mesh: bool = False) -> StoreObjects:
    """The maker of the objects of one store, or of what watches; its pods stay outside the mesh unless told so."""
    return StoreObjects(
        name=name,
        component=component,
        namespace=platform.namespace,
        pod_labels={} if in_mesh else opt_out_labels(platform),
        image_pull_policy=platform.rollout.image_pull_policy,
    )
