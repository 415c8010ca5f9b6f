"""Paths of a checkout: all state lies below `.altlas/`, which git ignores. Owns the lock of changing commands."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from rendering.errors import CommandError, ExitCode

_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Workspace:
    """A checkout of the program.

    Attributes:
        root: Folder of Pulumi.yaml.
        home: Folder of all run-time state where it is not in `root`, as for the program of an earlier release.
    """

    root: Path
    home: Path | None = None

    @property
    def private(self) -> Path:
        """Folder of all run-time state, readable by its owner only."""
        return self.home or self.root / ".altlas"

    @property
    def state(self) -> Path:
        """Folder of the local file backend."""
        return self.private / "state"

    @property
    def passphrase_file(self) -> Path:
        """Passphrase of the local file backend's secrets."""
        return self.private / "passphrase"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own folder (plugins, credentials) where the local backend is used."""
        return self.private / "pulumi"

    def kubeconfig(self, target: str) -> Path:
        """Kubeconfig of a cluster that this command starts."""
        return self.private / target / "kubeconfig"

    def create(self) -> None:
        """Create the folders of the local backend."""
        for folder in (self.private, self.state, self.pulumi_home):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stack_file(self, stack: str) -> Path:
        """Path of a stack's file.

        Raises:
            CommandError: The name cannot be the name of a stack.
        """
        if not _STACK_NAME.fullmatch(stack):
            raise CommandError(
                f"{stack!r} is not the name of a stack; use letters, digits, '.', '_' and '-', such as alpha",
                ExitCode.BAD_INPUT,
            )
        return self.root / f"Pulumi.{stack}.yaml"

    @contextmanager
    def only_one(self, action: str) -> Iterator[None]:
        """Hold the lock of this checkout, so that one command at a time changes anything.

        Raises:
            CommandError: Another command holds the lock; names it and its process.
        """
        self.create()
        descriptor = os.open(self.private / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "process unknown"
                raise CommandError(
                    f"another altlas command holds the lock: {holder}; wait until it ends, then try again. "
                    "Nothing was changed",
                    ExitCode.BUSY,
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"altlas {action} (process {os.getpid()})".encode(), 0)
            yield
        finally:
            # The kernel releases the lock with the descriptor, also when this process is killed.
            os.close(descriptor)


def file_backend(url: str) -> Path | None:
    """Folder of Pulumi's file backend; None for any other backend.

    Args:
        url: Value of PULUMI_BACKEND_URL.
    """
    backend = urlparse(url)
    return Path(unquote(backend.netloc + backend.path)).expanduser() if backend.scheme == "file" else None
