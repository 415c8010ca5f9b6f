"""Rights of each role in a real PostgreSQL with the roles and rules that the program gives it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.errors import BackupError
from tests.support.postgres_servers import Postgres, running

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def server(folder: Path, postgres_clients: None) -> Iterator[Postgres]:  # noqa: ARG001  # fixture
    """A server in whose archive database its own role has made a table."""
    with running(folder / "server") as found:
        found.server("archive").query("archive", "CREATE TABLE parts AS SELECT 1 AS part")
        yield found


@pytest.mark.parametrize(("role", "other"), [("segmentation", "archive"), ("archive", "segmentation")])
def test_a_role_reads_its_own_database_and_cannot_even_connect_to_another(
    server: Postgres, role: str, other: str
) -> None:
    """With the rules and roles of the program's Cluster; the first line is the control run."""
    assert server.server(role).query(role, "SELECT current_user") == role
    for database in (other, "postgres", "template1", "platform"):
        with pytest.raises(BackupError, match=r"pg_hba.conf rejects connection|no pg_hba.conf entry"):
            server.server(role).query(database, "SELECT 1")


def test_a_wrong_password_is_refused(server: Postgres) -> None:
    """Only the right one opens."""
    with pytest.raises(BackupError, match="password authentication failed"):
        server.server("archive", "wrong").query("archive", "SELECT 1")


def test_no_role_may_use_more_connections_than_its_service_has(server: Postgres) -> None:
    """The limit of the role, so that one service cannot take the connections of the other."""
    assert server.admin.query("postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'archive'") == "30"


def test_the_role_of_the_dumps_may_read_and_not_write(server: Postgres) -> None:
    """A stolen backup password changes nothing."""
    reader = server.server("backup")
    assert reader.query("archive", "SELECT count(*) FROM parts") == "1"
    with pytest.raises(BackupError, match="permission denied"):
        reader.query("archive", "DELETE FROM parts")
