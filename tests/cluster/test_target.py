"""The choice of the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.target import Target, choose_target


def _never_asked() -> bool:
    pytest.fail("the Docker engine was asked although something was named")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """A file that is there; what it holds does not matter for the choice."""
    path = tmp_path / "config"
    path.write_text("")
    return path


@pytest.mark.parametrize(("docker", "expected"), [(True, "k3d"), (False, "sim")])
def test_docker_decides_when_nothing_is_named(docker: bool, expected: str) -> None:
    """With nothing named, k3d is used where it can be and sim everywhere else."""
    target = choose_target({}, lambda: docker)
    assert target.name == expected
    assert "Docker engine answers" in str(target)


@pytest.mark.parametrize("name", ["sim", "node", "k3d"])
def test_a_named_target_wins_over_everything(name: str, kubeconfig: Path) -> None:
    """TARGET is what the user said most clearly."""
    environment = {"TARGET": name, "KUBECONFIG": str(kubeconfig)}
    assert choose_target(environment, _never_asked) == Target(name, "TARGET names it")


def test_a_named_kubeconfig_wins_over_docker(kubeconfig: Path) -> None:
    """A user who sets KUBECONFIG means that cluster."""
    target = choose_target({"KUBECONFIG": str(kubeconfig)}, _never_asked)
    assert (target.name, target.kubeconfig) == ("kubeconfig", kubeconfig)
    assert str(target) == f"Target kubeconfig: KUBECONFIG names {kubeconfig}."


def test_an_option_wins_over_its_environment_variable() -> None:
    """An option typed now is newer than an exported variable."""
    assert choose_target({"TARGET": "k3d"}, _never_asked, target="sim").name == "sim"


def test_the_usual_kubeconfig_in_the_home_directory_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster in ~/.kube/config today could be production."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert choose_target({}, lambda: False).name == "sim"


def test_an_unknown_target_is_refused_with_the_valid_ones() -> None:
    """A misspelt target must not fall back to another cluster."""
    with pytest.raises(ClusterError, match="TARGET is 'simm'; it must be one of: sim, node, k3d, kubeconfig"):
        choose_target({"TARGET": "simm"}, _never_asked)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"KUBECONFIG": "/nowhere/config"}, "/nowhere/config, named by KUBECONFIG, does not exist. Correct the path"),
        ({"TARGET": "kubeconfig"}, "needs a file. Name it in the environment: KUBECONFIG=FILE"),
        ({"KUBECONFIG": "/one:/two"}, "names 2 files"),
    ],
)
def test_an_unusable_kubeconfig_is_refused_with_a_cure(environment: dict[str, str], message: str) -> None:
    """Falling back to another cluster would be a surprise."""
    with pytest.raises(ClusterError, match=message):
        choose_target(environment, _never_asked)
