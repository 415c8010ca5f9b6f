"""Check that the chosen cluster is the one on which a stack runs, before anything is written to it.

A stack's state holds the UID of its namespace, which no other cluster has (docs/adr/0018). A stack file may name the
cluster as well, which counts before the first update, and which the program checks by itself under plain `pulumi`.
"""

from collections.abc import Mapping
from typing import Any

from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode

_CLUSTER_NAMESPACE = "kube-system"
_NAMESPACE = "kubernetes:core/v1:Namespace"


def state_on_its_cluster(session: Session, stack: str, platform: PlatformSettings) -> Mapping[str, Any]:
    """State of a stack with these settings, after the checks of its cluster.

    Raises:
        CommandError: The chosen cluster is another one. Nothing was changed.
    """
    check_named_cluster(session.kubectl, platform)
    state = session.engine.exported_state(stack)
    check_cluster_identity(session.kubectl, stack, state)
    return state


def check_named_cluster(kubectl: Kubectl, platform: PlatformSettings) -> None:
    """Check that the cluster is the one that the settings name, if they do.

    Raises:
        CommandError: It is another one. Nothing was changed.
    """
    if (wanted := platform.cluster_uid) and (found := cluster_uid(kubectl)) != wanted:
        raise CommandError(
            f"alt-las:platform.clusterUid names the cluster {wanted}, but {kubectl.kubeconfig} leads to {found}. "
            "Choose the cluster of the stack by TARGET or KUBECONFIG, or correct the setting. Nothing was changed",
            ExitCode.BAD_INPUT,
        )


def cluster_uid(kubectl: Kubectl) -> str:
    """Identity of a cluster: the UID of its namespace kube-system.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    (found,) = kubectl.named("namespace", _CLUSTER_NAMESPACE) or ({"metadata": {"uid": ""}},)
    uid = str(found["metadata"]["uid"])
    if not uid:
        raise CommandError("the cluster has no namespace kube-system, so it cannot be identified", ExitCode.NO_CLUSTER)
    return uid


def check_cluster_identity(kubectl: Kubectl, stack: str, state: Mapping[str, Any]) -> None:
    """Check that the namespace on the cluster is the one that the stack created.

    Args:
        kubectl: The chosen cluster.
        stack: Name of the stack.
        state: What `Engine.exported_state` returned; a stack that has no namespace may go to any cluster.

    Raises:
        CommandError: The cluster has no such namespace, or another one of the same name. Nothing was changed.
    """
    known = namespace_uids(state)
    if not known:
        return
    here = {each["metadata"]["name"]: each["metadata"]["uid"] for each in kubectl.named("namespace", *known)}
    for name, uid in known.items():
        if here.get(name) != uid:
            found = f"has another one of that name (UID {here[name]})" if name in here else "has none of that name"
            raise CommandError(
                f"the stack {stack} runs on another cluster: its namespace {name} has the UID {uid}, and that of "
                f"{kubectl.kubeconfig} {found}. Choose the cluster that it runs on by TARGET or KUBECONFIG. Only if "
                "that one is gone for good, let the state forget what ran there, by `altlas addons install` and "
                f"`pulumi refresh --stack {stack}`. Nothing was changed",
                ExitCode.BAD_INPUT,
            )


def namespace_uids(state: Mapping[str, Any]) -> dict[str, str]:
    """UIDs of the namespaces that a state knows to be on its cluster, by name."""
    resources = state.get("deployment", {}).get("resources") or ()
    found = [each["outputs"]["metadata"] for each in resources if each["type"] == _NAMESPACE and each.get("outputs")]
    return {metadata["name"]: metadata["uid"] for metadata in found if "uid" in metadata}
