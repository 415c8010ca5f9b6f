"""Talks to a PostgreSQL server through its own client programs."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from backup.errors import BackupError

# The text of a row must be the same in every session, or its checksum would not be.
_SESSION = "-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c bytea_output=hex -c statement_timeout=0"
_TABLES = """SELECT coalesce(json_agg(format('%I.%I', schemaname, tablename) ORDER BY schemaname, tablename), '[]')
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""
_SEQUENCES = """SELECT coalesce(json_object_agg(format('%I.%I', schemaname, sequencename), last_value
ORDER BY schemaname, sequencename), '{}') FROM pg_sequences"""
# A sum does not depend on the order of the rows and needs no memory; 60 bits of each row's digest fit a bigint.
_ROWS = """SELECT json_build_object('rows', count(*),
'checksum', coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text) FROM {} t"""
_OBJECTS = """SELECT CASE WHEN count(*) = 0 THEN '{}' ELSE json_build_object('all', json_build_object('rows', count(*),
'checksum', sum(('x' || substr(md5(oid::text || md5(lo_get(oid))), 1, 15))::bit(60)::bigint)::text))::text END
FROM pg_largeobject_metadata"""
_DATABASES = "SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database WHERE NOT datistemplate"

Content = Mapping[str, Any]
"""Rows and checksum of every table and of all large objects together, and where every sequence stands."""


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server and the role to use on it.

    Attributes:
        host: Host name, or folder of its socket.
        port: TCP port.
        user: Role.
        password: Password of the role; handed over in the environment, because command lines can be seen by others.
        options: Further variables of libpq, such as PGSSLMODE.
        home: Database that the role may use for what concerns the whole server.
    """

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    home: str = "postgres"

    def environment(self) -> dict[str, str]:
        """The environment of a client program."""
        own = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGOPTIONS": _SESSION}
        secret = {"PGPASSWORD": self.password} if self.password else {}
        return {**os.environ, **own, **secret, "PGCONNECT_TIMEOUT": "10", **self.options}

    def query(self, database: str, statement: str) -> str:
        """Run statements, each in a transaction of its own, and return what they print.

        Raises:
            BackupError: The server cannot be reached or refuses; holds what it said.
        """
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "--no-password", "-d", database]
        done = subprocess.run(
            command, input=statement, env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BackupError(f"PostgreSQL at {self.host}:{self.port}: {_said(done.stderr)}")
        return done.stdout.strip()

    def major(self) -> int:
        """Major version of the server."""
        return int(self.query(self.home, "SHOW server_version_num")) // 10000

    def check_client(self) -> str:
        """Make sure that the clients are of the server's version, and return theirs.

        Raises:
            BackupError: They are of another one, so that their dumps may not restore.
        """
        printed = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"(\d+)(\.\d+)?", printed)
        version = found[0] if found else "unknown"
        server = self.major()
        if version.partition(".")[0] != str(server):
            raise BackupError(
                f"the clients are of version {version}, the server of {server}; use the image for {server}"
            )
        return version

    def databases(self) -> tuple[str, ...]:
        """Names of all databases but the templates."""
        return tuple(json.loads(self.query(self.home, _DATABASES)))

    def content(self, database: str) -> Content:
        """Content of a database at one moment."""
        with self.snapshot(database) as (_, ask):
            return read_content(ask)

    @contextmanager
    def snapshot(self, database: str) -> Iterator[tuple[str, "Ask"]]:
        """A moment of a database that other sessions can look at: its name, and a way to ask about it."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "--no-password", "-d", database]
        with subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as session:
            ask = Ask(session)
            try:
                name = ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot()")
                yield name, ask
            finally:
                session.stdin and session.stdin.close()
                session.terminate()


class Ask:
    """Asks a session for one line at a time."""

    def __init__(self, session: "subprocess.Popen[str]") -> None:
        self._session = session

    def __call__(self, statement: str) -> str:
        """Answer of a statement that gives one row of one value without line breaks.

        Raises:
            BackupError: The session ended; holds what the server said.
        """
        sent, answers = self._pipe(self._session.stdin), self._pipe(self._session.stdout)
        try:
            sent.write(" ".join(statement.split()) + ";\n")
            sent.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise BackupError(f"PostgreSQL: {_said(self._pipe(self._session.stderr).read())}")
        return answer.rstrip("\n")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise BackupError("the session with PostgreSQL has no pipe")
        return pipe


def read_content(ask: Ask) -> Content:
    """Content of a database as a session sees it."""
    tables = {name: json.loads(ask(_ROWS.format(name))) for name in json.loads(ask(_TABLES))}
    return {"tables": tables, "sequences": json.loads(ask(_SEQUENCES)), "large objects": json.loads(ask(_OBJECTS))}


def quoted(identifier: str) -> str:
    """An identifier as SQL has it."""
    return '"' + identifier.replace('"', '""') + '"'


def _said(text: str) -> str:
    return " ".join(text.split()) or "the connection ended"
