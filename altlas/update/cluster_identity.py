"""Check that the chosen cluster is the one on which a stack runs, before anything is written to it.

A stack's state holds the UID of its namespace, which no other cluster has, so no other record is needed
(docs/adr/0018). Plain `pulumi` does not check.
"""

from collections.abc import Mapping
from typing import Any

from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError, ExitCode

_NAMESPACE = "kubernetes:core/v1:Namespace"


def state_on_its_cluster(engine: Engine, kubectl: Kubectl, stack: str) -> Mapping[str, Any]:
    """State of a stack, after the check of its cluster.

    Raises:
        CommandError: The chosen cluster is another one. Nothing was changed.
    """
    state = engine.exported_state(stack)
    check_cluster_identity(kubectl, stack, state)
    return state


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
