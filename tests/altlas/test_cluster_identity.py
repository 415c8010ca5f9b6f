"""Which cluster a stack's state speaks of, and which others it is kept from."""

from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update.cluster_identity import check_cluster_identity, check_named_cluster, namespace_uids
from rendering.errors import CommandError, ExitCode
from tests.support.documents import alpha_settings

NAMESPACE = "kubernetes:core/v1:Namespace"


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    """A state as Pulumi exports it."""
    return {"deployment": {"resources": list(resources)}}


def made(name: str, uid: str) -> dict[str, Any]:
    """A namespace that an update has made."""
    return {"type": NAMESPACE, "outputs": {"metadata": {"name": name, "uid": uid}}}


class Cluster(Kubectl):
    """Has some namespaces."""

    def __init__(self, **uids: str) -> None:
        super().__init__(Path("kubectl"), Path("elsewhere"))
        self.__dict__["uids"] = uids

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Those that are asked for."""
        assert kind == "namespace"
        uids: dict[str, str] = self.__dict__["uids"]
        return [{"metadata": {"name": name, "uid": uids[name]}} for name in names if name in uids]


@pytest.mark.parametrize("empty", [{}, {"deployment": {}}, state({"type": "pulumi:pulumi:Stack"})])
def test_a_stack_that_made_nothing_may_go_to_any_cluster(empty: dict[str, Any]) -> None:
    """Also one whose first update has not come to its namespace."""
    assert namespace_uids(empty) == {}
    check_cluster_identity(Cluster(), "alpha", empty)


def test_its_own_cluster_is_known_by_the_uid_of_its_namespace() -> None:
    """The control run."""
    check_cluster_identity(Cluster(boats="1-2-3"), "alpha", state(made("boats", "1-2-3")))


@pytest.mark.parametrize(
    ("there", "found"),
    [({}, "has none of that name"), ({"boats": "4-5-6"}, r"has another one of that name \(UID 4-5-6\)")],
)
def test_another_cluster_is_refused(there: dict[str, str], found: str) -> None:
    """Named by its kubeconfig, with the way to go to it on purpose."""
    with pytest.raises(
        CommandError, match=rf"namespace boats has the UID 1-2-3, and that of elsewhere {found}"
    ) as error:
        check_cluster_identity(Cluster(**there), "alpha", state(made("boats", "1-2-3")))
    assert "pulumi refresh --stack alpha" in str(error.value)
    assert error.value.code == ExitCode.BAD_INPUT


UID = "0b6a7c1e-1f0a-4c57-9d3c-0d6d7c1f2a3b"


@pytest.mark.parametrize(("named", "refused"), [(None, False), (UID, False), (UID.replace("0b", "9f"), True)])
def test_a_cluster_that_the_stack_file_names_counts_before_the_first_update(named: str | None, refused: bool) -> None:
    """By the UID of kube-system; no other cluster is written to."""
    cluster, platform = Cluster(**{"kube-system": UID}), alpha_settings({"clusterUid": named})
    if not refused:
        check_named_cluster(cluster, platform)
        return
    with pytest.raises(
        CommandError, match=rf"names the cluster {named}, but elsewhere leads to {UID}\. Choose"
    ) as error:
        check_named_cluster(cluster, platform)
    assert error.value.code == ExitCode.BAD_INPUT


def test_a_cluster_without_an_identity_is_refused_where_one_is_named() -> None:
    """It has no kube-system."""
    with pytest.raises(CommandError, match="it cannot be identified"):
        check_named_cluster(Cluster(), alpha_settings({"clusterUid": UID}))
