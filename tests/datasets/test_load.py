"""labkit.datasets.load: one door for all datasets (groups B5, B6, B8, B17, S13)."""

from __future__ import annotations

import csv
import random
import tempfile
import uuid
from decimal import Decimal
from pathlib import Path

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
    """B5: empty and odd ids are faults that name the rows, and the way out."""
    rows = [{"id": id, "a": 1} for id in ids]
    with pytest.raises(DefinitionError, match=f"{why}.*name another, or none: id=None"):
        load(rows)
    assert [sample.fields.keys() for sample in load(rows, id=None)] == [{"id", "a"}] * 2


@pytest.mark.parametrize("again", [1, "1", 1.0])
def test_an_id_that_was_named_stands_once(again):
    """B5: a column that was named as the identity has no cell twice, however it is written."""
    with pytest.raises(DefinitionError, match="the id '1' in row 0 and in row 2, column 'key'"):
        load([{"key": key} for key in (1, 2, again)], id="key")


def test_a_column_id_that_is_no_identity_is_a_column(tmp_path):
    """Panel data: rows that share an id have it with a hash of their content; `id` can be printed."""
    (tmp_path / "panel.csv").write_text("id,term,q\n22,1,a\n22,2,b\n35,1,c\n22,2,b\n")
    panel = load(tmp_path / "panel.csv")
    assert panel.columns == ("id", "term", "q")
    assert [sample.fields["id"] for sample in panel] == [22, 22, 35, 22]
    first, second, third, again = (sample.id for sample in panel)
    assert third == "35"
    assert first.startswith("22-")
    assert second.startswith("22-")
    assert first != second
    assert again == f"{second}-2"
    backwards = load(list(reversed(panel.frame().drop(columns="sample_id").to_dict("records"))))
    assert {sample.id for sample in backwards} == {first, second, third, again}


def test_which_column_is_the_id_can_be_said():
    """`id=` names another column, or none; then `id` is a column like any other."""
    rows = [{"id": 22, "term": 1}, {"id": 22, "term": 2}]
    named, none = load(rows, id="term"), load(rows, id=None)
    assert [(sample.id, sample.fields) for sample in named] == [("1", rows[0]), ("2", rows[1])]
    assert named.columns == none.columns == ("id", "term")
    assert all(sample.id.startswith("s-") for sample in none)
    assert list(none.frame().columns) == ["sample_id", "id", "term"]


def test_many_faults_are_counted():
    """A thousand repeated ids are twenty sentences and a number."""
    with pytest.raises(DefinitionError) as caught:
        load([{"key": 1, "a": i} for i in range(1000)], id="key")
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


def not_utf8():
    offsets = np.array([0, 2, 6], dtype="int32").tobytes()
    return pa.StringArray.from_buffers(2, pa.py_buffer(offsets), pa.py_buffer(b"okcaf\xe9"))


def closed():
    connection = duckdb.connect()
    relation = connection.sql("select 1 as x")
    connection.close()
    return relation


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (lambda: duckdb.sql("select row(1, 2) as r"), "struct whose fields .* row 0, column 'r'. Cast that"),
        (
            lambda: pa.table({"t": pa.array([1], pa.timestamp("s", "Mars/X"))}),
            "'Mars/X' in row 0, column 't'",
        ),
        (lambda: pa.table({"q": not_utf8()}), "cannot be read .*0xe9.* in row 1, column 'q'"),
        (lambda: duckdb.sql("select cast('a' as int) as x from range(2)"), "table cannot be read: .*'a'"),
        (closed, "table cannot be read: .*closed"),
        (lambda: duckdb.sql("select 1::variant as v"), "VARIANT.* cast to text"),
        (lambda: [{"q": pd.DataFrame({"a": [1]})}], "is DataFrame, .* row 0, column 'q'"),
    ],
)
def test_what_breaks_while_it_is_read_is_refused_with_its_place(source, why):
    """Whatever a table raises on the way is a fault of the dataset that says where, never a bare error."""
    with pytest.raises(DefinitionError, match=why):
        load(source())


def test_small_floats_and_times_say_what_they_say_wherever_they_stand():
    """A small float has its own digits in categories and cells, and DuckDB's times their offsets."""
    small = np.array([0.1], dtype="float32")
    frame = pd.DataFrame({"a": pd.Categorical(small), "b": pd.Series([small[0]], dtype=object), "c": [small]})
    assert load(frame)[0].fields == {"a": 0.1, "b": 0.1, "c": [0.1]}
    query = 'select timetz \'01:02:03+05:30\' as "a""b", (2**127)::uhugeint as u'
    assert load(duckdb.sql(query))[0].fields == {'a"b': "01:02:03+05:30", "u": str(2**127)}


def test_an_identity_may_be_a_uuid(tmp_path):
    """UUIDs are ids, from Python and from a file."""
    key = uuid.UUID(int=7)
    duckdb.sql(f"select '{key}'::uuid as id, 1 as a").write_parquet(str(tmp_path / "t.parquet"))
    for source in ([{"id": key, "a": 1}], tmp_path / "t.parquet"):
        assert load(source)[0].id == str(key)


def test_sparse_columns_are_read():
    """A sparse column says what it says when it is dense."""
    frame = pd.DataFrame({"n": pd.arrays.SparseArray([np.nan, 1.0]), "k": pd.arrays.SparseArray([0, 3])})
    assert [s.fields for s in load(frame)] == [{"n": None, "k": 0}, {"n": 1, "k": 3}]


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


cells = st.none() | st.integers(0, 99).map(str) | st.sampled_from(["7", "7.0", "007", "1,5", "x", " ", "é"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=4), st.tuples(cells, cells))
def test_a_row_never_changes_what_another_says(rows, other):
    """Beside any other row of a CSV file a row keeps the characters of its cells, and its id."""
    filled = [row for row in rows if any(cell and cell.strip() for cell in row)]

    def said(rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            with path.open("w", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), ("first", "1"), *rows])
            found = load(path)
        return [(s.id, [None if c is None else str(c) for c in s.fields.values()]) for s in found]

    alone, beside = said(rows), said([*rows, other])
    assert beside[: len(filled) + 1] == alone


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 3).map(str) | st.sampled_from(["x", "y"]), st.text("ab", min_size=1)))
)
def test_row_names_change_no_other_rows_identity(rows):
    """Whether places without a name are a column or not, a row has one id, in any order of the rows."""
    rows = [("0", "first"), ("1", "second"), *rows]

    def ids(rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            path.write_text("".join(f"{name},{q}\n" for name, q in [("", "q"), *rows]))
            return load(path)

    alone, beside, backwards = ids(rows[:2]), ids(rows), ids(rows[::-1])
    assert [sample.id for sample in beside][:2] == [sample.id for sample in alone]
    assert beside.hash == backwards.hash
    assert {sample.id for sample in beside if sample.fields.get("rownames") == "x"}.isdisjoint(
        sample.id for sample in beside if sample.fields.get("rownames") == "y"
    )


def test_row_names_with_a_name_of_their_own_are_part_of_the_identity():
    """A column `rownames` that the table has is a column like any other, whatever index stands beside it."""
    rows = [{"rownames": 1, "q": "a"}, {"rownames": 2, "q": "a"}]
    frame = pd.DataFrame(rows)
    for source in (frame, pa.Table.from_pandas(frame.set_axis([1, 0])), duckdb.from_df(frame)):
        assert [sample.id for sample in load(source)] == [sample.id for sample in load(rows)]
    assert not any(sample.id.endswith("-2") for sample in load(rows))


@settings(deadline=None)
@given(
    st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9, allow_nan=False).map(lambda x: round(x, 1)))
)
def test_a_missing_cell_turns_no_whole_number_into_a_float(numbers):
    """Frames, Arrow and SQL give 7 beside a gap or a fraction, as they give it alone."""
    numbers = [7, *numbers]
    wanted = [None if n is None else int(n) if n == int(n) else n for n in numbers]
    frame = pd.DataFrame({"n": pd.Series(numbers, dtype="float64")})
    for table in (frame, pa.table(frame), frame.astype("float32"), pa.table(frame.astype("float32"))):
        got = [sample.fields["n"] for sample in load(table)]
        assert got == wanted
        assert [type(cell) for cell in got] == [type(cell) for cell in wanted]


def test_whole_numbers_from_duckdb_stay_whole():
    """Sums and hugeints, which Arrow holds as decimals, and integers beside NULL are whole numbers."""
    query = """select * from (values ('a', 7), ('b', null)) v(t, n),
        (select sum(x) as s from (values (1), (2)) w(x)), (select 9007199254740993::hugeint as h)"""
    for table in (duckdb.sql(query), duckdb.sql(query).to_arrow_table()):
        assert [sample.fields for sample in load(table)] == [
            {"t": "a", "n": 7, "s": 3, "h": 9007199254740993},
            {"t": "b", "n": None, "s": 3, "h": 9007199254740993},
        ]


def test_decimals_are_shown_as_the_table_has_them():
    """A column of decimals is text where Python would write one of them otherwise, as in a CSV file."""
    exact = [Decimal("0.10"), Decimal("12345678901234567.89"), None]
    for table in (
        pa.table({"n": pa.array(exact, pa.decimal128(30, 2))}),
        pd.DataFrame({"n": exact}),
        [{"n": cell} for cell in exact],
    ):
        assert [s.fields["n"] for s in load(table)] == ["0.10", "12345678901234567.89", None]
    assert [s.fields["n"] for s in load([{"n": Decimal("0.25")}, {"n": Decimal("7.5")}])] == [0.25, 7.5]
    with pytest.raises(DefinitionError, match="has an infinite number in row 1, column 'n'"):
        load([{"n": Decimal(1)}, {"n": Decimal("Infinity")}])


def test_a_series_is_a_table_of_one_column():
    """A Series goes by its name; without one, and for other values of pandas, the message says what to do."""
    assert load(pd.Series(["a", "b"], name="q"))[1].fields == {"q": "b"}
    named = pd.Series([1.0, 2.0], index=pd.Index(["x", "y"], name="id"), name="n")
    assert [(s.id, s.fields) for s in load(named)] == [("x", {"n": 1}), ("y", {"n": 2})]
    for source, why in (
        (pd.Series(["a"]), r"series.rename\('text'\)"),
        (pd.Index(["a"]), "pandas Index is no table"),
        (pa.chunked_array([["a"]]), "ChunkedArray is no table with named columns"),
    ):
        with pytest.raises(DefinitionError, match=why):
            load(source)


def test_ids_by_content_do_not_know_other_rows():
    """A row's id stays when another row makes a column text, or brings a column that this one lacks."""
    first = load([{"n": 7, "q": "a"}])[0].id
    assert load([{"n": 7, "q": "a"}, {"n": "x", "q": "b", "note": "late"}])[0].id == first
    assert load([{"n": "7", "q": "a", "note": None}])[0].id == first


@pytest.mark.soak
def test_a_million_rows_are_loaded():
    """B5: a frame of 10^6 rows becomes samples with derived ids."""
    frame = pd.DataFrame({"text": [f"t{i}" for i in range(1_000_000)], "n": np.arange(1_000_000)})
    dataset = load(frame)
    assert len({sample.id for sample in dataset}) == 1_000_000
