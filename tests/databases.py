"""The database server of the tests: an embedded one, or the one that `GRIDWARD_TEST_DATABASE_URL` names.

The address is a superuser's. A run makes a role of its own there, which owns every database of the run, and removes both at
the end: a server can be used by several runs at once, and for other things.
"""

import secrets
from typing import Protocol, Self

import psycopg
from psycopg import conninfo, sql

VARIABLE = "GRIDWARD_TEST_DATABASE_URL"


def has_timescaledb(url: str) -> bool:
    """Whether the extension is installed in this database."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None


class DatabaseServer(Protocol):
    """What tests need of a server."""

    def superuser_url(self) -> str:
        """The address of a superuser, in a database that is not a test's."""
        ...

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database that an ordinary role owns; its address for that role."""
        ...

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        ...


class GivenServer:
    """A server that runs already, by the address of a superuser."""

    def __init__(self, superuser_url: str) -> None:
        self._superuser_url = superuser_url
        self._role = f"gridward_{secrets.token_hex(4)}"  # short: with a name behind it, it has to fit into 63 bytes
        self._password = secrets.token_urlsafe(24)
        self._closed: set[str] = set()

    def __enter__(self) -> Self:
        self._execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(self._own, sql.Literal(self._password)))
        return self

    def __exit__(self, *_exception: object) -> None:
        with psycopg.connect(self._superuser_url, autocommit=True) as connection:
            left = connection.execute(
                "SELECT datname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE rolname = %s",
                [self._role],
            ).fetchall()
        for (name,) in left:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._execute(sql.SQL("DROP ROLE {}").format(self._own))

    def superuser_url(self) -> str:
        """The address of a superuser, in a database that is not a test's."""
        return self._superuser_url

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database that the run's role owns; its address for that role."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(self._database(name), self._own)
        if template is not None:
            self._close(template)
            statement += sql.SQL(" TEMPLATE {}").format(self._database(template))
        self._execute(statement)
        self._execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(self._database(name)))
        return self._url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(self._database(name)))

    @property
    def _own(self) -> sql.Identifier:
        return sql.Identifier(self._role)

    def _database(self, name: str) -> sql.Identifier:
        return sql.Identifier(f"{self._role}_{name}")

    def _close(self, name: str) -> None:
        """Let nobody into a database that is copied: TimescaleDB's own workers come at any time otherwise."""
        if name in self._closed:
            return
        self._execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(self._database(name)))
        with psycopg.connect(self._superuser_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [f"{self._role}_{name}"]
            )
        self._closed.add(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._superuser_url, autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, name: str) -> str:
        place = conninfo.conninfo_to_dict(self._superuser_url)
        host = place.get("host", "127.0.0.1")
        port = place.get("port", 5432)
        return f"postgresql://{self._role}:{self._password}@{host}:{port}/{self._role}_{name}"
