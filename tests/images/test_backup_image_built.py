"""The image of the dumps, really built and run here over bases that stand in for the published ones.

Not proven here: the published bases. PostgreSQL's programs are those of the server of the data tier's tests, Redis is
Debian's, the NATS server and the nats command are the pinned ones.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.node.images.builder import default_cache
from components.stores.postgres.objects import HOME_DATABASE
from tests.data.conftest import folder
from tests.images.backup_image import WRITABLE, BackupImage, built
from tests.images.bounds import backup_violations
from tests.images.proof import unwanted_programs
from tests.support.figures import Figures
from tests.support.postgres_servers import PASSWORDS, programs, running
from tools.errors import ToolsUnavailableError

__all__ = ["folder"]

pytestmark = pytest.mark.e2e

ROWS = 5000
FILL = "CREATE TABLE t AS SELECT n FROM generate_series(1, 5000) n"
WHO_AND_WHERE = """
import json, os
found = [path for path, _, _ in os.walk("/") if os.access(path, os.W_OK) and not path.startswith(("/proc", "/dev"))]
print(json.dumps({"user": os.getuid(), "group": os.getgid(), "writable": sorted(found)}))
"""


@pytest.fixture(scope="module")
def image() -> Iterator[BackupImage]:
    """The image, built twice for this module."""
    try:
        with built(default_cache()) as found:
            yield found
    except ToolsUnavailableError as error:
        reason = f"not proven here: the image of the dumps is not built and not run, because {error}"
        print(reason)
        pytest.skip(reason)


def test_it_keeps_its_bounds_and_two_builds_have_one_digest(image: BackupImage) -> None:
    """Size, layers, user, and every byte."""
    assert list(backup_violations(image)) == []


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore", "psql", "initdb", "postgres"])
def test_its_programs_have_the_version_of_the_server(image: BackupImage, program: str) -> None:
    """Of the server that the drills of the data tier run."""
    server = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    done = image.run(program, "--version")
    assert (done.returncode, done.stdout.split()[2:]) == (0, server.split()[2:]), done.stderr


@pytest.mark.parametrize("program", ["redis-server", "redis-cli", "nats-server", "nats"])
def test_the_programs_of_the_other_stores_start_in_it(image: BackupImage, program: str) -> None:
    """With every library that they need."""
    done = image.run(program, "--version")
    assert done.returncode == 0, done.stderr


def test_it_runs_as_its_user_and_can_write_two_folders_only(image: BackupImage) -> None:
    """The root file system is mounted read-only, as in the pods."""
    done = image.run("python", "-c", WHO_AND_WHERE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"user": 10001, "group": 10001, "writable": sorted(WRITABLE)}


def test_it_holds_no_package_manager_and_no_compiler(image: BackupImage) -> None:
    """A shell is there, for initdb starts the server of a drill through it."""
    assert unwanted_programs(image.root) == ("/bin/dash", "/bin/sh", "/usr/bin/dash", "/usr/bin/sh")


def test_a_server_is_dumped_and_the_dump_restored_and_compared_in_it(
    image: BackupImage, folder: Path, figures: Figures
) -> None:
    """By the role of the dumps, over TCP; the drill's own server runs in the image, too."""
    with running(folder / "server") as server:
        server.server("archive").query("archive", FILL)
        done = image.run(
            *("python", "-m", "backup", "--root", "/backups", "dump", "postgres", "--drill"),
            PGHOST=server.host,
            PGPORT=str(server.port),
            PGUSER="backup",
            PGPASSWORD=PASSWORDS["backup"],
            PGDATABASE=HOME_DATABASE,
            BACKUP_KEY="k" * 43,
            BACKUP_REPORT="/tmp/report",  # noqa: S108  # a path in the image
        )
    assert done.returncode == 0, done.stderr
    drilled = json.loads(done.stdout.splitlines()[-1])["drill"]
    assert sorted(each["items"] for each in drilled) == [0, ROWS]
    worst = max(each["recovery_time_seconds"] for each in drilled)
    figures.add("Backup image, dump and drill of 2 databases in it", f"worst RTO {worst} s")


def test_a_server_that_is_not_there_fails_the_job(image: BackupImage) -> None:
    """The control: what it says above, it has from a server."""
    done = image.run(
        "python", "-m", "backup", "--root", "/backups", "dump", "postgres", PGPORT="9", BACKUP_KEY="k" * 43
    )
    assert done.returncode == 1
    assert "error: " in done.stderr
