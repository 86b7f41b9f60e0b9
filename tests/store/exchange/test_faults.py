"""Where the server, or the way to it, fails, nothing is lost, nothing comes twice, and it is told."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from labkit.errors import StoreAway, StoreError
from labkit.store.exchange import Address, SenderMoved, ShareDatabase, connection
from tests.postgresql import started
from tests.proxy import Proxy
from tests.store.conftest import Make
from tests.store.exchange.conftest import out_line, sent_by, through

Sql = Callable[..., list[Any]]
make = Make()


def test_a_commit_whose_reply_is_lost_is_not_doubled(far: ShareDatabase, proxy: Proxy, sql: Sql) -> None:
    """Where lines arrived and the reply did not, the same send is refused, and the sender goes on from what
    is there."""
    me = far.sender("me", lab="lab")
    lines = [out_line(make.generation(f"g{number}")) for number in range(4)]
    proxy.lose_the_reply_to(b"COMMIT")
    with pytest.raises(StoreAway):
        far.send(me, lines[:2], {"a": 2})
    with pytest.raises(SenderMoved):
        far.send(me, lines[:2], {"a": 2})
    me = far.sender("me", lab="lab")
    assert (me.upto, me.sent) == (2, {"a": 2})
    far.send(me, lines[2:], {"a": 4})
    assert [row[0] for row in sql("select seq from labkit_log.generations order by seq")] == [1, 2, 3, 4]


@pytest.mark.parametrize("words", [b"BEGIN", b"update labkit_log.senders", b"copy pg_temp", b"savepoint"])
def test_a_connection_that_breaks_midway_leaves_nothing(
    words: bytes, far: ShareDatabase, proxy: Proxy, sql: Sql
) -> None:
    """Whatever was the last that the server heard before the connection broke, but for the commit, all of it
    is as before, and the same send succeeds after it."""
    me = far.sender("me", lab="lab")
    lines = [out_line(make.generation(f"g{number}")) for number in range(4)]
    proxy.lose_the_reply_to(words)
    with pytest.raises(StoreAway, match=r"is away|cannot be reached"):
        far.send(me, lines, {"a": 2})
    assert sql("select upto from labkit_log.senders") == [(0,)]
    assert far.send(far.sender("me", lab="lab"), lines, {"a": 2}).upto == 4


def test_where_nobody_answers_it_is_away_and_comes_back(far: ShareDatabase, proxy: Proxy) -> None:
    """A server that refuses is away each time it is asked, and there again when it takes connections."""
    me = far.sender("me", lab="lab")
    proxy.refuse()
    for ask in (far.news, far.open, lambda: far.send(me, [], {}), lambda: far.requests(["r"])):
        with pytest.raises(StoreAway, match=r"cannot be reached|is away") as raised:
            ask()
        assert "sent when it can be" in str(raised.value)
    proxy.mend()
    assert sent_by(far) == {me.number: 0}


def test_a_server_that_says_nothing_is_given_up(
    far: ShareDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is frozen, and a new connection to it, end in an error, not in waiting for ever."""
    monkeypatch.setattr(connection, "SILENCE_S", 0.5)
    far.open()
    proxy.freeze()
    for _ in range(2):
        with pytest.raises(StoreAway):
            far.news()
    proxy.mend()
    assert sent_by(far) == {}


def test_what_was_frozen_at_the_commit_is_there_once(
    far: ShareDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that was given up while it stood in the network, and arrives late, is found or not, never half;
    what the sender then sends comes once."""
    monkeypatch.setattr(connection, "SILENCE_S", 0.5)
    me = far.sender("me", lab="lab")
    lines = [out_line(make.generation(f"g{number}")) for number in range(3)]
    proxy.freeze()
    with pytest.raises(StoreAway):
        far.send(me, lines, {"a": 3})
    proxy.mend()
    now = far.sender("me", lab="lab")
    if now.upto == 0:
        now = far.send(now, lines, {"a": 3})
    assert (now.upto, now.sent) == (3, {"a": 3})
    assert len(far.fetch(now.number, None, 0, most_bytes=10_000).lines) == 3


def test_a_far_server_is_slow_and_right(far: ShareDatabase, proxy: Proxy) -> None:
    """With 50 ms on the way, all arrives."""
    me = far.sender("me", lab="lab")
    proxy.delay_s = 0.025
    lines = [out_line(make.generation(f"g{number}", text="x" * 1000)) for number in range(500)]
    me = far.send(me, lines, {})
    assert [line.body for line in far.fetch(me.number, None, 0, most_bytes=10**7).lines] == [
        line.body for line in lines
    ]


def test_an_older_connection_that_hangs_is_ended(share: ShareDatabase, url: str, sql: Sql) -> None:
    """A transaction that a dead machine left open does not keep its sender from going on."""
    me = share.sender("me", lab="lab")
    held = share._connection
    assert held is not None
    held.execute("update labkit_log.senders set upto = 99")
    again = ShareDatabase(Address.parse(url), machine="lab-1")
    assert again.send(again.sender("me", lab="lab"), [out_line(make.generation())], {}).upto == 1
    with pytest.raises(StoreAway, match=r"ending or starting|lost"):
        share.send(me, [], {})
    again.close()


def test_an_idle_connection_of_the_same_sender_is_let_be(share: ShareDatabase, url: str) -> None:
    """Only what holds a transaction is ended."""
    me = share.sender("me", lab="lab")
    other = ShareDatabase(Address.parse(url), machine="lab-1")
    other.sender("me", lab="lab")
    assert share._connection is not None
    assert share._connection.execute("select 1").fetchone() == (1,)
    share._connection.commit()
    assert share.send(me, [], {}) == me
    other.close()


def test_one_that_holds_a_row_is_not_waited_for_forever(share: ShareDatabase, url: str) -> None:
    """Where somebody holds the row of a sender, it ends as away, and says that others held it."""
    me = share.sender("me", lab="lab")
    assert share._connection is not None
    share._connection.execute("set lock_timeout = '50ms'")
    share._connection.commit()
    with psycopg.connect(url) as person:
        person.execute("select from labkit_log.senders for update")
        with pytest.raises(StoreAway, match="others held what was needed"):
            share.send(me, [], {})


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        ("53100", StoreAway, "no room"),
        ("53200", StoreAway, "no room"),
        ("53300", StoreAway, "no room"),
        ("57P01", StoreAway, "ending or starting"),
        ("58030", StoreAway, "disk fails"),
        ("25006", StoreAway, "only reads now"),
        ("40P01", StoreAway, "each other's way"),
        ("57014", StoreAway, "took too long"),
        ("42501", StoreError, "Ask whoever keeps it"),
        ("23505", StoreError, "not as labkit made it"),
    ],
)
def test_what_a_server_says_is_told(
    code: str, error: type[StoreError], why: str, share: ShareDatabase, sql: Sql
) -> None:
    """A full disk, a restart and their like are away, other refusals are not; each says what it is, and
    nothing of it is kept."""
    me = share.sender("me", lab="lab")
    sql(
        "create function public.fail() returns trigger language plpgsql as"
        f" $$ begin raise exception 'so it says' using errcode = '{code}'; end $$;"
        " create trigger fail before insert on labkit_log.scores execute function public.fail()"
    )
    with pytest.raises(error, match=f"{why}.*so it says|so it says.*{why}") as raised:
        share.send(me, [out_line(make.generation()), out_line(make.score())], {"a": 1})
    assert type(raised.value) is error
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert share.sender("me", lab="lab") == me
    sql("drop function public.fail cascade")
    assert share.send(me, [out_line(make.generation()), out_line(make.score())], {"a": 1}).upto == 2


def test_an_error_does_not_hold_the_password(proxy: Proxy, url: str) -> None:
    """The password is in no frame, variable or word of an error that comes while it is used."""
    given = through(proxy, url).replace("postgres@", "postgres:pass-word@")
    share = ShareDatabase(Address.parse(given), machine="lab-1")
    me = share.sender("me", lab="lab")
    proxy.refuse()
    for _ in range(2):
        with pytest.raises(StoreAway) as raised:
            share.send(me, [], {})
        told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        frames = "".join(told.format()).split("  File ")
        assert "pass-word" not in "".join(frame for frame in frames if "test_faults" not in frame)


def test_a_server_that_crashes_loses_nothing_that_was_told_as_there() -> None:
    """Over a server that crashes again and again, a sender that asks after each error how far it came brings
    every line, once and in order."""
    with started("-cshared_buffers=16MB") as where:
        url = where.set(drivername="postgresql").render_as_string(hide_password=False)
        share = ShareDatabase(Address.parse(url), machine="lab-1")
        me, crashes = share.sender("me", lab="lab"), 0
        lines = [out_line(make.generation(f"g{number}", text="x" * 1000)) for number in range(2000)]
        end = threading.Event()
        killer = threading.Thread(target=crash, args=(url, end), daemon=True)
        killer.start()
        until = time.monotonic() + 120
        try:
            while (me.upto < len(lines) or crashes < 5) and time.monotonic() < until:
                try:
                    me = share.send(me, lines[me.upto : me.upto + 10], {"a": me.upto + 10})
                except (StoreAway, SenderMoved):
                    crashes += 1
                    with contextlib.suppress(StoreAway):
                        me = share.sender("me", lab="lab")
        finally:
            end.set()
            killer.join()
        assert crashes >= 5
        assert me.upto == len(lines)
        found: list[bytes] = []
        while len(found) < len(lines) and time.monotonic() < until:
            with contextlib.suppress(StoreAway):  # it may still recover
                some = share.fetch(me.number, None, len(found), most_bytes=10**7)
                found += [line.body for line in some.lines]
        assert found == [line.body for line in lines]
        share.close()


def crash(url: str, end: threading.Event) -> None:
    """Kill a process of the server, which then ends all others and recovers from its log, until the end."""
    while not end.wait(0.3):
        with contextlib.suppress(psycopg.Error), psycopg.connect(url) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)


def test_a_server_without_encryption_is_refused_where_it_is_asked_for(proxy: Proxy, url: str) -> None:
    """A server that cannot show a certificate gets no line where one is asked for, and is no server that is
    away."""
    address = Address.parse(through(proxy, url) + "?sslmode=verify-full&sslrootcert=system")
    share = ShareDatabase(address, machine="lab-1")
    with pytest.raises(StoreError, match="SSL") as raised:
        share.open()
    assert type(raised.value) is StoreError


ACCESS = "local all postgres trust\nlocal all all scram-sha-256\n"


def test_a_wrong_password_is_refused_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """A server that wants a password takes the right one; a wrong one, and none, are refused, and stand
    nowhere."""
    caplog.set_level(logging.DEBUG)
    with tempfile.NamedTemporaryFile("w", prefix="labkit-access-") as access:
        access.write(ACCESS)
        access.flush()
        os.chmod(access.name, 0o644)  # the server runs as another user
        with started(f"-chba_file={access.name}", "-cshared_buffers=16MB") as where:
            url = where.set(drivername="postgresql")
            with psycopg.connect(url.render_as_string(), autocommit=True) as person:
                person.execute("create role ada login password 'right-word'")
                person.execute("create database lab owner ada")
            for password in ("wrong-word", None, "right-word"):
                given = url.set(username="ada", password=password, database="lab")
                share = ShareDatabase(
                    Address.parse(given.render_as_string(hide_password=False)), machine="lab-1"
                )
                if password == "right-word":
                    share.open()
                    assert share.writable
                    share.close()
                    continue
                with pytest.raises(StoreError, match="password") as raised:
                    share.open()
                assert type(raised.value) is StoreError
                told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
                frames = "".join(told.format()).split("  File ")
                assert "wrong-word" not in "".join(one for one in frames if "test_faults" not in one)
            said = Path(str(where.query["host"]), "log").read_text()
    assert "-word" not in caplog.text
    assert "-word" not in said.replace("create role ada login password 'right-word'", "")


def test_ending_it_from_elsewhere_is_told(far: ShareDatabase, proxy: Proxy) -> None:
    """A connection that breaks in the middle of a long answer is away, and the next asks anew."""
    me = far.sender("me", lab="lab")
    lines = [out_line(make.generation(f"g{number}", text="x" * 1_000_000)) for number in range(20)]
    far.send(me, lines, {})
    proxy.delay_s = 0.01
    before = proxy.passed

    def cut() -> None:
        until = time.monotonic() + 30
        while proxy.passed < before + 1_000_000 and time.monotonic() < until:
            time.sleep(0.001)  # until some of it came
        proxy.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(StoreAway):
        far.fetch(me.number, None, 0, most_bytes=10**9)
    thread.join()
    proxy.mend()
    assert len(far.fetch(me.number, None, 0, most_bytes=10**9).lines) == 20
