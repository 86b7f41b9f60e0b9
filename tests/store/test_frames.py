"""Rows come back as frames: right columns, right types, right rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.records import Generation
from labkit.store import Store
from labkit.store.definition_records import SampleRecord

Put = Callable[..., None]
WHOLE = {"repeat", "attempts", "maybe_paid", "draw", "step"}
MAYBE = {
    "prompt_version",
    "in_flight",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "steps",
    "call_id",
}


def sample(sample_id: str, dataset: str = "t1:x", position: int = 0, **fields: Any) -> SampleRecord:
    return SampleRecord(
        dataset=dataset, dataset_name="x", position=position, sample_id=sample_id, fields=fields
    )


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_columns_and_types_do_not_depend_on_the_rows(store: Store, put: Put, make: Any, rows: int) -> None:
    """With no rows, one, or one full of gaps a frame has the same columns in the same types."""
    gaps = {
        name: None
        for name in Generation.__struct_fields__
        if name not in WHOLE | {"generation_id", "run_id", "status"}
    }
    put(*[make.generation("a"), make.generation("b", **gaps)][:rows])
    frame = store.generations()
    assert list(frame.columns) == list(Generation.__struct_fields__)
    kinds = frame.dtypes.astype(str).to_dict()
    assert {name for name, kind in kinds.items() if kind == "int64"} == WHOLE
    assert {name for name, kind in kinds.items() if kind == "Int64"} == MAYBE
    assert kinds["started_at"] == "datetime64[us, UTC]"
    assert kinds["cost_usd"] == kinds["latency_s"] == "float64"
    assert kinds["text"] == kinds["replayed_from"] == "str"
    assert list(frame.index) == list(range(rows))


def test_every_value_comes_back(store: Store, put: Put, make: Any) -> None:
    """A generation read from the frame is the one that was put."""
    row = make.generation(
        "a",
        text="é\0\n",
        error_type="E",
        error_message="m",
        queue_s=0.1,
        first_event_s=0.2,
        ttft_s=0.3,
        retry_s=0.0,
        in_flight=3,
        cache_read_tokens=1,
        cache_write_tokens=2,
        reasoning_tokens=1,
        maybe_paid=2,
        replayed_from="r",
        response_model="m",
        response_id="i",
        raw="{}",
        draw=1,
        parent_id="p",
        step=0,
        step_name="facts",
        steps=2,
        failed_step="facts",
        user="u",
        started_at=datetime(2026, 1, 1, 3, tzinfo=UTC),
    )
    put(row)
    back = store.generations().iloc[0].to_dict()
    for name in Generation.__struct_fields__:
        assert back[name] == getattr(row, name), name


def test_filters_cut_and_combine(store: Store, put: Put, make: Any) -> None:
    """Each filter takes one value or several, and all must hold; the status is that of the latest row."""
    put(
        make.generation("a", run_id="r1", model="m/1", prompt="p", workspace="w"),
        make.generation("b", run_id="r1", model="m/2", prompt="q", workspace="w", status="failed"),
        make.generation("c", run_id="r2", model="m/1", prompt="q", workspace="v", experiment="other"),
        make.generation("b", run_id="r1", model="m/2", prompt="q", workspace="w", status="done"),
    )

    def ids(**filters: Any) -> list[str]:
        return sorted(store.generations(columns=["generation_id"], **filters)["generation_id"])

    assert ids() == ["a", "b", "c"]
    assert ids(run="r1") == ["a", "b"]
    assert ids(run=["r1", "r2"], model="m/1") == ["a", "c"]
    assert ids(prompt="q", workspace="w") == ["b"]
    assert ids(status="failed") == []
    assert ids(status=["done", "failed"]) == ["a", "b", "c"]
    assert ids(experiment="other") == ["c"]
    assert ids(model=[]) == []
    assert ids(model="nosuch", status="done", run="r1") == []


def test_since_and_until_look_at_when_it_was_asked(store: Store, put: Put, make: Any) -> None:
    """Times are compared with `started_at`; a row never asked counts by when it was written."""
    day = timedelta(days=1)
    put(*(make.generation(str(n), started_at=make.moment + n * day) for n in range(4)))
    put(make.generation("never asked", status="stopped", started_at=None, attempts=0))

    def ids(**filters: Any) -> list[str]:
        return store.generations(columns=["generation_id"], **filters)["generation_id"].tolist()

    assert ids(since="2026-11-02", until="2026-11-03") == ["1", "2"]
    assert ids(since="2026-11-02T12:00", until="2026-11-04T12:00") == ["1", "2"]
    assert ids(until="2026-11-01") == ["0"]
    now = datetime.now(UTC)
    assert ids(since=now - day, until=now + day).count("never asked") == 1
    assert ids(since="0001-01-01", until="9999-12-31") == ["0", "1", "2", "3", "never asked"]
    with pytest.raises(DefinitionError, match="since"):
        ids(since="soon")


def test_order_and_limit(store: Store, put: Put, make: Any) -> None:
    """Rows come as they were written; a limit gives the newest, newest first."""
    for name in "abcde":
        put(make.generation(name))
        store.fold()
    assert store.generations()["generation_id"].tolist() == list("abcde")
    assert store.generations(limit=2)["generation_id"].tolist() == ["e", "d"]
    assert store.generations(limit=0).empty
    assert len(store.generations(limit=10**30)) == 5
    assert store.generations(
        limit=2, status="done", columns=["sample_id", "generation_id"]
    ).columns.tolist() == ["sample_id", "generation_id"]


def test_rows_folded_late_stand_in_their_place(store: Store, make: Any) -> None:
    """The order is that of writing, whichever journal was folded first."""
    from labkit.store import journal_line
    from labkit.store.journal_directory import JournalDirectory, JournalName

    folder = JournalDirectory(store.path)
    folder.make()
    for first, process in ((3_000, "1-00000000"), (1_000, "2-00000000"), (2_000, "3-00000000")):
        row = make.generation(str(first), sample_id=f"s{first}")
        text = journal_line.frame(type(row), first, journal_line.body(row))
        (folder.path / str(JournalName(process, 1, first, 1, process))).write_bytes(text)
        store.fold()
    frame = store.generations()
    assert frame["generation_id"].tolist() == ["1000", "2000", "3000"]
    assert frame["sample_id"].tolist() == ["s1000", "s2000", "s3000"]


def test_other_rows_change_no_whole_number(store: Store, put: Put, make: Any) -> None:
    """A sample's whole number stays one beside a missing one, and beside rows that have no such column."""
    put(
        make.run("r1", dataset="t1:x"),
        make.run("r2", dataset="t1:y"),
        sample("s1", n=7),
        sample("s2", position=1, n=None),
        sample("s1", dataset="t1:y", other="x"),
        make.generation("a", run_id="r1", sample_id="s1"),
        make.generation("b", run_id="r1", sample_id="s2"),
        make.generation("c", run_id="r2", sample_id="s1"),
    )
    for run in (None, "r1"):
        numbers = store.generations(run=run).set_index("generation_id")["sample.n"]
        assert str(numbers.dtype) == "Int64"
        assert str(numbers["a"]) == "7"
        assert numbers.isna().sum() == len(numbers) - 1


def test_samples_and_scores_are_joined(store: Store, put: Put, make: Any) -> None:
    """The dataset's own columns follow as `sample.<column>`, scores as `score.<scorer>`, each by its row."""
    put(
        make.run("r1", dataset="t1:x"),
        make.run("r2", dataset="t1:y"),
        make.run("r3"),
        sample("s1", text="one", target="yes"),
        sample("s2", position=1, text="two", extra=[1]),
        sample("s1", dataset="t1:y", text="other"),
        make.generation("a", run_id="r1", sample_id="s2"),
        make.generation("b", run_id="r1", sample_id="s1"),
        make.generation("c", run_id="r2", sample_id="s1"),
        make.generation("d", run_id="r3", sample_id="s1"),
        make.generation("e", run_id="r1", sample_id="gone"),
        make.score("a", value=0.0),
        make.score("a", value=1.0),
        make.score("b", value=None),
        make.score("c", "other", value=0.5),
    )
    frame = store.generations().set_index("generation_id")
    columns = [column for column in frame.columns if "." in column]
    assert columns == ["sample.text", "sample.target", "sample.extra", "score.exact", "score.other"]
    texts = frame["sample.text"]
    assert texts[["a", "b", "c"]].to_dict() == {"a": "two", "b": "one", "c": "other"}
    assert texts[["d", "e"]].isna().all()
    assert frame.loc["a", "sample.extra"] == [1]
    assert frame["score.exact"].fillna(-1).to_dict() == {"a": 1.0, "b": -1, "c": -1, "d": -1, "e": -1}
    assert frame["score.other"].fillna(-1).tolist() == [-1, -1, 0.5, -1, -1]
    assert frame["score.exact"].dtype == "float64"


def test_chosen_columns_come_in_the_chosen_order(store: Store, put: Put, make: Any) -> None:
    """Only the columns asked for are given; one of a sample or score that no row has is empty."""
    put(make.run(dataset="t1:x"), sample("s1", text="one"), make.generation("a"), make.score("a"))
    wanted = ["score.exact", "model", "sample.text", "sample.nosuch", "generation_id"]
    frame = store.generations(columns=wanted)
    assert list(frame.columns) == wanted
    assert frame.iloc[0, [0, 1, 2, 4]].tolist() == [1.0, "scripted/echo", "one", "a"]
    assert frame["sample.nosuch"].isna().all()
    assert store.generations(columns=["sample.text"])["sample.text"].tolist() == ["one"]
    with pytest.raises(DefinitionError, match="'lattency_s' is no column"):
        store.generations(columns=["lattency_s"])


def test_hostile_names_are_only_names(store: Store, put: Put, make: Any) -> None:
    """Scorers and columns of a dataset may be called anything."""
    names = ['a"; drop table log.scores; --', "b.c", "", "é", "generation_id", "<script>"]
    put(make.run(dataset="t1:x"), sample("s1", **dict.fromkeys(names, 1)), make.generation("a"))
    put(*(make.score("a", name) for name in names))
    frame = store.generations()
    assert [column for column in frame.columns if column.startswith("sample.")] == [
        f"sample.{name}" for name in names
    ]
    assert {column for column in frame.columns if column.startswith("score.")} == {
        f"score.{name}" for name in names
    }


def test_other_grains(store: Store, put: Put, make: Any) -> None:
    """Attempts, scores and runs have a frame each, with filters and newest-first limits."""
    later = make.moment + timedelta(hours=1)
    put(
        make.run("r1"),
        make.run("r2", started_at=later, workspace="other"),
        make.attempt("a", run_id="r1"),
        make.attempt("a", run_id="r1", attempt=2, sent_at=later),
        make.attempt("b", run_id="r2"),
        make.generation("a", run_id="r1"),
        make.generation("b", run_id="r2"),
        make.score("a"),
        make.score("a", "other", scored_at=later),
        make.score("b"),
    )
    assert store.attempts(run="r1")["attempt"].tolist() == [1, 2]
    assert store.attempts(limit=1)["attempt"].tolist() == [2]
    assert store.attempts(since=later)["attempt"].tolist() == [2]
    assert store.attempts()["maybe_paid"].dtype == "boolean"
    assert len(store.scores(run="r1")) == 2
    assert store.scores(run="r1", scorer="other")["value"].tolist() == [1.0]
    assert store.scores(limit=1)["scorer"].tolist() == ["other"]
    assert store.runs()["run_id"].tolist() == ["r1", "r2"]
    assert store.runs(limit=1)["run_id"].tolist() == ["r2"]
    assert store.runs(workspace="other")["run_id"].tolist() == ["r2"]
    assert store.runs(run=["r1"], status="finished").empty
    assert store.runs(since=later)["run_id"].tolist() == ["r2"]
    assert store.runs()["cells"].dtype == "int64"
    with pytest.raises(DefinitionError):
        store.runs(status=3)


def test_plain_duckdb_reads_it_all(store: Store, put: Put, make: Any, path: Path) -> None:
    """A person needs nothing of labkit: every view, also `fetchall`, works on a plain connection."""
    put(make.run(), make.generation("a"), make.attempt("a"), make.score("a"), sample("s1", a=1))
    store.checkpoint()
    with duckdb.connect(str(path), read_only=True) as plain:
        assert plain.sql("from generations").df()["text"].tolist() == ["hello"]
        (row,) = plain.sql("select started_at, text from generations").fetchall()
        assert row == (make.moment.replace(tzinfo=None), "hello")
        for view in (
            "runs",
            "steps",
            "attempts",
            "scores",
            "samples",
            "requests",
            "prompts",
            "blocks",
            "ratings",
            "models",
            "judgements",
            "labels",
            "baselines",
            "checks",
            "notices",
        ):
            plain.sql(f"from {view}").fetchall()
        assert plain.sql("select fields->>'a' from samples").fetchone() == ("1",)
        assert plain.sql("select count(*) from (show tables)").fetchone() == (17,)


def test_an_empty_frame_can_be_worked_with(store: Store) -> None:
    """Grouping and filtering an empty frame gives empty results, not errors."""
    frame = store.generations()
    assert frame.groupby("model")["latency_s"].median().empty
    assert isinstance(frame[frame["status"] == "done"], pd.DataFrame)


def test_a_frame_says_what_its_scores_were_declared_to_be(store: Store, put: Put, make: Any) -> None:
    """What all rows of a scorer declare alike is in `attrs["scales"]`; the last of two counts."""
    stars, right = {"low": 1.0, "high": 5.0, "step": 1.0}, {"low": 0.0, "high": 1.0, "step": 1.0}
    put(
        make.run(),
        make.generation("a"),
        make.generation("b"),
        make.score("a", "stars", value=4, **stars),
        make.score("b", "stars", value=None),
        make.score("a", "mixed", value=1, **right),
        make.score("b", "mixed", value=1),
        make.score("a", "again", value=1),
        make.score("a", "again", value=1, **right),
        make.score("a", "count", value=3, step=1.0),
    )
    assert store.generations().attrs["scales"] == {
        "stars": (1.0, 5.0, 1.0),
        "again": (0.0, 1.0, 1.0),
        "count": (None, None, 1.0),
    }
    assert store.generations(columns=["model"]).attrs.get("scales") is None


def test_a_frame_says_where_scorers_failed(store: Store, put: Put, make: Any) -> None:
    """Of each scorer that failed: on how many of how many answers, the most frequent reason, how many there
    were. A later score takes the place of a failure."""
    put(
        make.run(),
        *(make.generation(name) for name in "abc"),
        make.score("a", "dept", value=None, error="KeyError: 'x'"),
        make.score("b", "dept", value=None, error="TypeError: y"),
        make.score("c", "dept", value=None, error="TypeError: y"),
        make.score("a", "mended", value=None, error="KeyError"),
        make.score("a", "mended", value=1),
        make.score("a", "silent", value=None),
    )
    assert store.generations().attrs["failures"] == {
        "dept": {"answers": 3, "failed": 3, "reason": "TypeError: y", "reasons": 2}
    }


@pytest.mark.parametrize(
    "text", ["", None, " \t\r\n", "\u00a0\u3000\u2028", "\x0b\x1c\x1f\x85", "\u200b", " a"]
)
def test_an_answer_of_blanks_is_empty_where_that_is_asked_for(
    store: Store, put: Put, make: Any, text: str | None
) -> None:
    """The column `empty` says what Python's `strip` would, without the text; of what is not done, no."""
    put(make.generation("a", text=text), make.generation("b", text=text, status="failed"))
    frame = store.generations(columns=["generation_id", "empty"]).set_index("generation_id")["empty"]
    assert frame.to_dict() == {"a": not (text or "").strip(), "b": False}
    assert "empty" not in store.generations().columns
