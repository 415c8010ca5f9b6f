"""Which cluster a stack's state speaks of, and which others it is kept from."""

from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update.cluster_identity import check_cluster_identity, namespace_uids
from rendering.errors import CommandError, ExitCode

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
