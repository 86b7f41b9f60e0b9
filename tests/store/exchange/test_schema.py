"""The tables of a shared lab are made once, by migrations, and those of a newer labkit are not written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL

from labkit.errors import StoreAway, StoreError, StoreTooNew
from labkit.store.exchange import Address, ShareDatabase, schema
from tests.store.conftest import Make
from tests.store.exchange.conftest import out_line, sent_by

Sql = Callable[..., list[Any]]
make = Make()


def opened(url: str) -> ShareDatabase:
    share = ShareDatabase(Address.parse(url), machine="lab-1")
    share.open()
    return share


def test_the_newest_migration_is_known_by_name() -> None:
    """What a database is compared with when it is opened is the newest of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.SCHEMA]


def test_a_newer_schema_is_read_and_not_written(share: ShareDatabase, sql: Sql, url: str) -> None:
    """Of a lab that a newer labkit migrated, lines are fetched, nothing is sent, and it says what to do."""
    me = share.send(share.sender("me", lab="lab"), [out_line(make.generation())], {"a": 1})
    sql("update labkit_log.schema_version set version_num = '9999'")
    older = opened(url)
    assert not older.writable
    assert older.why_read_only is not None
    assert "schema 9999" in older.why_read_only
    assert "Install a newer labkit" in older.why_read_only
    assert older.sender("me", lab="lab") == me
    assert len(older.fetch(me.number, None, 0, most_bytes=1000).lines) == 1
    with pytest.raises(StoreTooNew, match="schema 9999"):
        older.send(me, [out_line(make.generation("g2"))], {"a": 2})
    with pytest.raises(StoreTooNew, match="schema 9999"):
        older.sender("you", lab="lab")
    assert sent_by(older) == {me.number: 1}
    sql("update labkit_log.schema_version set version_num = %s", schema.SCHEMA)
    older.open()
    assert older.writable
    assert older.send(me, [], {}).upto == 1
    older.close()


def test_a_server_that_only_reads_is_away_until_it_writes(share: ShareDatabase, sql: Sql, url: str) -> None:
    """A standby's lines are fetched; sending is worth trying again, also over a connection from before."""
    me = share.send(share.sender("me", lab="lab"), [out_line(make.generation())], {})
    (database,) = sql("select current_database()")[0]
    sql(f"alter database {database} set default_transaction_read_only = on")
    standby = opened(url)
    assert not standby.writable
    assert len(standby.fetch(me.number, None, 0, most_bytes=1000).lines) == 1
    with pytest.raises(StoreAway, match="only reads now"):
        standby.send(me, [], {})
    sql(f"alter database {database} set default_transaction_read_only = off")
    standby.open()
    assert standby.writable
    standby.close()


def test_a_server_that_only_reads_and_has_no_tables_is_away(sql: Sql, url: str) -> None:
    """Where tables lack and cannot be made now, that is told and tried again."""
    (database,) = sql("select current_database()")[0]
    sql(f"alter database {database} set default_transaction_read_only = on")
    with pytest.raises(StoreAway, match="has no tables of labkit yet"):
        opened(url)


@pytest.fixture
def reader(url: str, sql: Sql, share: ShareDatabase) -> Any:
    """The address of a user who may read and nothing else."""
    share.open()
    name = f"reader_{url.rpartition('labkit_')[2][:16]}"
    sql(
        f"create role {name} login password 'pass-word'; grant usage on schema labkit_log to {name};"
        f" grant select on all tables in schema labkit_log to {name}"
    )
    given = psycopg.conninfo.conninfo_to_dict(url) | {"user": name, "password": "pass-word"}
    place = f"?host={given['host']}" if given["host"].startswith("/") else ""
    host = "" if place else f"{given['host']}:{given.get('port', 5432)}"
    yield f"postgresql://{name}:pass-word@{host}/{given['dbname']}{place}"
    sql(f"drop owned by {name}; drop role {name}")


def test_a_user_who_may_only_read_reads(reader: str, share: ShareDatabase) -> None:
    """Who may not insert is told so, by whom it can be changed, and reads."""
    me = share.send(share.sender("me", lab="lab"), [out_line(make.generation())], {})
    other = opened(reader)
    assert other.why_read_only is not None
    assert "may read it, not write" in other.why_read_only
    assert len(other.fetch(me.number, "tests", 0, most_bytes=1000).lines) == 1
    with pytest.raises(StoreError, match="right to insert") as raised:
        other.sender("you", lab="lab")
    assert type(raised.value) is StoreError
    other.close()


def test_a_user_who_may_not_read_is_refused(reader: str, sql: Sql) -> None:
    """Who may do nothing is told by whom that can be changed."""
    sql(f"revoke select on labkit_log.senders from {Address.parse(reader).parameters['user']}")
    with pytest.raises(StoreError, match="Ask whoever keeps it") as raised:
        opened(reader).news()
    assert type(raised.value) is StoreError
    assert "pass-word" not in str(raised.value)


def test_a_database_that_cannot_hold_texts_is_refused(
    new_database: Callable[..., URL], sql: Sql, url: str
) -> None:
    """A database in another encoding gets no tables, and the error says how one is made."""
    name = f"labkit_latin_{url.rpartition('labkit_')[2][:16]}"
    sql(f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    try:
        with pytest.raises(StoreError, match="encoding LATIN1, which cannot hold every text"):
            opened(url.replace(Address.parse(url).parameters["dbname"], name))
    finally:
        sql(f"drop database {name} with (force)")


def test_a_database_that_is_not_there_is_refused(url: str) -> None:
    """A wrong name of a database is no server that is away."""
    with pytest.raises(StoreError, match="does not exist") as raised:
        opened(url.replace(Address.parse(url).parameters["dbname"], "nothing_of_that_name"))
    assert type(raised.value) is StoreError


def test_tables_that_were_changed_are_told(share: ShareDatabase, sql: Sql) -> None:
    """Where a table of the lab is gone, the error says that somebody changed it."""
    share.open()
    sql("drop table labkit_log.sent")
    with pytest.raises(StoreError, match="is not as labkit made it"):
        share.sender("me", lab="lab")


def test_people_are_told_what_stands_where(share: ShareDatabase, sql: Sql) -> None:
    """Each table says in a comment what it holds."""
    share.open()
    bare = sql(
        "select relname from pg_class where relnamespace = 'labkit_log'::regnamespace and relkind = 'r'"
        " and relname <> 'schema_version' and obj_description(oid, 'pg_class') is null"
    )
    assert bare == []
