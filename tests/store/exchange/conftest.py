"""Shared labs in a real PostgreSQL, lines to send to them, and a proxy before it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from labkit.records import Record
from labkit.store import journal_line
from labkit.store.exchange import Address, OutLine, ShareDatabase
from tests.proxy import Proxy

_stamps = itertools.count(1_795_000_000_000_000)


def out_line(record: Record, *, process: str = "p1", stamp: int | None = None) -> OutLine:
    """A record as a process journals it."""
    number = next(_stamps) if stamp is None else stamp
    body = journal_line.frame(type(record), number, journal_line.body(record))[:-1]
    return OutLine(body.split(b" ")[1].decode(), process, number, body)


@pytest.fixture
def line() -> Callable[..., OutLine]:
    return out_line


@pytest.fixture
def url(new_database: Callable[..., URL]) -> str:
    """The address of an empty database."""
    return new_database().set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def share(url: str) -> Iterator[ShareDatabase]:
    """A shared lab, not yet opened."""
    made = ShareDatabase(Address.parse(url), machine="lab-1")
    yield made
    made.close()


@pytest.fixture
def sql(url: str) -> Iterator[Callable[..., list[Any]]]:
    """Ask the database as a person does."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(statement: str, *values: Any) -> list[Any]:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def proxy(postgres_server: URL) -> Iterator[Proxy]:
    """Before the server."""

    def connect() -> socket.socket:
        place = str(postgres_server.query.get("host") or postgres_server.host)
        port = postgres_server.port or 5432
        if not place.startswith("/"):
            return socket.create_connection((place, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{place}/.s.PGSQL.{port}")
        return server

    made = Proxy(connect)
    yield made
    made.close()


@pytest.fixture
def far(proxy: Proxy, url: str) -> Iterator[ShareDatabase]:
    """The same shared lab as `share`, through the proxy."""
    made = ShareDatabase(Address.parse(through(proxy, url)), machine="lab-2")
    yield made
    made.close()


def through(proxy: Proxy, url: str) -> str:
    """The address by way of the proxy."""
    given = psycopg.conninfo.conninfo_to_dict(url)
    user, password = given.get("user", "postgres"), given.get("password")
    secret = f":{password}" if password else ""
    return f"postgresql://{user}{secret}@127.0.0.1:{proxy.port}/{given['dbname']}"
