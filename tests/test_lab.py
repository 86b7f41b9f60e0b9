"""labkit.lab: one experiment from definition to frame, on scripted models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.errors import (
    DefinitionError,
    MissingKey,
    MissingVariables,
    RateLimited,
    UnknownModel,
    UnknownPrompt,
)
from labkit.records import Generation, Request
from labkit.summary import summarize

ROWS = [{"text": "a", "target": "a"}, {"text": "b", "target": "x"}]
Echo = Callable[..., Any]


class Counting:
    """Answers with the prompt's text and remembers every request."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> str:
        self.asked.append(request)
        return str(request.messages[-1]["content"])


def test_one_row_per_cell_with_the_documented_columns(lab: lk.Lab, echo: Echo) -> None:
    """A run gives one finished row per cell: documented columns first, then sample and score columns."""
    plan = lab.plan(
        prompts=["{{ text }}", lk.Prompt("loud", "{{ text }}!")],
        models=[echo("m1"), echo("m2")],
        dataset=ROWS,
        repeats=2,
        scorers=[lk.exact()],
    )
    frame = plan.run().generations()
    assert len(frame) == len(plan) == 16
    assert list(frame.columns) == [
        *Generation.__struct_fields__,
        "sample.text",
        "sample.target",
        "score.exact",
    ]
    assert set(frame["status"]) == {"done"}
    assert frame.loc[frame["prompt"] == "loud", "text"].str.endswith("!").all()
    assert frame.groupby("sample.text")["score.exact"].max().to_dict() == {"a": 1.0, "b": 0.0}


def test_running_again_is_free(lab: lk.Lab, echo: Echo) -> None:
    """A second run of the same plan asks nothing: its rows are replays, with the text and the time of their
    originals and without clocks."""
    counting = Counting()
    plan = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting)], dataset=ROWS)
    first = plan.run()
    again = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting)], dataset=ROWS)
    assert str(again).startswith("1 prompt × 1 model × 2 samples × 1 repeat = 2 requests; 2 known")
    second = again.run()
    assert len(counting.asked) == 2
    assert second.run_id != first.run_id
    old, new = (run.generations().set_index("sample_id").sort_index() for run in (first, second))
    assert (new["text"] == old["text"]).all()
    assert (new["replayed_from"] == old["generation_id"]).all()
    assert (new["started_at"] == old["started_at"]).all()
    assert new[["queue_s", "ttft_s", "latency_s"]].isna().all(axis=None)


def test_a_run_of_replays_is_summed_up_and_drawn_by_the_clocks_of_its_first_askings(
    tmp_path: Path, echo: Echo
) -> None:
    """Another run, experiment, workspace: the same numbers, marked and dated; the rows keep no clock."""
    asked = {"prompts": ["{{ text }}"], "models": [echo()], "dataset": ROWS, "scorers": [lk.exact()]}
    first = lk.Lab(tmp_path / "lab.duckdb").plan(**asked).run()
    other = lk.Lab(tmp_path / "lab.duckdb", workspace="other")
    again = other.plan(**asked, experiment="other").run()
    assert again.generations()["latency_s"].isna().all()
    clocks = [name for name in first.summary().columns if name.startswith(("latency_p", "ttft", "tokens_"))]
    assert again.summary()[clocks].to_dict("list") == first.summary()[clocks].to_dict("list")
    day = f"{first.generations()['started_at'].iloc[0]:%Y-%m-%d}"
    assert f"* measured when first asked, {day}" in repr(again.summary())
    assert "p50 / p95*" in repr(again.summary())
    assert "when first asked" not in repr(first.summary())
    for kind in ("latency", "ttft", "speed", "cost_latency", "frontier", "drift"):
        drawn, was = again.chart(kind), first.chart(kind)
        assert [list(trace.x) for trace in drawn.data] == [list(trace.x) for trace in was.data]
        assert drawn.layout.title.text == was.layout.title.text
    assert f"measured when first asked, {day}" in again.chart("latency").layout.title.subtitle.text


def test_two_replays_of_one_original_are_one_measurement(lab: lk.Lab, echo: Echo) -> None:
    """In a frame of three runs each asking counts once, by the answer itself; what is new is told."""
    plan = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS)
    first = plan.run().run_id
    again = [plan.run().run_id for _ in range(2)]
    every = summarize(lab.generations(), by="model").iloc[0]
    assert (every["n"], every["latency_n"], every["latency_before_n"]) == (6, 2, 0)
    copies = summarize(lab.generations(run=again), by="model")
    assert (copies["latency_n"].item(), copies["latency_before_n"].item()) == (2, 2)
    by_run = summarize(lab.generations(), by="run_id")
    assert by_run["latency_n"].tolist() == [2, 2, 2]
    more = lab.plan(
        prompts=["{{ text }}"], models=[echo()], dataset=[*ROWS, {"text": "c", "target": "c"}]
    ).run()
    assert ", 2 of 3 answers when first asked" in repr(more.summary())
    assert first not in again


def test_a_replay_of_a_replay_names_the_first_asking(lab: lk.Lab, echo: Echo) -> None:
    """However often a cell is replayed, `replayed_from` is the generation that was really asked."""
    plan = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:1])
    first = plan.run().generations()["generation_id"].item()
    plan.run()
    third = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:1]).run()
    assert third.generations()["replayed_from"].item() == first


def test_fresh_asks_again(lab: lk.Lab, echo: Echo) -> None:
    """A fresh run asks what is known already and replays nothing."""
    counting = Counting()
    plan = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting)], dataset=ROWS)
    plan.run()
    frame = plan.run(fresh=True).generations()
    assert len(counting.asked) == 4
    assert frame["replayed_from"].isna().all()


def test_answers_without_an_identity_are_never_replayed(lab: lk.Lab, echo: Echo) -> None:
    """A scripted model without a version is asked each time, and the plan says why."""
    counting = Counting()
    plan = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting, version=None)], dataset=ROWS)
    plan.run()
    again = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting, version=None)], dataset=ROWS)
    assert set(again.frame()["why"]) == {"its endpoint has no identity, so its answers are never replayed"}
    again.run()
    assert len(counting.asked) == 4


def test_each_repeat_gets_an_answer_of_its_own(lab: lk.Lab, echo: Echo) -> None:
    """Repeats are asked one by one, and a later plan with more repeats asks only the new ones."""
    counting = Counting()
    lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting)], dataset=ROWS, repeats=2).run()
    assert len(counting.asked) == 4
    more = lab.plan(prompts=["{{ text }}"], models=[echo(answers=counting)], dataset=ROWS, repeats=3)
    assert more.frame()["known"].sum() == 4
    more.run()
    assert len(counting.asked) == 6


def test_editing_one_prompt_asks_only_that_one(lab: lk.Lab, echo: Echo) -> None:
    """Of two prompts the changed one is asked again, and the plan says that it changed."""
    counting = Counting()
    models = [echo(answers=counting)]
    lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}"), lk.Prompt("q", "{{ text }}?")], models=models, dataset=ROWS
    ).run()
    plan = lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}"), lk.Prompt("q", "{{ text }}??")], models=models, dataset=ROWS
    )
    frame = plan.frame()
    assert frame.groupby("prompt")["known"].all().to_dict() == {"p": True, "q": False}
    assert "changed" in frame.loc[~frame["known"], "why"].iloc[0]
    plan.run()
    assert len(counting.asked) == 6


def test_changed_params_are_named_as_the_reason(lab: lk.Lab, echo: Echo) -> None:
    """A cell that was asked under other params says so."""
    lab.plan(prompts=[lk.Prompt("p", "{{ text }}")], models=[echo()], dataset=ROWS, params={"seed": 1}).run()
    plan = lab.plan(prompts=[lk.Prompt("p", "{{ text }}")], models=[echo()], dataset=ROWS, params={"seed": 2})
    assert set(plan.frame()["why"]) == {"the params changed since it was asked"}


def test_a_failed_call_is_a_row_and_the_others_go_on(lab: lk.Lab, echo: Echo) -> None:
    """One sample whose request is refused ends as a failed row with its error; the other is answered."""

    def moody(request: Request) -> Any:
        if request.messages[-1]["content"] == "a":
            return lk.errors.InvalidRequest("no letter a, please", status=400)
        return "fine"

    frame = lab.plan(prompts=["{{ text }}"], models=[echo(answers=moody)], dataset=ROWS).run().generations()
    rows = frame.set_index("sample.text")
    assert rows.loc["a", ["status", "error_type", "error_message"]].tolist() == [
        "failed",
        "InvalidRequest",
        "no letter a, please",
    ]
    assert rows.loc["b", "status"] == "done"


def test_a_failed_cell_is_asked_again_by_the_next_run(lab: lk.Lab, echo: Echo) -> None:
    """A failure is never replayed: running the plan again asks the failed cell and replays the rest."""
    faulty = echo(faults=[RateLimited("slow down", retry_after_s=9999)])
    frame = lab.plan(prompts=["{{ text }}"], models=[faulty], dataset=ROWS[:1]).run().generations()
    assert frame["status"].item() == "failed"
    plan = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:1])
    assert plan.frame()["why"].item() == "asked before, without a finished answer"
    assert plan.run().generations()["status"].item() == "done"


def test_all_faults_of_a_definition_come_at_once(lab: lk.Lab, echo: Echo) -> None:
    """Unknown model and prompt, missing variable and bad repeats are told in one error, before asking."""
    with pytest.raises(DefinitionError) as raised:
        lab.plan(
            prompts=["{{ nowhere }}", "unsaved@3"],
            models=["openai/gpt-4oo", echo()],
            dataset=ROWS,
            repeats=0,
            experiment="a/b",
        )
    told = "\n".join(raised.value.faults)
    for words in ("nowhere", "unsaved", "gpt-4oo", "repeats is 0", "experiment name 'a/b'"):
        assert words in told


def test_scorers_are_refused_with_all_the_rest(lab: lk.Lab, echo: Echo) -> None:
    """A scorer whose column is missing, and a built-in that was not called, stand among the other faults."""
    with pytest.raises(DefinitionError) as raised:
        lab.plan(
            prompts=["{{ nowhere }}"],
            models=[echo()],
            dataset=ROWS,
            repeats=0,
            scorers=[lk.contains("txt"), lk.Scorer("own", lambda g, s: 1, "dept")],
        )
    told = "\n".join(raised.value.faults)
    columns = "which the dataset does not have; its columns: 'text'"
    for words in ("nowhere", "repeats is 0", f"'txt', {columns}", f"'own' reads column 'dept', {columns}"):
        assert words in told
    wrong = [lk.contains, lk.exact("txt")]
    with pytest.raises(DefinitionError) as raised:
        lab.plan(prompts=["{{ text }}"], models=["openai/gpt-4oo"], dataset=ROWS, scorers=wrong)
    told = "\n".join(raised.value.faults)
    assert "gpt-4oo" in told
    assert f"'txt', {columns}" in told
    assert "write lk.contains(…)" in told


def test_a_scorer_without_its_column_is_refused_wherever_it_is_given(lab: lk.Lab, echo: Echo) -> None:
    """`run.score`, `run.more` and `lab.again` refuse it as a plan does, and write no score."""
    lab, rows = lk.Lab(lab.path, models=[echo()]), [{"text": "a"}, {"text": "b"}]
    run = lab.plan(prompts=["{{ text }}"], models=["scripted/echo"], dataset=rows).head(1).run()
    for give in (
        lambda scorer: run.score(scorer),
        lambda scorer: run.more(rows=1, scorers=[scorer]),
        lambda scorer: lab.run(run.run_id).more(rows=1, scorers=[scorer]),
        lambda scorer: lab.again(run.run_id, scorers=[scorer]),
    ):
        with pytest.raises(DefinitionError, match="reads column 'target'"):
            give(lk.contains())
        with pytest.raises(DefinitionError, match=r"write lk\.exact"):
            give(lk.exact)
    assert lab.store.scores().empty


def test_a_scorer_reads_a_column_by_its_name(lab: lk.Lab, echo: Echo) -> None:
    """The natural way to write one: `sample["text"]` or `sample.text`."""

    def same(generation: Any, sample: Any) -> bool:
        return sample["text"] == sample.text == generation.text

    def wrong(generation: Any, sample: Any) -> bool:
        return sample["txt"] == generation.text

    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, scorers=[same, wrong]).run()
    assert run.generations()["score.same"].tolist() == [1.0] * len(ROWS)
    assert "there is no column 'txt'; columns: 'text'" in lab.store.scores(scorer="wrong")["error"].iloc[0]


def test_a_row_without_a_target_is_not_scored(lab: lk.Lab, echo: Echo) -> None:
    """Where only some rows have a target the others are asked, not scored, and say why."""
    rows = [{"text": "a", "target": "a"}, {"text": "b", "target": None}]
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=rows, scorers=[lk.contains()]).run()
    assert sorted(run.generations()["score.contains"].isna()) == [False, True]
    assert lab.store.scores()["explanation"].str.contains("has no 'target'").sum() == 1


def test_a_dataset_that_cannot_be_read_is_one_fault(lab: lk.Lab, echo: Echo, here: Path) -> None:
    """The experiment, which is by default called after it, is not told to be empty as well."""
    (here / "empty.csv").write_text("text\n")
    for dataset in ("nowhere.csv", "empty.csv", "table.xlsx", [], 3, "https://example.org/t.csv"):
        with pytest.raises(DefinitionError) as raised:
            lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=dataset)
        (fault,) = raised.value.faults
        assert "experiment" not in fault
    with pytest.raises(DefinitionError, match="experiment name '' is empty"):
        lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, experiment="")


def test_faults_of_one_kind_keep_their_class(lab: lk.Lab, echo: Echo) -> None:
    """A plan whose only fault is an unknown model, prompt or variable raises exactly that class."""
    with pytest.raises(UnknownModel):
        lab.plan(prompts=["Say hi"], models=["nosuch/model-x1"])
    with pytest.raises(UnknownPrompt):
        lab.plan(prompts=["nosuch"], models=[echo()])
    with pytest.raises(MissingVariables):
        lab.plan(prompts=["{{ a }} {{ b }}"], models=[echo()], dataset=ROWS)


def test_a_missing_key_stops_the_run_and_not_the_plan(lab: lk.Lab) -> None:
    """A plan whose model lacks a key can be looked at; running it raises before anything is sent."""
    plan = lab.plan(prompts=["Say hi"], models=["openai/gpt-4o"])
    assert "OPENAI_API_KEY" in plan._repr_html_()
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        plan.run()
    assert lab.runs().empty


def test_two_models_of_one_name_are_refused(lab: lk.Lab, echo: Echo) -> None:
    """Rows of two models called the same could not be told apart, so the plan is refused."""
    with pytest.raises(DefinitionError, match="2 models are called 'scripted/echo'"):
        lab.plan(prompts=["Say hi"], models=[echo(), echo()])


def test_the_same_question_twice_is_asked_twice_or_shared(lab: lk.Lab, echo: Echo) -> None:
    """B17: by default equal questions are asked once each; `duplicates="share"` asks once for all."""
    rows = [{"text": "same"}, {"text": "same"}]
    counting = Counting()
    lab.plan(prompts=["{{ text }}"], models=[echo("one", answers=counting)], dataset=rows).run()
    assert len(counting.asked) == 2
    counting = Counting()
    run = lab.plan(
        prompts=["{{ text }}"], models=[echo("two", answers=counting)], dataset=rows, duplicates="share"
    ).run()
    assert len(counting.asked) == 1
    assert run.generations()["text"].tolist() == ["same", "same"]
    assert run.generations()["replayed_from"].notna().sum() == 1


def test_a_plan_can_be_cut_before_paying(lab: lk.Lab, echo: Echo) -> None:
    """head, sample and select keep the cells named; a mask of the wrong length is refused."""
    plan = lab.plan(prompts=["{{ text }}"], models=[echo("a"), echo("b")], dataset=ROWS)
    assert len(plan.head(1)) == 2
    assert len(plan.sample(1, seed=3)) == 2
    frame = plan.frame()
    only = plan.select(frame["model"] == "scripted/a")
    assert set(only.frame()["model"]) == {"scripted/a"}
    assert len(plan.select(frame[frame["sample.text"] == "b"])) == 2
    with pytest.raises(DefinitionError, match="mask of 4 booleans"):
        plan.select([True])


def test_prompts_get_a_version_per_content(lab: lk.Lab, echo: Echo) -> None:
    """The first text of a name is version 1, another is 2, the first again is still 1."""
    for text in ("{{ text }}", "{{ text }}!", "{{ text }}"):
        lab.plan(prompts=[lk.Prompt("p", text)], models=[echo()], dataset=ROWS).run()
    frame = lab.generations(columns=["text", "prompt_version"])
    assert set(zip(frame["text"], frame["prompt_version"], strict=True)) == {
        ("a", 1),
        ("b", 1),
        ("a!", 2),
        ("b!", 2),
    }
    assert lab.prompts["p"].version == 2
    assert lab.prompts["p@1"].text == "{{ text }}"


def test_a_prompt_file_is_found_by_its_name(lab: lk.Lab, echo: Echo, here: Path) -> None:
    """`data/prompts/terse.md` is the prompt `terse`, with its system part from the front matter."""
    (here / "data" / "prompts").mkdir(parents=True)
    (here / "data" / "prompts" / "terse.md").write_text("---\nsystem: Be brief.\n---\nSay {{ text }}\n")
    plan = lab.plan(prompts=["terse"], models=[echo()], dataset=ROWS[:1])
    request = plan.design.request(plan.design.places[0])
    assert [message["role"] for message in request.messages] == ["system", "user"]


def test_blocks_stand_in_front_and_are_kept(lab: lk.Lab, echo: Echo) -> None:
    """A context block is rendered before the prompt's text, and the lab keeps it by its hash."""
    block = lk.Block("policy", "Refunds take five days.")
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:1], context=[block]).run()
    text = run.generations()["text"].item()
    assert text.index("Refunds take five days.") < text.rindex("a")
    assert lab.sql("select hash, text from blocks").to_dict("records") == [
        {"hash": block.hash, "text": block.text}
    ]


def test_history_is_filtered(lab: lk.Lab, echo: Echo, here: Path) -> None:
    """Generations of two workspaces and experiments are told apart by filters, and a limit cuts."""
    other = lk.Lab(here / "lab.duckdb", workspace="other")
    lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, experiment="one").run()
    other.plan(prompts=["{{ text }}?"], models=[echo()], dataset=ROWS, experiment="two").run()
    assert len(lab.generations()) == 4
    assert set(lab.generations(workspace="other")["experiment"]) == {"two"}
    assert len(lab.generations(experiment=["one", "two"], limit=3)) == 3
    assert lab.generations(since="2999-01-01").empty


def test_the_rows_are_readable_without_labkit(lab: lk.Lab, echo: Echo) -> None:
    """Plain DuckDB, read-only, shows the generations."""
    import duckdb

    lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS).run()
    with duckdb.connect(str(lab.path), read_only=True) as connection:
        assert connection.sql("from generations").fetchall()
        assert connection.sql("select count(*) from requests").fetchone() == (2,)


def test_a_plan_over_sql_and_frames(lab: lk.Lab, echo: Echo) -> None:
    """A dataset may be a frame, or a query over what the lab answered before."""
    lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=pd.DataFrame(ROWS)).run()
    plan = lab.plan(
        prompts=["Was this good? {{ text }}"],
        models=[echo()],
        dataset="select generation_id as id, text from generations order by 1",
        experiment="second look",
    )
    assert len(plan) == 2
    assert plan.run().generations()["text"].str.startswith("Was this good?").all()


def test_panel_data_is_asked_row_by_row_and_comes_back(lab: lk.Lab, echo: Echo) -> None:
    """A column `id` that repeats is printed as it is; the run's plan is put together again from the lab."""
    rows = [{"id": 22, "term": 1}, {"id": 22, "term": 2}, {"id": 35, "term": None}]
    plan = lab.plan(prompts=["{{ id }} {{ term | default('-', true) }}"], models=[echo()], dataset=rows)
    run = plan.run()
    frame = run.generations().sort_values("sample_id")
    assert frame["text"].tolist() == ["22 1", "22 2", "35 -"] or frame["text"].tolist() == [
        "22 2",
        "22 1",
        "35 -",
    ]
    assert sorted(frame["sample.id"]) == [22, 22, 35]
    assert str(frame["sample.term"].dtype) == str(plan.frame()["sample.term"].dtype) == "Int64"
    known = lk.Lab(lab.path, models=[echo()]).again(run.run_id)
    assert known.design.dataset == plan.design.dataset
    assert known.design.plan_id == plan.design.plan_id


def test_which_column_is_the_id_is_said_to_the_plan(lab: lk.Lab, echo: Echo) -> None:
    """`id=` names the column, or none; a column that repeats is refused with the way out."""
    rows = [{"id": "a", "key": "k1"}, {"id": "b", "key": "k2"}]

    def ids(**more: Any) -> list[str]:
        plan = lab.plan(prompts=["{{ id }}"], models=[echo()], dataset=rows, **more)
        return [sample.id for sample in plan.design.dataset]

    assert ids() == ["a", "b"]
    assert ids(id="key") == ["k1", "k2"]
    assert all(one.startswith("s-") for one in ids(id=None))
    with pytest.raises(DefinitionError, match="no column 'nope' for its ids; it has id, key"):
        ids(id="nope")
    rows[1]["key"] = "k1"
    with pytest.raises(DefinitionError, match=r"the id 'k1' in row 0 and in row 1.*or none: id=None"):
        ids(id="key")


def test_numbers_of_a_query_keep_their_digits(lab: lk.Lab, echo: Echo) -> None:
    """What a query over the lab counts, sums and rounds is printed as DuckDB has it."""
    query = (
        "select 'a' as t, 7 as n, 0.10::decimal(9, 2) as p, 2.0::double as d, sum(x) as s "
        "from (values (1), (2)) v(x) union all select 'b', null, 12345678.90, 0.5, 9007199254740993"
    )
    plan = lab.plan(
        prompts=["{{ t }} {{ n or '-' }} {{ p }} {{ d }} {{ s }}"], models=[echo()], dataset=query
    )
    assert sorted(plan.run().generations()["text"]) == [
        "a 7 0.10 2 3",
        "b - 12345678.90 0.5 9007199254740993",
    ]


def test_the_summary_shows_what_a_constant_answer_scores(lab: lk.Lab, echo: Echo) -> None:
    """Where labels repeat, the summary has the majority's share, and says which cells lie above it."""
    rows = [{"text": "a", "target": "a"}] * 30 + [{"text": "b", "target": "b"}] * 10
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=rows, scorers=[lk.exact()]).run()
    row = run.summary().iloc[0]
    assert (row["baseline"], row["above_baseline"], row["score"]) == (0.75, True, 1.0)
    alone = lab.plan(prompts=["{{ text }}?"], models=[echo()], dataset=ROWS, scorers=[lk.exact()]).run()
    assert "baseline" not in alone.summary().columns


def test_provenance_stands_on_the_run(lab: lk.Lab, echo: Echo) -> None:
    """A run records versions, host, user, seed, prices and the git state it came from."""
    import json

    lab.plan(prompts=["Say hi"], models=[echo()], seed=7).run()
    row = lab.runs().iloc[0]
    found = json.loads(row["provenance"])
    assert found["seed"] == 7
    assert {"labkit", "openai", "anthropic", "duckdb"} <= set(found["packages"])
    assert {"python", "host", "user", "git", "notebook", "prices", "concurrency"} <= set(found)


def test_each_row_keeps_the_id_of_its_price(lab: lk.Lab, echo: Echo) -> None:
    """A row has the id of the price its cost was reckoned by, also as a replay, and so has its model."""
    dear = echo("dear").replace(prices={"input": 1000, "output": 2000})
    for experiment in ("first", "replayed"):
        plan = lab.plan(
            prompts=["{{ text }}"], models=[dear, echo("free")], dataset=ROWS[:1], experiment=experiment
        )
        frame = plan.run().generations().set_index("model")
        assert frame.loc["scripted/dear", "price_id"] == "given: prices of scripted/dear"
        assert frame.loc["scripted/dear", "cost_usd"] == pytest.approx(0.003)
        assert frame.loc["scripted/free", "price_id"] == "declared: scripted models cost nothing"
    kept = lab.sql("select model, prices->>'price_id' as price_id from models").set_index("model")
    assert kept.loc["scripted/dear", "price_id"] == "given: prices of scripted/dear"


def test_repricing_takes_the_labs_own_filters(lab: lk.Lab, echo: Echo) -> None:
    """`lab.reprice` tells what a run would have cost at other prices, from history alone."""
    dear = echo("dear").replace(prices={"input": 1000, "output": 1000})
    run = lab.plan(prompts=["{{ text }}"], models=[dear], dataset=ROWS).run()
    cheap = {"scripted/dear": {"input": 500, "output": 500}}
    frame = lab.reprice(prices=cheap, run=run.run_id)
    assert frame["ratio"].item() == pytest.approx(0.5)
    assert frame["cost_usd"].item() == pytest.approx(run.generations()["cost_usd"].sum())
    assert lab.reprice(prices=None, run="none").empty
