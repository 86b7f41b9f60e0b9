"""Judges and duels over a run's answers: what is asked, what is known, what stands in the lab."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError, InvalidRequest
from labkit.providers.script import Reply
from labkit.records import Request
from tests.run.judging_kit import GRADES, ROWS, Judged, answers, longer, parts, verdict, writer

PROMPT = lk.Prompt("ask", "Say {{ n }}")


def polite(judge: Judged | lk.Model, **more: Any) -> Any:
    model = judge.model if isinstance(judge, Judged) else judge
    return lk.judge("polite", more.pop("question", "Is it polite?"), model=model, grades=GRADES, **more)


def helps(judge: Judged, **more: Any) -> Any:
    return lk.duel("helps", "Which helps more?", model=judge.model, **more)


def plan(lab: lk.Lab, *models: lk.Model, rows: Any = None, **more: Any) -> lk.Plan:
    return lab.plan(
        prompts=[PROMPT], models=list(models) or [writer()], dataset=ROWS if rows is None else rows, **more
    )


# -- judges --------------------------------------------------------------------------------------


def test_each_answer_is_graded_and_a_score_tells_what_was_said(lab: lk.Lab) -> None:
    judge = Judged(lambda request: "yes" if answers(request)[0].endswith(("2", "4")) else "no")
    run = plan(lab, scorers=[polite(judge)]).run()
    frame = run.generations()
    assert frame["score.polite"].tolist() == [0, 0, 1, 0, 1, 0]
    scores = lab.sql("select explanation, error from scores order by explanation")
    assert scores["explanation"].tolist() == ["no: because"] * 4 + ["yes: because"] * 2
    assert run.status == "finished"
    assert frame.attrs["scales"]["polite"] == (0, 1, 1)


def test_it_is_shown_what_the_prompt_uses_the_reference_and_the_answer(lab: lk.Lab) -> None:
    judge = Judged("yes")
    question = "Is it right, by {{ hint }}?"
    rows = [{"n": "1", "gold": "one", "hint": "h", "secret": "s"}]
    plan(lab, rows=rows, scorers=[polite(judge, question=question, reference="gold")]).run()
    (request,) = judge.asked
    assert parts(request) == {"n": "1", "hint": "h", "reference": "one", "answer": "re: Say 1"}
    assert not any(word in str(request.messages) for word in ("scripted", "secret", "polite'"))


def test_answers_that_are_not_there_are_not_judged(lab: lk.Lab) -> None:
    judge = Judged("yes")
    refusing = lk.Model(
        "scripted/refusing",
        client=lk.Script(
            lambda r: InvalidRequest("no") if "3" in r.messages[-1]["content"] else "ok", version="1"
        ),
    )
    frame = plan(lab, refusing, scorers=[polite(judge)]).run().generations()
    assert len(judge.asked) == 5
    assert frame["score.polite"].isna().tolist() == [False] * 3 + [True] + [False] * 2


def test_answers_to_samples_without_a_reference_are_not_judged_and_none_failed(lab: lk.Lab) -> None:
    judge = Judged("yes")
    rows = [{"n": "1", "gold": "one"}, {"n": "2", "gold": None}, {"n": "3", "gold": " "}]
    run = plan(lab, rows=rows, scorers=[polite(judge, reference="gold")]).run()
    assert len(judge.asked) == 1
    assert run.generations()["score.polite"].notna().tolist() == [True, False, False]
    assert not run.generations().attrs["failures"]
    assert "could not tell" not in str(run.summary())


def test_what_is_not_read_is_none_counted_and_told(lab: lk.Lab) -> None:
    """Beside what it could not tell."""
    says = {"0": "yes please", "1": "{", "2": "cannot tell", "3": "yes", "4": "no", "5": "no"}
    judge = Judged(lambda request: says[answers(request)[0][-1]])
    run = plan(lab, scorers=[polite(judge)]).run()
    frame = run.generations()
    assert frame["score.polite"].isna().tolist() == [True] * 3 + [False] * 3
    (of,) = frame.attrs["judges"]["polite"]["of"]
    assert (of["answers"], of["unread"], of["cannot_tell"]) == (6, 2, 1)
    told = run.summary().to_string() + run._repr_html_()
    assert "failed on 2 of 6 answers" in told
    assert "it could not tell of 1 of 6 answers" in told
    assert "verdicts on 2 of 6 answers are lacking" in told


def test_a_jury_is_asked_each_and_scores_are_its_mean(lab: lk.Lab) -> None:
    one, other, third = Judged("yes", "one"), Judged("no", "other"), Judged("yes", "third")
    models = [judge.model for judge in (one, other, third)]
    run = plan(lab, scorers=[lk.judge("polite", "?", model=models, grades=GRADES)]).run()
    assert run.generations()["score.polite"].tolist() == pytest.approx([2 / 3] * 6)
    assert [len(judge.asked) for judge in (one, other, third)] == [6] * 3
    other.says = "{}"
    run.score(lk.judge("polite", "? ", model=models, grades=GRADES))
    assert run.generations()["score.polite"].isna().all()
    errors = lab.sql("select distinct error from scores")["error"].item()
    assert "scripted/other" in errors
    assert "scripted/one" not in errors


def test_a_judge_of_chains_judges_what_the_last_step_says(lab: lk.Lab) -> None:
    """And scores of a step, and differences by a step's model, are as they were."""
    judge = Judged("yes")
    chain = lk.Chain("c", lk.Step("facts", "F {{ n }}"), lk.Step("reply", "R {{ facts }}"))
    a, b = writer("a", lambda asked: f"a({asked})"), writer("b", lambda asked: f"b({asked})")
    run = lab.plan(
        prompts=[chain],
        models=[lk.per_step(facts=[a, b], reply=a)],
        dataset=ROWS,
        scorers=[polite(judge), lk.contains("n", step="facts")],
    ).run()
    shown = Counter(answers(request)[0] for request in judge.asked)
    assert len(shown) == 12
    assert all(text.startswith("a(R ") for text in shown)
    frame = run.generations()
    assert frame["score.polite"].tolist() == [1] * 12
    assert frame["score.facts.contains"].tolist() == [1] * 12
    assert run.verdict("polite", by="step:facts").contenders["score_n"].tolist() == [6, 6]


# -- duels ---------------------------------------------------------------------------------------


def test_every_two_are_compared_in_both_orders(lab: lk.Lab) -> None:
    judge = Judged(longer)
    models = [writer(name, lambda asked, n=n: "x" * n) for n, name in enumerate(("a", "b", "c"), 1)]
    run = plan(lab, *models, repeats=1, scorers=[helps(judge)]).run()
    pairs = Counter(tuple(answers(request)) for request in judge.asked)
    assert set(pairs) == {
        (one * "x", other * "x") for one in (1, 2, 3) for other in (1, 2, 3) if one != other
    }
    assert set(pairs.values()) == {6}
    frame = run.generations()
    assert frame.groupby("model")["score.helps"].mean().to_dict() == {
        "scripted/a": 0.0,
        "scripted/b": 0.5,
        "scripted/c": 1.0,
    }
    told = frame.attrs["judges"]["helps"]
    assert told["compares"]
    assert sum(of["flips"] for of in told["of"]) == 0
    assert "it said the same of all 18 pairs when the order was turned" in run._repr_html_()


@pytest.mark.parametrize("word", ["first", "second"])
def test_who_goes_by_the_order_decides_nothing_and_is_told(lab: lk.Lab, word: str) -> None:
    """Half everywhere, all pairs flips, no pair decided."""
    rows = [{"n": str(number)} for number in range(40)]
    run = plan(lab, writer("a"), writer("b", str.upper), rows=rows, scorers=[helps(Judged(word))]).run()
    assert run.generations()["score.helps"].tolist() == [0.5] * 80
    assert not run.verdict("helps").frame()["decided"].any()
    assert "it changed its mind in 40 of 40 pairs when the order was turned" in run._repr_html_()


def test_repeats_are_compared_among_themselves(lab: lk.Lab) -> None:
    judge = Judged(longer)
    run = plan(
        lab, writer("a"), writer("b", str.upper), rows=ROWS[:2], repeats=3, scorers=[helps(judge)]
    ).run()
    rows = lab.sql("select sample_id from judgements")["sample_id"].str.split()
    of = run.generations().set_index("generation_id")
    assert len(rows) == 2 * 2 * 3
    for one, other in rows:
        assert (
            of.loc[one, ["sample_id", "repeat"]].tolist() == of.loc[other, ["sample_id", "repeat"]].tolist()
        )
        assert of.loc[one, "model"] != of.loc[other, "model"]


def test_an_answer_that_is_not_there_leaves_the_others_to_be_compared(lab: lk.Lab) -> None:
    refusing = lk.Model(
        "scripted/refusing",
        client=lk.Script(
            lambda r: InvalidRequest("no") if "3" in r.messages[-1]["content"] else "ok", version="1"
        ),
    )
    judge = Judged(longer)
    run = plan(lab, writer("a"), refusing, scorers=[helps(judge)]).run()
    frame = run.generations()
    assert len(judge.asked) == 10
    assert frame["score.helps"].notna().sum() == 10
    assert not frame.attrs["failures"]
    assert sum(of["cannot_tell"] for of in frame.attrs["judges"]["helps"]["of"]) == 0


def test_a_verdict_that_is_lacking_in_one_order_leaves_the_pair_undecided(lab: lk.Lab) -> None:
    judge = Judged(lambda request: "{" if answers(request)[0].islower() else "first")
    run = plan(lab, writer("a", lambda _: "x"), writer("b", lambda _: "X"), scorers=[helps(judge)]).run()
    frame = run.generations()
    assert frame["score.helps"].isna().all()
    assert sum(of["unread"] for of in frame.attrs["judges"]["helps"]["of"]) == 12
    assert "when the order was turned" not in run._repr_html_()


def test_pairs_without_ties_are_asked_without_them(lab: lk.Lab) -> None:
    judge = Judged("tie")
    run = plan(lab, writer("a"), writer("b"), scorers=[helps(judge, ties=False)]).run()
    assert run.generations()["score.helps"].isna().all()
    assert '"tie"' not in str(judge.asked[0].messages)


# -- what is known -------------------------------------------------------------------------------


def test_scoring_again_asks_nothing_and_says_the_same(lab: lk.Lab) -> None:
    judge = Judged(lambda request: "yes" if answers(request)[0].endswith("2") else "no")
    marking = [polite(judge)]
    run = plan(lab, scorers=marking).run()
    before = run.generations()["score.polite"].tolist()
    asked = len(judge.asked)
    assert run.score(*marking)["score.polite"].tolist() == before
    again = plan(lab, scorers=marking).run()
    assert again.run_id != run.run_id
    assert again.generations()["score.polite"].tolist() == before
    assert asked == len(judge.asked) == 6
    told = lab.runs(kind="judge")
    assert told["replayed"].tolist() == [0, 6, 6]
    assert told["parent_run_id"].tolist() == [run.run_id, run.run_id, again.run_id]


def test_the_same_text_is_judged_once(lab: lk.Lab) -> None:
    judge = Judged("yes")
    rows = [{"n": "1", "k": "a"}, {"n": "1", "k": "b"}, {"n": "1", "k": "c"}, {"n": "2", "k": "d"}]
    run = plan(lab, rows=rows, scorers=[polite(judge)]).run()
    assert run.generations()["score.polite"].tolist() == [1] * 4
    assert len(judge.asked) == 2


def test_the_first_run_of_a_lab_may_be_fresh_and_judged(lab: lk.Lab) -> None:
    """Where no verdict is known of anything, there is none to leave out."""
    judge = Judged("yes")
    run = plan(lab, scorers=[lk.judge("good", "Is it good?", model=judge.model, grades=GRADES)]).run(
        fresh=True
    )
    assert run.generations()["score.good"].tolist() == [1.0] * 6


def test_a_word_of_the_rubric_changed_asks_all_again_and_the_plan_says_why(lab: lk.Lab) -> None:
    judge = Judged("yes")
    plan(lab, scorers=[polite(judge)]).run()
    assert "judges: 6 verdicts, 6 known" in str(plan(lab, scorers=[polite(judge)]))
    changed = plan(lab, scorers=[polite(judge, question="Is it very polite?")])
    assert "judges: 6 verdicts, 0 known (the judge's rubric changed)" in str(changed)
    changed.run()
    assert len(judge.asked) == 12
    assert "6 known" in str(plan(lab, scorers=[polite(judge, question="Is it very polite?")]))


def test_asked_afresh_it_judges_anew(lab: lk.Lab) -> None:
    judge = Judged("yes")
    marking = [polite(judge)]
    plan(lab, scorers=marking).run()
    run = plan(lab, scorers=marking).run(fresh=True)
    assert len(judge.asked) == 12
    run.score(*marking)
    assert len(judge.asked) == 12
    run.score(*marking, fresh=True)
    assert len(judge.asked) == 18


def test_a_judge_without_identity_is_asked_each_time(lab: lk.Lab) -> None:
    judge = Judged("yes", version=None)
    run = plan(lab, scorers=[polite(judge)]).run()
    run.score(polite(judge))
    assert len(judge.asked) == 12


# -- what stands in the lab ----------------------------------------------------------------------


def test_verdicts_are_no_answers_and_their_runs_no_plans(lab: lk.Lab) -> None:
    judge = Judged("yes")
    run = plan(lab, scorers=[polite(judge)]).run()
    assert lab.runs()["run_id"].tolist() == [run.run_id]
    assert lab.run("latest").run_id == run.run_id
    assert set(lab.generations()["model"]) == {"scripted/writer"}
    assert len(lab.sql("from generations")) == 6
    assert len(lab.sql("from judgements")) == 6
    told = lab.runs(kind="judge")
    assert told["parent_run_id"].tolist() == [run.run_id]
    assert told["cells"].tolist() == told["done"].tolist() == [6]
    assert len(lab.runs(kind=None)) == 2
    assert set(lab.sql("select parent_id from judgements")["parent_id"]) == set(
        run.generations()["generation_id"]
    )


def test_what_judges_were_asked_is_not_asked_again_as_a_plan(lab: lk.Lab) -> None:
    run = plan(lab, scorers=[polite(Judged("yes"))]).run()
    judged = lab.runs(kind="judge")["run_id"].item()
    with pytest.raises(DefinitionError) as caught:
        lab.again(judged)
    assert f"lab.run('{run.run_id}').score(…)" in str(caught.value)


def test_a_plan_told_from_history_has_its_judges(here: Path) -> None:
    """Where the lab lists their models; else it says which it lacks."""
    judge = Judged("yes")
    lab = lk.Lab(here / "lab.duckdb", models=[judge.model, writer()])
    run = plan(lab, scorers=[polite(lk.Model(judge.model.id, client=judge.model.client))]).run()
    other = lk.Lab(here / "lab.duckdb", models=[judge.model, writer()])
    again = other.again(run.run_id)
    assert [scorer.name for scorer in again.scorers] == ["polite"]
    again.run()
    assert len(judge.asked) == 6
    with pytest.raises(DefinitionError, match=r"judge 'polite': There is no model 'scripted/judge'"):
        lk.Lab(here / "lab.duckdb", models=[writer()]).again(run.run_id)


def test_progress_tells_how_far_the_judge_is(lab: lk.Lab) -> None:
    go, run_of = threading.Event(), list[lk.Run]()
    lines: list[str] = []

    def says(request: Request) -> Any:
        go.wait(30)
        lines.append(run_of[0].progress.line())  # type: ignore[union-attr]
        return Reply(verdict("yes"))

    judge = Judged(says, concurrency=1, prices={"input": 1.0, "output": 1.0})
    run_of.append(plan(lab, scorers=[polite(judge)]).start(progress="none"))
    go.set()
    run_of[0].wait()
    assert "judge('polite'): 0 of 6 verdicts" in lines[0]
    assert "judge('polite'): 6 of 6 verdicts, USD" in run_of[0].progress.line()  # type: ignore[union-attr]


# -- what is refused -----------------------------------------------------------------------------


def test_all_that_is_wrong_with_scoring_is_told_at_once_and_nothing_asked(lab: lk.Lab) -> None:
    run = plan(lab).run()
    judge = Judged("yes")
    with pytest.raises(DefinitionError) as caught:
        run.score(
            polite(judge, reference="god"),
            lk.judge("own", "?", model="scripted/writer", grades=GRADES),
            lk.judge("who", "?", model="nobody/knows", grades=GRADES),
            lk.judge("self", "?", model=writer(), grades=GRADES),
            helps(judge),
        )
    told = str(caught.value)
    for part in (
        "reads column 'god'",
        "no model 'nobody/knows'",
        "judge 'self'",
        "duel('helps') compares two",
    ):
        assert part in told, part
    assert not judge.asked
    assert lab.runs(kind="judge").empty


def test_a_missing_key_is_told_with_those_of_the_plan(lab: lk.Lab) -> None:
    judge = lk.judge("polite", "?", model="anthropic/claude-haiku-4-5", grades=GRADES)
    with pytest.raises(lk.errors.MissingKey) as caught:
        lab.plan(prompts=[PROMPT], models=["openai/gpt-4o"], dataset=ROWS, scorers=[judge]).run()
    assert len(caught.value.faults) == 2
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "ANTHROPIC_API_KEY" in str(caught.value)
    assert lab.runs(kind=None).empty


def test_growing_a_study_by_its_judge_is_refused_and_leaves_it_as_it_was(lab: lk.Lab) -> None:
    judge = Judged("yes")
    run = plan(lab, scorers=[polite(judge)]).run()
    before = lab.runs()[["plan_id", "cells"]].to_dict("records")
    with pytest.raises(DefinitionError, match="would judge its own answers"):
        run.more(models=[judge.model])
    assert lab.runs()[["plan_id", "cells"]].to_dict("records") == before
    run.more(models=[writer("other", str.upper)])
    assert len(judge.asked) == 12


def test_a_part_of_a_plan_in_which_nobody_competes_is_no_duel(lab: lk.Lab) -> None:
    judge = Judged("first")
    whole = plan(lab, writer("a"), writer("b"), scorers=[helps(judge)])
    alone = whole.select((whole.frame()["model"] == "scripted/a").to_numpy())
    with pytest.raises(DefinitionError, match=r"duel\('helps'\) compares two answers"):
        alone.run()
    assert lab.runs(kind=None).empty


def test_where_nothing_can_be_compared_nothing_is_asked_and_each_answer_says_so(lab: lk.Lab) -> None:
    """One of two contenders gave no answer at all."""
    judge = Judged("first")
    script = lk.Script(lambda request: InvalidRequest("no"), version="1")
    run = plan(lab, writer("a"), lk.Model("scripted/silent", client=script), scorers=[helps(judge)]).run()
    assert not judge.asked
    assert run.generations()["score.helps"].isna().all()
    told = lab.sql("select distinct explanation, error from scores")
    assert told["explanation"].tolist() == ["not scored: there is no other answer to compare it with"]
    assert told["error"].isna().all()
