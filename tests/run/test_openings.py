"""A press on Run: how often the lab's file is opened, folded and checkpointed for it. Counts, no clocks."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.store import background_fold
from labkit.store.access import Access
from labkit.store.background_fold import BackgroundFold
from labkit.store.duckdb_instance import Instance
from labkit.store.fold import Fold, Report

Until = Callable[..., None]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What is done with the lab's file from here on; nothing is done in the background."""
    counted: Counter[str] = Counter()
    attach, run, fold = Instance.attach, Fold.run, Access.fold

    def attached(self: Instance) -> Any:
        counted["openings"] += 1
        return attach(self)

    def folded(self: Fold) -> Report:
        report = run(self)
        counted["folds"] += report.transactions > 0
        return report

    def moved(self: Access, **how: Any) -> Report:
        counted["checkpoints"] += bool(how.get("checkpoint"))
        return fold(self, **how)

    monkeypatch.setattr(Instance, "attach", attached)
    monkeypatch.setattr(Fold, "run", folded)
    monkeypatch.setattr(Access, "fold", moved)
    monkeypatch.setattr(background_fold, "QUIET_S", 3_600.0)
    monkeypatch.setattr(background_fold, "LOG_BYTES", 2**40)
    return counted


def asked_once(lab: lk.Lab, echo: Callable[..., Any], text: str) -> lk.Run:
    return lab.plan(prompts=[text], models=[echo("one")]).run(progress="none")


def test_a_run_of_one_cell_opens_the_lab_twice(
    lab: lk.Lab, echo: Callable[..., Any], counts: Counter[str]
) -> None:
    """A new prompt: once to look up what the lab has and to number it, once to fold all of it at the end."""
    asked_once(lab, echo, "Say first")
    counts.clear()
    run = asked_once(lab, echo, "Say second")
    assert counts == Counter(openings=2, folds=1, checkpoints=0)
    assert run.generations()["status"].tolist() == ["done"]
    assert counts == Counter(openings=3, folds=1, checkpoints=0)


def test_what_is_known_is_replayed_in_as_few(
    lab: lk.Lab, echo: Callable[..., Any], counts: Counter[str]
) -> None:
    """The same plan again, whose answers the lab has: no opening more, and its samples are not kept twice."""
    asked_once(lab, echo, "Say first")
    samples = lab.store.table("from log.samples").num_rows
    counts.clear()
    run = asked_once(lab, echo, "Say first")
    assert counts == Counter(openings=2, folds=1, checkpoints=0)
    assert run.generations()["replayed_from"].notna().all()
    assert lab.store.table("from log.samples").num_rows == samples == 1


def test_many_cells_take_no_more_openings(
    lab: lk.Lab, echo: Callable[..., Any], counts: Counter[str]
) -> None:
    """Fifty samples of three prompts on two models are looked up and kept as one cell is."""
    asked_once(lab, echo, "Say first")
    counts.clear()
    prompts = [f"Say {{{{ n }}}} in way {way}" for way in range(3)]
    rows = [{"n": n} for n in range(50)]
    lab.plan(prompts=prompts, models=[echo("one"), echo("two")], dataset=rows).run(progress="none")
    assert counts == Counter(openings=2, folds=1, checkpoints=0)


def test_scoring_takes_one_opening_more(lab: lk.Lab, echo: Callable[..., Any], counts: Counter[str]) -> None:
    """With scorers: one reading of samples and answers, which folds first."""
    asked_once(lab, echo, "Say first")
    counts.clear()
    rows = [{"n": n, "target": str(n)} for n in range(5)]
    plan = lab.plan(prompts=["{{ n }}"], models=[echo("one")], dataset=rows, scorers=[lk.exact()])
    plan.run(progress="none")
    assert counts == Counter(openings=3, folds=2, checkpoints=0)


def test_a_plan_is_shown_from_one_opening(
    lab: lk.Lab, echo: Callable[..., Any], counts: Counter[str]
) -> None:
    """What is known, why not, and the history of its estimate come from one opening of the lab."""
    asked_once(lab, echo, "Say first")
    plan = lab.plan(prompts=["Say first", "Say second"], models=[echo("one")])
    counts.clear()
    assert "2 requests" in str(plan)
    assert counts["openings"] == 1


def test_the_lab_is_checkpointed_once_it_is_left_alone(
    lab: lk.Lab, echo: Callable[..., Any], here: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a run DuckDB's own log goes into the file by itself, when nobody was at the lab for a moment."""
    monkeypatch.setattr(background_fold, "QUIET_S", 0.05)
    asked_once(lab, echo, "Say first")
    until(lambda: not (here / "lab.duckdb.wal").exists())
    assert len(lab.generations()) == 1


def test_a_run_does_not_wait_for_the_checkpoint(
    lab: lk.Lab, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is at the lab while a slow answer comes: the checkpoint is due only after the fold."""
    left: list[int] = []
    due = BackgroundFold.checkpoint_soon

    def checkpoint_soon(self: BackgroundFold) -> None:
        access = self._access()
        assert access is not None
        left.append(len(access.progress.unfolded()))
        due(self)

    monkeypatch.setattr(BackgroundFold, "checkpoint_soon", checkpoint_soon)
    asked_once(lab, echo, "Say first")
    assert left == [0]


def test_a_lab_that_is_never_left_alone_is_checkpointed_too(
    lab: lk.Lab, echo: Callable[..., Any], here: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody is always at the lab, its log does not grow beyond a bound."""
    monkeypatch.setattr(background_fold.database_lock, "age_s", lambda folder: 0.0)
    monkeypatch.setattr(background_fold, "QUIET_S", 0.01)
    monkeypatch.setattr(background_fold, "LOG_BYTES", 1)
    asked_once(lab, echo, "Say first")
    until(lambda: not (here / "lab.duckdb.wal").exists())


SCRIPT = """
import labkit as lk
model = lk.Model("scripted/one", client=lk.Script(lambda request: "yes", version="1"))
lk.Lab("lab.duckdb").plan(prompts=["Say hi"], models=[model]).run(progress="none")
"""


def test_a_process_that_ends_leaves_its_lab_checkpointed(here: Path) -> None:
    """A script ends right after its run: everything is in the file, nothing in DuckDB's log beside it."""
    import duckdb

    subprocess.run([sys.executable, "-c", SCRIPT], cwd=here, check=True, capture_output=True, timeout=120)
    assert not (here / "lab.duckdb.wal").exists()
    with duckdb.connect(str(here / "lab.duckdb"), read_only=True) as plain:
        assert plain.sql("select count(*) from generations").fetchall() == [(1,)]


def test_what_must_be_durable_is_on_disk_before_anything_is_asked(
    lab: lk.Lab, echo: Callable[..., Any], here: Path
) -> None:
    """The run, its prompt, model and sample are in the journal, durably, when the first request leaves."""
    seen: list[set[bytes]] = []

    def answer(_: Any) -> str:
        journals = (here / "lab.duckdb.journal").glob("s*.jsonl")
        seen.append({line.split(b" ", 2)[1] for one in journals for line in one.read_bytes().splitlines()})
        return "yes"

    lab.plan(prompts=["hello there"], models=[echo("one", answers=answer)]).run(progress="none")
    assert {b"run", b"event", b"prompt", b"model", b"sample", b"intent"} <= seen[0]
