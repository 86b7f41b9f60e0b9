"""Labels: which rows are drawn, what is shown of them, what is kept, and what a verdict makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.summary.judge_notes import judge_notes
from tests.run.judging_kit import GRADES, Judged

ROWS = [{"n": str(n)} for n in range(60)]
PROMPT = lk.Prompt("ask", "Say {{ n }}")


@pytest.fixture
def run(lab: lk.Lab) -> lk.Run:
    """Two models that answer otherwise, and a judge who calls the first's answers good, whatever they are."""
    models = [
        lk.Model("scripted/plain", client=lk.Script(lambda r: r.messages[-1]["content"], version="1")),
        lk.Model("scripted/odd", client=lk.Script(lambda r: r.messages[-1]["content"] + "!", version="1")),
    ]
    judge = Judged(lambda request: "no" if "!" in request.messages[-1]["content"] else "yes")
    polite = lk.judge("polite", "Is it polite?", model=judge.model, grades=GRADES)
    return lab.plan(prompts=[PROMPT], models=models, dataset=ROWS, scorers=[polite]).run()


def table(run: lk.Run, good: str, **more: Any) -> pd.DataFrame:
    """A person who calls the answers of one model good."""
    frame = run.generations()[["sample_id", "model"]]
    return frame.assign(grade=["yes" if model == good else "no" for model in frame["model"]], **more)


def test_samples_are_drawn_whole_and_the_same_for_the_same_seed(run: lk.Run) -> None:
    """Each is labelled for every contender; another seed draws others; more keeps those drawn."""
    first, again, more, other = (
        run.label("polite", n=n, seed=seed) for n, seed in ((10, 0), (10, 0), (20, 0), (10, 1))
    )
    drawn = [{task.sample_id for task in one.tasks} for one in (first, again, more, other)]
    assert len(first.tasks) == 20
    assert drawn[0] == drawn[1] < drawn[2]
    assert drawn[0] != drawn[3]
    assert first.chance == pytest.approx(10 / 60)


def test_what_is_shown_names_nobody(run: lk.Run) -> None:
    """A task has the columns that the judge saw and the answer: no model, no prompt, no verdict."""
    for task in run.label("polite", n=5).tasks:
        shown = repr((task.parts, task.answer))
        assert not any(word in shown for word in ("scripted", "ask", "polite", "yes", "g1:"))
        assert [part.heading for part in task.parts] == ["n"]


def test_answers_that_are_alike_are_labelled_once(lab: lk.Lab) -> None:
    """The label is kept for each."""
    script = lk.Script(lambda r: "same", version="1")
    models = [lk.Model(f"scripted/{name}", client=script) for name in "ab"]
    run = lab.plan(prompts=[PROMPT], models=models, dataset=ROWS[:4]).run()
    labelling = run.label("good", grades=GRADES, n=4)
    assert len(labelling.tasks) == 4
    labelling.say(labelling.left[0], "yes")
    assert len(lab.sql("from labels")) == 2


@pytest.mark.parametrize(
    ("grades", "words"),
    [
        ({}, "two or more"),
        (["a"], "two or more"),
        ({"no": 0, "yes": "x"}, "is no number"),
        ({"no": 1, "yes": 1}, "one value"),
    ],
)
def test_grades_that_are_none_are_told(run: lk.Run, grades: Any, words: str) -> None:
    """A score of one's own takes the grades that a judge takes."""
    with pytest.raises(DefinitionError, match=f"of label 'good' .*{words}"):
        run.label("good", grades=grades)


@pytest.mark.parametrize("labels", [3, ["yes"], "labels.csv"])
def test_what_is_no_frame_is_told(run: lk.Run, labels: Any) -> None:
    """Nothing is labelled by it."""
    with pytest.raises(DefinitionError, match=r"labels is .*; give a DataFrame"):
        run.label("polite", labels)


def test_cells_without_a_value_label_nothing(lab: lk.Lab, run: lk.Run) -> None:
    """Neither an answer nor a person is read from an empty cell, of whatever type its column is."""
    frame = run.generations().head(3)[["generation_id"]]
    values = pd.array([1, None, 0], dtype="Int64")
    run.label("polite", frame.assign(value=values, user=["ada", "bo", None]))
    rows = lab.sql('select value, "user" from labels order by value')
    assert rows["value"].tolist() == [0.0, 1.0]
    assert rows["user"].tolist()[1] == "ada"
    assert rows["user"].tolist()[0] not in ("nan", "None")


def test_a_label_is_on_disk_when_it_is_said(lab: lk.Lab, run: lk.Run) -> None:
    """Another process reads it: value, person, draw and chance."""
    labelling = run.label("polite", n=5, user="ada")
    labelling.say(labelling.left[0], "yes", "a note")
    (row,) = lk.Lab(lab.path).sql("from labels").to_dict("records")
    told = [row[name] for name in ("scorer", "grade", "value", "user", "draw", "comment")]
    assert told == ["polite", "yes", 1.0, "ada", "0", "a note"]
    assert row["chance"] == pytest.approx(5 / 60)


def test_taking_back_is_a_row(lab: lk.Lab, run: lk.Run) -> None:
    """The table only grows, the view has it no more, and the task is open again; in another kernel too."""
    labelling = run.label("polite", n=5)
    task = labelling.left[0]
    labelling.say(task, "yes")
    assert run.label("polite", n=5).undo() == task
    assert lab.sql("from labels").empty
    lab.backup("copy.duckdb")
    with duckdb.connect("copy.duckdb", read_only=True) as plain:
        assert plain.sql("select count(*) from log.labels").fetchone() == (2,)
    assert task in run.label("polite", n=5).left
    assert run.label("polite", n=5).undo() is None


def test_what_is_labelled_is_not_shown_again(run: lk.Run) -> None:
    """Not to the same person; another sees all."""
    labelling = run.label("polite", n=3, user="ada")
    for task in list(labelling.left):
        labelling.say(task, "cannot tell")
    assert not run.label("polite", n=3, user="ada").left
    assert len(run.label("polite", n=3, user="bob").left) == 6


def test_a_frame_counts_where_labkit_drew(run: lk.Run) -> None:
    """With `n` the rows that were drawn are taken from it, and the others are left aside."""
    run.label("polite", table(run, "scripted/odd"), n=25)
    frame = run.generations()
    assert frame["label.polite"].notna().sum() == 50
    assert frame.attrs["labelled"] == {"polite": {"drawn": 50, "chosen": 0, "people": 1}}


def test_rows_of_ones_own_choice_never_correct_a_judge(run: lk.Run) -> None:
    """They are kept as chosen; the verdict says so, and that the judge is not corrected."""
    chosen = table(run, "scripted/odd").query("sample_id < 's-8'")
    run.label("polite", chosen)
    told = run.verdict("polite")
    assert run.generations().attrs["labelled"]["polite"]["drawn"] == 0
    assert told.headline.startswith("By polite, uncorrected: scripted/plain is the better model")
    assert f"{len(chosen)} labelled rows were chosen, not drawn: the judge is not corrected" in str(told)


def test_a_frame_of_all_answers_is_no_choice(run: lk.Run) -> None:
    """Who labels everything chooses nothing."""
    run.label("polite", table(run, "scripted/odd"))
    assert run.generations().attrs["labelled"]["polite"] == {"drawn": 120, "chosen": 0, "people": 1}


def test_labels_turn_the_verdict_of_an_unfair_judge(run: lk.Run) -> None:
    """Summary and verdict follow, and the judge is said to have said the opposite."""
    assert run.verdict("polite").headline.startswith("By polite, uncorrected: scripted/plain")
    run.label("polite", table(run, "scripted/odd"), n=25)
    told = run.verdict("polite")
    assert told.headline.startswith("By polite, corrected by labels: scripted/odd is the better model")
    assert "The judge alone would have said the opposite." in told.sentences[0]
    summary = run.summary(by="model").set_index("model")["score"]
    assert summary["scripted/odd"] > 0.9 > 0.1 > summary["scripted/plain"]
    assert "uncorrected" not in repr(run.summary(by="model"))


def test_two_people_count_as_their_mean(run: lk.Run) -> None:
    """And agreement is told: of the judge with people, of people among themselves."""
    run.label("polite", table(run, "scripted/odd", user="ada"), n=30)
    run.label("polite", table(run, "scripted/plain", user="bob"), n=30)
    assert run.generations()["label.polite"].dropna().unique().tolist() == [0.5]
    found = run.agreement("polite").set_index("who")
    assert found.index.tolist() == ["polite with people", "people with people"]
    assert found.loc["people with people", "same"] == 0
    assert found.loc["people with people", "high"] < 0
    assert "by 2 people" in str(run.verdict("polite"))


def test_all_that_is_wrong_with_a_frame_is_told_at_once(run: lk.Run) -> None:
    """Rows of other runs, grades that are none, one answer twice by one person: nothing is kept."""
    frame = table(run, "scripted/odd").head(4)
    frame = pd.concat([frame, frame.head(1), frame.head(1).assign(sample_id="nowhere")])
    frame.loc[frame.index[1], "grade"] = "splendid"
    with pytest.raises(DefinitionError) as raised:
        run.label("polite", frame)
    told = "\n".join(raised.value.faults)
    assert all(word in told for word in ("nowhere", "splendid", "twice by one person"))
    assert "label.polite" not in run.generations().columns


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (pd.DataFrame({"grade": ["yes"]}), "names no answers"),
        (pd.DataFrame({"sample_id": ["x"]}), "no column 'grade'"),
    ],
)
def test_a_frame_without_its_columns_is_refused(run: lk.Run, given: pd.DataFrame, word: str) -> None:
    """It says which are needed."""
    with pytest.raises(DefinitionError, match=word):
        run.label("polite", given)


def test_a_score_that_no_judge_gives_needs_grades(run: lk.Run) -> None:
    """And with them anything can be labelled."""
    with pytest.raises(DefinitionError, match="grades="):
        run.label("helpful")
    assert run.label("helpful", grades={"no": 0, "yes": 1}, n=2).grades == {"no": 0.0, "yes": 1.0}


def test_the_judges_grades_are_known_in_another_process(lab: lk.Lab, run: lk.Run) -> None:
    """They stand with the judge's run."""
    later = lk.Lab(lab.path, models=[Judged("yes").model])
    assert later.run(run.run_id).label("polite", n=2).grades == {"no": 0.0, "yes": 1.0}


def test_a_number_is_the_grade_of_its_value(run: lk.Run) -> None:
    """`value` in place of `grade`."""
    frame = table(run, "scripted/odd").drop(columns="grade").assign(value=1)
    run.label("polite", frame)
    assert set(run.generations()["label.polite"]) == {1.0}


def test_a_summary_says_that_a_judge_is_uncorrected(run: lk.Run) -> None:
    """Until somebody labels."""
    assert "uncorrected" in repr(run.summary(by="model"))
    judges = run.generations().attrs["judges"]
    assert "uncorrected" not in judge_notes(judges, ["polite"], labelled=["polite"])[0]


def test_a_run_without_answers_has_nothing_to_label(lab: lk.Lab, here: Path) -> None:
    """It says so."""
    failing = lk.Model("scripted/none", client=lk.Script(lambda r: 1 / 0, version="1"))
    run = lab.plan(prompts=[PROMPT], models=[failing], dataset=ROWS[:2]).run()
    with pytest.raises(DefinitionError, match="no finished answers"):
        run.label("good", grades=GRADES)
