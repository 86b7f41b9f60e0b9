"""What was put into a lab by other hands is not taken for an answer: group S22."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import labkit as lk
from labkit.identity import RequestHasher
from labkit.records import Generation, Request
from labkit.store import journal_line
from labkit.store.request_integrity import verified

ROWS = [{"id": "1", "q": "a"}]


@pytest.fixture
def plan(lab: lk.Lab, echo: Callable[..., Any]) -> Callable[[], Any]:
    """Makes the plan of one question anew."""
    return lambda: lab.plan(prompts=[lk.Prompt("p", "{{ q }}")], models=[echo()], dataset=ROWS)


def forged(plan: Any, **more: Any) -> Generation:
    """An answer that somebody else writes for the plan's only cell."""
    design = plan.design
    cell = design.cell(design.places[0], run_id="run-of-another", versions={}, user=None)
    place = {name: getattr(cell, name) for name in cell.__struct_fields__}
    row = Generation(**place, status="done", text="EVIL", stop_reason="stop", started_at=datetime.now(UTC))
    return replace(row, **more)


def refused(plan: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    """The forged answer is not known, not replayed, and reported; the true one is known afterwards."""
    assert plan().frame()["why"].item().startswith("what is stored for it does not match")
    with caplog.at_level(logging.WARNING):
        run = plan().run()
    assert run.generations()["text"].item() == "a"
    assert "do not match" in caplog.text
    events = run._services.store.table("select event from log.run_events where run_id = ?", [run.run_id])
    assert "unfounded" in events["event"].to_pylist()
    again = plan()
    assert again.frame()["known"].item()
    assert again.run().generations()["text"].item() == "a"


def test_an_answer_without_its_request(plan: Any, lab: lk.Lab, caplog: Any) -> None:
    """S22: a line with a good checksum that answers a request nobody kept is shown but never replayed."""
    lab.store.check_writable()
    body = journal_line.frame(Generation, 1_700_000_000_000_000, journal_line.body(forged(plan())))
    folder = lab.path.with_name("lab.duckdb.journal")
    journal = folder / "s001-4711-0123abcd-0001-1700000000000000.jsonl"
    journal.write_bytes(body)
    assert lab.generations()["text"].tolist() == ["EVIL"]
    refused(plan, caplog)


def test_an_answer_beside_a_false_request(plan: Any, lab: lk.Lab, caplog: Any) -> None:
    """S22: an answer whose stored request says something else than its id is not replayed."""
    writer = lab.store.writer()
    true = plan().design.request(plan().design.places[0])
    writer.put(replace(true, messages=({"role": "user", "content": "something else"},)))
    writer.generation(forged(plan()), lambda: None)
    writer.flush()
    refused(plan, caplog)


def test_an_answer_of_another_model(plan: Any, lab: lk.Lab, caplog: Any) -> None:
    """S22: an answer that says it came from another model than its request asks is not replayed."""
    writer = lab.store.writer()
    writer.put(plan().design.request(plan().design.places[0]))
    writer.generation(forged(plan(), model="evil/model", provider="evil"), lambda: None)
    writer.flush()
    refused(plan, caplog)


def test_a_row_changed_in_the_tables(plan: Any, lab: lk.Lab, caplog: Any) -> None:
    """S22: a request changed by another program in the tables no longer stands for its answer."""
    plan().run()
    with duckdb.connect(str(lab.path)) as connection:
        connection.execute("update log.requests set params = '{\"seed\": 1}'")
        connection.execute("update log.generations set text = 'EVIL'")
    refused(plan, caplog)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\n\n\n",
        b"no line\n",
        b"00000000 generation 1 {}\n",
        b"\xff" * 100 + b"\n",
        b"5f2a91c0 rating 1 {\n",
    ],
)
def test_a_foreign_journal_line_is_put_aside(garbage: bytes, plan: Any, lab: lk.Lab) -> None:
    """S22: lines labkit did not write are kept apart and reported, and stop nothing."""
    lab.store.check_writable()
    folder = lab.path.with_name("lab.duckdb.journal")
    (folder / "s001-4711-0123abcd-0001-1700000000000000.jsonl").write_bytes(garbage)
    assert plan().run().generations()["text"].item() == "a"
    damage = lab.store.table("select why from log.damage")["why"].to_pylist()
    assert bool(damage) == bool(garbage)


def test_another_endpoint_answers_for_itself(lab: lk.Lab, channel_for: Callable[[str], Any]) -> None:
    """S22: what one base URL, dialect or key of params answered is never replayed for another."""
    first, second = channel_for("openai"), channel_for("openai")
    given: list[dict[str, Any]] = [{}, {"api": "responses"}, {"params": {"seed": 1}}]
    models = [channel.model("m").replace(**more) for more in given for channel in (first, second)]
    ids = set()
    for model in models:
        plan = lab.plan(prompts=[lk.Prompt("p", "{{ q }}")], models=[model], dataset=ROWS)
        ids.add(plan.design.places[0].request_id)
        assert not plan.frame()["known"].item()
        plan.run()
    assert len(ids) == len(models)
    assert len(first.seen()) == len(second.seen()) == 3


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ASKED = st.tuples(st.text(max_size=20), st.dictionaries(st.text(max_size=5), JSON, max_size=3))


@settings(deadline=None, max_examples=25)
@given(st.lists(ASKED, max_size=5))
def test_what_was_truly_asked_is_believed(asked: list[tuple[str, dict[str, Any]]]) -> None:
    """S22: whatever messages and params a request has, it is found to be what its id says."""
    from labkit.store import database, migrate
    from labkit.store.batch_insert import Found, insert

    with database.in_memory() as connection:
        if connection.execute("select count(*) from duckdb_tables()").fetchone() == (0,):
            migrate.apply(connection, migrate.steps())
        ids, lines = [], []
        for number, (text, params) in enumerate(asked):
            messages = ({"role": "user", "content": [{"type": "text", "text": text, "cache": True}]},)
            plain = [{"role": "user", "content": text}]
            request_id = RequestHasher("a", "b", "c", "n", params).request_id(plain)
            ids.append(request_id)
            request = Request(
                request_id=request_id, provider="a", dialect="b", endpoint="c", model="a/n", name="n",
                messages=messages, params=params,
            )  # fmt: skip
            raw = journal_line.frame(Request, number + 1, journal_line.body(request))
            lines.append(Found("j", 0, raw, journal_line.parse(raw[:-1]), "p"))
        insert(connection, lines)
        assert verified(connection, ids) == dict.fromkeys(ids, "a/n")
        assert verified(connection, ["r1:none"]) == {}


HOSTILE = {
    "view scores": "create or replace view scores as from read_text('{secret}')",
    "view generations": "create or replace view generations as from read_csv('{secret}')",
    "view runs": "create or replace view runs as from glob('{secret}')",
    "view log.generations": "alter table log.generations rename to other; "
    "create view log.generations as select o.* from log.other o, read_text('{secret}')",
    "view log.schema_version": "alter table log.schema_version rename to other; "
    "create view log.schema_version as select o.* from log.other o, read_text('{secret}')",
    "table generations": "drop view generations; create table generations as select 1 as generation_id",
    "table log.scores": "alter table log.scores add column more varchar default 'x'",
    "nothing log.intents": "drop table log.intents",
    "macro epoch_us": "create macro epoch_us(x) as (select 1 from read_text('{secret}'))",
    "macro +": "create macro \"+\"(a, b) as (select 1 from read_text('{secret}'))",
    "macro current_database": "create macro current_database() as (select 1 from read_text('{secret}'))",
    "macro duckdb_views": "create macro duckdb_views() as table from read_text('{secret}')",
    "type json": "create type json as enum ('a')",
    "index here": "create index here on log.scores (upper(scorer))",
}
READINGS: dict[str, Callable[[lk.Lab], Any]] = {
    "generations": lambda lab: lab.generations(),
    "runs": lambda lab: lab.runs(),
    "sql": lambda lab: lab.sql("from scores"),
    "show": lambda lab: lab.run("latest"),
    "backup": lambda lab: lab.backup(lab.path.with_name("copy.duckdb")),
    "prompts": lambda lab: lab.prompts["nosuch"],
    "check": lambda lab: lab.store.check_writable(),
}


@pytest.fixture
def another(lab: lk.Lab, plan: Callable[[], Any]) -> Callable[[str], lk.Lab]:
    """Changes the lab by other hands and gives it as a process would find it that begins now."""
    plan().run()
    lab.store.checkpoint()

    def change(statements: str) -> lk.Lab:
        secret = lab.path.with_name("secret.txt")
        secret.write_text("a,b\n1,do-not-show-this\n")
        with duckdb.connect(str(lab.path)) as connection:
            connection.execute(statements.format(secret=secret))
        # Whoever runs what stands there now fails otherwise than by saying what is wrong.
        secret.unlink()
        return lk.Lab(lab.path)

    return change


@pytest.mark.parametrize("what", HOSTILE)
def test_a_lab_of_anothers_making_runs_nothing(what: str, another: Callable[[str], lk.Lab]) -> None:
    """S22: views, tables, macros, types of other hands: the lab is refused, they are named, none is run."""
    found = another(HOSTILE[what])
    with pytest.raises(lk.errors.StoreError, match="by other hands") as caught:
        found.generations()
    assert f"its {what} " in str(caught.value)


def test_no_way_into_a_lab_of_anothers_making(
    another: Callable[[str], lk.Lab], plan: Callable[[], Any]
) -> None:
    """S22: whatever is read, written or asked, the lab is refused."""
    found = another(HOSTILE["view scores"])
    for reading in READINGS.values():
        with pytest.raises(lk.errors.StoreError, match="by other hands"):
            reading(found)
    with pytest.raises(lk.errors.StoreError, match="by other hands"):
        plan().run()


def test_all_that_is_anothers_is_named_at_once(another: Callable[[str], lk.Lab]) -> None:
    """S22: two views that were changed are two names in one message."""
    found = another(f"{HOSTILE['view scores']}; {HOSTILE['view runs']}")
    with pytest.raises(
        lk.errors.StoreError, match=r"its view runs, its view scores|view scores, its view runs"
    ):
        found.runs()


def test_what_a_person_adds_is_theirs(another: Callable[[str], lk.Lab]) -> None:
    """S22: tables, views and macros under names of their own stop nothing."""
    found = another(
        "create table notes (a int); create view mine as from generations; create macro half(x) as x / 2"
    )
    assert found.generations()["text"].tolist() == ["a"]
    assert found.sql("select half(4) as n from mine")["n"].tolist() == [2]


def test_views_in_another_duckdbs_words_are_made_again(another: Callable[[str], lk.Lab]) -> None:
    """S22: where another DuckDB wrote the lab, views in other words are replaced by ours."""
    words = "update log.schema_version set by_duckdb = '1.5.0'"
    found = another(f"{words}; {HOSTILE['view scores']}")
    assert found.sql("from scores").empty
    assert found.generations()["text"].tolist() == ["a"]


def test_a_lab_that_says_it_is_newer_reaches_nothing(another: Callable[[str], lk.Lab]) -> None:
    """S22: the views of a schema that this labkit does not know are read where they see no file."""
    newer = "insert into log.schema_version (version, sha256) values (99, 'x')"
    found = another(
        f"{newer}; create or replace view runs as select *, now() as started_at from read_text('{{secret}}')"
    )
    with pytest.raises(lk.errors.StoreError, match="disabled by configuration"):
        found.runs()
