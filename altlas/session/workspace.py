"""Where a checkout keeps what it makes: everything lies below `.altlas/`, which git ignores."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rendering.errors import CommandError, ExitCode

_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Workspace:
    """A checkout of the program.

    Attributes:
        root: Folder of Pulumi.yaml.
    """

    root: Path

    @property
    def private(self) -> Path:
        """Folder of everything that is made at run time, readable by its owner only."""
        return self.root / ".altlas"

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
        """Where a cluster that we start ourselves has its kubeconfig."""
        return self.private / target / "kubeconfig"

    def create(self) -> None:
        """Make the folders that the local backend needs."""
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
        """Let one command at a time change anything in this checkout.

        Raises:
            CommandError: Another command is at work; names it and its process.
        """
        self.create()
        descriptor = os.open(self.private / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another command"
                raise CommandError(
                    f"{holder} is at work in this checkout; wait until it ends, then try again. Nothing was changed",
                    ExitCode.BUSY,
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"altlas {action} (process {os.getpid()})".encode(), 0)
            yield
        finally:
            # The kernel lets go of the lock with the descriptor, also when this process is killed.
            os.close(descriptor)
