"""Lock that Pulumi holds while it updates a stack and that a killed update leaves. Read from file backends only."""

import json
import os
import socket
from pathlib import Path
from urllib.parse import unquote, urlparse

from altlas.session.engine import Engine
from rendering.errors import CommandError, ExitCode


def check_unlocked(engine: Engine, stack: str) -> None:
    """Check that no update of a stack is running and that none was killed.

    Pulumi asks late, after its preview; other backends than files are left to it.

    Raises:
        CommandError: There is a lock; names who holds it and the cure. Nothing was changed.
    """
    backend = urlparse(engine.environment.get("PULUMI_BACKEND_URL", ""))
    if backend.scheme != "file":
        return
    folder = Path(unquote(backend.path)) / ".pulumi" / "locks" / "organization" / engine.project / stack
    for path in sorted(folder.glob("*.json")):
        lock = json.loads(path.read_text(encoding="utf-8"))
        message = _message(stack, lock["pid"], lock["username"], lock["hostname"], lock["timestamp"])
        raise CommandError(message, ExitCode.BUSY)


def _message(stack: str, process: int, user: str, host: str, since: str) -> str:
    holder = f"process {process} of {user} on {host}, since {since}"
    cancel = f'`eval "$(altlas env)"; pulumi cancel --yes --stack {stack}`'
    if host != socket.gethostname():
        cure = f"wait until it ends. If it was killed, remove its lock with {cancel}"
    elif _runs(process):
        cure = f"wait until it ends, or let it end in order with `kill -INT {process}`"
    else:
        return (
            f"an update of the stack {stack} was killed and has left its lock ({holder}); remove it with {cancel} and "
            "run this again, which continues where it stopped. Nothing was changed"
        )
    return f"the stack {stack} is being updated ({holder}); {cure}. Nothing was changed"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
