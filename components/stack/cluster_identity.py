"""Check that the cluster is the one that the stack file names, before the program registers anything.

Owns the check by the program itself, which holds for plain `pulumi up` too. Does not own the comparison with the state,
which only commands of `altlas` can make.
"""

import subprocess

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

COMMAND = ("kubectl", "get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")
"""Question whose answer tells one cluster from another; the provider, too, takes the cluster of KUBECONFIG."""

_SECONDS = 30


def check_cluster(wanted: str | None) -> None:
    """Check the cluster, unless nothing will be written: in a preview or a rendering.

    Args:
        wanted: UID of its namespace kube-system; None for any cluster.

    Raises:
        pulumi.RunError: It is another cluster, or cannot be asked.
    """
    if wanted and not pulumi.runtime.is_dry_run() and not isinstance(get_monitor(), MockMonitor):
        compare(wanted)


def compare(wanted: str) -> None:
    """Compare the UID with that of the cluster of KUBECONFIG.

    Raises:
        pulumi.RunError: They differ, or the cluster cannot be asked.
    """
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise pulumi.RunError(_unknown(str(error))) from None
    if done.returncode:
        raise pulumi.RunError(_unknown(done.stderr.strip()))
    if done.stdout != wanted:
        raise pulumi.RunError(
            f"alt-las:platform.clusterUid names the cluster {wanted}, but that of KUBECONFIG is {done.stdout}. Choose "
            "the cluster of the stack, or correct the setting. Nothing was changed"
        )


def _unknown(cause: str) -> str:
    return (
        f"alt-las:platform.clusterUid is set, but the cluster cannot be asked for its UID by `{' '.join(COMMAND)}`: "
        f"{cause}. Nothing was changed"
    )
