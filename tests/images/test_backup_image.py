"""The image of the dumps as text, and the script that collects what goes into it."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from components.stack.image_build import check_dockerfile
from tests.images.test_dockerfiles import lint
from tests.support.documents import ROOT

FOLDER = ROOT / "images" / "backup"
DOCKERFILE = FOLDER / "Dockerfile"
MODULES = {"boto3": "boto3", "botocore": "boto3", "cryptography": "cryptography", "nats": "nats-py", "redis": "redis"}
"""Package on the list of requirements by the module that the code imports."""


def lines() -> list[str]:
    """The Dockerfile without comments, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pinned() -> dict[str, str]:
    """Versions by package in the list of requirements; every one has a checksum."""
    text = (FOLDER / "requirements.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9._-]+)==(\S+).*((?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    return {package: version for package, version, _ in entries}


def test_hadolint_has_nothing_to_say() -> None:
    """Not even a remark on style."""
    done = lint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_keeps_the_rules_of_the_other_images() -> None:
    """A numeric user, bases without a default, no command in the last stage, no shell around the program."""
    check_dockerfile(DOCKERFILE)
    bases = [line.split()[1] for line in lines() if line.startswith("FROM ")]
    assert bases[-1] == "${RUN_IMAGE}"
    assert all(base.startswith("${") for base in bases)
    before = lines()[: next(index for index, line in enumerate(lines()) if line.startswith("FROM "))]
    assert before == [
        f"ARG {base[2:-1]}" for base in sorted(set(bases), key=lambda each: before.index(f"ARG {each[2:-1]}"))
    ]
    last = lines()[len(lines()) - 1 - lines()[::-1].index("FROM ${RUN_IMAGE}") :]
    assert not [line for line in last if line.startswith("RUN ")]
    assert "USER 10001:10001" in last


def test_it_holds_the_package_and_nothing_else_of_the_project() -> None:
    """Neither settings nor tests; secrets and history are left out by .dockerignore."""
    sources = [line.split()[1:-1] for line in lines() if line.startswith("COPY ") and "--from" not in line]
    assert {each for line in sources for each in line} == {
        *("images/backup/collect.sh", "images/backup/passwd", "images/backup/requirements.txt", "backup/")
    }
    assert (FOLDER / "Dockerfile.dockerignore").resolve() == ROOT / "images" / ".dockerignore"


def test_what_runs_in_it_is_what_was_tested() -> None:
    """The same version of every package as in the lock file, from which the tests are installed."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert pinned().items() < {package["name"]: package["version"] for package in locked}.items()


def test_every_module_that_the_package_imports_is_in_it() -> None:
    """And nothing is in it that no module imports."""
    imported = set()
    for path in sorted((ROOT / "backup").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"backup"}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert {MODULES[name] for name in foreign} == set(groups["backup"])


def test_its_user_has_a_name_for_postgresql() -> None:
    """`initdb` asks for it."""
    users = dict(line.split(":")[::2][:2] for line in (FOLDER / "passwd").read_text(encoding="utf-8").splitlines())
    assert users["backup"] == "10001"


def test_programs_are_collected_with_all_their_libraries(tmp_path: Path) -> None:
    """With programs of this machine; a program that is not there ends the build."""
    if sys.platform != "linux":
        pytest.skip("not proven here: ldd is a program of Linux")
    # One of the test's own: not everybody may read all that lies in the folders of this machine.
    folder, collected = tmp_path.resolve() / "certificates", tmp_path / "collected"
    folder.mkdir()
    (folder / "ca.crt").touch()
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "COLLECTED": str(collected)}
    command = ["sh", str(FOLDER / "collect.sh")]
    subprocess.run([*command, "tar", str(folder)], env=environment, check=True)
    (program,) = (path for path in collected.rglob("tar") if path.is_file())
    needed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"=> (/\S+) \(", needed)
    assert libraries
    # Under the folder's own name: a folder /lib would take the place of the base's link to /usr/lib.
    places = [Path(library).parent.resolve() / Path(library).name for library in libraries]
    assert [place for place in places if not (collected / place.relative_to("/")).is_file()] == []
    assert [path.name for path in collected.iterdir() if (Path("/") / path.name).is_symlink()] == []
    assert (collected / folder.relative_to("/") / "ca.crt").is_file()
    assert subprocess.run([*command, "no-such-program"], env=environment, check=False).returncode != 0
