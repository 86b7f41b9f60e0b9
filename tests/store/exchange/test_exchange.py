"""Labs of several machines, brought alike through a PostgreSQL: what one writes, the others show."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.records import Request
from labkit.store import Store, journal_cleanup, sharing_state
from labkit.store.definition_records import SampleRecord
from labkit.store.exchange import Address, ShareDatabase, exchange
from labkit.store.journal_directory import JournalDirectory
from tests.proxy import Proxy
from tests.store.conftest import Make
from tests.store.exchange.conftest import leave, put, through

Machine = Callable[..., Store]
Sql = Callable[..., list[Any]]
make = Make()


def texts(store: Store) -> dict[str, str]:
    frame = store.generations(columns=["generation_id", "text"])
    return dict(zip(frame["generation_id"], frame["text"], strict=True))


def request(name: str) -> Request:
    return Request(
        request_id=name,
        provider="p",
        dialect="d",
        endpoint="e",
        model="m",
        name="n",
        messages=({"role": "user", "content": f"ask {name}"},),
        params={},
    )


def sample(dataset: str) -> SampleRecord:
    return SampleRecord(
        dataset=dataset, dataset_name="d", position=0, sample_id="s1", fields={"city": "\x00Lima"}
    )


# -- what comes ------------------------------------------------------------------------------------------


def test_what_one_machine_writes_the_other_shows(machine: Machine) -> None:
    """A run with its answers, attempts, scores, requests and samples is on the other machine as it is
    here."""
    a, b = machine("a"), machine("b")
    put(
        a,
        sample("t1:x"),
        make.run(dataset="t1:x", cells=1),
        request("r1:g1"),
        make.intent(call_id=1),
        make.attempt(call_id=1),
        make.generation(call_id=1),
        make.score(),
        make.event("finished"),
    )
    assert a.catch_up()
    assert b.catch_up()
    for sql in ("from runs", "from steps", "from attempts", "from scores", "from requests", "from samples"):
        assert b.table(sql).to_pylist() == a.table(sql).to_pylist(), sql
        assert len(b.table(sql)) == 1
    assert b.spent("run-1") == a.spent("run-1") == 0.25
    assert b.samples("run-1")["s1"]["city"] == "\x00Lima"
    # And back: what B adds to it is known to A.
    put(b, make.score(scorer="other"))
    assert b.catch_up()
    assert a.catch_up()
    assert sorted(a.scores()["scorer"]) == ["exact", "other"]


STRANGE = ["", "\x00", "a\x00b", "\\u0000", "\u2028\n\r\t", "\ud800 alone", "😀", "  ", "\x7f\x1b[0m", "￿"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_texts=st.lists(st.text() | st.sampled_from(STRANGE), min_size=1, max_size=5))
def test_any_text_arrives_as_it_was(given_texts: list[str], machine: Machine) -> None:
    """Texts with NUL, half characters and line ends of all kinds are on the other machine as on this one."""
    a, b = machine("a"), machine("b")
    put(a, *(make.generation(f"g{n}", text=text) for n, text in enumerate(given_texts)))
    assert a.catch_up()
    assert b.catch_up()
    assert texts(b).items() >= texts(a).items()


def test_twenty_megabytes_arrive(machine: Machine) -> None:
    """An answer of 20 MB is on the other machine, byte for byte."""
    a, b = machine("a"), machine("b")
    long = "a\x00é" * 5_000_000
    put(a, make.generation(text=long))
    assert a.catch_up(wait_s=60)
    assert b.catch_up(wait_s=60)
    assert texts(b) == {"g1": long}


def test_other_workspaces_stay_away(machine: Machine) -> None:
    """A machine gets the runs, answers, scores, requests and samples of its own workspaces alone; of another
    when it begins to use it, what was written before too."""
    a, b = machine("a", "ours", "theirs"), machine("b", "ours")
    for name in ("ours", "theirs"):
        put(
            a,
            sample(name),
            make.run(name, workspace=name, dataset=name),
            request(name),
            make.intent(name, run_id=name),
            make.attempt(name, run_id=name),
            make.generation(name, run_id=name, workspace=name, request_id=name),
            make.score(name),
        )
    assert a.catch_up()
    assert b.catch_up()
    tables = "generations", "runs", "intents", "attempts", "scores", "requests", "samples"
    assert [len(b.table(f"from log.{table}")) for table in tables] == [1] * len(tables)
    b.include("theirs")
    assert texts(b).keys() == {"ours", "theirs"}
    assert [len(b.table(f"from log.{table}")) for table in tables] == [2] * len(tables)


def test_a_lab_that_was_there_before_is_shared_whole(machine: Machine, tmp_path: Path) -> None:
    """Rows of a lab whose journals are long gone come to the others, once, when it is shared."""
    (tmp_path / "a").mkdir()
    alone = Store(tmp_path / "a" / "lab.duckdb")
    put(alone, make.run(cells=3), sample("t1:y"), *(make.generation(f"g{n}", text="\x00é") for n in range(3)))
    put(alone, make.intent("g1", call_id=7), request("r1:g1"), make.score("g1", metadata={"why": ["\x00"]}))
    alone.fold()
    leave(alone)
    shutil.rmtree(tmp_path / "a" / "lab.duckdb.journal")
    a, b = machine("a"), machine("b")
    assert a.catch_up()
    assert b.catch_up()
    for table in ("generations", "runs", "intents", "scores", "requests"):
        sql = f"from log.{table} order by written_at"
        assert b.table(sql).to_pylist() == a.table(sql).to_pylist() != [], table
    leave(a)
    again = machine("a")
    put(again, make.generation("g9"))
    assert again.catch_up()
    assert b.catch_up()
    assert len(b.table("from log.generations")) == 4


def test_a_line_that_is_broken_goes_nowhere_and_blocks_nothing(machine: Machine) -> None:
    """What a journal has of torn or strange lines is put aside here, and the others come there."""
    a, b = machine("a"), machine("b")
    folder = JournalDirectory(a.path)
    folder.make()
    put(a, make.generation("before"))
    strange = folder.path / f"s003-{'c' * 32}-0001-5.jsonl"
    strange.write_bytes(b"no line\n00000000 generation 5 {}\n\xff\x00\n")
    put(a, make.generation("after"))
    assert a.catch_up()
    assert b.catch_up()
    assert texts(b).keys() == {"before", "after"}


# -- when the server is away -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refuse", "freeze"])
def test_with_the_server_away_all_goes_on(
    machine: Machine, proxy: Proxy, url: str, fault: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no server answers, answers are kept and read at once, and it is told how many lines wait; when it
    is back, they arrive, once."""
    monkeypatch.setattr(exchange, "MOST_WAIT_S", 1.0)
    monkeypatch.setattr("labkit.store.exchange.connection.SILENCE_S", 2)
    a, b = machine("a", by=through(proxy, url)), machine("b")
    put(a, make.run(), make.generation("before"))
    assert a.catch_up()
    getattr(proxy, fault)()
    put(a, *(make.generation(f"g{n}") for n in range(10)))
    assert len(texts(a)) == 11
    until(lambda: a._shared.exchange.trouble is not None)
    told = a.sharing()
    assert told is not None
    assert told.trouble
    assert told.to_send == 10
    assert "10 lines wait to be sent" in str(told)
    proxy.mend()
    until(lambda: a.catch_up() and b.catch_up() and len(texts(b)) == 11)
    after = a.sharing()
    assert after is not None
    assert (after.to_send, after.to_receive, after.trouble) == (0, 0, None)
    assert len(b.table("from log.generations")) == 11


def test_a_commit_whose_reply_was_lost_doubles_nothing(
    machine: Machine, proxy: Proxy, url: str, sql: Sql, until: Any
) -> None:
    """Where the server took lines and its reply did not arrive, they are there once, and the next ones
    follow."""
    a = machine("a", by=through(proxy, url))
    put(a, make.generation("first"))
    assert a.catch_up()
    proxy.lose_the_reply_to(b"COMMIT")
    put(a, make.generation("second"))
    until(lambda: a.catch_up())
    put(a, make.generation("third"))
    until(lambda: a.catch_up())
    rows = sql("select generation_id from labkit_log.generations order by seq")
    assert rows == [("first",), ("second",), ("third",)]


def test_a_lab_begins_without_its_server(machine: Machine, proxy: Proxy, url: str, until: Any) -> None:
    """A lab that never met its server is used all the same, and shared once it does."""
    proxy.refuse()
    a, b = machine("a", by=through(proxy, url)), machine("b")
    assert a.generations().empty
    put(a, make.generation())
    assert texts(a).keys() == {"g1"}
    proxy.mend()
    until(lambda: a.catch_up() and b.catch_up() and len(texts(b)) == 1, within_s=60)


def test_a_server_that_lost_what_it_had_gets_it_again(
    machine: Machine, url: str, sql: Sql, until: Any
) -> None:
    """Where the server was made anew, or lost its last commits, all that the lab has is sent again."""
    a, b = machine("a"), machine("b")
    put(a, make.run(), make.generation("kept"), make.generation("lost"))
    assert a.catch_up()
    leave(a)
    sql("drop schema labkit_log cascade")
    sql("drop schema labkit cascade")
    again = machine("a")
    put(again, make.generation("new"))
    assert again.catch_up(wait_s=20)
    until(lambda: b.catch_up() and texts(b).keys() == {"kept", "lost", "new"})
    assert again.catch_up()
    for store in (again, b):
        assert len(store.table("from log.generations")) == 3


def test_a_newer_schema_is_read_and_never_written(machine: Machine, sql: Sql, until: Any) -> None:
    """Where a newer labkit made the server's tables, others' lines come, ours wait, and it is told why."""
    a, b = machine("a"), machine("b")
    put(a, make.generation("theirs"))
    assert a.catch_up()
    leave(a)
    sql("update labkit_log.schema_version set version_num = '9999'")
    put(b, make.generation("ours"))
    until(lambda: b._shared.exchange.trouble is not None)
    assert "newer labkit" in str(b._shared.exchange.trouble)
    until(lambda: texts(b).keys() == {"theirs", "ours"})
    assert sql("select count(*) from labkit_log.generations") == [(1,)]


def test_an_address_that_leads_nowhere_changes_nothing(machine: Machine, sql: Sql, until: Any) -> None:
    """A lab that was opened once at a wrong address is still the same sender to its own server."""
    a = machine("a")
    put(a, make.generation())
    assert a.catch_up()
    leave(a)
    wrong = machine("a", by="postgresql://ada@127.0.0.1:1/lab")
    assert texts(wrong)
    until(lambda: wrong._shared.exchange.trouble is not None)
    leave(wrong)
    assert machine("a").catch_up()
    assert sql("select count(*) from labkit_log.senders") == [(1,)]


@pytest.mark.parametrize("what", ["removed", "put back"])
def test_a_lab_whose_file_went_has_all_again(
    machine: Machine, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a lab's file is removed, or an older copy put in its place, and the journals of what it had are
    gone, all that the server has of others and of itself comes again, once."""
    monkeypatch.setattr(journal_cleanup, "SETTLED_S", 0.0)
    monkeypatch.setattr(sharing_state, "KEEP_S", 0.0)
    a, b = machine("a"), machine("b")
    put(a, make.generation("first"), request("r1:first"))
    put(b, make.generation("own"))
    for store in (a, b, a):
        assert store.catch_up()
    assert texts(b).keys() == {"first", "own"}
    copy = b.backup(tmp_path / "copy.duckdb")
    put(a, make.generation("second"))
    put(b, make.generation("own, later"))
    for store in (a, b):
        assert store.catch_up()
    assert len(texts(b)) == 4
    leave(b)
    alone = Store(b.path)
    for _ in range(3):
        texts(alone)  # each opening lets go of journals that the tables have
    leave(alone)
    put(a, make.generation("third"))
    assert a.catch_up()
    b = machine("b")
    assert b.catch_up()
    assert len(texts(b)) == 5
    leave(b)
    for path in (tmp_path / "b").glob("lab.duckdb*"):
        if path.is_file():
            path.unlink()
    if what == "put back":
        shutil.copy(copy, tmp_path / "b" / "lab.duckdb")
    b = machine("b")
    assert b.catch_up()
    assert texts(b).keys() == {"first", "own", "second", "own, later", "third"}
    assert len(b.table("from log.generations")) == 5


# -- who exchanges ---------------------------------------------------------------------------------------


def test_a_copy_of_a_lab_is_another_machine(machine: Machine, tmp_path: Path) -> None:
    """A lab copied with its folder is another machine to the server: each gets what the other writes
    after."""
    a = machine("a")
    put(a, make.generation("both"))
    assert a.catch_up()
    leave(a)
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    a, c = machine("a"), machine("c")
    put(a, make.generation("of a"))
    put(c, make.generation("of c"))
    assert a.catch_up()
    assert c.catch_up()
    assert a.catch_up()
    for store in (a, c):
        assert texts(store).keys() == {"both", "of a", "of c"}
        assert len(store.table("from log.generations")) == 3


def test_journals_are_kept_until_the_server_has_them(
    machine: Machine, proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """Where a lab is shared, no journal goes that the server does not have, nor for a day after; also by a
    process that does not share it."""
    monkeypatch.setattr(journal_cleanup, "SETTLED_S", 0.0)
    a = machine("a", by=through(proxy, url))
    put(a, make.generation("sent"))
    assert a.catch_up()
    proxy.refuse()
    put(a, make.generation("waits"))
    leave(a)
    alone = Store(a.path)
    for _ in range(3):
        assert texts(alone).keys() == {"sent", "waits"}
    names = {str(name) for name, _ in JournalDirectory(a.path).journals()}
    assert len([name for name in names if "received" not in name]) == 1
    told = alone.sharing()
    assert told is not None
    assert told.to_send == 1
    leave(alone)
    proxy.mend()
    a = machine("a", by=through(proxy, url))
    until(lambda: a.catch_up())
    monkeypatch.setattr(sharing_state, "KEEP_S", 0.0)
    leave(a)
    alone = Store(a.path)
    until(lambda: texts(alone).keys() == {"sent", "waits"} and not any(JournalDirectory(a.path).journals()))
    leave(alone)


def test_one_kernel_shares_a_lab_through_one_server(machine: Machine, url: str) -> None:
    """The same file shared through another server in the same process is refused, in words without a
    password."""
    put(machine("a"), make.generation())
    with pytest.raises(DefinitionError, match="Restart the kernel") as raised:
        machine("a", by="postgresql://ada:canary@127.0.0.1:1/lab").writer()
    assert "canary" not in str(raised.value)


# -- what is told ----------------------------------------------------------------------------------------


def test_the_password_is_nowhere(machine: Machine, caplog: Any, tmp_path: Path, until: Any) -> None:
    """An address with a password that leads nowhere is told of, and neither log, status, files nor rows have
    the password."""
    caplog.set_level(logging.DEBUG)
    secret = "canary-pass/w@rd"
    a = machine("a", by="postgresql://ada:canary-pass%2Fw%40rd@127.0.0.1:1/lab?application_name=x")
    put(a, make.generation())
    assert texts(a)
    until(lambda: a._shared.exchange.trouble is not None)
    told = a.sharing()
    everything = [caplog.text, repr(told), str(told), repr(a), repr(a._shared.exchange.__dict__)]
    everything += [repr(vars(a._shared.exchange.trouble)), str(a._shared.exchange.trouble)]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            everything.append(path.read_bytes().decode("latin-1"))
    for text in everything:
        assert "canary" not in text
        assert secret not in text


def test_a_lab_that_is_not_shared_says_nothing_of_it(tmp_path: Path) -> None:
    """Without a server there is nothing to tell, nothing is waited for, and no file of sharing is made."""
    store = Store(tmp_path / "lab.duckdb")
    put(store, make.generation())
    assert store.sharing() is None
    assert store.catch_up()
    assert not (tmp_path / "lab.duckdb.journal" / "shared.json").exists()
    leave(store)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_begins_anew(machine: Machine, url: str, until: Any) -> None:
    """A child does not touch its parent's connection; what it writes is sent by who sees to the lab."""
    a, b = machine("a"), machine("b")
    put(a, make.generation("parent"))
    assert a.catch_up()
    child = os.fork()
    if child == 0:
        try:
            put(a, make.generation("child"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    put(a, make.generation("parent again"))
    assert a.catch_up()
    assert b.catch_up()
    assert texts(b).keys() == {"parent", "child", "parent again"}
    database = ShareDatabase(Address.parse(url), machine="m")
    assert len(database.news()) == 2
    database.close()
