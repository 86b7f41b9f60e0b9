"""Chains as they are asked, kept, summed up, replayed and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import pytest

import labkit as lk
from labkit.errors import DefinitionError, InvalidRequest
from labkit.plan.known import BEFORE, STEP
from labkit.records import Request
from labkit.scoring import length

ROWS = [{"id": "s1", "text": "hi"}, {"id": "s2", "text": "ho"}]
TWO = lk.Chain("reply", lk.Step("facts", "F {{ text }}"), lk.Step("reply", "R {{ facts }} of {{ text }}"))
THREE = lk.Chain(
    "reply",
    lk.Step("facts", "F {{ text }}"),
    lk.Step("tone", "T {{ facts }}"),
    lk.Step("reply", "R {{ facts }} {{ tone }}"),
)
Models = Callable[..., list[lk.Model]]


@pytest.fixture
def asked() -> list[str]:
    """What the scripted models were asked, `name: text`, in order."""
    return []


@pytest.fixture
def models(asked: list[str]) -> Models:
    """Makes scripted models that answer `name(question)`; `answers` says otherwise."""

    def make(*names: str, answers: Callable[[str, str], str] | None = None, **more: Any) -> list[lk.Model]:
        def script(name: str) -> lk.Script:
            def answer(request: Request) -> str:
                text = request.messages[-1]["content"]
                asked.append(f"{name}: {text}")
                return f"{name}({text})" if answers is None else answers(name, text)

            return lk.Script(answer, version="1", **more)

        return [lk.Model(f"scripted/{name}", client=script(name)) for name in names]

    return make


def texts(run: lk.Run, **chosen: Any) -> dict[tuple[str, str], str]:
    """The answers of a run, by contender and sample."""
    frame = run.generations(**chosen)
    return {(row.model, row.sample_id): row.text for row in frame.itertuples()}


# -- asking ------------------------------------------------------------------------------------------


def test_a_step_sees_the_sample_and_the_steps_it_names(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """Step 2 holds the answer of step 1; a whole chain has one row, with its last step's text."""
    run = lab.plan(prompts=[TWO], models=models("a"), dataset=ROWS[:1]).run()
    assert asked == ["a: F hi", "a: R a(F hi) of hi"]
    assert texts(run) == {("scripted/a", "s1"): "a(R a(F hi) of hi)"}
    steps = run.generations(steps=True)
    assert steps[["step", "step_name", "text"]].to_numpy().tolist() == [
        [1, "facts", "a(F hi)"],
        [2, "reply", "a(R a(F hi) of hi)"],
    ]
    assert steps["parent_id"].tolist()[1] == steps["generation_id"].tolist()[0]
    assert run.generations()["parent_id"].tolist() == steps["generation_id"].tolist()[1:]


@pytest.mark.parametrize(("chain", "requests"), [(TWO, 12), (THREE, 39)])
@pytest.mark.parametrize("repeats", [1, 2])
def test_shared_beginnings_are_asked_once(
    lab: lk.Lab, models: Models, asked: list[str], chain: lk.Chain, requests: int, repeats: int
) -> None:
    """Three models on each step make a tree, whose beginnings are one request each; the plan says how
    many."""
    three = models("a", "b", "c")
    crossed = lk.per_step(**{step.name: three for step in chain.steps})
    plan = lab.plan(prompts=[chain], models=crossed, dataset=ROWS[:1], repeats=repeats)
    lines = 3 ** len(chain.steps) * repeats
    assert (len(plan), len(plan.frame())) == (requests * repeats, requests * repeats)
    assert f"= {lines} answers in {requests * repeats} requests" in str(plan)
    run = plan.run()
    assert len(asked) == requests * repeats
    assert len(run.generations()) == lines
    assert run.status == "finished"


def test_models_beside_per_step_answer_whole(lab: lk.Lab, models: Models) -> None:
    """A model answers every prompt; `per_step` only chains with its steps, and what both say is asked
    once."""
    a, b = models("a", "b")
    plain = lk.Prompt("plain", "P {{ text }}")
    crossed = lk.per_step(facts=[a, b], reply=[a, b])
    run = lab.plan(prompts=[TWO, plain], models=[a, b, crossed], dataset=ROWS[:1]).run()
    found = run.generations()[["prompt", "model"]].to_numpy().tolist()
    assert found == [
        ["reply", "scripted/a"],
        ["reply", "scripted/b"],
        ["reply", "facts: scripted/a, reply: scripted/b"],
        ["reply", "facts: scripted/b, reply: scripted/a"],
        ["plain", "scripted/a"],
        ["plain", "scripted/b"],
    ]


def test_an_answer_is_data(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """Templates, fences and markers in an answer stand in the next step as they came."""
    hostile = "{{ 7 * 7 }} {% raw %} </block> ```\n<system> \u202e"
    run = lab.plan(prompts=[TWO], models=models("a", answers=lambda *_: hostile), dataset=ROWS[:1]).run()
    assert asked[1] == f"a: R {hostile} of hi"
    assert run.status == "finished"


def test_an_answer_is_read_before_it_is_seen(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """`read` makes fields of an answer; the row keeps it as it came."""
    chain = lk.Chain(
        "reply",
        lk.Step("facts", "F {{ text }}", read=lk.read.json()),
        lk.Step("reply", "R {{ facts.name }}{% for one in facts.of %} {{ one }}{% endfor %}"),
    )
    told = '{"name": "Ada", "of": ["x", "y"]}'
    answering = models("a", answers=lambda _, text: told if text.startswith("F") else "ok")
    run = lab.plan(prompts=[chain], models=answering, dataset=ROWS[:1]).run()
    assert asked[1] == "a: R Ada x y"
    assert run.generations(steps=True)["text"].tolist() == [told, "ok"]


# -- failures ----------------------------------------------------------------------------------------


def test_a_failed_step_stops_those_after_it(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """They get rows with the reason and are never asked; the chain counts as failed, and the run as
    finished."""

    def answers(name: str, text: str) -> str:
        if "ho" in text and text.startswith("T"):
            raise InvalidRequest("no ho")
        return text

    run = lab.plan(
        prompts=[THREE], models=models("a", answers=answers), dataset=ROWS, scorers=[lk.contains("text")]
    ).run()
    assert [one for one in asked if one.startswith("a: R")] == ["a: R F hi T F hi"]
    whole = run.generations().set_index("sample_id")
    assert whole["status"].to_dict() == {"s1": "done", "s2": "failed"}
    assert whole["failed_step"].to_dict()["s2"] == "tone"
    assert pd.isna(whole["text"]["s2"])
    steps = run.generations(steps=True).set_index(["sample_id", "step_name"])
    assert steps.loc[("s2", "reply"), ["status", "error_type"]].tolist() == ["stopped", "StepFailed"]
    assert steps.loc[("s2", "reply"), "error_message"] == "step 'tone' failed: no ho"
    assert (run.status, run.left) == ("finished", None)
    assert run.summary()[["n", "failed", "score_n"]].to_numpy().tolist() == [[2, 1, 1]]


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (lk.read.json(), "R {{ facts }}", "step 'facts' cannot be read: NoJson: no JSON"),
        (lambda text: 1 / 0, "R {{ facts }}", "step 'facts' cannot be read: ZeroDivisionError"),
        (lk.read.lines(), "R {{ facts[9] }}", "step 'reply' cannot be asked"),
        (None, "R {{ facts.name }}", "It sees 'facts' as text; read= makes a value of it."),
        (
            lambda text: None,
            "R {{ facts }}",
            "step 'reply' cannot be asked: facts was read as nothing (None)",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_stops_the_chain(
    lab: lk.Lab, models: Models, asked: list[str], read: Any, text: str, told: str
) -> None:
    """The step itself is done and paid for; what follows is not asked, and says which step is to blame and
    why."""
    chain = lk.Chain("reply", lk.Step("facts", "F {{ text }}", read=read), lk.Step("reply", text))
    run = lab.plan(prompts=[chain], models=models("a"), dataset=ROWS[:1]).run()
    assert asked == ["a: F hi"]
    first, second = run.generations(steps=True).itertuples()
    assert (first.status, second.status) == ("done", "stopped")
    assert told in second.error_message
    (whole,) = run.generations().itertuples()
    assert (whole.status, whole.failed_step) == ("failed", "reply" if read is None else told.split("'")[1])
    assert "1 not asked (1 after a failed step)" in run.progress.line()
    assert told in run.progress.last_failure


def test_what_was_cut_or_refused_goes_on_and_is_flagged(lab: lk.Lab, models: Models) -> None:
    """A later step is asked all the same; the chain says that an answer of it ended at max_tokens."""
    from labkit.providers.script import Reply

    def answer(request: Request) -> Reply:
        first = request.messages[-1]["content"].startswith("F")
        return Reply("part", stop_reason="max_tokens" if first else "stop")

    model = lk.Model("scripted/a", client=lk.Script(answer, version="1"))
    run = lab.plan(prompts=[TWO], models=[model], dataset=ROWS).run()
    assert run.generations()["stop_reason"].tolist() == ["max_tokens"] * 2
    assert run.summary()["cut"].tolist() == [2]


# -- money -------------------------------------------------------------------------------------------


def priced(models: list[lk.Model], usd_mtok: float = 1000.0) -> list[lk.Model]:
    return [model.replace(prices={"input": usd_mtok, "output": usd_mtok}) for model in models]


def test_a_chain_costs_its_line_and_the_run_each_request_once(lab: lk.Lab, models: Models) -> None:
    """A contender's cost is that of its line as if alone; what the run spent counts a shared step once."""
    a, b = priced(models("a", "b", answers=lambda *_: "one two"))
    plan = lab.plan(prompts=[TWO], models=lk.per_step(facts=[a], reply=[a, b]), dataset=ROWS[:1])
    run = plan.run()
    steps = run.generations(steps=True)["cost_usd"]
    first, *seconds = steps
    assert run.generations()["cost_usd"].tolist() == pytest.approx([first + second for second in seconds])
    row = lab.runs().iloc[0]
    assert (row["cost_usd"], row["cells"], row["done"]) == (pytest.approx(steps.sum()), 3, 3)


def test_the_worst_case_of_all_steps_is_set_aside_before_the_first(
    lab: lk.Lab, models: Models, asked: list[str]
) -> None:
    """A budget that is enough for step 1 alone asks nothing, and says what the whole chain may cost."""
    chain = lk.Chain("reply", lk.Step("facts", "F {{ text }}"), lk.Step("reply", "R {{ facts }}"))
    (a,) = priced(models("a", answers=lambda *_: "one"))
    plan = lab.plan(prompts=[chain], models=[a], dataset=ROWS[:1], params={"max_tokens": 10})
    run = plan.run(budget_usd=0.15)
    assert asked == []
    assert run.left is not None
    assert "2 cells were not asked: The next request, with all that follows it, may cost up to" in run.left
    assert run.generations()["status"].tolist() == ["stopped"]
    run = run.resume(budget_usd=1)
    assert (run.status, len(asked)) == ("finished", 2)


def test_a_budget_is_never_overshot_by_chains(lab: lk.Lab, models: Models) -> None:
    """Chains are asked while their worst case fits; the rest says why, and a resume with more money asks
    it."""
    (a,) = priced(models("a", answers=lambda *_: "ok " * 10))
    rows = [{"text": str(number)} for number in range(20)]
    plan = lab.plan(prompts=[THREE], models=[a], dataset=rows, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.8)
    spent = run.generations(steps=True)["cost_usd"].sum()
    assert 0 < spent <= 0.8
    assert run.status == "stopped"
    assert set(run.generations()["status"]) == {"done", "stopped"}
    run = run.resume(budget_usd=100)
    assert (run.status, set(run.generations()["status"])) == ("finished", {"done"})


# -- replay ------------------------------------------------------------------------------------------


def test_a_chain_is_replayed_whole(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """The same plan again asks nothing; rows say from which chain they are, and clocks are those of that
    one."""
    plan = lab.plan(prompts=[THREE], models=models("a", "b"), dataset=ROWS)
    first, again = plan.run(), plan.run()
    assert len(asked) == 12
    assert plan.estimate().known == 12
    assert texts(again) == texts(first)
    replayed = again.generations()
    assert replayed["latency_s"].isna().all()
    assert replayed["replayed_from"].tolist() == first.generations()["generation_id"].tolist()
    assert again.summary()["latency_n"].tolist() == [2, 2]


def test_editing_a_step_asks_it_and_what_follows(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """What comes before is known; the plan says why the others are not. A replayed step has no clocks, so
    neither has its chain."""
    answering = models("a")
    lab.plan(prompts=[THREE], models=answering, dataset=ROWS[:1]).run()
    edited = lk.Chain("reply", THREE.steps[0], lk.Step("tone", "U {{ facts }}"), THREE.steps[2])
    plan = lab.plan(prompts=[edited], models=answering, dataset=ROWS[:1])
    assert plan.frame()["why"].tolist() == ["", STEP, BEFORE]
    asked.clear()
    run = plan.run()
    assert asked == ["a: U a(F hi)", "a: R a(F hi) a(U a(F hi))"]
    assert run.generations()["latency_s"].isna().all()
    assert run.generations()["replayed_from"].isna().all()
    assert run.generations(steps=True)["latency_s"].notna().tolist() == [False, True, True]


def test_a_chain_of_one_step_is_the_plain_prompt(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """It sends the same request, and each replays the other's answer."""
    one, plain = lk.Chain("one", lk.Step("ask", "F {{ text }}")), lk.Prompt("plain", "F {{ text }}")
    answering = models("a")
    run = lab.plan(prompts=[one], models=answering, dataset=ROWS).run()
    other = lab.plan(prompts=[plain], models=answering, dataset=ROWS).run()
    assert len(asked) == 2
    for column in ("text", "request_id", "cost_usd", "output_tokens"):
        assert run.generations()[column].tolist() == other.generations()[column].tolist()
    assert other.generations()["replayed_from"].notna().all()
    assert lab.plan(prompts=[one], models=answering, dataset=ROWS).estimate().known == 2


def test_equal_requests_keep_their_answers(lab: lk.Lab, models: Models) -> None:
    """Where step 1 says the same of all samples, step 2 sends the same for all: each has an answer of its
    own, and on replay its own again, also where samples come or go."""
    count = iter(range(100))
    chain = lk.Chain("reply", lk.Step("facts", "F {{ text }}"), lk.Step("reply", "R {{ facts }}"))
    answering = models(
        "a", answers=lambda _, text: "yes" if text.startswith("F") else f"answer {next(count)}"
    )
    rows = [{"id": f"s{n}", "text": str(n)} for n in range(8)]
    first = lab.plan(prompts=[chain], models=answering, dataset=rows, repeats=2).run()
    assert len(set(first.generations()["text"])) == 16
    again = lab.plan(prompts=[chain], models=answering, dataset=rows[::-2], repeats=2).run()
    kept = first.generations().set_index(["sample_id", "repeat"])["text"]
    assert all(kept[row.sample_id, row.repeat] == row.text for row in again.generations().itertuples())


def test_cells_may_share_their_answers(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """With duplicates="share" chains that begin alike are asked once to their end."""
    rows = [{"id": "s1", "text": "hi"}, {"id": "s2", "text": "hi"}, {"id": "s3", "text": "ho"}]
    run = lab.plan(prompts=[TWO], models=models("a"), dataset=rows, duplicates="share").run()
    assert sorted(asked) == ["a: F hi", "a: F ho", "a: R a(F hi) of hi", "a: R a(F ho) of ho"]
    assert texts(run)["scripted/a", "s1"] == texts(run)["scripted/a", "s2"]
    assert run.status == "finished"


# -- reading -----------------------------------------------------------------------------------------


def test_plain_duckdb_shows_chains_and_steps(lab: lk.Lab, models: Models) -> None:
    """`from generations` has one row an answer, of chains and plain prompts alike; `from steps` one a
    request."""
    plain = lk.Prompt("plain", "P {{ text }}")
    lab.plan(prompts=[THREE, plain], models=models("a"), dataset=ROWS).run()
    lab.store.close()
    with duckdb.connect(str(lab.path), read_only=True) as there:
        found = there.sql("select prompt, count(*) from generations group by 1 order by 1").fetchall()
        assert found == [("plain", 2), ("reply", 2)]
        steps = there.sql(
            "select step_name, count(*) from steps group by 1 order by 1 nulls first"
        ).fetchall()
        assert steps == [(None, 2), ("facts", 2), ("reply", 2), ("tone", 2)]
        chains = there.sql('select "name", json_array_length(steps) from prompts order by 1').fetchall()
        assert chains == [("plain", None), ("reply", 3)]


def test_a_saved_chain_comes_back(lab: lk.Lab) -> None:
    """Its steps, readers, systems, blocks and defaults are kept, with a version by content."""
    step = lk.Step(
        "facts", "F {{ x }}", read=lk.read.json(), system="S", blocks=[lk.Block("b", "B")], defaults={"x": 1}
    )
    chain = lk.Chain("kept", step, lk.Step("reply", "R {{ facts.a }}"), description="D")
    assert lab.prompts.save(chain).version == 1
    assert lab.prompts.save(chain.replace(steps=[step, lk.Step("reply", "Q {{ facts.a }}")])).version == 2
    back = lab.prompts["kept@1"]
    assert back == chain
    assert (back.hash, back.description, back.steps[0].read) == (chain.hash, "D", lk.read.json())


def test_a_scorer_may_name_a_step(lab: lk.Lab, models: Models) -> None:
    """It is given what that step answered; its score stands beside those of the whole, named after both."""
    plan = lab.plan(
        prompts=[TWO],
        models=models("a"),
        dataset=ROWS,
        scorers=[
            length(),
            length(step="facts"),
            lk.Scorer("hers", lambda g, s: g.step == 1, of_step="facts"),
        ],
    )
    frame = plan.run().generations()
    assert frame["score.length_words"].tolist() == [5, 5]
    assert frame["score.facts.length_words"].tolist() == [2, 2]
    assert frame["score.facts.hers"].tolist() == [1, 1]


def test_the_model_of_a_step_is_a_factor(lab: lk.Lab, models: Models) -> None:
    """`by="step:facts"` compares the models of one step, who answers the others held equal: what comes out is
    the difference of the means over all lines, worked out by hand."""
    right = {"a": ["1", "2", "3", "4", "5", "6"], "b": ["1", "2"]}
    chain = lk.Chain("reply", lk.Step("facts", "F {{ n }}"), lk.Step("reply", "R {{ facts }} {{ n }}"))

    def answers(name: str, text: str) -> str:
        if text.startswith("F"):
            return "good" if text.split()[1] in right[name] else "bad"
        return "good" if "good" in text or (name == "b" and text.endswith("8")) else "bad"

    a, b = models("a", "b", answers=answers)
    rows = [{"n": str(n), "target": "good"} for n in range(1, 9)]
    plan = lab.plan(
        prompts=[chain],
        models=lk.per_step(facts=[a, b], reply=[a, b]),
        dataset=rows,
        scorers=[lk.exact("target")],
    )
    run = plan.run()
    frame = run.generations().assign(first=lambda f: f["model"].str.extract("facts: scripted/(.)"))
    frame["first"] = frame["first"].fillna(frame["model"].str[-1])
    by_hand = frame.groupby("first")["score.exact"].mean()
    (pair,) = run.verdict(by="step:facts").frame().to_dict("records")
    assert abs(pair["difference"]) == pytest.approx(abs(by_hand["a"] - by_hand["b"]))
    assert pair["samples"] == 8
    assert run.verdict(by="step:facts").contenders["n"].tolist() == [16, 16]
    assert run.summary(by="step:reply")["n"].tolist() == [16, 16]
    assert "For step facts: Which model" in run.verdict(by="step:facts").headline
    names = set(run.verdict(by="model").contenders["name"])
    assert names == set(plan.design.contenders)
    with pytest.raises(
        DefinitionError, match="no chain of this run has a step 'tone'; steps: 'facts', 'reply'"
    ):
        run.verdict(by="step:tone")
    with pytest.raises(DefinitionError, match="are compared alone"):
        run.verdict(by=["step:facts", "prompt"])


def test_an_earlier_chain_is_planned_again(lab: lk.Lab, models: Models, here: Any) -> None:
    """`lab.again` has the same plan, and the run's id of it follows from the lab's rows; `more` makes it
    larger."""
    a, b = models("a", "b")
    own = lk.Lab(lab.path, models=[a, b])
    chain = lk.Chain(
        "reply",
        lk.Step("facts", "F {{ text }}", read=lk.read.lines()),
        lk.Step("reply", "R {{ facts[0] }} {{ id }}"),
    )
    rows = [{"id": f"s{n}", "text": str(n), "of": None} for n in range(6)]
    plan = own.plan(prompts=[chain], models=[a, lk.per_step(facts=[b], reply=[a])], dataset=rows, repeats=2)
    run = plan.head(4).run()
    assert own.again(run.run_id).plan_id == run.plan_id() == lab.runs().iloc[0]["plan_id"]
    grown = own.run(run.run_id).more(rows=2, models=[lk.per_step(facts=[a], reply=[b])])
    assert len(grown.generations()) == 6 * 3 * 2
    assert grown.status == "finished"
    assert set(grown.generations()["status"]) == {"done"}


def test_a_lost_reader_has_to_be_given_again(lab: lk.Lab, models: Models) -> None:
    """A function of one's own is not kept, so a plan of a saved chain that has one is refused, and says
    why."""
    chain = lk.Chain("reply", lk.Step("facts", "F", read=lambda text: text), lk.Step("reply", "{{ facts }}"))
    lab.prompts.save(chain)
    with pytest.raises(DefinitionError, match="keeps only the name"):
        lab.plan(prompts=["reply"], models=models("a"), dataset=None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dataset": [{"facts": 1, "text": "x"}]}, "has the name of a column"),
        ({"dataset": [{"txt": "x"}]}, "needs text"),
        ({"models": lk.per_step(facts=["scripted/a"])}, "no model for step 'reply'"),
        ({"models": lk.per_step(facts=["scripted/a"], repli=["scripted/a"])}, "names step 'repli'"),
        ({"models": lk.per_step(facts=["gpt-99"], reply=["gpt-99"])}, "gpt-99"),
        ({"prompts": ["Say {{ text }}"], "models": lk.per_step(a="scripted/a")}, "no prompt is one"),
        ({"prompts": ["Say {{ text }}"], "models": lk.per_step(a="scripted/a")}, "only per_step says who"),
        ({"scorers": [lk.exact("text", step="fact")]}, "is of step 'fact', which no chain has"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is_paid_for(
    lab: lk.Lab, models: Models, asked: list[str], change: dict[str, Any], told: str
) -> None:
    """The message names the step, the chain or the scorer."""
    own = lk.Lab(lab.path, models=models("a"))
    given = {"prompts": [TWO], "models": ["scripted/a"], "dataset": ROWS} | change
    with pytest.raises(DefinitionError, match=told):
        own.plan(**given)
    assert asked == []


def test_a_plan_of_chains_can_be_cut(lab: lk.Lab, models: Models, asked: list[str]) -> None:
    """A chain is kept where its last step is, with all steps before it, and no others; `pilot` takes whole
    chains of each contender."""
    a, b = models("a", "b")
    plan = lab.plan(prompts=[TWO], models=lk.per_step(facts=[a, b], reply=[a, b]), dataset=ROWS)
    frame = plan.frame()
    cut = plan.select(frame["model"] == "facts: scripted/a, reply: scripted/b")
    assert (
        cut.frame()[["step", "model"]].to_numpy().tolist()
        == [
            ["facts", "scripted/a"],
            ["reply", "facts: scripted/a, reply: scripted/b"],
        ]
        * 2
    )
    assert len(plan.head(1)) == 6
    plan.pilot(1)
    assert len(asked) == 6
    assert plan.estimate().known == 6


def test_chains_are_reported_compared_and_drawn(lab: lk.Lab, models: Models, here: Any) -> None:
    """Report, card, export, comparison and every chart take a run of chains, also by the model of a step; a
    card agrees with the lab. The bars of what answers cost are explained by the prices of each step's
    model."""
    from click.testing import CliRunner

    from labkit.cli.main import labkit

    a, b = (
        model.replace(prices={"input": 1.0, "output": usd})
        for model, usd in zip(models("a", "b"), (2, 9), strict=True)
    )
    plan = lab.plan(
        prompts=[TWO],
        models=lk.per_step(facts=[a, b], reply=[a, b]),
        dataset=[{"text": str(n), "kind": n % 2} for n in range(8)],
        scorers=[lk.contains("text")],
        repeats=2,
    )
    run, again = plan.run(), plan.run(fresh=True)
    assert str(lab.compare(run, again)).count("Changed:") == 0
    for by in ("model", "step:facts"):
        page, card = run.report(here / "page.html", by=by), here / "run.card.json"
        run.card(card, by=by)
        assert "facts: scripted/a, reply: scripted/b" in page.read_text(encoding="utf-8")
        told = CliRunner().invoke(labkit, ["replay", str(card), "--lab", str(lab.path)])
        assert told.exit_code == 0, told.output
    assert run.export(here / "run.csv").stat().st_size
    for kind in set(lk.charts.__all__) - {"agreement", "block_effects", "forest", "nights"}:
        assert run.chart(kind, by="step:reply" if kind not in ("scores", "step_costs") else None).data
    assert "not explained" not in str(lk.charts.cost_parts(run))
    repriced = lab.reprice(run=run.run_id, by="step_name", prices={"scripted/a": {"input": 0, "output": 0}})
    assert repriced["n"].sum() == len(run.generations(steps=True))
    assert repriced["cost_usd"].sum() == pytest.approx(lab.runs(run=run.run_id)["cost_usd"].iloc[0])
