"""What judges cost: told apart from the contenders, held by one purse, never more than it has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import ConnectionLost, DefinitionError
from labkit.providers.script import Reply
from labkit.records import Request, Usage
from tests.run.judging_kit import GRADES, ROWS, USD_MTOK, Judged, longer, verdict, writer

ANSWER_USD = 0.02
"""What each answer of a priced writer costs: ten tokens to ten."""


def polite(judge: Judged, **more: Any) -> Any:
    return lk.judge("polite", "Is it polite?", model=judge.model, grades=GRADES, **more)


def judging(output: int = 20, *, name: str = "judge", says: Any = None, **more: Any) -> Judged:
    """A judge with a price, whose verdicts have so many tokens."""

    def reply(request: Request) -> Reply:
        said = says(request) if says else "yes"
        return Reply(verdict(said), usage=Usage(input_tokens=200, output_tokens=output))

    return Judged(reply, name, prices=more.pop("prices", USD_MTOK), **more)


def plan(lab: lk.Lab, *models: lk.Model, rows: Any = None, **more: Any) -> lk.Plan:
    more.setdefault("params", {"max_tokens": 10})
    writers = list(models) or [writer(prices=USD_MTOK, concurrency=2)]
    return lab.plan(prompts=["Say {{ n }}"], models=writers, dataset=ROWS if rows is None else rows, **more)


def spent(lab: lk.Lab) -> float:
    """All that anything cost, and what may have been paid for besides."""
    cost = lab.sql("select coalesce(sum(cost_usd) filter (replayed_from is null), 0) as usd from steps")[
        "usd"
    ].item()
    return float(cost)


def peak(lab: lk.Lab) -> float:
    """The most that was spent and set aside at any moment, as the lab wrote it down."""
    intents = lab.sql("select generation_id, attempt, sent_at as at, reserved_usd as usd from log.intents")
    ended = lab.sql(
        "select generation_id, written_at as at, coalesce(cost_usd, 0) as usd from log.generations "
        "where replayed_from is null and status = 'done'"
    )
    total = spent(lab)
    open_usd = intents.loc[~intents["generation_id"].isin(ended["generation_id"]), "usd"].sum()
    return total + float(open_usd)


def test_what_a_contender_costs_and_how_long_it_takes_is_told_without_its_judges(
    lab: lk.Lab, here: Path
) -> None:
    """To the bit: answers, tokens and cost are as in a lab without a judge, and scoring changes no clock."""
    columns = ["model", "sample_id", "text", "input_tokens", "output_tokens", "cost_usd", "status"]
    clocks = ["latency_s", "ttft_s", "queue_s", "first_event_s", "started_at"]
    plain = lk.Lab(here / "plain.duckdb")
    without = plan(plain).run()
    judge = judging()
    run = plan(lab, scorers=[polite(judge)]).run()
    mine, others = run.generations(), without.generations()
    assert mine[columns].equals(others[columns])
    summary = without.summary()
    before = without.generations()
    without.score(polite(judging(name="late")))
    assert without.generations()[columns + clocks].equals(before[columns + clocks])
    same = [
        name for name in summary.columns if name in without.summary().columns and not name.startswith("score")
    ]
    assert without.summary()[same].equals(summary[same])
    assert plain.runs()["cost_usd"].item() == pytest.approx(6 * ANSWER_USD)


def test_what_judges_cost_stands_apart_and_adds_up(lab: lk.Lab) -> None:
    """By prompt and model, what all its verdicts cost; those that share a text share its price."""
    judge, other = judging(20), judging(50, name="other", says=longer)
    rows = [*ROWS, {"n": "5"}, {"n": "5"}]
    models = [writer("a", prices=USD_MTOK), writer("b", lambda asked: f"{asked}!", prices=USD_MTOK)]
    duel = lk.duel("helps", "Which?", model=other.model)
    run = plan(lab, *models, rows=rows, scorers=[polite(judge), duel]).run()
    told = lab.runs(kind="judge")["cost_usd"].sum()
    assert told == pytest.approx(12 * 0.22 + 12 * 0.25)
    summary = run.summary()
    assert summary["judge_usd"].sum() == pytest.approx(told)
    assert summary["judge_usd"].min() > 0
    assert run.summary(by="model")["judge_usd"].sum() == pytest.approx(told)
    assert summary["cost_usd"].sum() == pytest.approx(run.generations()["cost_usd"].sum())
    run.score(polite(judge), duel)
    assert run.summary()["judge_usd"].sum() == pytest.approx(told)
    assert lab.store.spent(run.run_id) == pytest.approx(16 * ANSWER_USD + told)


def test_a_cost_that_is_not_known_is_told_as_that(lab: lk.Lab) -> None:
    run = plan(lab, scorers=[polite(Judged("yes", "own", prices=None))]).run()
    usd = run.summary()["judge_usd"].item()
    assert usd == 0 or usd != usd


@pytest.mark.parametrize("budget_usd", [1.5, 4.0])
@pytest.mark.parametrize("kind", ["judge", "two judges", "duel"])
def test_one_purse_holds_answers_and_verdicts(lab: lk.Lab, budget_usd: float, kind: str) -> None:
    """Verdicts that are as long as they may be: never more is spent than the budget, whatever is judged, and
    no answer is paid for that there is no money to judge, nor after more money was given."""
    judge, other = judging(100), judging(100, name="other", says=longer)
    params = {"max_tokens": 100}
    scorers = {
        "judge": [polite(judge, params=params)],
        "two judges": [
            polite(judge, params=params),
            lk.judge("o", "?", model=other.model, grades=GRADES, params=params),
        ],
        "duel": [lk.duel("helps", "Which?", model=other.model, params=params)],
    }[kind]
    other.says = other.says if kind == "duel" else judge.says
    models = [writer("a", prices=USD_MTOK), writer("b", lambda asked: f"{asked}!", prices=USD_MTOK)]
    made = plan(lab, *models, scorers=scorers)
    run, given = made.run(budget_usd=budget_usd), budget_usd
    for _ in range(3):
        assert peak(lab) <= given + 1e-9
        frame = run.generations()
        done = frame[frame["status"] == "done"]
        if kind != "duel":
            for scorer in scorers:
                assert f"score.{scorer.name}" not in frame or done[f"score.{scorer.name}"].notna().all()
        given += budget_usd
        run = run.resume(budget_usd=given)
    run = run.resume(budget_usd=100)
    frame = run.generations()
    assert (frame["status"] == "done").all()
    assert frame[[f"score.{scorer.name}" for scorer in scorers]].notna().all().all()
    # Whatever was stopped in between, nothing was asked twice.
    for one in (judge, other):
        asked = [str(request.messages) for request in one.asked]
        assert len(asked) == len(set(asked))


def test_answers_that_are_there_have_their_verdicts_money_kept(lab: lk.Lab) -> None:
    """Those of the lab, that cost nothing themselves, and those that an earlier launch left without a
    judge."""
    plan(lab).head(3).run()
    judge = judging(100)
    scorers = [polite(judge, params={"max_tokens": 100})]
    run = plan(lab, scorers=scorers).run(budget_usd=3.6)
    frame = run.generations()
    done = frame[frame["status"] == "done"]
    assert 3 <= len(done) < 6
    assert done["score.polite"].notna().all()
    assert peak(lab) <= 3.6 + 3 * ANSWER_USD + 1e-9


def test_a_judge_that_costs_more_than_it_may_ends_the_purse_and_no_more(lab: lk.Lab) -> None:
    """Ten times what its limit allows: the run stops judging when the money is gone."""
    judge = judging(1000, concurrency=1)
    run = plan(lab, scorers=[polite(judge, params={"max_tokens": 100})]).run(budget_usd=2.0)
    assert len(judge.asked) < 6
    assert spent(lab) < 2.0 + 1.1
    left = run.generations()["score.polite"].isna().sum()
    assert left == 6 - len(judge.asked)


def test_the_first_step_of_a_chain_is_not_paid_for_without_money_to_judge_its_last(lab: lk.Lab) -> None:
    judge = judging(100)
    chain = lk.Chain("c", lk.Step("facts", "F {{ n }}"), lk.Step("reply", "R {{ facts }}"))
    made = lab.plan(
        prompts=[chain],
        models=[writer(prices=USD_MTOK)],
        dataset=ROWS,
        params={"max_tokens": 10},
        scorers=[polite(judge, params={"max_tokens": 100})],
    )
    run = made.run(budget_usd=2.0)
    steps, whole = run.generations(steps=True), run.generations()
    done = whole["status"] == "done"
    assert 0 < done.sum() < 6
    assert (steps["status"] == "done").sum() == 2 * done.sum()
    assert whole.loc[done, "score.polite"].notna().all()
    assert spent(lab) <= 2.0


def test_scoring_later_counts_by_the_runs_budget(lab: lk.Lab) -> None:
    judge = judging(100)
    run = plan(lab).run(budget_usd=2.0)
    run.score(polite(judge, params={"max_tokens": 100}))
    assert 0 < len(judge.asked) < 6
    assert spent(lab) <= 2.0
    (told,) = lab.sql("select distinct error from scores where value is null")["error"].tolist()
    assert "budget of USD 2.00" in told
    run.score(polite(judge, params={"max_tokens": 100}), budget_usd=50)
    assert len(judge.asked) == 6
    assert run.generations()["score.polite"].notna().all()


def test_a_judge_without_a_price_is_refused_under_a_budget_with_the_others(lab: lk.Lab) -> None:
    asked: list[Request] = []
    unpriced = lk.Model("elsewhere/judge", base_url="http://127.0.0.1:9/v1", key_env="")
    free = lk.Model("elsewhere/writer", base_url="http://127.0.0.1:9/v1", key_env="")
    judge = lk.judge("polite", "?", model=unpriced, grades=GRADES)
    dear = writer(prices=USD_MTOK, says=lambda text: asked.append(text) or "ok")  # type: ignore[arg-type,func-returns-value]
    made = plan(lab, dear, free, scorers=[judge])
    with pytest.raises(DefinitionError) as caught:
        made.run(budget_usd=1)
    assert len(caught.value.faults) == 2
    assert "cannot hold for elsewhere/writer" in str(caught.value)
    assert "judge('polite'): A budget cannot hold for elsewhere/judge: its price is not known" in str(
        caught.value
    )
    assert not asked
    assert lab.runs(kind=None).empty
    run = plan(lab, dear).run(budget_usd=1)
    with pytest.raises(DefinitionError, match="cannot hold for elsewhere/judge"):
        run.score(judge)


def test_what_may_have_been_paid_for_is_told_of_verdicts_too(lab: lk.Lab) -> None:
    lost = itertools.count()

    def says(request: Request) -> Any:
        return ConnectionLost("gone", maybe_paid=True) if next(lost) == 0 else verdict("yes")

    judge = Judged(says, prices=USD_MTOK, concurrency=1)
    run = plan(lab, scorers=[polite(judge)]).run(policy=lk.Policy(backoff_s=0.001, backoff_cap_s=0.002))
    (row,) = run.maybe_paid().to_dict("records")
    assert (row["prompt"], row["model"]) == ("judge polite", "scripted/judge")
    assert row["sample_id"] in set(run.generations()["generation_id"])


def test_repricing_has_verdicts_in_runs_of_their_own(lab: lk.Lab) -> None:
    run = plan(lab, scorers=[polite(judging())]).run()
    by_run = lab.reprice(
        prices={"scripted/judge": {"input": 1, "output": 1}, "scripted/writer": USD_MTOK}, by="prompt"
    )
    told = by_run.set_index("prompt")
    assert told.loc["judge polite", "n"] == 6
    assert told.loc["judge polite", "repriced_usd"] == pytest.approx(6 * 220e-6)
    assert lab.reprice(run=run.run_id, by="model")["model"].tolist() == ["scripted/writer"]


def test_the_plan_tells_the_judges_part_before_anything_is_paid(lab: lk.Lab) -> None:
    judge = judging()
    made = plan(lab, scorers=[polite(judge, params={"max_tokens": 100})])
    low, high = made.estimate().cost_low_usd, made.estimate().cost_high_usd
    line = str(made)
    assert "= 6 requests; 0 known; USD " in line
    assert "; judges: 6 verdicts, 0 known, USD " in line
    run = made.run()
    assert low <= lab.store.spent(run.run_id) <= high
    assert "judges: 6 verdicts, 6 known" in str(made)
    assert made.estimate().cost_high_usd == 0


def test_the_estimate_counts_a_text_that_is_there_twice_once(lab: lk.Lab) -> None:
    same = writer(says=lambda _: "same", prices=USD_MTOK)
    rows = [{"n": "1", "k": str(number)} for number in range(5)]
    plan(lab, same, rows=rows).run()
    judge = judging()
    made = plan(lab, same, rows=rows, scorers=[polite(judge)])
    assert made.estimate().judging[0].requests == 1
    made.run()
    assert len(judge.asked) == 1


@pytest.mark.parametrize("writes", [lambda _: "\u200b" * 40, lambda _: "ok"])
def test_what_is_set_aside_for_a_verdict_is_the_most_it_can_cost(
    lab: lk.Lab, writes: Callable[[str], str]
) -> None:
    """Of the verdicts that were asked, none had more set aside than had been kept for it."""
    judge = judging(100)
    run = plan(
        lab, writer(says=writes, prices=USD_MTOK), scorers=[polite(judge, params={"max_tokens": 100})]
    ).run(budget_usd=100)
    from labkit.run.judging import judging_of

    made = plan(
        lab, writer(says=writes, prices=USD_MTOK), scorers=[polite(judge, params={"max_tokens": 100})]
    )
    bounds = judging_of(made.design, made.scorers, made.services)
    rows = {row.generation_id: row for row in _rows(lab, run)}
    reserved = lab.sql(
        "select j.parent_id, i.reserved_usd from log.intents as i join judgements as j using (generation_id)"
    )
    for parent, usd in reserved.itertuples(index=False):
        assert usd <= bounds.after_usd(rows[parent]) + 1e-12


def _rows(lab: lk.Lab, run: lk.Run) -> list[Any]:
    from labkit.run import score_answers

    return list(score_answers.answers(run.run_id, lab.store))
