"""A PostgreSQL server of its own for a drill: nothing in it is kept, and no live server is burdened or needed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backup.errors import BackupError
from backup.postgres_server import PostgresServer, quoted

_NOBODY = 65534
_START_SECONDS = 60
_PORT = 5432
_SETTINGS = {
    "listen_addresses": "",
    # What is lost with the drill need not be flushed.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
}


@contextmanager
def scratch_server(
    owners: Sequence[str], *, folder: Path | None = None, process: Mapping[str, Any] | None = None
) -> Iterator[PostgresServer]:
    """Run a server that only this machine can reach, by a socket, and remove it at the end of the block.

    Args:
        owners: Roles that the databases to restore belong to.
        folder: Where to keep it meanwhile; a temporary folder of its own when left out.
        process: How to start its processes, such as under which user; PostgreSQL refuses to run as root, so root
            starts them as nobody when left out.

    Raises:
        BackupError: It does not start; holds what it said.
    """
    home = folder or Path(tempfile.mkdtemp(prefix="drill-"))
    options = dict(_nobody(home) if process is None else process) | {"cwd": home}
    try:
        _prepare(home, options)
        settings = [f"-c{name}={value}" for name, value in (_SETTINGS | {"unix_socket_directories": str(home)}).items()]
        command = ["postgres", "-D", str(home / "data"), f"-p{_PORT}", *settings]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options) as server:
            try:
                found = PostgresServer(str(home), _PORT, "postgres")
                _wait(found, server)
                for owner in sorted({*owners} - {"postgres"}):
                    found.query("postgres", f"CREATE ROLE {quoted(owner)}")
                yield found
            finally:
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _nobody(home: Path) -> dict[str, Any]:
    if os.geteuid():
        return {}
    os.chown(home, _NOBODY, _NOBODY)
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _prepare(home: Path, options: Mapping[str, Any]) -> None:
    command = ["initdb", "-D", str(home / "data"), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise BackupError(f"no server for the drill: {' '.join((done.stderr or done.stdout).split())}")


def _wait(server: PostgresServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.query("postgres", "SELECT 1")
        except BackupError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BackupError(f"the server for the drill does not start: {error}") from None
            time.sleep(0.05)
        else:
            return
