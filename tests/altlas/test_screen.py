"""View of a stack for a person: everything that runs, also what operators make, and nothing made up."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from altlas.commands.status import as_documents
from altlas.session.kubectl import Kubectl
from altlas.status.custom_resources import operated_statuses
from altlas.status.monitoring import MonitoringStatus
from altlas.status.rollout import WorkloadStatus
from altlas.status.table import call_text, workloads_text
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode
from tests.support.documents import alpha_settings

CLUSTERS = "clusters.postgresql.cnpg.io,databases.postgresql.cnpg.io"
PROMETHEUSES = "prometheuses.monitoring.coreos.com"
ALERTMANAGERS = "alertmanagers.monitoring.coreos.com"
ITEMS: list[dict[str, Any]] = [
    {
        "kind": "Cluster",
        "metadata": {"name": "postgres-db"},
        "spec": {"instances": 3, "imageName": "postgresql:18.4"},
        "status": {"readyInstances": 2},
    },
    {
        "kind": "Prometheus",
        "metadata": {"name": "prometheus"},
        "spec": {"replicas": 1, "image": "prometheus:3"},
        "status": {"availableReplicas": 1, "updatedReplicas": 1},
    },
    {"kind": "Alertmanager", "metadata": {"name": "alertmanager"}, "spec": {"replicas": 1}},
]


class Cluster(Kubectl):
    """Answers with some objects, or refuses."""

    def __init__(self, answer: list[dict[str, Any]] | CommandError) -> None:
        super().__init__(Path("kubectl"), Path("kubeconfig"))
        self.__dict__.update({"answer": answer, "asked": list[str]()})

    def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:
        """Objects of a kind."""
        assert (namespace, options) == ("alt-las", ())
        self.asked.append(kind)
        answer: list[dict[str, Any]] | CommandError = self.__dict__["answer"]
        if isinstance(answer, CommandError):
            raise answer
        return answer

    @property
    def asked(self) -> list[str]:
        """The kinds that were asked for."""
        found: list[str] = self.__dict__["asked"]
        return found


def settings(**without: None) -> PlatformSettings:
    """Alpha's settings, less some parts."""
    return alpha_settings(dict(without))


def test_servers_that_operators_make_are_counted_by_what_the_operators_say() -> None:
    """In one question about exactly the kinds that the stack has."""
    cluster = Cluster(ITEMS)
    database, prometheus, alertmanager = operated_statuses(cluster, settings(), operated=True)
    assert cluster.asked == [f"{CLUSTERS},{PROMETHEUSES},{ALERTMANAGERS}"]
    assert (database.kind, database.name, database.ready, database.wanted) == ("Cluster", "postgres-db", 2, 3)
    assert (database.image, alertmanager.image) == ("postgresql:18.4", "-")
    assert [each.is_ready for each in (database, prometheus, alertmanager)] == [False, True, False]


def test_nobody_is_asked_about_what_the_stack_does_not_have() -> None:
    """A cluster without operators is a cluster, too."""
    cluster = Cluster([])
    without = settings(postgres=None, backup=None, prometheus=None, alertmanager=None, grafana=None)
    assert operated_statuses(cluster, without, operated=True) == ()
    assert cluster.asked == []


def test_kinds_that_the_cluster_does_not_know_are_nothing_and_other_refusals_are_told() -> None:
    """A stack that was never brought up has no servers; a cluster that is away is another matter."""
    unknown = CommandError(
        'cannot read: error: the server doesn\'t have a resource type "clusters"', ExitCode.NO_CLUSTER
    )
    assert operated_statuses(Cluster(unknown), settings(), operated=True) == ()
    with pytest.raises(CommandError, match="connection refused"):
        operated_statuses(Cluster(CommandError("connection refused")), settings(), operated=True)


REDIS = WorkloadStatus("redis", "redis:8", ready=1, wanted=1, updated=1, nodes=("node-1",), kind="StatefulSet")


def test_the_table_shows_every_kind() -> None:
    """With the kind, because a Cluster and a StatefulSet are looked at by different commands."""
    operated = operated_statuses(Cluster(ITEMS), settings(), operated=True)
    text = workloads_text("alpha", settings(), (REDIS, *operated), Path("kubeconfig"))
    rows = [line.split() for line in text.splitlines() if line][1:6]
    assert rows == [
        ["NAME", "KIND", "READY", "IMAGE", "NODES"],
        ["redis", "StatefulSet", "1/1", "redis:8", "node-1"],
        ["postgres-db", "Cluster", "2/3", "postgresql:18.4"],
        ["prometheus", "Prometheus", "1/1", "prometheus:3"],
        ["alertmanager", "Alertmanager", "0/1", "-"],
    ]
    assert "not proven here" not in text


def test_the_gateway_is_called_by_the_address_of_a_node() -> None:
    """Names below .localhost are this machine, which is none of the nodes."""
    platform = settings()
    assert call_text(platform, "10.180.0.11") == (
        f"call:  curl --insecure --resolve {platform.ingress.host}:443:10.180.0.11 "
        f"https://{platform.ingress.host}/api/v1/status"
    )


def test_nothing_is_said_of_servers_whose_operator_is_simulated() -> None:
    """Neither that they are ready nor that they are not."""
    operated = operated_statuses(Cluster(ITEMS[:1]), settings(), operated=False)
    text = workloads_text("alpha", settings(), (REDIS, *operated), Path("kubeconfig"))
    assert "postgres-db  Cluster      -/3" in text
    assert "operators are simulated here, so these are not proven here" in text
    assert "not proven here" not in workloads_text("alpha", settings(), (REDIS,), Path("kubeconfig"))
    assert (
        dataclasses.replace(operated[0], operated=True)
        == operated_statuses(Cluster(ITEMS[:1]), settings(), operated=True)[0]
    )


def test_programs_get_the_same_figures_as_json() -> None:
    """A simulated operator's servers have no number of ready ones; monitoring that cannot be queried has a reason."""
    operated = operated_statuses(Cluster(ITEMS[:1]), settings(), operated=False)
    document = json.loads(json.dumps(as_documents((REDIS, *operated), "not proven here: no container runs on sim")))
    redis, database = document["workloads"]
    assert redis == {
        "name": "redis",
        "kind": "StatefulSet",
        "image": "redis:8",
        "ready": 1,
        "wanted": 1,
        "nodes": ["node-1"],
    }
    assert (database["ready"], database["wanted"]) == (None, 3)
    assert document["monitoring"] == {"unknown": "not proven here: no container runs on sim"}
    known = MonitoringStatus(up=3, down=(), firing=("TargetDown",), alive=True, backup_seconds={"redis": 60.0})
    assert as_documents((), known)["monitoring"] == dataclasses.asdict(known)
