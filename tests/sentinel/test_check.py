"""labkit.sentinel: what a night is called, which causes are named, and when nothing can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import labkit as lk
from labkit.errors import DefinitionError, LabkitError, SentinelAlarm
from tests.sentinel.planted import Plant, Planted


def said(check: Any, metric: str = "score.exact") -> Any:
    """The finding of one metric."""
    return next(one for one in check.findings if one.metric == metric)


def test_a_night_like_the_baseline_is_not_shown_to_be_worse_and_says_what_could_have_gone_unseen(
    plant: Plant,
) -> None:
    """Exit code 0, with the drop that 60 rows cannot exclude."""
    world = plant(right=0.8, luck=0.1)
    watch = world.watch()
    check = watch.check(world.night())
    assert (check.outcome, check.exit_code, check.again_run_id) == ("not shown to be worse", 0, None)
    assert "could have gone unseen" in said(check).sentence
    assert check.raise_for_outcome() is check


def test_a_drop_is_asked_once_more_and_then_called_worse(plant: Plant) -> None:
    """Exit code 3, the same rows asked afresh in a run of their own, with the worst rows by id."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    before = world.asked
    check = watch.check(run := world.night())
    assert (check.outcome, check.exit_code) == ("worse", 3)
    assert world.asked - before == 2 * world.rows
    found = said(check)
    assert (found.said, found.by, found.samples) == ("worse", "quick", 60)
    assert "(0.900 then, 0.600 now, 60 rows, re-asked and confirmed)" in found.sentence
    assert found.sentence.endswith("Nothing that labkit records changed since the baseline.")
    assert len(found.rows) == 3
    assert {int(row) for row in found.rows} <= set(range(36, 54))
    again = world.lab.runs(kind="reask").iloc[0]
    assert (again["run_id"], again["parent_run_id"]) == (check.again_run_id, run.run_id)
    assert world.lab.runs()["run_id"].iloc[-1] == run.run_id
    with pytest.raises(SentinelAlarm, match="worse"):
        check.raise_for_outcome()


def test_a_bad_night_that_was_luck_is_no_alarm(plant: Plant) -> None:
    """What looked worse and did not, asked once more, is said so, with exit code 0."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    run = world.night()
    world.right = 0.9
    check = watch.check(run)
    assert (check.outcome, check.exit_code) == ("not shown to be worse", 0)
    assert "It looked worse, and asked once more it did not." in said(check).sentence
    assert check.again_run_id is not None


def test_the_same_run_checked_again_asks_nothing_and_is_no_other_night(plant: Plant) -> None:
    """A cell that is run twice finds the same, and its re-ask."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    run = world.night()
    first = watch.check(run)
    before = world.asked
    second = world.lab.sentinel("nightly", latency=None).check(world.lab.run(run.run_id))
    assert (world.asked, second.night, second.outcome) == (before, first.night, "worse")
    assert second.again_run_id == first.again_run_id
    assert len(watch.checks()) == 1


def test_an_alarm_stands_until_two_nights_in_a_row_lie_nearer_to_the_baseline(plant: Plant) -> None:
    """One good night lifts nothing, and while it stands nothing is asked once more."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    outcomes = [watch.check(world.night()).outcome]
    for right in (0.6, 0.9, 0.6, 0.9, 0.9, 0.9):
        world.right = right
        outcomes.append(watch.check(world.night()).outcome)
    assert outcomes == ["worse"] * 5 + ["not shown to be worse"] * 2
    assert len(world.lab.runs(kind="reask")) == 1


def test_a_new_baseline_ends_alarms(plant: Plant) -> None:
    """What is accepted is what later nights are held against."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    assert watch.check(world.night()).outcome == "worse"
    watch.accept(world.night(repeats=3), why="the new model is what there is", force=True)
    assert watch.check(world.night()).outcome == "not shown to be worse"


def test_a_slow_drift_is_found_by_a_week(plant: Plant) -> None:
    """A few points that no re-ask confirms are shown by seven nights, pooled."""
    world = plant(rows=200, luck=0.05)
    watch = world.watch(repeats=5, margin=0.0, cost=None)
    outcomes = []
    for _ in range(7):
        world.luck = 0.1
        run = world.night()
        world.luck = 0.03  # no re-ask agrees
        outcomes.append(watch.check(run))
    last = outcomes[-1]
    assert "pooled" in " ".join(last.notes)
    assert [one.outcome for one in outcomes[:6]] == ["not shown to be worse"] * 6
    assert (said(last).by, last.outcome) == ("slow", "worse")
    assert "seven nights pooled" in said(last).sentence


# -- causes ----------------------------------------------------------------------------------------


def _worse(world: Planted, watch: Any, **plan: Any) -> Any:
    """A night that is also 30 points worse."""
    world.right = 0.6
    return watch.check(world.night(**plan))


def test_each_cause_of_a_drop_is_named_alone(plant: Plant, tmp_path: Path) -> None:
    """The resolved model, its fingerprint, the prompt, rows of the dataset, params."""
    world = plant(right=0.9, fingerprint="fp_1")
    watch = world.watch()
    world.model = "m-2026-11"
    world.fingerprint = "fp_2"  # comes with another model
    causes = said(_worse(world, watch)).causes
    assert causes == ("the resolved model (m-2026-08 → m-2026-11)",)
    world.model = "m-2026-08"
    assert said(_worse(world, watch)).causes == ("the model's fingerprint (fp_1 → fp_2)",)
    world.fingerprint = "fp_1"
    prompted = said(_worse(world, watch, prompts=[lk.Prompt("ask", "Please say {{ n }}")])).causes
    assert prompted == ("the prompt (version 1 → version 2)",)
    data = [{**row, "target": "no" if row["n"] in (3, 4) else "yes"} for row in world.data]
    assert said(_worse(world, watch, dataset=data)).causes == ("the dataset (2 of 60 rows)",)
    warm = said(_worse(world, watch, params={"temperature": 0.7})).causes
    assert warm == ("the params (temperature: None → 0.7)",)
    assert said(_worse(world, watch)).causes == ()


def test_two_causes_at_once_cannot_be_told_apart(plant: Plant) -> None:
    """Both are named, and that it cannot be told which did it."""
    world = plant(right=0.9)
    watch = world.watch()
    world.model = "m-2026-11"
    found = said(_worse(world, watch, prompts=[lk.Prompt("ask", "Please say {{ n }}")]))
    assert len(found.causes) == 2
    assert found.sentence.endswith("Which of them did it cannot be told apart.")


def test_a_price_list_is_arithmetic_and_is_not_asked_once_more(plant: Plant) -> None:
    """What a list alone makes dearer is worse at once, and the list is named."""
    world = plant()
    watch = world.watch()
    world.prices = {"input": 1.5, "output": 6.0, "cache_read": 0.15}
    found = said(check := watch.check(world.night()), "cost")
    assert (found.said, found.by, check.again_run_id) == ("worse", "certain", None)
    assert "an answer costs 1.50× as much" in found.sentence
    assert [cause.split(" (")[0] for cause in found.causes] == ["the price list"]


def test_longer_answers_and_a_lost_cache_are_named_where_an_answer_costs_more(plant: Plant) -> None:
    """And that the price list did not change."""
    world = plant(cached=80)
    watch = world.watch()
    world.words = 30
    found = said(watch.check(world.night()), "cost")
    assert found.causes == ("the length of answers (200 % more tokens)",)
    assert "The price list did not change." in found.sentence
    assert "re-asked and confirmed" in found.sentence
    watch = world.watch("other")
    world.cached = 0
    lost = said(watch.check(world.night()), "cost")
    assert lost.causes == ("the cache (80 % of the input was read from it, now 0 %)",)


def test_slower_answers_are_worse_and_from_elsewhere_cannot_be_told(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock read on another host says nothing of the model; on the same it does."""
    world = plant(rows=40, delay_s=0.03)
    watch = world.watch(latency=1.25)
    world.delay_s = 0.09
    run = world.night()
    found = said(watch.check(run), "latency")
    assert (found.said, found.by, found.causes) == ("worse", "quick", ())
    monkeypatch.setattr("labkit.provenance.socket.gethostname", lambda: "another-host")
    elsewhere = world.watch("elsewhere", latency=1.25, accept=False, baseline="other")
    monkeypatch.undo()
    world.delay_s = 0.03
    elsewhere.accept(world.night(repeats=3))
    world.delay_s = 0.09
    monkeypatch.setattr("labkit.provenance.socket.gethostname", lambda: "another-host")
    check = elsewhere.check(world.night())
    found = said(check, "latency")
    assert (found.said, check.exit_code) == ("cannot tell", 4)
    assert "the host (" in found.sentence


# -- nothing can be told ---------------------------------------------------------------------------


def test_without_a_baseline_nothing_can_be_told(plant: Plant) -> None:
    """Exit code 4, and what to do."""
    world = plant()
    check = world.watch(accept=False).check(world.night())
    assert (check.outcome, check.exit_code) == ("cannot tell", 4)
    assert "watch.accept(run)" in check.sentences[0]
    named = world.lab.sentinel("nightly", baseline="2026-11", latency=None)
    assert "no baseline" in named.check(world.night()).sentences[0]


def test_replays_say_nothing_of_tonight(plant: Plant) -> None:
    """All replayed is exit code 4."""
    world = plant()
    watch = world.watch()
    check = watch.check(world.night(fresh=False))
    assert check.exit_code == 4
    assert (
        "rows of the baseline have no fresh answer (60 of them replays: ask with fresh=True)"
        in said(check).sentence
    )


def test_a_provider_that_is_down_or_half_down_is_exit_code_4(plant: Plant) -> None:
    """Half of the rows, or all of them, without an answer; one in twenty is let pass."""
    world = plant()
    watch = world.watch()
    for broken, code in ((0.05, 0), (0.5, 4), (1.0, 4)):
        world.broken = broken
        check = watch.check(world.night())
        assert check.exit_code == code, check
    assert (
        "60 of 60 rows of the baseline have no fresh answer (60 of them InvalidRequest)"
        in said(check).sentence
    )


def test_an_alarm_is_kept_over_a_night_of_which_nothing_can_be_told(plant: Plant) -> None:
    """Worse, cannot tell, worse again: without a second re-ask."""
    world = plant(right=0.9)
    watch = world.watch()
    world.right = 0.6
    codes = [watch.check(world.night()).exit_code]
    world.broken = 1.0
    codes.append(watch.check(world.night()).exit_code)
    world.broken = 0.0
    codes.append(watch.check(world.night()).exit_code)
    assert codes == [3, 4, 3]
    assert len(world.lab.runs(kind="reask")) == 1


def test_a_score_that_is_missing_or_given_by_another_scorer_cannot_be_told(plant: Plant) -> None:
    """A scorer that is gone, and one of the same name that is another."""
    world = plant()
    watch = world.watch()
    gone = watch.check(world.night(scorers=[]))
    assert gone.exit_code == 4
    assert "have no score" in said(gone).sentence
    other = watch.check(world.night(scorers=[lk.exact("target", ignore_case=True)]))
    assert other.exit_code == 4
    assert "another scorer, judge or rubric" in said(other).sentence


def test_another_dataset_cannot_be_told(plant: Plant) -> None:
    """Rows of the same ids with other contents, and rows of other ids."""
    world = plant()
    watch = world.watch()
    same_ids = [{**row, "target": "no"} for row in world.data]
    check = watch.check(world.night(dataset=same_ids))
    assert check.exit_code == 4
    assert "another dataset: 60 of 60 rows have other contents" in said(check).sentence
    other_ids = [{**row, "id": f"x{row['n']}"} for row in world.data]
    check = watch.check(world.night(dataset=other_ids))
    assert check.exit_code == 4
    assert "60 of 60 rows of the baseline were not asked, such as 0: another table?" in said(check).sentence


def test_a_model_that_was_not_asked_cannot_be_told_while_the_others_can(plant: Plant) -> None:
    """One of two models of the baseline is missing tonight."""
    world = plant(models=("m", "k"))
    watch = world.watch()
    world.models = ("m",)
    check = watch.check(world.night())
    assert check.exit_code == 4
    assert {one.model: one.said for one in check.findings if one.metric == "score.exact"} == {
        "scripted/m": "not shown to be worse",
        "scripted/k": "cannot tell",
    }


def test_a_baseline_whose_answers_are_gone_cannot_be_told(plant: Plant) -> None:
    """Somebody deleted them from the lab's file."""
    world = plant()
    watch = world.watch()
    run = world.night()
    (runs,) = watch.baselines()["run_ids"]
    world.lab.store.close()
    with duckdb.connect(str(world.lab.path)) as plain:
        for table in ("generations", "runs"):
            plain.execute(f"delete from log.{table} where run_id = ?", [runs[0]])
    check = watch.check(run)
    assert check.exit_code == 4
    assert "no longer in this lab" in check.sentences[0]


def test_a_baseline_whose_run_went_on_or_was_scored_anew_cannot_be_told(plant: Plant) -> None:
    """What was accepted is what nights are held against, and nothing that came to it later."""
    world = plant()
    watch = world.watch()
    night = world.night()
    assert watch.check(night).exit_code == 0
    base = world.lab.run(watch.baselines()["run_ids"].iloc[0][0])
    base.score(lk.exact("target"), lk.contains("target"))
    assert watch.check(night).exit_code == 4, "a score that is new has to be there tonight too"
    narrow = world.lab.sentinel("nightly", score="exact", latency=None)
    assert narrow.check(night).exit_code == 0, "the same values"
    base.score(lk.Scorer("exact", lambda generation, sample: 0.5, low=0, high=1))
    check = narrow.check(night)
    assert (check.exit_code, said(check, "cost").said) == (4, "not shown to be worse")
    assert "given anew since that was accepted" in said(check).sentence
    other = world.watch("other", accept=False).accept(run := world.night(repeats=3))
    run.more(repeats=1, progress="none")
    told = other.check(night)
    assert told.exit_code == 4
    assert "not those that were accepted" in told.sentences[0]


def test_a_price_that_came_cannot_be_told_and_one_that_went_is_none(plant: Plant) -> None:
    """There is no ratio to nothing: what was free and costs now is exit code 4, what is free now no worry."""
    world = plant()
    watch = world.watch()
    world.prices = {"input": 0.0, "output": 0.0}
    assert said(watch.check(world.night()), "cost").said == "absent"
    free = world.watch("free")
    world.prices = {"input": 1.0, "output": 4.0}
    check = free.check(world.night())
    assert check.exit_code == 4
    assert "it cost nothing in the baseline" in said(check, "cost").sentence


def test_without_money_for_a_re_ask_it_is_not_confirmed(plant: Plant) -> None:
    """Exit code 4, within the budget; with confirm=False one look decides, and nothing is asked."""
    world = plant(right=0.9, text="Say" + " word" * 98 + " {{ n }}")
    watch = world.watch()
    world.right = 0.4
    budget_usd = 1.3 * 60 * (100 * 1.0 + 10 * 4.0) / 1e6
    run = world.night(budget_usd=budget_usd, params={"max_tokens": 10})
    assert run.status == "finished"
    check = watch.check(run)
    assert check.exit_code == 4
    assert "it looks worse, but that is not confirmed: 4" in said(check).sentence
    spent = world.lab.runs(kind=None)
    assert (
        spent.loc[spent["started_at"] >= spent.loc[spent["run_id"] == run.run_id, "started_at"].iloc[0]][
            "cost_usd"
        ].sum()
        <= budget_usd
    )
    before = world.asked
    bold = world.lab.sentinel("bold", baseline="b", latency=None, confirm=False)
    bold.accept(world.lab.run(watch.baselines()["run_ids"].iloc[0][0]))
    check = bold.check(run)
    assert (check.exit_code, said(check).by, world.asked) == (3, "quick", before)
    assert "60 rows, not asked once more)" in said(check).sentence


# -- more than one ---------------------------------------------------------------------------------


def test_what_is_better_when_lower_and_several_scores_are_watched(plant: Plant) -> None:
    """A length that grows is worse where lower is better; the other score is not."""

    def length(generation: Any, sample: Any) -> float:
        return float(generation.output_tokens)

    world = plant(score=[lk.exact("target"), lk.Scorer("length", length, low=0, high=100)])
    watch = world.watch(better={"length": "lower"}, margin={"length": 1.0, "exact": 0.02}, cost=None)
    world.words = 14
    check = watch.check(world.night())
    assert (said(check, "score.length").said, said(check).said) == ("worse", "not shown to be worse")
    world.words = 6
    better = [watch.check(world.night()) for _ in range(2)][-1]
    assert better.outcome == "not shown to be worse"
    assert "better" in said(better, "score.length").sentence


def test_a_drop_within_the_margin_is_no_alarm(plant: Plant) -> None:
    """Shown, and too small to matter."""
    world = plant(right=1.0, rows=200)
    watch = world.watch(margin=0.2)
    world.right = 0.93
    check = watch.check(world.night())
    assert check.outcome == "not shown to be worse"
    assert "within the margin of 20 points" in said(check).sentence
    assert check.again_run_id is None


def test_a_chain_is_watched_as_a_whole(plant: Plant) -> None:
    """Its last answer is scored, its steps' models are told, all steps are asked once more."""
    world = plant(right=0.9)
    chain = lk.Chain("chain", lk.Step("one", "Say {{ n }}"), lk.Step("two", "{{ one }} and {{ n }}"))
    watch = world.watch(accept=False)
    watch.accept(world.night(prompts=[chain], repeats=3))
    world.right, world.model = 0.6, "m-2026-11"
    found = said(watch.check(world.night(prompts=[chain])))
    assert (found.said, found.causes) == ("worse", ("the resolved model (m-2026-08 → m-2026-11)",))


def test_the_checks_are_rows_that_plain_duckdb_reads(plant: Plant) -> None:
    """`checks`, `baselines` and `notices` are views of the lab."""
    world = plant()
    watch = world.watch()
    watch.check(world.night())
    frame = world.lab.sql("select sentinel, workspace, night, outcome, findings from checks")
    assert frame[["sentinel", "workspace", "night"]].values.tolist() == [["nightly", "nightly", 1]]
    assert json.loads(frame["findings"].iloc[0])[0]["metric"] == "score.exact"
    assert world.lab.sql("select baseline, holds from baselines")["holds"].tolist() == [True]


def test_its_chart_is_headed_by_the_sentinels_name(plant: Plant) -> None:
    """Not by a general word: several hang side by side."""
    world = plant()
    watch = world.watch()
    watch.check(world.night())
    title = watch.chart().layout.title.text
    assert title == "nightly: not shown to be worse on the last night, n = 1 night"


def test_what_is_accepted_is_told(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """Its scores, and how many answers were cut: a baseline that nobody looked at is soon a wrong one."""
    plant(right=0.9).watch()
    day, row = capsys.readouterr().out.splitlines()
    assert day.startswith("baseline 2")
    assert day.endswith("accepted: 3 answers of each row")
    assert row == "  ask · scripted/m: exact 0.900, 60 rows"


def test_rules_that_make_no_sense_for_a_score_cannot_be_told(plant: Plant) -> None:
    """A margin of 2 for two points, and a name that no score has: what scores are is known by night one."""
    world = plant()
    world.watch()
    night = world.night()
    wide = world.lab.sentinel("nightly", latency=None, margin=2).check(night)
    assert wide.exit_code == 4
    assert (
        "margin=2 is all of the score, so that nothing could be worse; 2 points are 0.02"
        in said(wide).sentence
    )
    misspelt = world.lab.sentinel("nightly", latency=None, margin={"exakt": 0.1}).check(night)
    assert misspelt.exit_code == 4
    assert "names 'exakt', which is none of exact" in said(misspelt).sentence


def test_what_labkit_run_reads_has_a_line_for_each_check(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One JSON object, with the lab it is of."""
    monkeypatch.setenv("LABKIT_CHECKS", str(tmp_path / "checks.jsonl"))
    world = plant()
    check = world.watch().check(world.night())
    (line,) = (tmp_path / "checks.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["lab"] == str(world.lab.path)
    assert told["outcome"] == check.outcome
    assert [one["said"] for one in told["findings"]] == [one.said for one in check.findings]


def test_a_check_that_labkit_run_cannot_read_is_an_error_and_is_kept(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worse night would end with 0."""
    monkeypatch.setenv("LABKIT_CHECKS", str(tmp_path / "gone" / "checks.jsonl"))
    world = plant()
    watch = world.watch()
    with pytest.raises(LabkitError, match="LABKIT_CHECKS names cannot be written"):
        watch.check(world.night())
    assert len(watch.checks()) == 1


def test_a_run_of_another_lab_is_refused(plant: Plant, tmp_path: Path) -> None:
    """By name, before anything is checked."""
    world = plant()
    other = Planted(tmp_path / "elsewhere")
    with pytest.raises(DefinitionError, match="no run"):
        world.watch().check(other.night())
