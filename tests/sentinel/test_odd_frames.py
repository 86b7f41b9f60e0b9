"""Odd scores, many of them, odd ids, judges, runs that change: an outcome in words, never a false alarm."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.records import Request
from labkit.store import group_commit, journal_directory
from tests.run.judging_kit import GRADES, Judged, answers
from tests.run.test_full_disk import small_disk  # noqa: F401 - a fixture
from tests.run.test_locked import HOLD
from tests.sentinel.planted import Plant, Planted


def said(check: Any, metric: str = "score.odd", model: str | None = None) -> Any:
    """The finding of one metric."""
    return next(
        one for one in check.findings if one.metric == metric and model in (None, one.model.split("/")[1])
    )


def odd(value: Callable[[bool], Any], **scale: Any) -> lk.Scorer:
    """A score by whether the answer is right."""
    return lk.Scorer("odd", lambda generation, sample: value(generation.text == "yes"), **scale)


CONSTANT: list[tuple[Any, str]] = [
    (lambda right: math.nan, "cannot tell"),
    (lambda right: None, "cannot tell"),
    (lambda right: 1.0, "not shown to be worse"),
    (lambda right: 0.0, "not shown to be worse"),
    (lambda right: -1e300, "not shown to be worse"),
    (lambda right: 1e-300 if right else 2e-300, "not shown to be worse"),
]


@pytest.mark.parametrize(("value", "outcome"), CONSTANT)
def test_scores_that_say_nothing_or_always_the_same_are_no_alarm(
    plant: Plant, value: Any, outcome: str
) -> None:
    """All NaN, none at all, one constant, numbers at the end of floats: an outcome, though all is wrong."""
    world = plant(rows=20, score=[odd(value)])
    watch = world.watch(cost=None)
    world.right = 0.3
    check = watch.check(world.night())
    assert check.outcome == outcome, str(check)
    assert "nan" not in str(check).lower()


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_infinite_scores_are_an_outcome(plant: Plant, infinite: float) -> None:
    """Whatever becomes of them, nothing is raised, and nothing infinite is in the figures."""
    world = plant(rows=20, score=[odd(lambda right: 1.0 if right else infinite)])
    watch = world.watch(cost=None)
    world.right = 0.3
    check = watch.check(world.night())
    assert check.outcome in ("cannot tell", "worse"), str(check)
    assert all(
        figure is None or math.isfinite(figure)
        for one in check.findings
        for figure in (one.before, one.now, one.change, one.low, one.high)
    )


def test_a_score_without_bounds_is_told_in_its_own_units(plant: Plant) -> None:
    """A drop of 700 is no drop of 70,000 points."""
    world = plant(rows=20, score=[odd(lambda right: 1000.0 if right else 0.0)])
    watch = world.watch(cost=None)
    world.right = 0.3
    found = said(watch.check(world.night()))
    assert (found.said, found.change) == ("worse", -700.0)
    assert "points" not in found.sentence


def test_many_scores_prompts_and_models_in_one_sentinel_call_no_chance_worse(plant: Plant) -> None:
    """Three scores, two prompts, three models and an honest coin: four nights, and nothing is worse; then
    one model falls, and it alone is."""
    chance = random.Random(7)
    fallen: set[str] = set()

    def coin(name: str) -> lk.Scorer:
        return lk.Scorer(
            name,
            lambda generation, sample: float(chance.random() < (0.1 if generation.model in fallen else 0.8)),
            low=0,
            high=1,
        )

    world = plant(rows=30, models=("a", "b", "c"), score=[coin(name) for name in ("x", "y", "z")])
    prompts = [lk.Prompt("ask", "Say {{ n }}"), lk.Prompt("tell", "Tell {{ n }}")]
    watch = world.lab.sentinel("nightly", latency=None, cost=None).accept(
        world.night(prompts=prompts, repeats=5)
    )
    for _ in range(3):
        check = watch.check(world.night(prompts=prompts))
        assert check.outcome == "not shown to be worse", str(check)
        assert len(check.findings) == 18
    fallen.add("scripted/b")
    check = watch.check(world.night(prompts=prompts))
    assert {one.model for one in check.findings if one.said == "worse"} == {"scripted/b"}
    assert len([one for one in check.findings if one.said == "worse"]) == 6
    assert "… and 6 more: see .sentences" in str(check)


def test_twelve_models_are_watched_at_once(plant: Plant) -> None:
    """All told, the one that is worse first and asked again alone."""
    world = plant(rows=20, models=[f"m{n}" for n in range(12)])
    watch = world.watch()
    world.right = 0.3
    before = world.asked
    check = watch.check(world.night())
    assert check.outcome == "worse"
    assert len([one for one in check.findings if one.said == "worse"]) == 12
    assert world.asked - before == 2 * 12 * 20


@pytest.mark.parametrize(
    "ids",
    [list(range(20)), [n + 0.5 for n in range(20)], [f"ä{n} 🦉" for n in range(20)], [None] * 20],
    ids=["numbers", "halves", "unicode", "none"],
)
def test_whatever_ids_are_rows_are_found_again(plant: Plant, ids: list[Any]) -> None:
    """Numbers, fractions, letters of any script, and rows without an id."""
    data = [{"id": id, "n": n, "target": "yes"} for n, id in enumerate(ids)]
    if ids[0] is None:
        data = [{"n": row["n"], "target": "yes"} for row in data]
    world = plant(rows=20, data=data)
    watch = world.watch(cost=None)
    world.right = 0.3
    found = said(watch.check(world.night()), "score.exact")
    assert (found.said, found.samples, len(found.rows)) == ("worse", 20, 3)


def test_a_scorer_that_is_lost_pays_for_no_re_ask_and_is_named(plant: Plant) -> None:
    """In another process a function of one's own is a name; given again, the night is confirmed."""
    own = odd(float, low=0, high=1)
    world = plant(rows=20, score=[own])
    watch = world.watch(cost=None)
    world.right = 0.3
    run = world.night()
    elsewhere = lk.Lab(world.lab.path, workspace="nightly", models=list(world.plan().design.models))
    there = elsewhere.sentinel("nightly", latency=None, cost=None)
    before = world.asked
    check = there.check(elsewhere.run(run.run_id))
    assert (check.exit_code, world.asked - before, check.again_run_id) == (4, 0, None)
    assert "of the scorer 'odd' only the name is kept here" in said(check).sentence
    elsewhere.run(run.run_id).score(own)
    assert there.check(elsewhere.run(run.run_id)).outcome == "worse"
    assert (watch.check(run).outcome, world.asked - before) == ("worse", 20)


def test_a_re_ask_that_lacks_a_score_gets_it_and_asks_nobody(plant: Plant) -> None:
    """One that was asked for another score before is scored anew."""
    own = odd(float, low=0, high=1)
    world = plant(rows=20, score=[lk.exact("target"), own])
    watch = world.watch(cost=None)
    world.right = 0.3
    run = world.night()
    elsewhere = lk.Lab(world.lab.path, workspace="nightly", models=list(world.plan().design.models))
    before = world.asked
    check = elsewhere.sentinel("nightly", latency=None, cost=None).check(elsewhere.run(run.run_id))
    assert (said(check, "score.exact").said, said(check).said) == ("worse", "cannot tell")
    check = watch.check(run)
    assert (said(check, "score.exact").said, said(check).said) == ("worse", "worse")
    assert world.asked - before == 20


@pytest.mark.parametrize("scores", [["exact", "exakt"], "exakt"])
def test_a_score_that_nothing_has_cannot_be_told(plant: Plant, scores: Any) -> None:
    """One that is misspelled never passes quietly."""
    world = plant(rows=20)
    check = world.watch(score=scores).check(world.night())
    assert check.exit_code == 4
    assert "neither the baseline nor this run has such a score" in said(check, "score.exakt").sentence


def test_a_baseline_is_not_held_against_itself(plant: Plant) -> None:
    """Its own run, checked, is nothing that can be told: nothing differs from itself."""
    world = plant(rows=20)
    run = world.night(repeats=3)
    watch = world.lab.sentinel("nightly", latency=None).accept(run)
    check = watch.check(run)
    assert check.exit_code == 4
    assert f"run {run.run_id} is of baseline {check.baseline} itself" in check.sentences[0]


# -- judges ----------------------------------------------------------------------------------------


def graded(judge: Judged, question: str = "Is it right?") -> list[lk.Scorer]:
    """A judge beside an exact match."""
    return [lk.exact("target"), lk.judge("good", question, model=judge.model, grades=GRADES)]


def right(request: Request) -> str:
    """A judge that says yes to the right word."""
    return "yes" if answers(request)[0] == "yes" else "no"


@pytest.mark.parametrize("budget_usd", [1.0, 0.064, 0.02])
def test_a_judged_score_that_drops_is_asked_again_and_judged_again_within_the_budget(
    plant: Plant, budget_usd: float
) -> None:
    """Worse, with a re-ask that has verdicts of its own; where the budget does not do for all of that, it
    cannot be told; never is more paid than the budget."""
    judge = Judged(right, prices={"input": 1.0, "output": 4.0})
    world = plant(rows=20, score=graded(judge))
    watch = world.watch(score="good", cost=None)
    world.right = 0.3
    run = world.night(budget_usd=budget_usd, params={"max_tokens": 10})
    asked = len(judge.asked)
    check = watch.check(run)
    assert check.outcome in ("worse", "cannot tell")
    if budget_usd == 1.0:
        assert (check.outcome, said(check, "score.good").by) == ("worse", "quick"), str(check)
        assert len(judge.asked) > asked
        assert check.again_run_id is not None
        assert world.lab.run(check.again_run_id).generations()["score.good"].notna().all()
    asked = len(judge.asked)
    # What was cut off by what is set aside for each request goes on with what came free of it.
    assert watch.check(run).outcome in (check.outcome, "worse")
    assert budget_usd < 1.0 or len(judge.asked) == asked
    frame = world.lab.runs(kind=None)
    since = frame[frame["started_at"] >= frame.set_index("run_id").loc[run.run_id, "started_at"]]
    assert since["cost_usd"].sum() <= budget_usd
    assert len(world.lab.runs(kind="reask")) <= 1


@pytest.mark.parametrize("changed", ["model", "question"])
def test_another_judge_or_rubric_cannot_be_told_for_its_score_alone(plant: Plant, changed: str) -> None:
    """The exact match is told as ever."""
    judge = Judged(right)
    world = plant(rows=20, score=graded(judge))
    watch = world.watch(cost=None)
    other = Judged(right, "another") if changed == "model" else judge
    question = "Is it right?" if changed == "model" else "Is it quite right?"
    world.score = graded(other, question)
    check = watch.check(world.night())
    assert check.exit_code == 4
    assert said(check, "score.good").said == "cannot tell"
    assert "another scorer, judge or rubric" in said(check, "score.good").sentence
    assert said(check, "score.exact").said == "not shown to be worse"
    world.score = graded(judge)
    assert watch.check(world.night()).exit_code == 0


# -- runs that are not over, or change ---------------------------------------------------------------


def test_three_answers_of_each_row_tonight_are_a_night(plant: Plant) -> None:
    """Repeats are averaged, and asked again as they are."""
    world = plant(rows=20)
    watch = world.watch(cost=None)
    world.right = 0.3
    before = world.asked
    check = watch.check(world.night(repeats=3))
    assert (check.outcome, said(check, "score.exact").samples) == ("worse", 20)
    assert world.asked - before == 2 * 60


def test_a_run_that_was_stopped_half_way_cannot_be_told_and_says_so(plant: Plant) -> None:
    """With what it left and why; continued, it can be told, and is the same night."""
    world = plant(rows=40, text="Say" + " word" * 98 + " {{ n }}")
    watch = world.watch(cost=None)
    usd = 20 * (100 * 1.0 + 10 * 4.0) / 1e6
    run = world.night(budget_usd=usd, params={"max_tokens": 10})
    assert run.status == "stopped"
    check = watch.check(run)
    assert check.exit_code == 4
    assert any(f"run {run.run_id} is stopped" in note for note in check.notes), check.notes
    run.resume(budget_usd=1.0)
    check = watch.check(run)
    assert (check.exit_code, check.night) == (0, 1)
    assert check.notes == ()


def test_a_run_that_grows_after_its_check_is_asked_once_more_no_second_time(plant: Plant) -> None:
    """Its rows may be more; its re-ask stays."""
    world = plant(rows=40)
    watch = world.watch(cost=None)
    world.right = 0.3
    run = world.night()
    first = watch.check(run)
    run.more(repeats=1, progress="none")
    before = world.asked
    second = watch.check(run)
    assert (first.outcome, second.outcome) == ("worse", "worse"), str(second)
    assert (world.asked, second.again_run_id) == (before, first.again_run_id)


# -- a lab that is in the way ------------------------------------------------------------------------


def test_a_full_disk_is_an_error_and_the_check_is_made_again(
    small_disk: Path,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be written down was told to nobody and is no night; with room again it is the first."""
    monkeypatch.setattr(journal_directory, "RESERVE_BYTES", 2**21)
    monkeypatch.setattr(group_commit, "RETRY_S", 0.05)
    world = Planted(small_disk, rows=20)
    watch = world.watch(cost=None)
    world.right = 0.3
    run = world.night()
    world.lab.store.close()  # what is in the background writes no more, and takes no room that is free
    (small_disk / "lab.duckdb.journal" / "reserve").unlink(missing_ok=True)
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(StoreError):
        watch.check(run)
    ballast.unlink()
    check = watch.check(run)
    assert (check.night, check.outcome) == (1, "worse")
    assert watch.checks()["night"].tolist() == [1]
    assert len(world.lab.runs(kind="reask")) == 1
    world.lab.store.close()


def test_another_program_that_holds_the_lab_is_named_and_the_check_is_made_again(
    plant: Plant, tmp_path: Path
) -> None:
    """No half of a check is written down; with the lab free it is one night."""
    world = plant(rows=20)
    watch = world.watch(cost=None)
    run = world.night()
    world.lab.store.wait_s = 0.3
    world.lab.store.close()
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lab.duckdb")]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=r"lab\.duckdb is held by process"):
            watch.check(run)
    finally:
        holder.communicate()
    assert watch.check(run).night == 1
    assert len(watch.checks()) == 1
