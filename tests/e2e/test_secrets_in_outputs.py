"""Canaries in every secret: in nothing that any command of `altlas` prints or writes, in no encoding.

Every command is run, with forms of its output and with mistakes, in a project whose alpha runs on a simulated cluster;
a command or an option that no line tries is red. Files in which secrets belong are named in BELONGS.
"""

import gzip
import os
import re
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import copy

import pytest

from altlas.cli import main
from tests.e2e.command_lines import (
    END,
    EVERYDAY,
    EVERYWHERE,
    MISTAKES,
    ONLY_REFUSED,
    OTHERS,
    PHASES,
    RELEASE,
    Line,
    commands,
)
from tests.e2e.conftest import Project
from tests.e2e.planted import Planted, plant, plant_mistakes, plant_on_cluster
from tests.faults.cases import Cases
from tests.support.canaries import NUMBER, found
from tests.support.deployed import copy_of
from tests.support.figures import Figures
from tests.support.github_server import World, github_server

pytestmark = pytest.mark.e2e

FAULT = "secret in an output of a command"
LINES = (*RELEASE, *EVERYDAY, *PHASES, *OTHERS, *MISTAKES, *END)
BELONGS = {
    ".altlas/passphrase": "decrypts the secrets in the stack files and in the state",
    ".altlas/sim/etcd": "Secrets of the cluster",
    ".altlas/sim/kubeconfig": "key of the administrator of a cluster of this checkout",
    ".altlas/sim/pki": "keys of a cluster of this checkout",
}
"""Files and folders of a project in which a secret belongs, and why."""

OWN = {"KUBECONFIG", "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "ALT_LAS_ADDONS"}
Versions = dict[Path, tuple[int, int, int]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with alpha on a running cluster, without monitoring."""
    with copy_of("small", tmp_path_factory) as copied:
        yield copied


@pytest.fixture
def world() -> Iterator[World]:
    """GitHub, with an environment that persons guard."""
    with github_server() as made:
        made.environments["production"] = [{"type": "required_reviewers", "reviewers": [{"type": "User"}]}]
        yield made


class Commands:
    """Runs command lines in this process and collects what each one printed and wrote."""

    def __init__(
        self, project: Project, folder: Path, planted: Planted, capfd: pytest.CaptureFixture[str], world: World
    ) -> None:
        self.project, self.folder, self.planted = project, folder, planted
        self._capfd, self._world = capfd, world
        self._entry = ""

    def run(self, line: Line) -> tuple[int, dict[str, bytes]]:
        """Run a line; its exit code, and contents by the place in which they stand."""
        before = versions(self.project.root, self.folder)
        with pytest.MonkeyPatch.context() as patch:
            self._surround(patch, line)
            patch.setattr(sys, "argv", ["altlas", *map(self._filled, line.words.split(" "))])
            self._capfd.readouterr()
            code = _code_of_main()
        said = self._capfd.readouterr()
        if number := re.search(r"entry (\d+) of the ledger", said.out):
            self._entry = self._entry or number[1]
        after = versions(self.project.root, self.folder)
        written = {str(path): path.read_bytes() for path, version in after.items() if before.get(path) != version}
        return code, {"standard output": said.out.encode(), "standard error": said.err.encode(), **written}

    def _surround(self, patch: pytest.MonkeyPatch, line: Line) -> None:
        for name in OWN & os.environ.keys():
            patch.delenv(name)
        here = {"ALT_LAS_ROOT": str(self.project.root), "TARGET": "sim", "TMPDIR": str(self.folder)}
        job = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{self._world.address}/identity"} | self._world.variables
        job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = job["GITHUB_TOKEN"]
        given = {name: self._filled(value) for name, value in line.variables.items()}
        for name, value in (here | job | self.planted.environment | given).items():
            patch.setenv(name, value)
        # Some machines have Locust, others have not; no line loads anything.
        patch.setattr("altlas.commands.loadtest.locust_python", lambda: Path("python"))
        patch.chdir(self.project.root)

    def _filled(self, word: str) -> str:
        known = {"folder": str(self.folder), "entry": self._entry, "commit": "0" * 40}
        return re.sub(r"\{([^}]+)\}", lambda name: known.get(name[1]) or self.planted.new(name[1]), word)


def _code_of_main() -> int:
    """Exit code of the command; a traceback is printed as the interpreter does it."""
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception:
        traceback.print_exc()
        return -1
    return 0


def versions(root: Path, folder: Path) -> Versions:
    """Files of a project and of a folder, but those of the cluster and where secrets belong."""
    left_out = [root / ".altlas" / "sim", *(root / name for name in BELONGS)]
    found: Versions = {}
    for top in (root, folder):
        for place, folders, files in os.walk(top):
            folders[:] = [name for name in folders if Path(place, name) not in left_out]
            for path in (Path(place, name) for name in files):
                if path not in left_out and path.is_file() and not path.is_symlink():
                    status = path.stat()
                    found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def contents_of_cluster(root: Path) -> dict[str, bytes]:
    """Files that the programs of the cluster write, but those in which secrets belong."""
    files = (path for path in (root / ".altlas" / "sim").rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes() for path in files if not any(path.is_relative_to(root / name) for name in BELONGS)
    }


def tried_options() -> Iterator[str]:
    """Every option of every command, with the command."""
    for name, command in commands():
        for each in command.params:
            names = {*each.opts, *each.secondary_opts}
            if each.param_type_name == "option" and not names & EVERYWHERE and "--help" not in names:
                words = [line.words.split() for line in LINES if line.words.startswith(name)]
                if not any(word.partition("=")[0] in names for line in words for word in line):
                    yield f"{name} {each.opts[0]}"


def test_every_command_and_every_option_is_tried_here() -> None:
    """A new one is red until it has a line; a command that only refuses is named with its reason."""
    names = {name for name, _ in commands()}
    tried = {name: {line.code for line in LINES if f"{line.words} ".startswith(f"{name} ")} for name in names}
    assert len(names) >= 60
    assert {name for name in names if not tried[name]} == set()
    assert list(tried_options()) == []
    sampled = {
        name
        for name in names
        if not any(f"{line.words} ".startswith(f"{name} ") and not line.code and not line.only_whole for line in LINES)
    }
    assert sampled == ONLY_REFUSED.keys()


def test_no_command_shows_a_secret(
    project: Project,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    world: World,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """Standard output, standard error and every file, after each line; then what the programs of the cluster wrote."""
    cases = cases_of(FAULT, "in nothing that it prints or writes", "sim")
    planted = plant(project, tmp_path)
    run = Commands(project, tmp_path, planted, capfd, world)
    story: tuple[tuple[tuple[Line, ...], Callable[[], object]], ...] = (
        (RELEASE, lambda: None),
        (EVERYDAY, lambda: plant_on_cluster(project, planted)),
        (PHASES, lambda: plant_mistakes(project, tmp_path, planted)),
        (OTHERS, lambda: None),
        (MISTAKES, lambda: [copy(file, project.root) for file in tmp_path.glob("Pulumi.*.yaml")]),
        (END, lambda: search("files of the cluster", contents_of_cluster(project.root))),
    )
    wrong: list[tuple[object, ...]] = []

    def search(what: str, places: Mapping[str, bytes]) -> None:
        shown = hits(planted, places)
        cases.finish(what, held=not shown)
        wrong.extend((what, *each) for each in shown)

    for lines, prepare in story:
        prepare()
        for line in (each for each in lines if all_faults or not each.only_whole):
            code, places = run.run(line)
            search(line.key, places)
            if code != line.code:
                wrong.append((line.key, code, places["standard error"].decode()[-600:]))
    assert wrong == []
    assert len(planted.canaries) >= NUMBER
    figures.add("faults: secrets in outputs of commands", f"{len(planted.canaries)} canaries, {cases.outcome}")


def hits(planted: Planted, places: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Place of each canary that stands in the open."""
    if not found(planted.canaries.values(), *places.values()):
        return []
    return [
        (name, place)
        for place, content in places.items()
        for name, canary in planted.canaries.items()
        if found([canary], content)
    ]


@pytest.mark.parametrize("place", ["standard output", "standard error", "plan.json", "page.html", "ledger.jsonl"])
def test_a_planted_secret_is_found(place: str) -> None:
    """Control: in each kind of output, plain, encoded and compressed, beside what is no secret."""
    planted = Planted()
    one, _ = planted.new("one"), planted.new("other")
    for content in (
        one.encode(),
        b64encode(f"x{one}y".encode()),
        gzip.compress(one.encode()),
        one.encode().hex().encode(),
    ):
        assert hits(planted, {place: b"before " + content + b" after", "beside": b"canary"}) == [("one", place)]
    assert hits(planted, {place: b"canary-"}) == []
