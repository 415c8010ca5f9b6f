"""PostgreSQL as one of the stores: reached by PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backup import postgres
from backup.errors import BackupError
from backup.postgres_server import PostgresServer
from backup.repository import Backup, Repository
from backup.scratch import scratch_server
from backup.store import Restored, RestoreOptions

_OPERATOR_DATABASE = "postgres"


@dataclass(frozen=True)
class PostgresStore:
    """The databases of one server.

    Attributes:
        server: The server and the role to use.
    """

    server: PostgresServer

    @classmethod
    def from_environment(cls, found: Mapping[str, str] = os.environ) -> "PostgresStore":
        """The server that libpq's variables name."""
        return cls(
            PostgresServer(
                found.get("PGHOST", "localhost"),
                int(found.get("PGPORT", "5432")),
                found.get("PGUSER", "backup"),
                found.get("PGPASSWORD", ""),
                home=found.get("PGDATABASE", _OPERATOR_DATABASE),
            )
        )

    def dump(self, repository: Repository, key: bytes, parts: Sequence[str]) -> str:
        """Dump the named databases; without names all but the one that PGDATABASE names and PostgreSQL's own."""
        own = {self.server.home, _OPERATOR_DATABASE}
        names = parts or [name for name in self.server.databases() if name not in own]
        return postgres.dump(self.server, names, repository, key)

    def restore(self, repository: Repository, backup: Backup, key: bytes, request: RestoreOptions) -> list[Restored]:
        """Restore databases under their own names, or a single one under another.

        Raises:
            BackupError: One name is given for several databases, or a restore failed.
        """
        held = [entry["database"] for entry in backup.manifest["files"]]
        databases = request.parts or held
        if request.into and len(databases) > 1:
            raise BackupError(
                f"--into {request.into} is one name, but backup {backup.id} holds {', '.join(databases)}; choose one "
                "with --only, or leave --into out and each keeps its name"
            )
        names = {database: request.into or database for database in databases}
        return postgres.restore(self.server, repository, backup, names, key=key, replace=request.replace)

    def drill(self, backup: Backup, key: bytes) -> list[Restored]:
        """Restore every database into a server that exists for the drill only."""
        with scratch_server([entry["owner"] for entry in backup.manifest["files"]]) as server:
            return postgres.drill(server, backup, key)
