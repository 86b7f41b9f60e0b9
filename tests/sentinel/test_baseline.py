"""Baselines are accepted, never taken: by whom and why is kept, names pick, repeats are counted once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.store import Store, migrate
from tests.sentinel.planted import Plant

FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
At = Callable[[datetime], None]


def test_all_baselines_are_kept_with_who_why_and_when(plant: Plant, at: At) -> None:
    """The latest of a name holds; those before it stay, and who accepted them."""
    world = plant(rows=20)
    at(FIRST)
    one, two = world.night(repeats=3), world.night(repeats=4)
    watch = world.lab.sentinel("nightly", latency=None)
    watch.accept(one, why="the first")
    at(FIRST + timedelta(hours=1))
    other = world.lab.within("nightly", user="grace").sentinel("nightly", latency=None)
    other.accept(two, why="the new model")
    frame = watch.baselines()
    assert frame["run_ids"].tolist() == [[one.run_id], [two.run_id]]
    assert frame["why"].tolist() == ["the first", "the new model"]
    assert frame["user"].tolist() == [world.lab.user, "grace"]
    assert frame["baseline"].tolist() == ["2026-11-01", "2026-11-01-2"]
    assert frame["holds"].tolist() == [True, True], "each of its name"
    assert frame["answers_each"].tolist() == [3, 4]
    assert [moment.hour for moment in frame["accepted_at"]] == [2, 3]
    assert not frame["forced"].any()
    assert repr(watch) == "Sentinel('nightly': baseline '2026-11-01-2', 4 answers a row)"


def test_a_name_picks_the_baseline_and_without_one_the_latest_holds(plant: Plant) -> None:
    """`baseline=` names what is accepted and what is held against; an unknown one is told with those that
    there are."""
    world = plant(rows=20)
    world.right = 0.3
    low = world.lab.sentinel("nightly", baseline="low", latency=None).accept(world.night(repeats=3))
    world.right = 1.0
    high = world.lab.sentinel("nightly", baseline="high", latency=None).accept(world.night(repeats=3))
    world.right = 0.3
    run = world.night()
    assert (low.check(run).outcome, low.check(run).baseline) == ("not shown to be worse", "low")
    assert (high.check(run).outcome, high.check(run).baseline) == ("worse", "high")
    latest = world.lab.sentinel("nightly", latency=None).check(run)
    assert (latest.outcome, latest.baseline) == ("worse", "high")
    gone = world.lab.sentinel("nightly", baseline="lwo", latency=None).check(run)
    assert (gone.outcome, gone.exit_code) == ("cannot tell", 4)
    assert "no baseline 'lwo'; there are 'low', 'high'" in gone.sentences[0]


def test_the_same_run_accepted_twice_is_one_baseline(plant: Plant) -> None:
    """A cell that is run again adds nothing; and one run given thrice has no more answers than once."""
    world = plant(rows=20)
    run = world.night(repeats=3)
    watch = world.lab.sentinel("nightly")
    for _ in range(3):
        watch.accept(run, why="again")
    assert len(watch.baselines()) == 1
    single = world.night()
    with pytest.raises(DefinitionError, match="its rows have 1 answer each"):
        watch.accept(single, single, world.lab.run(single.run_id))
    watch.accept(run, run)
    assert len(watch.baselines()) == 1


def test_several_nights_are_repeats_of_one(plant: Plant) -> None:
    """Three nights of one answer are a baseline of three, which a night is held against."""
    world = plant(rows=20)
    nights = [world.night() for _ in range(3)]
    watch = world.lab.sentinel("nightly", latency=None).accept(*nights)
    (kept,) = watch.baselines().to_dict("records")
    assert kept["run_ids"] == [run.run_id for run in nights]
    assert (kept["answers_each"], kept["forced"]) == (3, False)
    world.right = 0.3
    check = watch.check(world.night())
    assert check.outcome == "worse"
    assert {one.samples for one in check.findings if one.said != "absent"} == {20}


def test_an_accepted_baseline_of_one_answer_says_how_often_it_cries_wolf(plant: Plant) -> None:
    """Every night, with its own rate."""
    world = plant(rows=20)
    watch = world.lab.sentinel("nightly", latency=None).accept(world.night(), force=True)
    (note,) = [one for one in watch.check(world.night()).notes if "one answer" in one]
    assert "false alarms a year; accept a run with repeats=5" in note


def test_alarms_of_a_baseline_outlive_a_night_that_was_held_against_none(plant: Plant) -> None:
    """A misspelled baseline, a run without an answer and one that holds nothing lift no alarm."""
    world = plant(rows=20)
    watch = world.watch(cost=None)
    world.right = 0.3
    assert watch.check(world.night()).outcome == "worse"
    wrong = world.lab.sentinel("nightly", baseline="nope", latency=None, cost=None)
    assert wrong.check(world.night()).outcome == "cannot tell"
    empty = world.night(budget_usd=1e-9, params={"max_tokens": 10})
    assert watch.check(empty).exit_code == 4
    assert len(watch.checks()["alarms"].iloc[-1]) == 1
    world.right = 1.0
    outcomes = [watch.check(world.night()).outcome for _ in range(2)]
    assert outcomes == ["worse", "not shown to be worse"]
    assert len(world.lab.runs(kind="reask")) == 1


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab of the fourth schema, which knew no sentinels, with a run in it."""
    path = tmp_path / "lab.duckdb"
    real = migrate.steps()
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "steps", lambda: real[:4])
        store = Store(path)
        store.check_writable()
        store.writer()
        store.checkpoint()
        store.close()
    with duckdb.connect(str(path)) as plain:
        assert plain.sql("select max(version) from log.schema_version").fetchone() == (4,)
        plain.sql(
            "insert into log.runs (run_id, cells, fresh, started_at, written_at)"
            " values ('r', 1, false, now(), now())"
        )
    return path


def test_a_lab_from_before_sentinels_is_brought_up_and_read_by_plain_duckdb(
    older: Path, tmp_path: Path, plant: Plant
) -> None:
    """Its runs stay, a copy is beside it, and the views are there for every other program."""
    before = lk.Lab(older)
    assert before.store.run_row("r") is not None
    world = plant(rows=20)
    watch = world.watch(cost=None)
    world.right = 0.3
    watch.check(world.night())
    world.lab.store.close()
    assert len(list(tmp_path.glob("lab.before-005-*.duckdb"))) == 1
    with duckdb.connect(str(older), read_only=True) as plain:
        assert plain.sql("select sentinel, night, outcome from checks").fetchall() == [
            ("nightly", 1, "worse")
        ]
        assert plain.sql("select sentinel, answers_each, holds from baselines").fetchall() == [
            ("nightly", 3, True)
        ]
        assert plain.sql("select * from notices").fetchall() == []
        assert plain.sql("select count(*) from runs where run_id = 'r'").fetchone() == (1,)
