"""Login of the CLI at the server of a journal: a file that only this user reads, which ends with the command.

Owns its place in the project's private folder, and the removal of those that killed commands have left.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from altlas.session.durable_file import write_durably
from altlas.session.journal.orphans import is_alive
from altlas.session.journal.server import SERVED_USER, StateServer
from altlas.session.journal.state_files import as_json


@contextmanager
def logged_in(server: StateServer, logins: Path) -> Iterator[Path]:
    """Folder for PULUMI_CREDENTIALS_PATH, so that neither the program nor other processes see the token.

    Args:
        server: Where the CLI logs in.
        logins: Folder of all logins of this checkout.

    Raises:
        OSError: The folder cannot be written.
    """
    logins.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in logins.glob("*-*"):
        pid = left.name.partition("-")[0]
        if pid.isdecimal() and not is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    own = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=logins))
    now = datetime.now(UTC).isoformat()
    account = {"accessToken": server.token, "username": SERVED_USER, "lastValidatedAt": now}
    content = {"current": server.url, "accessTokens": {server.url: server.token}, "accounts": {server.url: account}}
    try:
        write_durably(own / "credentials.json", as_json(content))
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
