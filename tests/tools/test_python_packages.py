"""The lock files of Python packages, what is exported from them, and environments of Python packages in the cache."""

import ast
import hashlib
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.documents import ROOT
from tools import ToolsUnavailableError, python_packages, uv

LOCKED = [ROOT, *sorted(lock.parent for lock in (ROOT / "tools" / "python").glob("*/uv.lock"))]
"""Folders with packages of their own: the project, and what tests and scans start."""

EXPORTED = {"backup": ROOT / "images" / "backup" / "requirements.txt", "uv": uv.REQUIREMENTS}
"""Files of requirements by the dependency group that `make lock` exports to them."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; uv is on PATH, so that it is not installed there once more."""
    monkeypatch.setenv("PATH", str(uv.program().parent), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def project(folder: Path, sha256: str) -> Path:
    """A project that needs one package, a wheel beside it, locked with a checksum."""
    folder.mkdir()
    wheel = folder / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo.py", "")
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "some"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["demo"]\n'
        f'[tool.uv.sources]\ndemo = {{ path = "{wheel.name}" }}\n'
    )
    (folder / "uv.lock").write_text(
        'version = 1\nrequires-python = ">=3.11"\n'
        f'[[package]]\nname = "demo"\nversion = "1.0"\nsource = {{ path = "{wheel.name}" }}\n'
        f'wheels = [{{ filename = "{wheel.name}", hash = "sha256:{sha256}" }}]\n'
        '[[package]]\nname = "some"\nversion = "0"\nsource = { virtual = "." }\ndependencies = [{ name = "demo" }]\n'
    )
    return folder


@pytest.mark.parametrize("folder", LOCKED, ids=lambda folder: folder.name)
def test_every_locked_package_has_a_checksum_and_comes_from_pypi(folder: Path) -> None:
    """The default index, whatever the machine that locked was configured with."""
    packages = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))["package"]
    foreign = [package for package in packages if not package["source"].keys() & {"editable", "virtual"}]
    assert len(foreign) == len(packages) - 1 >= 10
    for package in foreign:
        assert package["source"] == {"registry": "https://pypi.org/simple"}
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        assert files
        assert {urlsplit(file["url"]).netloc for file in files} == {"files.pythonhosted.org"}
        assert all(file["hash"].startswith("sha256:") for file in files)


@pytest.mark.parametrize("folder", LOCKED, ids=lambda folder: folder.name)
def test_the_lock_file_fits_what_the_project_asks_for(folder: Path) -> None:
    """There is nothing to change, which uv finds without asking the index."""
    uv.run(["lock", "--check", "--offline", "--project", folder, "--python", sys.executable])


@pytest.mark.parametrize("group", EXPORTED)
def test_what_is_exported_from_the_lock_file_is_fresh(group: str) -> None:
    """`make lock` would write the same."""
    options = ("--quiet", "--frozen", "--no-header", "--no-annotate", "--no-emit-project")
    exported = uv.run(["export", *options, "--project", ROOT, "--only-group", group])
    assert EXPORTED[group].read_text(encoding="utf-8") == exported


def packages_of_the_program() -> set[str]:
    """Packages that `make install` puts into .venv-program."""
    options = ("--quiet", "--frozen", "--no-hashes", "--no-annotate", "--no-emit-project", "--no-default-groups")
    listed = uv.run(["export", *options, "--project", ROOT]).splitlines()
    return {line.partition("==")[0] for line in listed if "==" in line}


def imported(node: ast.AST) -> Iterator[str]:
    """Top-level modules that a module imports when it runs, at its top or later."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module.partition(".")[0]
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from imported(child)


@pytest.mark.parametrize("folder", ["components", "policy/rules", "policy/pack", "cluster"])
def test_the_program_s_environment_has_what_pulumi_runs(folder: str) -> None:
    """The program, the policy pack and the program of the addons import nothing else."""
    # `python -m policy.rules` is a command of the developers.
    files = {ROOT / "__main__.py", *(ROOT / folder).rglob("*.py")} - {ROOT / "policy" / "rules" / "__main__.py"}
    modules = {module for file in files for module in imported(ast.parse(file.read_text(encoding="utf-8")))}
    distributions = packages_distributions()
    own = {path.name for path in ROOT.iterdir() if path.is_dir()}
    foreign = modules - set(sys.stdlib_module_names) - own
    needed = {distributions[module][0].lower().replace("_", "-") for module in foreign}
    assert needed
    assert needed <= packages_of_the_program()


def test_the_program_s_environment_has_no_tool_of_the_developers() -> None:
    """Nor the command's libraries: only what Pulumi's language host has to list."""
    names = packages_of_the_program()
    assert {"pulumi", "pip", "pydantic"} < names
    assert not names & {"typer", "pytest", "boto3", "mypy", "pulumi-kubernetes"}
    assert len(names) < 45


@pytest.mark.parametrize(("answer", "is_taken"), [("9.0.0", True), ("0.1.0", False), ("no number", False)])
@pytest.mark.usefixtures("cache")
def test_uv_of_the_machine_is_taken_if_it_is_new_enough(
    answer: str, *, is_taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the pinned one is installed into the cache, once."""
    found = tmp_path / "bin" / "uv"
    found.parent.mkdir()
    found.write_text(f"#!/bin/sh\necho 'uv {answer}'\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(found.parent), prepend=":")
    installed = tmp_path / "cache" / "alt-las" / "uv" / uv.pinned_version() / "bin" / "uv"
    monkeypatch.setattr(uv, "_install", lambda _: None)
    assert uv.program() == (found if is_taken else installed)


@pytest.mark.usefixtures("cache")
def test_a_failure_of_uv_says_what_to_do() -> None:
    """With its own last words before it."""
    with pytest.raises(ToolsUnavailableError, match=r"(?s)no-such-command.*What you can do.*HTTPS_PROXY"):
        uv.run(["no-such-command"])


@pytest.mark.usefixtures("cache")
def test_an_environment_is_made_once_for_each_lock(tmp_path: Path) -> None:
    """Another lock file is another environment, and the first one is left alone."""
    some = project(tmp_path / "some", "0" * 64)
    sha256 = hashlib.sha256((some / "demo-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    lock = some / "uv.lock"
    lock.write_text(lock.read_text().replace("0" * 64, sha256))
    first = python_packages.ensure(some)
    assert first.program("python").exists()
    assert (first.packages / "demo.py").exists()
    (first.folder / "mark").touch()
    assert (python_packages.ensure(some).folder / "mark").exists()
    lock.write_text(lock.read_text() + "\n")
    assert python_packages.ensure(some).folder != first.folder


@pytest.mark.usefixtures("cache")
def test_a_package_that_is_not_the_pinned_one_is_refused_and_nothing_counts_as_installed(tmp_path: Path) -> None:
    """By its checksum."""
    some = project(tmp_path / "some", "0" * 64)
    with pytest.raises(ToolsUnavailableError, match=r"(?s)could not be installed.*(?i:hash)"):
        python_packages.ensure(some)
    assert list((tmp_path / "cache").rglob("finished")) == []


def test_the_module_runs_uv_as_it_is_and_ends_with_its_status() -> None:
    """`python3 -m tools.uv` is what make uses."""
    command = [sys.executable, "-m", "tools.uv"]
    done = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "uv")
    assert subprocess.run([*command, "nonsense"], cwd=ROOT, capture_output=True, check=False).returncode == 2
