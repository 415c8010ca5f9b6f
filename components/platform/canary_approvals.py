"""Approvals of canaries: a pod that Flagger asks before it promotes a release, and that a person tells of an approval.

An approval is for one release: Flagger sends a checksum of its pods and configuration with every question, and only the
checksum that was asked for last can be approved. HAProxy keeps both in memory: a pod that is replaced has forgotten
them, so releases wait again. No token, no volume, nothing written to the cluster.

Paths: `/confirm` of Flagger (200 or 403), `/approve` (200, or 409 where another release waits), `/asked?service=NAME`
(the checksum, or 404), `/healthz`.
"""

from dataclasses import dataclass
from typing import Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.canary import CanaryApprovalsSettings
from components.traffic.observers import CANARY_APPROVALS, CANARY_APPROVALS_PORT
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container, sleep_before_stop
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet

_COMPONENT = "canary"
_USER = 10003
_FOLDER = "/etc/approvals"
_GRACE_SECONDS, _STOP_SECONDS = 10, 2


@dataclass(frozen=True, kw_only=True)
class CanaryApprovalsArgs:
    """Approvals of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Image and resources of the pod.
    """

    surroundings: Surroundings
    settings: CanaryApprovalsSettings

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self | None:
        """Take from the settings of a stack what its approvals need; None without these, or without canaries."""
        settings = platform.flagger.approvals
        if settings is None or CANARY_APPROVALS not in surroundings.graph.observers:
            return None
        return cls(surroundings=surroundings, settings=settings)


class PlatformCanaryApprovals(ObjectComponent):
    """The pod with its configuration, Service and NetworkPolicy. Does not own the Canaries that name it."""

    def __init__(self, name: str, args: CanaryApprovalsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:CanaryApprovals", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, CANARY_APPROVALS, _COMPONENT)
        before = [
            self._register(name, pods.service_account()),
            self._register(f"{name}-configuration", pods.config_map(configuration())),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, pods.client_service({naming.HTTP_PORT_NAME: CANARY_APPROVALS_PORT}))
        self._register(name, pods.disruption_budget())
        self._register(name, deployment(pods, args.settings), *before, awaited=True)
        self.register_outputs({})


def confirmation_url(namespace: str) -> str:
    """Address that Flagger asks, from another namespace."""
    return f"http://{CANARY_APPROVALS}.{namespace}:{CANARY_APPROVALS_PORT}/confirm"


def deployment(pods: PodSet, settings: CanaryApprovalsSettings) -> Manifest:
    """One pod: two would not know of each other's approvals."""
    healthy = {"httpGet": {"path": "/healthz", "port": naming.HTTP_PORT_NAME}, "periodSeconds": 5}
    server = ContainerArgs(
        name=CANARY_APPROVALS,
        image=settings.image.reference,
        command=("haproxy", "-W", "-db", "-f", f"{_FOLDER}/haproxy.cfg"),
        resources=settings.resources,
        ports={naming.HTTP_PORT_NAME: CANARY_APPROVALS_PORT},
        mounts={_FOLDER: "configuration:ro"},
        further={
            "startupProbe": {**healthy, "failureThreshold": 12},
            "readinessProbe": {**healthy, "failureThreshold": 3},
            "livenessProbe": {
                "tcpSocket": {"port": naming.HTTP_PORT_NAME},
                "periodSeconds": 10,
                "failureThreshold": 6,
            },
            **sleep_before_stop(_STOP_SECONDS),
        },
    )
    config_map = {"name": pods.configuration_name(configuration()), "defaultMode": 0o444}
    pod = PodArgs(
        version=settings.image.tag,
        user=_USER,
        containers=[container(server)],
        volumes=[{"name": "configuration", "configMap": config_map}],
        grace_period_seconds=_GRACE_SECONDS,
    )
    return pods.deployment(1, pod, alone=True)


def configuration(folder: str = _FOLDER, bind: str = "") -> dict[str, str]:
    """Files of the pod: HAProxy's configuration, and the two maps, whose content is in memory alone.

    Args:
        folder: Where the files are.
        bind: Address to listen on; all when empty.
    """
    asked, approved = f"{folder}/asked.map", f"{folder}/approved.map"
    answer = "http-request return status {} content-type text/plain"
    lines = (
        "global",
        "  log stdout format raw local0 notice",
        "  maxconn 100",
        "  nbthread 1",
        "defaults",
        "  mode http",
        "  log global",
        "  timeout connect 2s",
        "  timeout client 10s",
        "  timeout http-request 5s",
        "frontend approvals",
        f"  bind {bind}:{CANARY_APPROVALS_PORT}",
        "  option http-buffer-request",
        f"  {answer.format(200)} string ok if {{ path /healthz }}",
        f"  acl waits url_param(service),map_str({asked}) -m found",
        f'  {answer.format(200)} lf-string "%[url_param(service),map_str({asked})]" if {{ path /asked }} waits',
        "  http-request set-var(txn.service) req.body,json_query('$.name')",
        "  http-request set-var(txn.checksum) req.body,json_query('$.checksum')",
        "  acl confirm path /confirm",
        "  acl known var(txn.service),length gt 0",
        "  acl release var(txn.checksum),length gt 0",
        f"  http-request set-map({asked}) %[var(txn.service)] %[var(txn.checksum)] if METH_POST confirm known release",
        f"  acl is_approved var(txn.service),map_str({approved}),strcmp(txn.checksum) eq 0",
        f"  {answer.format(200)} string approved if confirm is_approved",
        # The approval of an earlier release would let the same content pass once more.
        f"  http-request del-map({approved}) %[var(txn.service)] if confirm known",
        f'  {answer.format(403)} string "waits for a person" if confirm',
        f"  acl is_asked var(txn.service),map_str({asked}),strcmp(txn.checksum) eq 0",
        "  acl approve path /approve",
        f"  http-request set-map({approved}) %[var(txn.service)] %[var(txn.checksum)] if METH_POST approve is_asked",
        f"  {answer.format(200)} string approved if METH_POST approve is_asked",
        f'  {answer.format(409)} string "another release waits, or none" if approve',
        f'  {answer.format(404)} string "nothing waits"',
    )
    return {"haproxy.cfg": "".join(f"{line}\n" for line in lines), "asked.map": "", "approved.map": ""}
