"""Shared labs in a real PostgreSQL, lines to send to them, and a proxy before it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from labkit.records import Record
from labkit.store import Store, journal_line, process_resources
from labkit.store.exchange import Address, OutLine, ShareDatabase
from tests.proxy import Proxy

_stamps = itertools.count(1_795_000_000_000_000)


def out_line(record: Record, *, process: str = "p1", stamp: int | None = None) -> OutLine:
    """A record as a process journals it."""
    number = next(_stamps) if stamp is None else stamp
    body = journal_line.frame(type(record), number, journal_line.body(record))[:-1]
    return OutLine(body.split(b" ")[1].decode(), process, number, body)


def sent_by(share: ShareDatabase) -> dict[int, int]:
    """How many lines each sender has sent, by its number."""
    return {one.number: one.upto for one in share.news()}


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


@pytest.fixture
def machine(tmp_path: Path, url: str) -> Iterator[Callable[..., Store]]:
    """A lab of a machine of its own, shared through the server, or another way to it."""
    made: list[Store] = []

    def make(name: str, *workspaces: str, by: str = url, path: Path | None = None) -> Store:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        store = Store(path or folder / "lab.duckdb", share=Address.parse(by))
        for workspace in workspaces or ("tests",):
            store.include(workspace)
        made.append(store)
        return store

    yield make
    for store in made:
        leave(store)


def leave(store: Store) -> None:
    """The machine ends as by a kill, as far as its lab is concerned: nothing more is sent or received."""
    shared = store._shared
    if shared.exchange is not None:
        shared.exchange.stop()
    shared.background.stop()
    shared.writer.close()
    process_resources._all.pop(store._place.resolve(), None)


def put(store: Store, *records: Any) -> None:
    """Write records, which are on disk then."""
    writer = store.writer()
    for record in records:
        writer.put(record)
    writer.flush()
