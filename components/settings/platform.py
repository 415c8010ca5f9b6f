"""The whole of `alt-las:platform` in a stack file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.admission import AdmissionSettings
from components.settings.alertmanager import AlertmanagerSettings
from components.settings.alloy import AlloySettings
from components.settings.backup import DRILL_OVERHEAD_MEBIBYTES, BackupSettings
from components.settings.base import Settings, blocks, section, setting
from components.settings.builds import BuildsSettings
from components.settings.canary import FlaggerSettings, check_approval, check_canary
from components.settings.egress import EgressSettings
from components.settings.grafana import GrafanaSettings
from components.settings.image import NO_REGISTRY, ImageSettings, has_no_registry
from components.settings.ingress import IngressSettings, RouteSettings
from components.settings.load_test import LoadTestSettings
from components.settings.loki import STREAMS_OF_A_POD, LokiSettings
from components.settings.mesh import CallSettings, MeshSettings
from components.settings.names import DnsName, OwnNamespace
from components.settings.nats import NatsSettings
from components.settings.postgres import RESERVED_CONNECTIONS, PostgresSettings, connections_needed, major_version
from components.settings.prometheus import PrometheusSettings
from components.settings.quota import QuotaSettings
from components.settings.redis import RedisSettings
from components.settings.release import ReleaseSettings
from components.settings.rollout import ROLLOUT_SURGE, RolloutSettings, check_start
from components.settings.services import ServicesSettings
from components.settings.workload import AutoscalingSettings

_GATEWAY = "api-gateway"
"""The service that calls all others, so that a call back to it would go round in a circle."""

_UID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class PlatformSettings(Settings):
    """Everything that a phase decides. What is left out has the default that is right in every phase."""

    namespace: OwnNamespace = setting("identity", "Namespace that the stack owns.")
    cluster_uid: Annotated[str, Field(pattern=_UID)] | None = setting(
        "identity",
        "UID of the namespace kube-system of the stack's cluster; nothing is written to another. Null: any.",
        None,
        examples=["0b6a7c1e-1f0a-4c57-9d3c-0d6d7c1f2a3b"],
    )
    cluster_domain: DnsName = setting(
        "feature", "DNS domain of the cluster's Services, for programs that resolve names themselves.", "cluster.local"
    )
    ingress: IngressSettings = section("Where the platform is reached from outside.")
    mesh: MeshSettings = section("How the services talk to each other.", MeshSettings())
    egress: EgressSettings = section("What leaves the cluster.", EgressSettings())
    admission: AdmissionSettings = section("What the API server refuses.", AdmissionSettings())
    quota: QuotaSettings | None = section(
        "Most that the namespace may hold; null for no limit of the stack's own.", None
    )
    autoscaling: AutoscalingSettings = section("Targets and speed of all HorizontalPodAutoscalers.")
    rollout: RolloutSettings = section("How a new release replaces the running one.", RolloutSettings())
    release: ReleaseSettings = section("Who approves a release, and when none is applied.", ReleaseSettings())
    load_test: LoadTestSettings | None = section("Most load that a load test may make; null for no load test.", None)
    services: ServicesSettings = section("The services, by name.")
    flagger: FlaggerSettings = section("Operator of the services' canaries.", FlaggerSettings())
    additional_calls: tuple[CallSettings, ...] = setting(
        "security",
        "Calls between services beyond those that their code makes, such as ai-orchestrator to segmentation-service.",
        (),
    )

    postgres: PostgresSettings | None = section("PostgreSQL of the stack; null where it brings its own URLs.", None)
    builds: BuildsSettings = section("How new images are built.", BuildsSettings())
    redis: RedisSettings | None = section("Redis of the stack; null where it brings its own URL.", None)
    nats: NatsSettings | None = section("NATS of the stack; null where it brings its own URL.", None)
    backup: BackupSettings | None = section("Scheduled dumps of the stores; null for none.", None)
    prometheus: PrometheusSettings | None = section("Metrics, objectives and alerts; null for none.", None)
    alertmanager: AlertmanagerSettings | None = section("Alert receivers and routes; null for no Alertmanager.", None)
    loki: LokiSettings | None = section("Where logs are kept; null for nowhere.", None)
    alloy: AlloySettings | None = section("Who reads the pods' logs; null for nobody.", None)
    grafana: GrafanaSettings | None = section("Where people look at metrics and logs; null for nowhere.", None)
    tombstones: tuple[str, ...] = setting(
        "data",
        "Names of objects with data that the stack gives up; all others are protected and kept when it is removed.",
        (),
    )

    @model_validator(mode="after")
    def _routes_lead_to_services(self) -> Self:
        services = self.services.by_name()
        for index, route in enumerate(self.ingress.routes):
            if route.service not in services:
                raise ValueError(
                    f"ingress.routes[{index}].service names the unknown service {route.service!r}; "
                    f"known: {', '.join(services)}"
                )
            port = services[route.service].port
            if route.port not in (None, port):
                raise ValueError(
                    f"ingress.routes[{index}].port is {route.port}, which {route.service} does not listen on; "
                    f"write {port} or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _canaries_can_be_split_and_judged(self) -> Self:
        for name, service in self.services.by_name().items():
            if service.canary:
                check_canary(name, service.canary, self.ingress, self.prometheus, self.load_test)
                check_approval(name, service.canary, self.flagger)
        return self

    @model_validator(mode="after")
    def _pods_may_start_within_a_rollout(self) -> Self:
        for name, service in self.services.by_name().items():
            check_start(f"services.{name}.probes", service.probes, self.rollout)
        return self

    @model_validator(mode="after")
    def _the_controller_is_elsewhere(self) -> Self:
        if self.ingress.controller_namespace == self.namespace:
            raise ValueError(
                f"ingress.controllerNamespace is {self.namespace}, the stack's own namespace, whose policies would "
                "close the controller off; name the namespace in which the controller's pods run, such as kube-system"
            )
        return self

    @model_validator(mode="after")
    def _digests_are_there_where_they_are_required(self) -> Self:
        services = tuple(f"services.{name}.image" for name in self.services.by_name())
        learned = services if self.builds.give_digests else ()
        without = [path for path, image in self.images() if image.digest is None and path not in learned]
        if self.admission.require_digests and without:
            raise ValueError(
                f"admission.requireDigests is true, but these images have no digest: {', '.join(without)}; add the "
                "digest of each (sha256:...), lock those of the services with `altlas images lock`, or set it to false"
            )
        return self

    @model_validator(mode="after")
    def _digests_come_from_one_place(self) -> Self:
        if self.builds.from_source and self.builds.ask_registry:
            raise ValueError(
                "builds.fromSource and builds.askRegistry both decide the services' digests; a build learns its own, "
                "so set builds.askRegistry to false"
            )
        given = [name for name, service in self.services.by_name().items() if service.image.digest]
        if self.builds.give_digests and given:
            key = "fromSource" if self.builds.from_source else "askRegistry"
            raise ValueError(
                f"builds.{key} lets each update learn the digests, but these images name one already: "
                f"{', '.join(f'services.{name}.image' for name in given)}; remove their digests, or builds.{key}"
            )
        return self

    @model_validator(mode="after")
    def _learned_digests_have_a_registry(self) -> Self:
        without = [
            name for name, service in self.services.by_name().items() if has_no_registry(service.image.repository)
        ]
        if self.builds.give_digests and without:
            key = "fromSource pushes" if self.builds.from_source else "askRegistry asks for"
            raise ValueError(
                f"builds.{key} images at their registry, but {NO_REGISTRY} stands for none: "
                f"{', '.join(f'services.{name}.image' for name in without)}; write repositories of your own"
            )
        return self

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
            if call.callee == _GATEWAY:
                raise ValueError(
                    f"additionalCalls[{index}] lets {call.caller} call {call.callee}, which calls it in turn; "
                    "name the service that is to answer"
                )
        return self

    @model_validator(mode="after")
    def _connections_suffice(self) -> Self:
        if self.postgres is None:
            return self
        needed = connections_needed(self.postgres, self.most_pods(), ROLLOUT_SURGE)
        total = sum(needed.values()) + RESERVED_CONNECTIONS
        if total > self.postgres.parameters.max_connections:
            parts = ", ".join(f"{service} {number}" for service, number in needed.items())
            raise ValueError(
                f"postgres.parameters.maxConnections ({self.postgres.parameters.max_connections}) is below the {total} "
                f"that the services may open at their largest scale ({parts}, reserve {RESERVED_CONNECTIONS}); "
                "raise it or lower poolSize or maxReplicas"
            )
        return self

    @model_validator(mode="after")
    def _dumps_are_of_the_server_s_version(self) -> Self:
        if self.backup and self.postgres and major_version(self.backup.image.tag) != self.postgres.major:
            raise ValueError(
                f"backup.image.tag {self.backup.image.tag!r} does not begin with the server's version "
                f"{self.postgres.major}, and a client of another version makes dumps that may not restore; use an "
                "image with the clients of that version"
            )
        return self

    @model_validator(mode="after")
    def _redis_can_be_drilled(self) -> Self:
        if self.backup is None or self.redis is None:
            return self
        limit = self.backup.resources_of("redis").limits.memory
        needed = int(mebibytes(self.redis.max_memory)) + DRILL_OVERHEAD_MEBIBYTES
        if mebibytes(limit) < needed:
            raise ValueError(
                f"backup.redis.resources.limits.memory ({limit}) is below {needed}Mi: redis.maxMemory "
                f"({self.redis.max_memory}), which the drill's server loads, and {DRILL_OVERHEAD_MEBIBYTES}Mi for the "
                "program; raise it"
            )
        return self

    @model_validator(mode="after")
    def _alerts_come_from_somewhere(self) -> Self:
        if self.alertmanager and not (self.prometheus and self.prometheus.is_managed):
            raise ValueError(
                "alertmanager is there, but no Prometheus of the stack's own sends it alerts; add prometheus with mode "
                "managed, or remove alertmanager (the cluster's own Prometheus has one)"
            )
        return self

    @model_validator(mode="after")
    def _logs_have_somewhere_to_go(self) -> Self:
        if self.alloy and not self.loki:
            raise ValueError(
                "alloy is set, but loki is not, so nobody would keep what it reads; set loki or remove alloy"
            )
        return self

    @model_validator(mode="after")
    def _dashboards_have_something_to_show(self) -> Self:
        if self.grafana and not self.prometheus:
            raise ValueError(
                "grafana is set, but prometheus is not, so its dashboards would stay empty; set prometheus (mode "
                "managed, or external for the cluster's own) or remove grafana"
            )
        host = self.grafana.host if self.grafana else None
        if host is not None and host not in self.ingress.secret_names():
            raise ValueError(
                f"grafana.host is {host}, which has no certificate, and nothing is served without TLS; add "
                f"{{host: {host}, secretName: <secret>}} to ingress.tls.additional"
            )
        if host is not None and host in map(self.ingress.host_of, self.ingress.routes):
            raise ValueError(
                f"grafana.host is {host}, which leads to a service already; give Grafana a host of its own"
            )
        return self

    @model_validator(mode="after")
    def _streams_suffice(self) -> Self:
        if self.loki is None:
            return self
        pods = sum(number + ROLLOUT_SURGE for number in self.most_pods().values())
        needed = pods * STREAMS_OF_A_POD
        if needed > self.loki.limits.max_streams:
            raise ValueError(
                f"loki.limits.maxStreams ({self.loki.limits.max_streams}) is below the {needed} streams that the "
                f"{pods} pods of the services may have open at their largest scale; raise it or lower maxReplicas"
            )
        return self

    def images(self) -> tuple[tuple[str, ImageSettings], ...]:
        """Every image of the stack with the path of its setting."""
        return tuple(blocks(self, ImageSettings))

    @property
    def entry(self) -> IngressSettings:
        """Ingress, with the route to Grafana where that has a host."""
        if self.grafana is None or self.grafana.host is None:
            return self.ingress
        route = RouteSettings(service="grafana", path="/", host=self.grafana.host)
        return self.ingress.model_copy(update={"routes": (*self.ingress.routes, route)})

    def most_pods(self) -> dict[str, int]:
        """Largest number of pods of each service, without those that a rollout adds."""
        return {name: service.most_pods for name, service in self.services.by_name().items()}

    def canaries(self) -> tuple[str, ...]:
        """Names of the services that are released by a canary."""
        return tuple(name for name, service in self.services.by_name().items() if service.canary)
