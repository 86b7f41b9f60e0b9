"""labkit.plan.extension: a study grows under its run."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.dollars import usd
from labkit.errors import DefinitionError
from labkit.plan.extension import _shared
from labkit.providers.script import Reply

ROWS = [{"text": f"q{i}", "target": "yes"} for i in range(120)]


class Rated:
    """Answers right at a rate, the same for the same question, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def model(self, name: str, rate: float) -> Any:
        def answer(request: Any) -> str:
            self.asked += 1
            chance = random.Random(f"{request.messages[-1]['content']}/{name}")
            return "yes" if chance.random() < rate else "no"

        client = lk.Script(answer, version="1")
        return lk.Model(f"scripted/{name}", client=client, prices={"input": 1.0, "output": 1.0})


@pytest.fixture
def rated() -> Rated:
    """Counts every request of its models."""
    return Rated()


@pytest.fixture
def study(lab: Any, rated: Rated) -> Callable[..., Any]:
    """Makes a plan over 20 of 120 samples, two models, one prompt."""

    def make(a: float = 0.4, b: float = 0.9, **changes: Any) -> Any:
        wanted: dict[str, Any] = {
            "prompts": [lk.Prompt("p", "{{ text }}")],
            "models": [rated.model("a", a), rated.model("b", b)],
            "dataset": ROWS,
            "scorers": [lk.contains("target")],
            "experiment": "growing",
        }
        return lab.plan(**(wanted | changes)).sample(20)

    return make


def test_more_rows_keep_the_run_and_ask_only_the_new(study: Any, rated: Rated, lab: Any) -> None:
    """Ten more samples on two models are twenty requests; the run is the same one, its clocks are kept."""
    first = study().run()
    before = first.generations().set_index("generation_id")
    grown = first.more(rows=10)
    after = grown.generations().set_index("generation_id")
    assert grown.run_id == first.run_id
    assert rated.asked == 60
    assert len(after) == 60
    assert after.loc[before.index, "latency_s"].tolist() == before["latency_s"].tolist()
    assert after["replayed_from"].isna().all()
    assert after["score.contains"].notna().all()
    assert lab.runs()[["cells", "done", "status"]].to_numpy().tolist() == [[60, 60, "finished"]]
    assert after.groupby("model")["sample_id"].nunique().tolist() == [30, 30]


def test_replays_of_earlier_launches_count_among_the_cut_of_a_grown_run(lab: Any, echo: Any) -> None:
    """All its answers are told of, also those another run asked; what these cost is none of its own cost."""
    model = echo(answers=lambda request: Reply(text="so", stop_reason="max_tokens")).replace(
        prices={"input": 1000.0, "output": 1000.0}
    )
    rows = [{"n": str(number)} for number in range(10)]
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows, params={"max_tokens": 1})
    paid = plan.head(6).run().generations()["cost_usd"].sum()
    replayed = plan.head(6).run()
    assert replayed.generations()["replayed_from"].notna().all()
    grown = replayed.more(rows=2)
    assert "8 of 8 answers ended at max_tokens" in grown.progress.notes[0]
    assert "8 of 8" in grown.progress.line()
    assert "8 cut" in grown.progress.line()
    own = lab.runs().set_index("run_id").loc[grown.run_id, "cost_usd"]
    assert 0 < own < paid
    assert f"USD {usd(own)}," in grown.progress.line()


def test_more_models_and_repeats_are_balanced(study: Any, rated: Rated) -> None:
    """A new model is asked of every cell, a new repeat of every model; nothing twice."""
    grown = study().run().more(models=[rated.model("c", 0.5)], repeats=1)
    frame = grown.generations()
    assert len(frame) == rated.asked == 120
    assert (frame.groupby(["model", "sample_id"])["repeat"].nunique() == 2).all()
    verdict = grown.verdict()
    assert not verdict.watched
    # Nothing but one look came before it grew: half as much is kept for looks after it.
    assert verdict.level == 0.975


def test_a_model_more_spends_a_part_of_the_level_and_watches_nothing(study: Any, rated: Rated) -> None:
    """New contenders on the same samples: ordinary intervals, at the half of what one look has left."""
    grown = study().run().more(models=[rated.model("c", 0.5)])
    verdict = grown.verdict()
    assert not verdict.watched
    assert verdict.level == 0.975
    assert "that look and all since counted, at most 7.5 % of studies" in str(verdict)
    assert grown.summary()["level"].tolist() == [0.975] * 3


def test_a_study_that_grew_says_where_its_looks_are_not_counted(study: Any, rated: Rated) -> None:
    """A score without bounds cannot be watched: its ranges are ordinary, and the notes say so."""
    run = study().run()
    run.score(lk.Scorer("free", lambda generation, sample: len(generation.text)))
    verdict = run.more(rows=10, scorers=[lk.Scorer("free", lambda g, s: len(g.text))]).verdict("free")
    assert not verdict.watched
    assert "which its ranges do not count, since its score has no declared bounds" in str(verdict)


def test_asking_until_decided_stops_when_it_is(study: Any, rated: Rated) -> None:
    """Models far apart are decided before the dataset ends, by intervals that hold at any moment."""
    grown = study(a=0.2, b=0.95).run().more(until="decided", batch=20)
    verdict = grown.verdict()
    assert verdict.watched
    assert verdict.frame()["decided"].all()
    assert rated.asked < 240


def test_until_is_refused_for_a_score_without_bounds(study: Any, rated: Rated) -> None:
    """Looking again and again needs bounds: without them nothing is asked, and the error says why."""
    run = study().run()
    run.score(lk.Scorer("free", lambda generation, sample: len(generation.text)))
    with pytest.raises(DefinitionError, match=r"score 'free' declares none\. Give its scorer low="):
        run.more(models=[rated.model("c", 0.5)], until="decided", score="free")
    assert rated.asked == 40


def test_until_is_refused_where_the_scorer_failed_throughout(study: Any, rated: Rated) -> None:
    """It would ask the dataset to its end for nothing: the reason is told, and nothing is asked."""

    def tone(generation: Any, sample: Any) -> float:
        raise KeyError("nothing")

    run = study(scorers=[lk.Scorer("tone", tone, low=0, high=1)]).run()
    asked = rated.asked
    with pytest.raises(DefinitionError, match="scorer 'tone' failed on 40 of 40 answers: KeyError"):
        run.more(until="decided")
    assert rated.asked == asked


def test_asking_until_several_scores_are_decided(study: Any, rated: Rated) -> None:
    """It goes on until each pair is decided by each score, which takes no fewer samples than one of them."""
    by_text = lk.Scorer("same", lambda g, s: float("yes" in g.text), low=0, high=1, step=1)
    plan = study(a=0.2, b=0.95, scorers=[lk.contains("target"), by_text])
    grown = plan.run().more(until="decided", batch=20, score=["contains", "same"])
    found = grown.verdict(["contains", "same"])
    assert [one.watched for one in found] == [True, True]
    assert found.frame()["decided"].all()
    assert rated.asked < 240


def test_asking_until_decided_ends_with_the_dataset_or_the_limit(
    study: Any, rated: Rated, caplog: pytest.LogCaptureFixture
) -> None:
    """Equal models are never decided: asking ends with the rows, and says nothing is decided."""
    run = study(a=0.5, b=0.5).run().more(until="decided", rows=30, batch=15)
    assert len(run.generations()) == 100
    assert caplog.messages == [f"Run {run.run_id} is not decided, and rows= is used up."]
    run = run.more(until="decided", batch=70)
    assert len(run.generations()) == 240
    assert caplog.messages[1:] == [
        f"Run {run.run_id} is not decided, and all samples of the dataset are used up."
    ]
    assert rated.asked == 240
    assert not run.verdict().frame()["decided"].any()


def test_nothing_more_to_ask_is_refused_and_costs_no_certainty(study: Any) -> None:
    """Where the dataset is used up a study that wants more rows stays as it was, and its ranges with it."""
    run = study().run().more(rows=100)
    before = run.generations().attrs["grown"]
    for rows in (None, 10):
        with pytest.raises(DefinitionError, match=r"has 0 more samples.* Plan over a larger one"):
            run.more(until="decided", rows=rows)
    assert run.generations().attrs["grown"] == before


def test_a_study_that_may_not_grow_stays_as_it_was(study: Any, rated: Rated) -> None:
    """A model that no budget can hold is refused before the lab says that the run is another."""
    run = study(params={"max_tokens": 4}).run(budget_usd=5)
    free = lk.Model("elsewhere/model", base_url="http://127.0.0.1:9/v1", key_env="")
    with pytest.raises(DefinitionError, match="A budget cannot hold for elsewhere/model: its price"):
        run.more(models=[free])
    assert run.generations().attrs["grown"] == {"rows": 0, "others": 0}
    assert run.status == "finished"


def test_a_look_that_decides_at_once_is_no_resumption(study: Any) -> None:
    """Only what was stopped and gone on with is told as a reason why times differ."""
    run = study(a=0.01, b=0.99).run().more(rows=60)
    run = run.more(until=0.9)
    assert run.generations().attrs["resumed"] == 0


def test_asking_until_narrow_stops_at_the_width(study: Any) -> None:
    """The interval of each pair is no wider than wished, or the samples are used up."""
    run = study(a=0.05, b=0.95).run().more(until=0.6, batch=20)
    row = run.verdict().frame().iloc[0]
    assert row["all_high"] - row["all_low"] <= 0.6
    assert len(run.generations()) < 240


def test_an_empty_budget_ends_it(study: Any) -> None:
    """The budget is the run's total; when it is used up the run stops and asking ends."""
    run = study(a=0.5, b=0.5, params={"max_tokens": 4}).run()
    spent = float(run.generations()["cost_usd"].sum())
    grown = run.more(until="decided", budget_usd=spent * 1.5, batch=20)
    assert grown.status == "stopped"
    assert float(grown.generations()["cost_usd"].sum()) <= spent * 1.5
    assert (grown.generations()["status"] == "stopped").any()


@pytest.mark.parametrize("until", ["decided", 0.1])
def test_one_contender_is_not_asked_about_to_the_end(study: Any, rated: Rated, until: Any) -> None:
    """Between one there is nothing to decide: nothing is asked, and the error says what would be; with
    another that comes in the same call there is."""
    run = study(models=[rated.model("a", 0.1)]).run()
    asked = rated.asked
    with pytest.raises(DefinitionError, match=r"by='model' this study has one\. Give another \(models=\)"):
        run.more(until=until)
    with pytest.raises(DefinitionError, match="by='prompt' this study has one"):
        run.more(until=until, by="prompt")
    assert rated.asked == asked
    grown = run.more(until="decided", models=[rated.model("b", 0.9)], rows=30)
    assert grown.generations()["model"].nunique() == 2


def test_a_run_of_history_grows_too(study: Any, rated: Rated, here: Path) -> None:
    """From another lab object, by its id: the plan is put together again over all samples."""
    run_id = study().run().run_id
    lab = lk.Lab(here / "lab.duckdb", models=[rated.model("a", 0.4), rated.model("b", 0.9)])
    grown = lab.run(run_id).more(rows=5, scorers=[lk.contains("target")])
    assert grown.run_id == run_id
    assert len(grown.generations()) == rated.asked == 50
    assert grown.generations()["score.contains"].notna().all()


def test_the_grown_run_is_of_the_grown_plan(study: Any, lab: Any) -> None:
    """The lab's plan_id is that of its cells, and `lab.again` finds every answer known."""
    grown = study().run().more(rows=10)
    assert lab.runs()["plan_id"].item() == grown.plan_id()
    known = lk.Lab(lab.path, models=list(study().design.models)).again(grown.run_id)
    assert len(known) == 60
    assert known.frame()["known"].all()


def test_the_same_question_twice_gets_answers_of_its_own(lab: Any) -> None:
    """B17 holds while growing: a new sample that sends an old request is asked, not given the old answer."""
    count = iter(range(1000))
    model = lk.Model("scripted/n", client=lk.Script(lambda request: f"{next(count)}", version="1"))
    rows = [{"id": str(i), "text": "same"} for i in range(6)]
    run = lab.plan(prompts=["{{ text }}"], models=[model], dataset=rows, repeats=2).head(2).run()
    grown = run.more(rows=4)
    assert grown.generations()["text"].nunique() == 12
    assert grown.generations()["replayed_from"].isna().all()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({}, "rows=, models=, repeats= or until="),
        ({"rows": 0}, "rows is 0"),
        ({"rows": 101}, "has 100 more samples, not 101"),
        ({"repeats": True}, "repeats is True"),
        ({"until": "soon"}, "until is 'soon'"),
        ({"until": -0.1}, "until is -0.1"),
        ({"models": ["nosuch/model-x9"]}, "nosuch"),
    ],
)
def test_wrong_wishes_are_refused_before_asking(study: Any, rated: Rated, wish: Any, words: str) -> None:
    """What makes no sense is named, and nothing is asked."""
    run = study().run()
    asked = rated.asked
    with pytest.raises(DefinitionError, match=words):
        run.more(**wish)
    assert rated.asked == asked


def test_a_model_that_is_there_already_is_refused(study: Any, rated: Rated) -> None:
    """The study cannot have one model twice."""
    with pytest.raises(DefinitionError, match="already"):
        study().run().more(models=[rated.model("a", 0.4)])


def test_a_model_more_inherits_what_a_person_wrote(lab: Any) -> None:
    """Params of the study go to a model that comes to it, but not what the first provider sends unasked; what
    was sent on purpose under any name stays so."""
    params = {"seed": 1, "max_tokens": 9, "extra_body": {"temprature": 3}}
    plan = lab.plan(prompts=["Say hi."], models=["local/smollm2-135m"], params=params)
    assert plan.design.params[0]["cache_prompt"] is False
    assert _shared(plan.design) == params
