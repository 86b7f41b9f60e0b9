"""A schema is brought up to date once and whole, after a copy; a newer or a changed one is only read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreDamaged, StoreError, StoreTooNew
from labkit.records import Score
from labkit.store import Store, migrate
from labkit.store.migrate import Step

Put = Callable[..., None]
REAL = migrate.steps()
NOW = len(REAL)
"""The version of this labkit's schema."""
BEFORE = list(range(1, NOW + 1))
SECOND = Step(NOW + 1, "second", "alter table log.generations add column mood varchar default 'calm'")
THIRD = Step(NOW + 2, "third", "create table log.third (a int); insert into log.third values (1)")


@pytest.fixture
def old(store: Store, put: Put, make: Any) -> Store:
    """A lab of this labkit's schema with two rows."""
    put(make.generation("a"), make.generation("b"))
    store.checkpoint()
    return store


def with_steps(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
    monkeypatch.setattr(migrate, "steps", lambda: steps)


def versions(path: Path) -> list[int]:
    with duckdb.connect(str(path)) as plain:
        return [row[0] for row in plain.sql("select version from log.schema_version order by 1").fetchall()]


def test_steps_are_numbered_from_one_without_gaps() -> None:
    """The package's SQL files are 001, 002 … and each has its own name."""
    assert [step.version for step in REAL] == list(range(1, len(REAL) + 1))
    assert len({step.name for step in REAL}) == len(REAL)


def test_a_new_lab_says_who_made_it(old: Store, path: Path) -> None:
    """The version table has each step's number, hash, time and the versions of labkit and DuckDB."""
    with duckdb.connect(str(path)) as plain:
        rows = plain.sql(
            "select version, name, sha256, by_duckdb, applied_at is not null from log.schema_version"
        ).fetchall()
    assert rows == [(step.version, step.name, step.sha256, duckdb.__version__, True) for step in REAL]


def test_an_older_lab_is_copied_and_upgraded(
    old: Store, path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, put: Put
) -> None:
    """The steps a lab lacks are applied in order, once; before that it is copied beside itself."""
    with_steps(monkeypatch, *REAL, SECOND, THIRD)
    assert len(old.generations()) == 2
    assert versions(path) == [*BEFORE, NOW + 1, NOW + 2]
    (copy,) = path.parent.glob(f"lab.before-{NOW + 1:03}-*.duckdb")
    assert versions(copy) == BEFORE
    put(make.generation("c"))
    moods = old.table("select mood from log.generations")["mood"].to_pylist()
    assert moods == ["calm", "calm", "calm"]
    assert len(old.generations()) == 3
    assert len(list(path.parent.glob("lab.before-*"))) == 1


def a_lab_of_the_first_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with an answer, `a`, to prompt `p`, and its score."""
    with monkeypatch.context() as patched:
        with_steps(patched, REAL[0])
        first = Store(path)
        first.check_writable()
        first.writer()
        first.checkpoint()
        first.close()
    with duckdb.connect(str(path)) as plain:
        plain.sql(
            "insert into log.generations (generation_id, run_id, prompt, status, text, cost_usd, step, draw,"
            " repeat, attempts, maybe_paid, written_at) values ('a', 'r', 'p', 'done', 'Hi', 0.5, 0, 0, 0, 1,"
            " 0, now())"
        )
        plain.sql(
            "insert into log.runs (run_id, cells, fresh, started_at, written_at)"
            " values ('r', 1, false, now(), now())"
        )
        plain.sql(
            "insert into log.prompts (name, version, hash, text, blocks, defaults, written_at)"
            " values ('p', 1, 'p1:x', 'Say hi', '[]', '{}', now())"
        )
        plain.sql(
            "insert into log.scores (generation_id, scorer, value, written_at) values ('a', 'ok', 1, now())"
        )


def test_a_lab_from_before_chains_opens_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are answers and requests both, none is a step; its prompts are no chains."""
    a_lab_of_the_first_schema(path, monkeypatch)
    store = Store(path)
    try:
        for steps in (False, True):
            frame = store.generations(steps=steps)
            assert frame[["text", "step"]].to_numpy().tolist() == [["Hi", 0]]
            assert frame[["step_name", "steps", "failed_step"]].isna().all(axis=None)
        assert [prompt.steps for prompt in store.saved_prompts()] == [()]
        row = store.run_row("r")
        assert row is not None
        assert (row["done"], row["status"], row["cost_usd"]) == (1, "finished", 0.5)
    finally:
        store.close()


def test_a_lab_from_before_scales_opens_and_its_scores_have_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lab of the first schema is upgraded: its scores stay, undeclared, and new ones bring their scale."""
    a_lab_of_the_first_schema(path, monkeypatch)
    store = Store(path)
    try:
        assert store.generations()["score.ok"].tolist() == [1.0]
        assert store.generations().attrs["scales"] == {}
        at = datetime.now(UTC)
        store.writer().put(
            Score(generation_id="a", scorer="ok", value=1, scored_at=at, low=0, high=1, step=1)
        )
        store.writer().flush()
        assert store.generations().attrs["scales"] == {"ok": (0.0, 1.0, 1.0)}
    finally:
        store.close()


def test_a_new_lab_needs_no_copy(path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that is just made is of the newest schema, and nothing is copied."""
    with_steps(monkeypatch, *REAL, SECOND)
    store = Store(path)
    store.check_writable()
    store.close()
    assert versions(path) == [*BEFORE, NOW + 1]
    assert not list(path.parent.glob("lab.before-*"))


@pytest.mark.parametrize("failing", ["second", "third"])
def test_a_half_done_upgrade_is_finished(
    old: Store, path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A step that fails leaves no trace of itself; the next opening does what is left."""
    broken = {
        "second": Step(NOW + 1, "second", SECOND.sql + "; select 1/0 from nowhere"),
        "third": Step(NOW + 2, "third", THIRD.sql + "; select * from nowhere"),
    }
    steps = {"second": SECOND, "third": THIRD} | {failing: broken[failing]}
    with monkeypatch.context() as patched:
        with_steps(patched, *REAL, *steps.values())
        with pytest.raises(StoreError, match=f"_{failing} failed"):
            old._shared.access.fold(force=True)
    assert versions(path) == (BEFORE if failing == "second" else [*BEFORE, NOW + 1])
    with_steps(monkeypatch, *REAL, SECOND, THIRD)
    assert len(old.generations()) == 2
    assert versions(path) == [*BEFORE, NOW + 1, NOW + 2]
    assert old.table("select count(*) as n from log.third")["n"].to_pylist() == [1]


def test_a_newer_lab_is_read_and_never_written(
    old: Store, path: Path, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older labkit reads a newer lab, says so, and refuses to write it; its own rows wait."""
    with monkeypatch.context() as patched:
        with_steps(patched, *REAL, SECOND)
        old.generations()
    put(make.generation("waits"))
    frame = old.generations()
    assert sorted(frame["generation_id"]) == ["a", "b"]
    assert f"schema {NOW + 1}, this labkit knows {NOW}" in frame.attrs["labkit"]["why"]
    with pytest.raises(StoreTooNew, match="Install a newer labkit"):
        old.check_writable()
    with pytest.raises(StoreTooNew):
        old.fold()
    assert len(old.sql("from generations")) == 2
    with_steps(monkeypatch, *REAL, SECOND)
    assert sorted(old.generations()["generation_id"]) == ["a", "b", "waits"]


def test_a_changed_step_is_refused(old: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a step was applied in another form the lab is read, not written."""
    with_steps(monkeypatch, Step(1, REAL[0].name, REAL[0].sql + "-- changed"), *REAL[1:])
    put(make.generation("waits"))
    assert len(old.generations()) == 2
    with pytest.raises(StoreDamaged, match="001_start was applied in another form"):
        old.check_writable()


def test_somebody_elses_database_gets_no_tables(path: Path) -> None:
    """A DuckDB file with tables of its own is no lab; an empty one becomes a lab."""
    duckdb.connect(str(path)).close()
    store = Store(path)
    store.check_writable()
    assert versions(path) == BEFORE
    store.close()
