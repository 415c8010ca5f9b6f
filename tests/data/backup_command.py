"""The command of the backup image, run as its pods run it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools
from backup.encryption import derive_key
from backup.repository import Repository
from tests.support.documents import ROOT

SECRET = "k" * 43
KEY = derive_key(SECRET)


@dataclass(frozen=True)
class BackupCommand:
    """The command for one store.

    Attributes:
        repository: Where the backups lie.
        environment: How the store is reached, and what else is not as in this process.
    """

    repository: Repository
    environment: Mapping[str, str]

    def run(self, command: str, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        """Run a command; further variables come last."""
        passwords = self.repository.root / "passwords"
        passwords.mkdir(parents=True, exist_ok=True)
        (passwords / "BACKUP_KEY").write_text(f"{SECRET}\n")
        own = {"PASSWORDS_DIR": str(passwords), "BACKUP_REPORT": str(self.repository.root / "report")}
        return subprocess.run(
            [
                *(sys.executable, "-m", "backup", "--root", str(self.repository.root)),
                *(command, self.repository.store, *arguments),
            ],
            cwd=ROOT,
            env={**os.environ, **own, **self.environment, **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    def answer(self, command: str, *arguments: str, **changes: str) -> Any:
        """Output of a command that must succeed."""
        done = self.run(command, *arguments, **changes)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def refusal(self, command: str, *arguments: str, **changes: str) -> str:
        """Message of a command that must fail."""
        done = self.run(command, *arguments, **changes)
        assert done.returncode == 1, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr.strip()

    def report(self) -> Any:
        """Report of the last job for monitoring."""
        return json.loads((self.repository.root / "report").read_text())


def path_with(*folders: Path) -> str:
    """PATH with the pinned servers and clients in front."""
    return os.pathsep.join([*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"]])


def nats_command() -> Path:
    """Folder of the pinned `nats` command."""
    return tools.ensure(("nats",)).path("nats").parent
