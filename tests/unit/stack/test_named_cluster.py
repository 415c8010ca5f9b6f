"""Check of the program itself that the cluster is the one that the stack file names."""

from pathlib import Path

import pulumi
import pytest

from components.stack.cluster_identity import COMMAND, check_cluster, compare
from rendering.recorder import record
from tests.support.documents import alpha_with

HERE, THERE = "0b6a7c1e-1f0a-4c57-9d3c-0d6d7c1f2a3b", "9f6a7c1e-1f0a-4c57-9d3c-0d6d7c1f2a3b"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that answers with HERE, and notes what it is asked; the only program on PATH."""
    path = tmp_path / "kubectl"
    path.write_text(f'#!/bin/sh\necho "kubectl $*" >>"{tmp_path}/asked"\nprintf %s {HERE}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_the_named_cluster_is_accepted_after_one_question(kubectl: Path) -> None:
    """The control run."""
    compare(HERE)
    assert kubectl.with_name("asked").read_text().splitlines() == [" ".join(COMMAND)]


def test_another_cluster_is_refused_with_both_names(kubectl: Path) -> None:  # noqa: ARG001  # on PATH
    """Cause and cure."""
    with pytest.raises(pulumi.RunError, match=rf"names the cluster {THERE}, but that of KUBECONFIG is {HERE}\. Choose"):
        compare(THERE)


def test_a_cluster_that_cannot_be_asked_is_refused(kubectl: Path) -> None:
    """With what kubectl said; also without kubectl."""
    kubectl.write_text("#!/bin/sh\necho 'Error from server (Forbidden)' >&2\nexit 1\n")
    with pytest.raises(pulumi.RunError, match=r"cannot be asked for its UID by `kubectl get .*Error from server \(For"):
        compare(HERE)
    kubectl.unlink()
    with pytest.raises(pulumi.RunError, match="No such file or directory: 'kubectl'"):
        compare(HERE)


def test_a_rendering_and_a_stack_without_a_name_ask_nothing(kubectl: Path) -> None:
    """They write nothing, or may go anywhere."""
    assert len(record("alpha", alpha_with({"clusterUid": THERE})).objects) > 50
    check_cluster(None)
    assert not kubectl.with_name("asked").exists()


@pytest.mark.parametrize("uid", ["kube-system", HERE.upper(), f"{HERE}\n"])
def test_what_is_no_uid_is_refused(uid: str) -> None:
    """Before anything else."""
    with pytest.raises(pulumi.RunError, match=r"alt-las:platform\.clusterUid"):
        record("alpha", alpha_with({"clusterUid": uid}))
