"""labkit.datasets.tables: files and frames as columns (groups B5, B8)."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.datasets.tables import (
    from_arrow,
    from_frame,
    from_rows,
    read_csv,
    read_json,
    read_jsonl,
    read_parquet,
)
from labkit.errors import DefinitionError


@pytest.fixture
def write(tmp_path):
    def written(data, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return written


@pytest.mark.parametrize(
    "data",
    [
        "text,target\nhi,a\nho,b\n",
        "text,target\r\nhi,a\r\nho,b\r\n",
        "text,target\rhi,a\rho,b",
        "\ufefftext,target\nhi,a\n\nho,b\n\n",
        "text;target\nhi;a\nho;b\n",
        "text\ttarget\nhi\ta\nho\tb",
        "text|target\nhi|a\nho|b",
        '"text","target"\n"hi","a"\n"ho","b"\n',
    ],
)
def test_the_usual_dialects_are_one_table(write, data):
    """B8: byte order mark, line ends, separators, quotes and empty lines make no difference."""
    assert read_csv(write(data)).columns == {"text": ["hi", "ho"], "target": ["a", "b"]}


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ("a;b\n1,5;2,5\n3,5;4,5\n", {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}),
        ("a,b\nx;y,z\nu;v;w,z\n", {"a": ["x;y", "u;v;w"], "b": ["z", "z"]}),
        ("text\nhello\nworld; again\n", {"text": ["hello", "world; again"]}),
        ('text\n"a, b"\n"c; d; e"\n', {"text": ["a, b", "c; d; e"]}),
        ('a,b\n"line one\nline two","say ""hi"""\n', {"a": ["line one\nline two"], "b": ['say "hi"']}),
        ("a,b\n1,\n,x\n", {"a": [1, None], "b": [None, "x"]}),
    ],
)
def test_separators_inside_cells_do_not_split_them(write, data, columns):
    """B8: the separator is the one under which every line has one width."""
    assert read_csv(write(data)).columns == columns


def test_the_separator_is_found_in_a_long_file(write):
    """B8: the separator is found from the first lines, wherever the look at them ends."""
    row = "x" * 1000 + ";" + "y" * 1000 + "\n"
    assert list(read_csv(write("a;b\n" + row * 300)).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["1", "22", "-3"], [1, 22, -3]),
        (["1.5", "-0.25", "3.0"], [1.5, -0.25, 3.0]),
        (["007", "1"], ["007", "1"]),
        (["1", "2.5"], ["1", "2.5"]),
        (["1.50"], ["1.50"]),
        (["1e5"], ["1e5"]),
        (["1_000"], ["1_000"]),
        (["+1"], ["+1"]),
        (["١"], ["١"]),
        (["nan", "inf"], ["nan", "inf"]),
        (["NA", "null", "None"], ["NA", "null", "None"]),
        (["true"], ["true"]),
        ([" 1"], [" 1"]),
        (["9" * 19], ["9" * 19]),
        (["12345678901234567890.5"], ["12345678901234567890.5"]),
        (["-0"], ["-0"]),
    ],
)
def test_numbers_are_only_what_python_writes_the_same(write, cells, kept):
    """A column becomes numbers only if a prompt then shows the characters of the file."""
    assert read_csv(write("a,b\n" + "".join(f"{cell},x\n" for cell in cells))).columns["a"] == kept


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=5))
def test_what_python_writes_is_read_back(rows):
    """Any text written by Python's csv writer comes back: as itself, or as the number written the same."""
    rows = [[cell.replace("\0", "").encode("utf-8", "ignore").decode() for cell in row] for row in rows]
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["one", "two"], *rows])
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".csv") as target:
        target.write(file.getvalue().encode())
        target.flush()
        columns = read_csv(target.name).columns
    for position, name in enumerate(("one", "two")):
        assert ["" if cell is None else str(cell) for cell in columns[name]] == [
            row[position] for row in rows
        ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n1,2\n1,2,3\n1\n", r"2 columns, but another number of cells in line 3 \(3\), line 4 \(1\)"),
        ('a,b\n"x\ny",2\n1,2,3\n', r"line 4 \(3\)"),
        ("a,b\n" + "1\n" * 9, r"line 6 \(1\) and 4 more"),
        ("a,a\n1,2\n", "more than one column 'a'"),
        ("a,,b\n1,2,3\n", "Column 1 .* has no name"),
        ("a,\x07\n1,2\n", "unprintable"),
        ('a,b\n"x,2\n', "cannot be read in line 2"),
        ('a,b\n"x"y,2\n', "cannot be read in line 2"),
        (b"a,b\n\xe4,2\n", r"byte 0xe4 at offset 4, line 2"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("x" * 300 + ",b\n1,2", "more than 200 characters"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(write, data, why):
    """B8: ragged rows, wrong encodings and broken quotes are named with their lines."""
    with pytest.raises(DefinitionError, match=why):
        read_csv(write(data))


def test_rows_are_called_by_their_lines(write):
    """A row of a file is called by the line it begins in, past empty lines and cells of several lines."""
    table = read_csv(write('a,b\n1,"x\ny"\n\n3,z\n'))
    assert [table.row_names(i) for i in range(2)] == ["line 2", "line 5"]


def test_a_big_cell_is_read(write):
    """B6: a cell of 2 MB is read as it is."""
    assert read_csv(write(f'a,b\n"{"x" * 2_000_000}",y\n')).columns["a"] == ["x" * 2_000_000]


def test_json_lines_are_rows(write):
    """Objects, one a line; a key that a line lacks is None there; empty lines are skipped."""
    table = read_jsonl(write('\ufeff{"a": 1, "b": [1, {"c": null}]}\r\n\n{"a": "x"}\n', "t.jsonl"))
    assert table.columns == {"a": [1, "x"], "b": [[1, {"c": None}], None]}
    assert table.row_names(1) == "line 3"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"a": 1}\n{"a": }\n', "line 2"),
        ("[1]\n", "line 1: it is no object"),
        ('{"a": NaN}\n', "line 1"),
        ('{"a": "\\ud800"}\n', "line 1"),
        (b'{"a": "\xff"}\n', "not UTF-8"),
        ('{"a": ' + "[" * 100_000, "nested too deep|line 1"),
        ('{"a": 1}{"a": 2}\n', "line 1"),
    ],
)
def test_broken_json_lines_are_named(write, data, why):
    """B8: a line that is no object is named, with the reason."""
    with pytest.raises(DefinitionError, match=why):
        read_jsonl(write(data, "t.jsonl"))


def test_all_broken_json_lines_are_named_at_once(write):
    """Every broken line stands in one error, up to a number that a person reads."""
    with pytest.raises(DefinitionError) as caught:
        read_jsonl(write("x\n" * 50, "t.jsonl"))
    assert len(caught.value.faults) == 21
    assert "30 more" in caught.value.faults[-1]


def test_a_json_file_is_a_list_of_objects(write):
    """A JSON file holds a list; anything else is refused."""
    assert read_json(write('[{"a": 1}]', "t.json")).columns == {"a": [1]}
    for data in ('{"a": 1}', "[1]", "[", "5"):
        with pytest.raises(DefinitionError):
            read_json(write(data, "t.json"))


def test_parquet_comes_back(tmp_path):
    """A Parquet file's columns are Python's values, nested ones too."""
    table = pa.table({"a": [1, None], "b": [["x"], []], "c": pa.array(["u", "u"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet").columns == {"a": [1, None], "b": [["x"], []], "c": ["u", "u"]}


def test_what_is_no_parquet_is_refused(write):
    """A file that only has the name of a Parquet file is refused with the reason."""
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_parquet(write("a,b\n", "t.parquet"))


def test_arrow_columns_of_one_name_are_refused():
    """B5: duplicate columns are a fault in every kind of table."""
    with pytest.raises(DefinitionError, match="more than one column 'a'"):
        from_arrow(pa.table([[1], [2]], names=["a", "a"]), what="table")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.DataFrame([[1, 2]]), "names column 0 0, which is no text"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column 'a'"),
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
    """B5: an index with a name is data; one without, repeated or not, is only numbering."""
    frame = pd.DataFrame({"text": ["a", "b"]}, index=pd.Index([7, 7], name="id"))
    assert from_frame(frame, what="frame").columns == {"id": [7, 7], "text": ["a", "b"]}
    frame.index.name = None
    assert from_frame(frame, what="frame").columns == {"text": ["a", "b"]}


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
