"""What other programs do to a shared lab: its files are copied, changed, held, removed, or put in place of
others; its server is set back. Nothing is lost, and nothing comes twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.records import Request
from labkit.store import Store, journal_cleanup, sharing_state
from labkit.store.exchange import exchange
from labkit.store.journal_directory import JournalDirectory
from tests.faults.failing_postgresql import small_disk
from tests.postgresql import programs
from tests.proxy import Proxy
from tests.store.conftest import Make
from tests.store.exchange.conftest import leave, put, through

Machine = Callable[..., Store]
Sql = Callable[..., list[Any]]
make = Make()
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def names(store: Store) -> list[str]:
    """The answers that a lab has, each as often as it is there."""
    return sorted(store.table("select generation_id as g from log.generations")["g"].to_pylist())


def received(store: Store) -> list[Path]:
    """The journals of what others wrote."""
    folder = JournalDirectory(store.path)
    return [folder.path / str(name) for name, _ in folder.journals() if name.received]


def request(name: str) -> Request:
    """What an answer names."""
    return Request(
        request_id=name,
        provider="p",
        dialect="d",
        endpoint="e",
        model="m",
        name="n",
        messages=({"role": "user", "content": name},),
        params={},
    )


def sent(sql: Sql) -> list[str]:
    return [name for (name,) in sql("select generation_id from labkit_log.generations order by 1")]


# -- the lab's files ---------------------------------------------------------------------------------------


def test_a_lab_copied_while_it_runs(machine: Machine, tmp_path: Path, until: Any) -> None:
    """A folder copied while its processes write is one more machine, and both come to have the same."""
    a = machine("a")
    put(a, make.run(), *(make.generation(f"g{number}") for number in range(50)))
    assert a.catch_up()
    put(a, make.generation("not yet sent"))
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    put(a, make.generation("of a"))
    c = machine("c")
    put(c, make.generation("of c"))
    expected = sorted([*(f"g{number}" for number in range(50)), "not yet sent", "of a", "of c"])
    until(lambda: a.catch_up() and c.catch_up() and names(a) == expected)
    until(lambda: a.catch_up() and c.catch_up() and names(c) == expected)


@pytest.mark.parametrize("torn", [1, 40, 200])
def test_a_copy_in_the_middle_of_a_line(machine: Machine, tmp_path: Path, torn: int, until: Any) -> None:
    """What a copy has of a line that was being written comes whole from the other."""
    a = machine("a")
    put(a, make.generation("before"), make.generation("torn"))
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    (journal,) = [
        path
        for path in (tmp_path / "c" / "lab.duckdb.journal").glob("*.jsonl")
        if "received" not in path.name
    ]
    os.truncate(journal, journal.stat().st_size - torn)
    (tmp_path / "c" / "lab.duckdb").unlink(missing_ok=True)
    c = machine("c")
    put(c, make.generation("of c"))
    until(lambda: a.catch_up() and c.catch_up() and names(c) == ["before", "of c", "torn"])
    until(lambda: a.catch_up() and names(a) == ["before", "of c", "torn"])


def test_another_program_holds_the_file(machine: Machine, tmp_path: Path, until: Any) -> None:
    """While a program holds the lab's file, others' lines are received and ours are sent; when it lets go,
    they are there, once."""
    a, b = machine("a"), machine("b")
    put(a, make.generation("a0"))
    put(b, make.generation("b0"))
    until(lambda: a.catch_up() and b.catch_up() and names(b) == ["a0", "b0"])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(b.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    until(lambda: holder.stdout.readline() == "held\n")
    for number in range(1, 4):
        put(a, make.generation(f"a{number}"))
        put(b, make.generation(f"b{number}"))
        assert a.catch_up()
        assert b.catch_up()
    assert a.catch_up()
    everything = sorted(f"{name}{number}" for name in "ab" for number in range(4))
    assert names(a) == everything
    holder.communicate()
    assert names(b) == everything


@pytest.mark.parametrize("how", ["removed", "changed", "cut short", "folded first"])
def test_what_was_received_and_tampered_with(machine: Machine, how: str, until: Any) -> None:
    """A journal of received lines that another program changes or removes, before or after they are folded,
    costs no line and doubles none."""
    a, b = machine("a"), machine("b")
    put(b, make.generation("own"))
    assert b.catch_up()
    put(a, *(make.generation(f"g{number}") for number in range(20)))
    assert a.catch_up()
    assert b.catch_up()
    (journal,) = received(b)
    if how == "folded first":
        assert len(names(b)) == 21
    if how in ("removed", "folded first"):
        journal.unlink()
    elif how == "changed":
        journal.write_bytes(journal.read_bytes().replace(b"hello", b"HELLO"))
    else:
        os.truncate(journal, journal.stat().st_size // 2)
    put(a, make.generation("later"))
    assert a.catch_up()
    everything = sorted([*(f"g{number}" for number in range(20)), "later", "own"])
    until(lambda: b.catch_up() and names(b) == everything)
    assert set(b.table("select distinct text as t from log.generations")["t"].to_pylist()) == {"hello"}


def test_received_lines_that_are_gone_come_again(machine: Machine, until: Any) -> None:
    """Where the process that received lines is gone and its journal was removed unfolded, they come again."""
    a, b = machine("a"), machine("b")
    put(b, make.generation("own"))
    assert b.catch_up()
    assert names(b) == ["own"]
    put(a, *(make.generation(f"g{number}") for number in range(5)))
    assert a.catch_up()
    assert b.catch_up()
    leave(b)
    for journal in received(b):
        journal.unlink()
    b = machine("b")
    until(lambda: b.catch_up() and names(b) == ["g0", "g1", "g2", "g3", "g4", "own"])


def test_another_lab_in_its_place(machine: Machine, tmp_path: Path, until: Any, sql: Sql) -> None:
    """Where another lab is put in a shared lab's place, that one is shared too, and the first, put back, goes
    on."""
    a = machine("a")
    put(a, make.generation("first"))
    assert a.catch_up()
    leave(a)
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in (tmp_path / "a").glob("lab.duckdb*"):
        if path.is_file():
            shutil.move(path, aside / path.name)
    other = Store(tmp_path / "other.duckdb")
    put(other, make.generation("other"))
    other.checkpoint()
    leave(other)
    shutil.copy(tmp_path / "other.duckdb", tmp_path / "a" / "lab.duckdb")
    a = machine("a")
    put(a, make.generation("other again"))
    until(lambda: a.catch_up() and names(a) == ["first", "other", "other again"])
    leave(a)
    for path in (tmp_path / "a").glob("lab.duckdb*"):
        if path.is_file():
            path.unlink()
    for path in aside.iterdir():
        shutil.move(path, tmp_path / "a" / path.name)
    a = machine("a")
    put(a, make.generation("back"))
    until(lambda: a.catch_up() and names(a) == ["back", "first", "other", "other again"])
    assert sent(sql) == ["back", "first", "other", "other again"]


@pytest.mark.parametrize("what", [b"", b"{", b"\xff\xfe", b"null", b'{"lab": 5}', None])
@pytest.mark.parametrize("when", ["running", "ended"])
def test_the_state_of_sharing_is_lost(
    what: bytes | None,
    when: str,
    machine: Machine,
    proxy: Proxy,
    url: str,
    sql: Sql,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where `shared.json` is removed or made nonsense while lines wait, and folds go on, they are sent all
    the same, and none twice."""
    monkeypatch.setattr(journal_cleanup, "SETTLED_S", 0.0)
    monkeypatch.setattr(exchange, "MOST_WAIT_S", 1.0)
    a = machine("a", by=through(proxy, url))
    put(a, make.generation("sent"))
    assert a.catch_up()
    proxy.refuse()
    put(a, make.generation("waits"))
    if when == "ended":
        leave(a)
    state = a.path.with_name("lab.duckdb.journal") / "shared.json"
    if what is None:
        state.unlink()
    else:
        state.write_bytes(what)
    if when == "ended":
        alone = Store(a.path)
        for _ in range(3):
            assert names(alone) == ["sent", "waits"]
        leave(alone)
        a = machine("a", by=through(proxy, url))
    else:
        a._shared.writer.close()  # its journals may go now, as far as it is concerned
        for _ in range(3):
            assert names(a) == ["sent", "waits"]
    proxy.mend()
    put(a, make.generation("new"))
    until(lambda: a.catch_up() and sent(sql) == ["new", "sent", "waits"])


def test_a_state_of_another_server(
    machine: Machine, url: str, sql: Sql, until: Any, new_database: Any
) -> None:
    """A lab that was shared through another server is shared whole through this one."""
    elsewhere = new_database().set(drivername="postgresql").render_as_string(hide_password=False)
    a = machine("a", by=elsewhere)
    put(a, make.generation("one"))
    assert a.catch_up()
    leave(a)
    a = machine("a")
    put(a, make.generation("two"))
    until(lambda: a.catch_up() and sent(sql) == ["one", "two"])


# -- the server --------------------------------------------------------------------------------------------


def test_a_server_set_back_to_an_older_dump(
    machine: Machine, url: str, sql: Sql, until: Any, tmp_path: Path
) -> None:
    """A server restored from a dump of before gets what came since again, from whoever has it."""
    a, b = machine("a"), machine("b")
    put(a, make.run(), make.generation("a before"))
    put(b, make.generation("b before"))
    until(lambda: a.catch_up() and b.catch_up() and len(names(b)) == 2)
    dump = subprocess.run([f"{programs()}/pg_dump", url], check=True, capture_output=True, text=True).stdout
    put(a, make.generation("a since"))
    put(b, make.generation("b since"))
    until(lambda: a.catch_up() and b.catch_up() and a.catch_up() and len(names(a)) == len(names(b)) == 4)
    sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    sql("drop schema labkit_log cascade; drop schema labkit cascade")
    subprocess.run(
        [f"{programs()}/psql", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-q", url],
        input=dump,
        check=True,
        text=True,
        capture_output=True,
    )
    put(a, make.generation("a after"))
    put(b, make.generation("b after"))
    everything = sorted(f"{name} {when}" for name in "ab" for when in ("before", "since", "after"))
    until(lambda: a.catch_up() and b.catch_up() and sent(sql) == everything)
    until(lambda: a.catch_up() and b.catch_up() and names(a) == names(b) == everything)
    leave(a)
    leave(b)
    c = machine("c")
    until(lambda: c.catch_up() and names(c) == everything)


# -- the disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room_bytes", [300_000, 40_000_000])
def test_a_full_disk_while_lines_come(
    machine: Machine, room_bytes: int, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine whose disk is nearly full others' lines do not come, also where labkit does not see that
    beforehand, and its own can be put and are sent; when there is room, they come whole, once."""
    monkeypatch.setattr(exchange, "MOST_WAIT_S", 1.0)
    if room_bytes < 10**6:
        monkeypatch.setattr("labkit.store.exchange.receiving.ROOM_BYTES", 0)
    with small_disk(256 * 2**20) as disk:
        if disk is None:
            pytest.skip("no small disk can be mounted here: it takes root and loop devices")
        a = machine("a")
        b = machine("b", path=disk / "lab.duckdb")
        put(b, make.generation("own"))
        until(lambda: a.catch_up() and b.catch_up())
        fill(disk, room_bytes)
        put(a, *(request(f"r1:g{number}") for number in range(100)))
        put(a, *(make.generation(f"g{number}", text=f"{number}" * 10_000) for number in range(100)))
        assert a.catch_up()
        until(lambda: b._shared.exchange.trouble is not None)
        assert re.search("No space left|less than 64 MB left", str(b._shared.exchange.trouble))
        put(b, make.generation("put on a full disk"))
        until(lambda: a.catch_up() and "put on a full disk" in names(a))
        (disk / "ballast").unlink()
        everything = sorted([*(f"g{number}" for number in range(100)), "own", "put on a full disk"])
        until(lambda: b.catch_up() and names(b) == everything)
        assert len(b.table("from requests")) == 100
        assert a.catch_up()
        assert names(a) == everything
        leave(b)


def fill(disk: Path, room_bytes: int) -> None:
    """Leave so much room on it."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        left = os.statvfs(disk)
        file.write(bytes(max(0, left.f_bavail * left.f_frsize - room_bytes)))


# -- what may not be -----------------------------------------------------------------------------------------


def test_a_copy_that_calls_itself_the_same(
    machine: Machine, tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two copies of a lab in folders of the same name on machines of the same name, as of an image of a
    machine, each gets what the other writes all the same."""
    monkeypatch.setattr(sharing_state, "place_of", lambda folder: "the same")
    a = machine("a")
    put(a, make.generation("both"))
    assert a.catch_up()
    leave(a)
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    a, c = machine("a"), machine("c")
    until(lambda: a.catch_up() and c.catch_up())
    for number in range(3):
        put(a, make.generation(f"a{number}"))
        until(lambda: a.catch_up())
    everything = ["a0", "a1", "a2", "both"]
    until(lambda: a.catch_up() and c.catch_up() and names(c) == everything)
    put(c, make.generation("c0"))
    until(lambda: c.catch_up() and a.catch_up() and names(a) == names(c) == [*everything, "c0"])


def test_a_frozen_server_and_a_lab_that_is_closed_and_used_again(
    machine: Machine, proxy: Proxy, url: str, sql: Sql, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lab that is closed while its server says nothing, and written to again, has one thread that
    exchanges, never two."""
    monkeypatch.setattr("labkit.store.store.CATCH_UP_S", 0.2)
    a = machine("a", by=through(proxy, url))
    put(a, make.generation("sent"))
    assert a.catch_up()
    proxy.freeze()
    for number in range(3):
        put(a, make.generation(f"g{number}"))
        a.close()
        assert threads() <= 1
    put(a, make.generation("last"))
    assert threads() == 1
    proxy.mend()
    until(lambda: a.catch_up() and sent(sql) == ["g0", "g1", "g2", "last", "sent"])


def test_a_clock_that_is_set_back(machine: Machine, sql: Sql) -> None:
    """Where the last round lies in the future by the clock, what is put is waited for all the same."""
    a = machine("a")
    put(a, make.generation("before"))
    assert a.catch_up()
    for number in range(5):
        future_s = time.time() + 3_600
        os.utime(a.path.with_name("lab.duckdb.journal") / "exchange.done", (future_s, future_s))
        put(a, make.generation(f"g{number}"))
        assert a.catch_up()
        assert f"g{number}" in sent(sql)


def threads() -> int:
    """How many threads of this process exchange."""
    return sum(thread.name == "labkit-exchange" for thread in threading.enumerate())
