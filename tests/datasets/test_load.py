"""labkit.datasets.load: one door for all datasets (groups B5, B6, B8, B17, S13)."""

from __future__ import annotations

import random

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.datasets import load
from labkit.errors import DefinitionError

ROWS = [{"text": "a", "target": 1}, {"text": "b", "target": 2}]


def test_every_source_gives_the_same_samples(tmp_path):
    """A table is one dataset, whether it comes as a file, a frame, Arrow, a list, a generator or by SQL."""
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "t.json", orient="records")
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.sql").write_text("select 1")
    sources = [
        *(tmp_path / f"t.{kind}" for kind in ("csv", "tsv", "jsonl", "json", "parquet", "sql")),
        str(tmp_path / "t.csv"),
        frame,
        frame.set_index("text"),
        pa.table(frame),
        duckdb.from_df(frame),
        ROWS,
        (row for row in ROWS),
        "select * from x",
        "  -- why\n FROM x",
        "with y as (from x) from y",
    ]
    loaded = [load(source, sql=lambda query: frame) for source in sources]
    assert {dataset.hash for dataset in loaded} == {loaded[0].hash}


def test_a_dataset_is_itself():
    """What is a dataset already is not made anew."""
    dataset = load(ROWS)
    assert load(dataset) is dataset


def test_one_dict_is_one_sample_and_none_an_empty_one():
    """A prompt without variables needs no dataset; one question needs one dict."""
    assert load({"text": "a"})[0].fields == {"text": "a"}
    nothing = load(None)
    assert (len(nothing), nothing[0].fields, nothing.columns) == (1, {}, ())
    assert load({})[0].fields == {}


def test_ids_are_kept():
    """A column `id`, or the one that is named, is the identity; only `id` itself is no field."""
    assert [s.id for s in load([{"id": 7, "a": 1}, {"id": "x", "a": 2}])] == ["7", "x"]
    named = load([{"ticket": "t1", "a": 1}], id="ticket")
    assert (named[0].id, named[0].fields) == ("t1", {"ticket": "t1", "a": 1})
    assert [s.id for s in load(pd.DataFrame({"id": [1.0, 2.0], "a": [1, 2]}))] == ["1", "2"]
    with pytest.raises(DefinitionError, match="no column 'nope'"):
        load(ROWS, id="nope")


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ([1, 1], r"the id '1' in row 0 and in row 1, column 'id'"),
        ([1, "1"], r"the id '1'"),
        ([1, None], "nothing as id in row 1"),
        ([1, float("nan")], "nothing as id in row 1"),
        ([True, "x"], "bool as id in row 0"),
        ([["a"], "x"], "list as id in row 0"),
        (["", "x"], "blank"),
        ([" ", "x"], "blank"),
        (["a\nb", "x"], "unprintable"),
        (["x" * 201, "x"], "over 200"),
    ],
)
def test_ids_that_are_none_are_refused_with_their_rows(ids, why):
    """B5: repeated, empty and odd ids are faults that name the rows."""
    with pytest.raises(DefinitionError, match=why):
        load([{"id": id, "a": 1} for id in ids])


def test_many_faults_are_counted():
    """A thousand repeated ids are twenty sentences and a number."""
    with pytest.raises(DefinitionError) as caught:
        load([{"id": 1, "a": i} for i in range(1000)])
    assert len(caught.value.faults) == 21
    assert "979 more" in caught.value.faults[-1]


def test_ids_derived_from_content_outlive_reordering():
    """Without an id column each row keeps its identity wherever it stands, and whatever stands around it."""
    rows = [{"text": f"t{i}", "n": i} for i in range(50)]
    ids = {sample.fields["text"]: sample.id for sample in load(rows)}
    shuffled = [dict(reversed(row.items())) for row in random.Random(1).sample(rows, 30)]
    assert all(sample.id == ids[sample.fields["text"]] for sample in load(shuffled))
    assert len(set(ids.values())) == 50


def test_equal_rows_are_all_kept_and_told_apart():
    """B17: a question that stands there twice is two samples; what is asked is the plan's to say."""
    dataset = load([{"q": "a"}, {"q": "b"}, {"q": "a"}, {"q": "a"}])
    first = dataset[0].id
    assert [sample.id for sample in dataset][2:] == [f"{first}-2", f"{first}-3"]
    assert len({sample.id for sample in dataset}) == 4


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.sampled_from(["x", "y", None])}), min_size=1
    ),
    st.randoms(),
)
def test_the_set_of_ids_does_not_depend_on_the_order(rows, chance):
    """Any order of the same rows, repeated ones too, has the same ids and the same hash."""
    base = load(rows)
    chance.shuffle(rows)
    again = load(rows)
    assert {sample.id for sample in again} == {sample.id for sample in base}
    assert len({sample.id for sample in base}) == len(rows)
    assert again.hash == base.hash


def test_cells_become_plain_values():
    """B5: NaN, NaT and NA become None; numpy's, pandas' and dates become Python's own and text."""
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "f": [1.5, np.nan],
            "b": pd.array([True, None], dtype="boolean"),
            "d": pd.to_datetime(["2026-11-01", None]),
            "c": pd.Categorical(["x", None]),
            "s": ["x", None],
            "l": [[np.int64(1)], None],
        }
    )
    first, second = (sample.fields for sample in load(frame))
    assert first == {"i": 1, "f": 1.5, "b": True, "d": "2026-11-01T00:00:00", "c": "x", "s": "x", "l": [1]}
    assert second == dict.fromkeys("ifbdcsl")


def test_bad_cells_are_named_with_row_and_column():
    """B5, B12: what cannot be kept is named with its row and column, all of it at once."""
    with pytest.raises(DefinitionError) as caught:
        load([{"a": 1, "b": {1}}, {"a": float("inf"), "b": 2}, {"a": b"x", "b": object()}])
    assert len(caught.value.faults) == 4
    assert "row 1, column 'a'" in str(caught.value)
    assert "row 0, column 'b'" in str(caught.value)


def test_half_characters_are_named_with_row_and_column():
    """B6: a lone surrogate cannot be sent or stored, so its cell is named."""
    for cell in ("a\ud800", ["x", "\udfff"], {"k": "\ud800"}):
        with pytest.raises(DefinitionError, match=r"half a character .* row 1, column 'text'"):
            load([{"text": "ok"}, {"text": cell}])


def test_control_characters_are_kept():
    """B6: NUL and other control characters are data."""
    assert load([{"text": "a\0b\x1b\u2028"}])[0].fields == {"text": "a\0b\x1b\u2028"}


@pytest.mark.parametrize(
    "source",
    [
        [],
        (row for row in ()),
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pa.table({"a": pa.array([], pa.int64())}),
    ],
)
def test_an_empty_source_is_refused(source):
    """B5: a dataset without rows is a fault, wherever it came from."""
    with pytest.raises(DefinitionError, match="no rows"):
        load(source)


def test_a_file_with_a_head_only_is_refused(tmp_path):
    """B8: a CSV file with column names and nothing below has no rows."""
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(DefinitionError, match="no rows"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize("source", [5, 1.5, b"a,b", True, object(), ["x"], [1], {"x"}])
def test_what_is_no_dataset_is_refused(source):
    """B5: anything else is refused by its type, with what would do."""
    with pytest.raises(DefinitionError):
        load(source)


def test_paths_that_lead_nowhere_name_what_is_near(tmp_path, monkeypatch):
    """S13: a missing file, a folder and a file of an unknown kind are each said to be that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").write_text("a\n1\n")
    (tmp_path / "notes.xlsx").write_text("x")
    for source, why in (
        ("ticket.csv", "Near it: tickets.csv"),
        ("tickets", "no dataset 'tickets'.* Near it: tickets.csv"),
        (str(tmp_path), "a folder"),
        ("notes.xlsx", r"nor a file of a known kind: \.csv"),
        ("file:///etc/passwd", "web address"),
        ("/dev/stdin", "system|no dataset"),
        ("selection of things", "no dataset"),
        ("", "no dataset|folder"),
    ):
        with pytest.raises(DefinitionError, match=why):
            load(source)


def test_sql_needs_a_lab():
    """A query without a lab to ask is a fault that says so."""
    with pytest.raises(DefinitionError, match="needs a lab"):
        load("select 1 as x")


def test_sql_is_run_by_the_function_that_was_given(tmp_path):
    """The query reaches the function as it was written, from the text or from a file."""
    asked = []

    def run(query):
        asked.append(query)
        return pd.DataFrame({"x": [1]})

    (tmp_path / "q.sql").write_text("from t;\n")
    assert load("select 1 as x", sql=run)[0].fields == {"x": 1}
    assert load(tmp_path / "q.sql", sql=run).name == "q"
    assert asked == ["select 1 as x", "from t;\n"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("tickets.csv", "tickets"), ("my data@v2.csv", "my data-v2"), ("a..b.csv", "a-b"), ("-x-.csv", "x")],
)
def test_a_file_gives_its_name(tmp_path, file, name):
    """A dataset is called by its file, in letters that an experiment may be called by; `name=` wins."""
    (tmp_path / file).write_text("a\n1\n")
    assert load(tmp_path / file).name == name
    assert load(tmp_path / file, name="mine").name == "mine"


def test_what_has_no_name_is_called_by_its_content():
    """Rows and frames are called by what they are and a piece of their hash: the same rows, the same name."""
    assert load(ROWS).name == load([dict(row) for row in ROWS]).name
    assert load(ROWS).name.startswith("rows-")
    assert load(pd.DataFrame(ROWS)).name.startswith("frame-")
    assert load(None).name.startswith("single-")


@pytest.mark.soak
def test_a_million_rows_are_loaded():
    """B5: a frame of 10^6 rows becomes samples with derived ids."""
    frame = pd.DataFrame({"text": [f"t{i}" for i in range(1_000_000)], "n": np.arange(1_000_000)})
    dataset = load(frame)
    assert len({sample.id for sample in dataset}) == 1_000_000
