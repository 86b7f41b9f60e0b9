"""labkit.datasets.tables: frames, Arrow's tables and lists of rows as columns (group B5)."""

from __future__ import annotations

import gzip

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.datasets.csv_file import read_csv
from labkit.datasets.json_file import read_json
from labkit.datasets.tables import from_arrow, from_frame, from_rows, read_parquet
from labkit.datasets.values import plain
from labkit.errors import DefinitionError


def test_parquet_comes_back(tmp_path):
    """A Parquet file's columns are Python's values, nested ones too."""
    table = pa.table({"a": [1, None], "b": [["x"], []], "c": pa.array(["u", "u"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet").columns == {"a": [1, None], "b": [["x"], []], "c": ["u", "u"]}


def test_what_is_no_parquet_is_refused(write):
    """A file that only has the name of a Parquet file is refused with the reason."""
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_parquet(write("a,b\n", "t.parquet"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(b"q,n\na,1\n"), "packed with gzip. Unpack it"),
        (b"PK\x03\x04" + b"\0" * 20, "a zip archive, as an Excel workbook is. Save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 20, "an old Excel workbook"),
        (b"PAR1" + b"\0" * 20, "a Parquet file. Let its name end with .parquet"),
        (b" \n", "is empty"),
    ],
    ids=["gzip", "zip", "xls", "parquet", "blank"],
)
def test_a_file_of_another_kind_is_called_what_it_is(write, data, why):
    """A CSV or JSON file that holds something else is refused with what it is and what to do."""
    for name, read in (("t.csv", read_csv), ("t.json", read_json), ("t.jsonl", read_json)):
        with pytest.raises(DefinitionError, match=why):
            read(write(data, name))


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    """A Parquet file with two columns of one name is told so as any other table is."""
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(DefinitionError, match="more than one column 'a'"):
        read_parquet(tmp_path / "t.parquet")


def test_arrow_columns_of_one_name_are_refused():
    """B5: duplicate columns are a fault in every kind of table."""
    with pytest.raises(DefinitionError, match=r"more than one column 'a'\. Rename one"):
        from_arrow(pa.table([[1], [2]], names=["a", "a"]), what="table")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.DataFrame([[1, 2]]), "Column number 1 of the frame is called 0, which is no text"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column 'a'. Rename one"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"], index=pd.Index([5], name="a")), "more than one column"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name=3)), "is called 3, which is no text"),
        (pd.DataFrame({("a", "b"): [1]}), "more than one level"),
        (pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])), "more than one level"),
        (pd.DataFrame({"": [1]}), "no name"),
        (pd.DataFrame({None: [1]}), "no text|no name"),
    ],
)
def test_frames_with_odd_columns_are_refused(frame, why):
    """B5: integer, repeated, nameless and multi-level columns are faults that say what to do."""
    with pytest.raises(DefinitionError, match=why):
        from_frame(frame, what="frame")


def test_a_named_index_is_a_column():
    """B5: an index with a name is data, also beside itself as a column."""
    frame = pd.DataFrame({"text": ["a", "b"]}, index=pd.Index([0, 1], name="id"))
    assert from_frame(frame, what="frame").columns == {"id": [0, 1], "text": ["a", "b"]}
    twice = frame.reset_index().set_index("id", drop=False)
    assert from_frame(twice, what="frame").columns == {"id": [0, 1], "text": ["a", "b"]}


def test_an_index_is_never_dropped(tmp_path):
    """An index that says something and cannot become a column is refused with what to do, in files too."""
    columns = pd.DataFrame({"q": ["a", "b"], "rownames": ["c", "d"]})
    several = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    for frame, why in (
        (columns.set_axis(["x", "y"]), r"column 'rownames' beside another.*rename_axis"),
        (columns.set_axis(pd.Index(["x", "y"], name="q")), "column 'q' beside another"),
        (columns.set_axis(several), r"levels? .*reset_index"),
    ):
        with pytest.raises(DefinitionError, match=why):
            from_frame(frame, what="frame")
        if frame.index.names != ["q"]:  # Arrow itself refuses to write this one
            frame.to_parquet(tmp_path / "t.parquet")
            with pytest.raises(DefinitionError, match=why):
                read_parquet(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (pd.RangeIndex(2), {"n": [1, 2]}),
        (pd.Index([2, 1]), {"n": [1, 2]}),
        (pd.Index([7, 3]), {"rownames": [7, 3], "n": [1, 2]}),
        (pd.Index([7, 7]), {"rownames": [7, 7], "n": [1, 2]}),
        (pd.Index(["Mazda", "Fiat"]), {"rownames": ["Mazda", "Fiat"], "n": [1, 2]}),
        (pd.Index(["Mazda", "Fiat"], name="car"), {"car": ["Mazda", "Fiat"], "n": [1, 2]}),
    ],
)
def test_an_index_is_the_same_in_a_frame_and_in_its_files(tmp_path, index, columns):
    """An index that only counts the rows is left out; an unnamed one that says more is `rownames`."""
    frame = pd.DataFrame({"n": [1, 2]}, index=index)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv")
    tables = (
        from_frame(frame, what="frame"),
        from_arrow(pa.Table.from_pandas(frame), what="table"),
        read_parquet(tmp_path / "t.parquet"),
        read_csv(tmp_path / "t.csv"),
    )
    for table in tables:
        assert {name: table.columns[name] for name in sorted(table.columns)} == {
            name: columns[name] for name in sorted(columns)
        }


def test_types_of_pandas_give_plain_numbers():
    """Categories, nullable and Arrow types, and floats of 32 bits are read as the numbers they mean."""
    frame = pd.DataFrame(
        {
            "a": pd.Categorical([7, None]),
            "b": pd.array([7, None], dtype="Int64"),
            "c": pd.array([7.0, None], dtype="Float64"),
            "d": pd.array([7.0, None], dtype="double[pyarrow]"),
            "e": pd.array([0.1, None], dtype="float32"),
        }
    )
    columns = {
        name: [plain(cell) for cell in cells] for name, cells in from_frame(frame, what="f").columns.items()
    }
    assert columns == {"a": [7, None], "b": [7, None], "c": [7, None], "d": [7, None], "e": [0.1, None]}
    assert all(type(columns[name][0]) is int for name in "abcd")


def test_rows_of_several_shapes_are_one_table():
    """Rows may have different keys; the columns stand in the order they were met."""
    assert from_rows(({"a": 1}, {"b": 2, "a": 3}), what="rows").columns == {"a": [1, 3], "b": [None, 2]}


@pytest.mark.parametrize("rows", [["x"], [1], [None], [["a", 1]], [{"a": 1}, "x"], "text"])
def test_what_is_no_row_is_refused(rows):
    """B5: a row that is no mapping is named by its place."""
    with pytest.raises(DefinitionError, match="not a mapping"):
        from_rows(rows, what="rows")


def test_an_int_key_is_refused():
    """B5: a column needs a name that a prompt can use."""
    with pytest.raises(DefinitionError, match="no text"):
        from_rows([{1: "x"}], what="rows")
