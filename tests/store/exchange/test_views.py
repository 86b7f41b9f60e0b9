"""What people read in a shared lab's PostgreSQL is what a lab's own views say of the same lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.records import Record
from labkit.store import LabelRecord, PromptRecord, RatingRecord, Store
from labkit.store.database import in_memory
from labkit.store.definition_records import (
    BaselineRecord,
    BlockRecord,
    CheckRecord,
    ModelRecord,
    NoticeRecord,
    SampleRecord,
)
from labkit.store.exchange import OutLine, ShareDatabase
from labkit.store.line_kinds import SHARED
from tests.store.conftest import MOMENT, Make
from tests.store.exchange.conftest import out_line

Sql = Callable[..., list[Any]]
make = Make()
HERE_ALONE = {"chains"}


def views() -> dict[str, list[str]]:
    """The names and columns of a lab's own views."""
    lab = in_memory()
    names = lab.execute(
        "select view_name from duckdb_views() where not internal and schema_name = 'main' order by 1"
    ).fetchall()
    return {name: [row[0] for row in lab.execute(f"describe {name}").fetchall()] for (name,) in names}


VIEWS = views()


def test_the_views_are_those_of_a_lab(share: ShareDatabase, sql: Sql) -> None:
    """Each view of a lab is here under its name with its columns in order; and each says what it shows."""
    share.open()
    found: dict[str, list[str]] = {}
    for name, column in sql(
        "select table_name, column_name from information_schema.columns where table_schema = 'labkit'"
        " order by table_name, ordinal_position"
    ):
        found.setdefault(name, []).append(column)
    assert found.keys() - HERE_ALONE == VIEWS.keys()
    for name, columns in VIEWS.items():
        assert found[name] == columns
    bare = sql(
        "select relname from pg_class where relnamespace = 'labkit'::regnamespace"
        " and obj_description(oid, 'pg_class') is null"
    )
    assert bare == []


def lines_of(lab: Path) -> list[OutLine]:
    """All lines of a lab's journals."""
    found = []
    for journal in sorted(Path(f"{lab}.journal").glob("*.jsonl")):
        process = "-".join(journal.name.split("-")[1:3])
        for body in journal.read_bytes().splitlines():
            _, kind, stamp, _ = body.split(b" ", 3)
            found.append(OutLine(kind.decode(), process, int(stamp), body))
    return found


def comparable(value: Any) -> Any:
    """A moment without its zone, and JSON as text as it stands."""
    if isinstance(value, dict | list):
        return repr(value)
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def assert_same(records: list[Record], store: Store, share: ShareDatabase, sql: Sql) -> None:
    writer = store.writer()
    for record in records:
        writer.put(record)
    writer.flush()
    lines = lines_of(store.path)
    assert len(lines) >= len(records)
    share.send(share.sender("me", lab="lab"), lines, {})
    store.fold()
    for name, columns in VIEWS.items():
        listed = ", ".join(
            f'"{column}"::text' if is_json(name, column) else f'"{column}"' for column in columns
        )
        here = sql(f"select {listed} from labkit.{name}")
        there = [tuple(row.values()) for row in store.table(f"select {listed} from {name}").to_pylist()]
        assert sorted(map(repr, plain(here))) == sorted(map(repr, plain(there))), name


def is_json(view: str, column: str) -> bool:
    return any(kind.table == view and kind.columns.get(column) == "json" for kind in SHARED)


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(comparable(value) for value in row) for row in rows]


def baseline(number: UUID, name: str) -> BaselineRecord:
    return BaselineRecord(
        baseline_id=f"b{number}",
        sentinel="s",
        workspace="tests",
        baseline=name,
        run_ids=["run-1"],
        answers_each=1,
        content={"answers": "h"},
        forced=False,
        why=None,
        accepted_at=MOMENT,
    )


def check(number: int, run: str) -> CheckRecord:
    return CheckRecord(
        check_id=f"c{number}",
        sentinel="s",
        workspace="tests",
        run_id=run,
        again_run_id=None,
        baseline_id=None,
        baseline=None,
        outcome="worse",
        sentences=["it is"],
        notes=[],
        findings=[{"a": 1}],
        alarms=[],
        settings={},
        asked_at=MOMENT,
        checked_at=MOMENT,
    )


def notice(number: int, error: str | None) -> NoticeRecord:
    return NoticeRecord(
        notice_id=f"n{number}",
        sentinel="s",
        workspace="tests",
        check_id="c1",
        outcome="worse",
        channel="webhook",
        error=error,
        sent_at=MOMENT,
    )


def prompt(name: str, version: int, text: str, steps: list[dict[str, Any]] | None = None) -> PromptRecord:
    return PromptRecord(
        name=name,
        version=version,
        hash=f"h{text}",
        system=None,
        text=text,
        blocks=[],
        defaults={"a": "b"},
        description=None,
        created_at=MOMENT,
        steps=steps,
    )


def model(name: str, run: str, label: str) -> ModelRecord:
    return ModelRecord(
        model=name,
        provider="p",
        name="n",
        dialect="d",
        endpoint=None,
        label=label,
        params={},
        context_window=None,
        max_output=5,
        capabilities=["c"],
        prices=None,
        taken_at=MOMENT,
        run_id=run,
    )


def label(value: float | None, user: str | None, withdrawn: bool) -> LabelRecord:
    return LabelRecord(
        label_id="l",
        generation_id="g1",
        scorer="exact",
        grade=None,
        value=value,
        labelled_at=MOMENT,
        user=user,
        withdrawn=withdrawn,
    )


def rating(name: str, preferred: Any, withdrawn: bool) -> RatingRecord:
    return RatingRecord(
        rating_id=name, left_id="g1", right_id="g2", preferred=preferred, rated_at=MOMENT, withdrawn=withdrawn
    )


CALLS = st.none() | st.integers(1, 2)
IDS = st.sampled_from(["g1", "g2", "g3", "g4"])
RUNS = st.sampled_from(["run-1", "run-2", "run-3"])
SOME = st.none() | st.just("x")
RECORDS = st.one_of(
    st.builds(
        make.generation,
        IDS,
        call_id=CALLS,
        run_id=RUNS,
        status=st.sampled_from(["done", "failed", "partial", "stopped"]),
        text=SOME,
        raw=SOME,
        cost_usd=st.sampled_from([None, 0.25, 0.5]),
        attempts=st.integers(0, 2),
        maybe_paid=st.integers(0, 2),
        replayed_from=SOME,
        error_type=st.sampled_from([None, "StepFailed", "TimedOut"]),
        step=st.integers(0, 1),
        steps=st.none() | st.just(2),
        parent_id=st.none() | IDS,
    ),
    st.builds(make.intent, IDS, run_id=RUNS, attempt=st.integers(1, 2), call_id=CALLS),
    st.builds(
        make.attempt, IDS, run_id=RUNS, attempt=st.integers(1, 2), maybe_paid=st.booleans(), call_id=CALLS
    ),
    st.builds(
        make.run,
        RUNS,
        cells=st.integers(1, 2),
        kind=st.sampled_from(["plan", "judge", "reask"]),
        parent_run_id=st.none() | RUNS,
    ),
    st.builds(make.event, st.sampled_from(["started", "finished", "stopped", "failed"]), RUNS),
    st.builds(
        make.score, IDS, st.sampled_from(["exact", "other"]), value=st.none() | st.just(0.5), step=st.none()
    ),
    st.builds(label, st.none() | st.just(1.0), SOME, st.booleans()),
    st.builds(rating, st.sampled_from(["r1", "r2"]), st.sampled_from(["left", "tie"]), st.booleans()),
    st.builds(baseline, st.uuids(), st.sampled_from(["one", "two"])),
    st.builds(check, st.integers(1, 9), RUNS),
    st.builds(notice, st.integers(1, 3), SOME),
    st.builds(prompt, st.sampled_from(["p", "q"]), st.integers(1, 2), SOME.map(str)),
    st.builds(model, st.sampled_from(["a", "b"]), RUNS, st.sampled_from(["x", "y"])),
)


@pytest.fixture
def emptied(share: ShareDatabase, sql: Sql) -> Callable[[], ShareDatabase]:
    """The shared lab without a line."""
    tables = ", ".join(f"labkit_log.{kind.table}" for kind in SHARED)

    def empty() -> ShareDatabase:
        share.open()
        sql(f"truncate {tables}, labkit_log.senders, labkit_log.sent")
        return share

    return empty


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
@given(records=st.lists(RECORDS, min_size=1, max_size=40))
def test_views_say_what_a_lab_says(
    records: list[Record],
    emptied: Callable[[], ShareDatabase],
    sql: Sql,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever was written in whatever order, each view has the rows of a lab's own view of that name."""
    store = Store(tmp_path_factory.mktemp("lab") / "lab.duckdb", wait_s=5.0)
    # Nothing folds beside the test.
    store._shared.background.start = lambda: None  # type: ignore[method-assign]
    try:
        assert_same(records, store, emptied(), sql)
    finally:
        store._shared.writer.close()


def test_a_chain_is_a_prompt_with_steps(share: ShareDatabase, store: Store, sql: Sql) -> None:
    """`chains` shows the prompts that have steps, and `prompts` all."""
    steps = [{"name": "one", "text": "a\0"}]
    records: list[Record] = [
        prompt("plain", 1, "t"),
        prompt("chain", 1, "t", steps),
        BlockRecord(hash="h", name="b", text="t", created_at=MOMENT),
        BlockRecord(hash="h", name="again", text="t", created_at=MOMENT + timedelta(1)),
        SampleRecord(dataset="d", dataset_name="n", position=1, sample_id="s", fields={"a": 1}),
        SampleRecord(dataset="d", dataset_name="n2", position=2, sample_id="s", fields={"a": 2}),
    ]
    writer = store.writer()
    for record in records:
        writer.put(record)
    writer.flush()
    share.send(share.sender("me", lab="lab"), lines_of(store.path), {})
    assert sql("select name, steps from labkit.chains") == [("chain", [{"name": "one", "text": "a␀"}])]
    assert sql("select name from labkit.prompts order by 1") == [("chain",), ("plain",)]
    assert sql("select name from labkit.blocks") == [("b",)]
    assert sql("select dataset_name, fields from labkit.samples") == [("n", {"a": 1})]


def test_an_answer_that_two_machines_brought_is_one(share: ShareDatabase, sql: Sql) -> None:
    """Of two rows of one generation people read the finished one, else the later, and its payload."""
    lines = [
        out_line(make.generation(text="done", raw='{"a":"\\u0000"}'), process="p2", stamp=1),
        out_line(make.generation(text="late", status="failed"), process="p1", stamp=2),
        out_line(make.generation("g2", text="first"), process="p1", stamp=3),
        out_line(make.generation("g2", text="second"), process="p2", stamp=4),
    ]
    share.send(share.sender("me", lab="lab"), lines, {})
    assert sql("select text, raw from labkit.generations order by generation_id") == [
        ("done", '{"a":"\\u0000"}'),
        ("second", None),
    ]
