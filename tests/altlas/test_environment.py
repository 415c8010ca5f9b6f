"""The environment for pulumi and kubectl."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altlas.session.environment import as_shell, environment
from altlas.session.workspace import Workspace
from cluster import Target
from tools import Toolbox

ODD = 'it\'s a "path" with $HOME, `ls` and\nmore'


def variables(root: Path, outside: Mapping[str, str], target: str = "sim") -> dict[str, str]:
    """The environment of a checkout without any program."""
    outside = {"PULUMI_HOME": str(root / "home"), **outside}
    return environment(Workspace(root), Toolbox({}), Target(target, "named"), root / "kubeconfig", outside)


def test_a_checkout_has_a_backend_and_a_passphrase_of_its_own(tmp_path: Path) -> None:
    """Below `.altlas`, so that nothing of the user's is touched."""
    made = environment(Workspace(tmp_path), Toolbox({}), Target("sim", "named"), tmp_path / "kubeconfig", {})
    assert made["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.altlas/state"
    assert made["PULUMI_HOME"] == f"{tmp_path}/.altlas/pulumi"
    assert made["PULUMI_CONFIG_PASSPHRASE_FILE"] == f"{tmp_path}/.altlas/passphrase"
    assert (made["KUBECONFIG"], made["TARGET"]) == (f"{tmp_path}/kubeconfig", "sim")
    assert "PULUMI_CONFIG_PASSPHRASE" not in made


def test_the_passphrase_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    """A second one could not decrypt what the first has encrypted."""
    path = Path(variables(tmp_path, {})["PULUMI_CONFIG_PASSPHRASE_FILE"])
    first = path.read_text()
    variables(tmp_path, {})
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(first) >= 40


def test_two_checkouts_have_two_passphrases(tmp_path: Path) -> None:
    """Drawn by chance, not made from the path."""
    one, other = (Path(variables(tmp_path / n, {})["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text() for n in "ab")
    assert one != other


def test_a_backend_that_the_user_has_chosen_is_kept(tmp_path: Path) -> None:
    """With its own home and its own way to keep secrets; no passphrase is made."""
    made = variables(tmp_path, {"PULUMI_BACKEND_URL": "s3://theirs"})
    assert not {"PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE_FILE"} & made.keys()
    assert not (tmp_path / ".altlas").exists()


def test_a_passphrase_that_the_user_has_chosen_is_kept(tmp_path: Path) -> None:
    """Given as text or as a file."""
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        made = variables(tmp_path, {name: "theirs"})
        assert not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & made.keys()
    assert not (tmp_path / ".altlas" / "passphrase").exists()


def test_a_pulumi_home_that_the_user_has_chosen_is_kept(tmp_path: Path) -> None:
    """Their plugins are in it."""
    assert variables(tmp_path, {"PULUMI_HOME": "/theirs"})["PULUMI_HOME"] == "/theirs"


def test_pulumi_keeps_no_logs_in_the_home_that_is_the_project_s(tmp_path: Path) -> None:
    """A file stands where the folder would be; it says why and how to have them."""
    variables(tmp_path, {})
    logs = tmp_path / ".altlas" / "pulumi" / "logs"
    assert "To get the logs" in logs.read_text()
    with pytest.raises(NotADirectoryError):
        (logs / "update.log").touch()


def test_logs_that_are_wanted_or_another_home_are_left_alone(tmp_path: Path) -> None:
    """A folder of logs stays one, and nothing is put into a home that the user has chosen."""
    logs = tmp_path / ".altlas" / "pulumi" / "logs"
    logs.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    variables(tmp_path, {})
    assert logs.is_dir()
    assert not (tmp_path / "home" / "logs").exists()


def test_limits_that_the_user_has_chosen_are_kept(tmp_path: Path) -> None:
    """The project's are for its own cluster."""
    chosen = {"PULUMI_PARALLEL": "4", "PULUMI_K8S_CLIENT_QPS": "5", "PULUMI_K8S_CLIENT_BURST": "6", "GOGC": "50"}
    assert chosen.items() <= variables(tmp_path, chosen).items()
    assert not chosen.items() & variables(tmp_path, {}).items()


def test_the_programs_of_the_checkout_come_before_the_system_s(tmp_path: Path) -> None:
    """Pulumi finds the virtual environment's Python first."""
    path = variables(tmp_path, {"PATH": "/usr/bin:/bin"})["PATH"]
    assert path == f"{tmp_path}/.venv/bin:/usr/bin:/bin"


def test_a_path_with_spaces_is_a_valid_backend_address(tmp_path: Path) -> None:
    """Pulumi reads it as a URL."""
    made = variables(tmp_path / "my work", {})
    assert made["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/my%20work/.altlas/state"


def test_a_shell_reads_the_variables_as_they_are() -> None:
    """Quotes, dollars, backticks and line breaks included."""
    printed = subprocess.run(
        ["sh", "-c", as_shell({"KUBECONFIG": ODD, "A": ""}) + 'printf "%s|%s" "$KUBECONFIG" "$A"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == f"{ODD}|"


def test_the_lines_for_the_shell_are_sorted_exports() -> None:
    """The same text each time."""
    assert as_shell({"B": "it's", "A": "1"}) == "export A='1'\nexport B='it'\\''s'\n"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0'"), max_size=20))
def test_nothing_but_a_quote_needs_care_in_quotes(value: str) -> None:
    """Every other character stands for itself between single quotes."""
    assert as_shell({"A": value}) == f"export A='{value}'\n"
