"""labkit.datasets.csv_file: CSV as people and programs write it (group B8)."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.datasets.csv_file import read_csv
from labkit.errors import DefinitionError
from labkit.prompts.prompt import Prompt
from labkit.prompts.template import in_row


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
        ("2019,2020\n1,2\n", {"2019": [1], "2020": [2]}),
    ],
)
def test_separators_inside_cells_do_not_split_them(write, data, columns):
    """B8: the separator is the one under which every line has one width."""
    assert read_csv(write(data)).columns == columns


def test_a_tsv_file_is_separated_by_tabs(write):
    """Under the name .tsv a tab in the first line decides, however many commas stand beside it."""
    data = "a,b\tc,d,e\nx,y\tu,v,w\n"
    assert read_csv(write(data, "t.tsv")).columns == {"a,b": ["x,y"], "c,d,e": ["u,v,w"]}
    assert read_csv(write("a,b\n1,2\n", "t.tsv")).columns == {"a": [1], "b": [2]}


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
    rows = [row for row in rows if any(map(str.strip, row))]
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
        ("a,a\n1,2\n", "more than one column 'a'. Rename one"),
        ("a,,b\n1,2,3\n", "Column number 2 .* has no name. Give it one"),
        ("a title,,\n,,\na,b,c\n1,2,3\n", "names 1 of its 3 columns in line 1. .*take out what stands above"),
        ("sep=;\na;b\n1\n", r"line 3 \(1\)"),
        ("0.5,1\n2,3\n", "numbers where the names of its columns are to stand, in line 1"),
        ("0,0,5\n1,2,3\n", "numbers where the names"),
        (",rownames\nx,1\n", "Column number 1 .* has no name"),
        (",,q\n0,0,a\n1,1,b\n", "Column number 2 .* has no name"),
        ("a,\x07\n1,2\n", "Column number 2 .* cannot be seen, .* codes: ⟨07⟩. Rename it"),
        ("\ufeff\ufeffq,n\n1,2\n", "⟨FEFF⟩q. Rename"),
        ("a\u202eb,n\n1,2\n", "a⟨202E⟩b. Rename"),
        ('a,b\n"x,2\n', "cannot be read in line 2"),
        ('a,b\n"x"y,2\n', "cannot be read in line 2.* A cell with a quote in it needs quotes around it"),
        ('text\n"Hi" there\n"Bye" now\n', "cannot be read in line 2"),
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


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("Body\u00a0mass", "Body\u00a0mass"),
        ('"Culmen\r\nLength"', "Culmen\nLength"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200fنص", "\u200fنص"),
        ("co\u00adop", "co\u00adop"),
        ("a\u3000b", "a\u3000b"),
    ],
)
def test_names_are_as_headers_have_them(write, head, name):
    """Blanks of any kind, line breaks, joiners and marks of direction stand in a name, and in a prompt."""
    table = read_csv(write(f"{head},n\na,1\n"))
    assert list(table.columns) == [name, "n"]
    assert Prompt("p", in_row(name)).render({name: "a", "n": 1})[0]["content"] == "a"


def test_a_big_cell_is_read(write):
    """B6: a cell of 2 MB is read as it is."""
    assert read_csv(write(f'a,b\n"{"x" * 2_000_000}",y\n')).columns["a"] == ["x" * 2_000_000]


def test_rows_of_separators_only_are_left_out(write):
    """What a spreadsheet leaves below and between its rows is no row; the others keep their lines."""
    table = read_csv(write("\n,\nq,target\n2+2?,4\n,\n3+3?,6\n , \n,,,\n"))
    assert table.columns == {"q": ["2+2?", "3+3?"], "target": [4, 6]}
    assert [table.row_names(i) for i in range(2)] == ["line 4", "line 6"]


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", "SEP=;\n", '"sep=;"\n', "\ufeffsep=;;;\n"])
def test_excels_first_line_names_the_separator(write, first):
    """`sep=` is no row; lines are counted with it."""
    table = read_csv(write(first + "q;target\n2,5;4\n"))
    assert table.columns == {"q": ["2,5"], "target": [4]}
    assert table.row_names(0) == "line 3"


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ('"","q"\n"Mazda RX4","a"\n"1","b"\n', {"rownames": ["Mazda RX4", "1"], "q": ["a", "b"]}),
        (",q,n\nx,a,1\n", {"rownames": ["x"], "q": ["a"], "n": [1]}),
        (",q\n0,a\n1,b\n", {"q": ["a", "b"]}),
        (",q\n2,a\n1,b\n", {"q": ["a", "b"]}),
        (",q\n0,a\n7,b\n", {"rownames": [0, 7], "q": ["a", "b"]}),
        (",q\n1990,a\n1991,b\n", {"rownames": [1990, 1991], "q": ["a", "b"]}),
        ("q\tn\nx\ta b\t1\ny\tb, c\t2\n", {"rownames": ["x", "y"], "q": ["a b", "b, c"], "n": [1, 2]}),
        (",16.5,17\nx,1,2\n", {"rownames": ["x"], "16.5": [1], "17": [2]}),
        ('"q","n"\n"x","a",1\n"y","b",2\n', {"rownames": ["x", "y"], "q": ["a", "b"], "n": [1, 2]}),
        ('"q" "n"\n"1" "a b" 1\n"2" "b" 2\n', {"q": ["a b", "b"], "n": [1, 2]}),
        ('"q"\n"1" "a b"\n"2" "b"\n', {"q": ["a b", "b"]}),
        ('"n"\r\n"x" 1.5\r\n"y" NA\r\n', {"rownames": ["x", "y"], "n": ["1.5", "NA"]}),
        ('"q" "n"\n"a b" 1\n"b" 2\n', {"q": ["a b", "b"], "n": [1, 2]}),
    ],
)
def test_row_names_of_r_and_pandas_are_a_column(write, data, columns):
    """A first column without a name is `rownames`, or left out where it only counts the rows."""
    assert read_csv(write(data)).columns == columns


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("text\nHello, world\nBye, now\n", r"1 column, but .* line 2 \(2\), line 3 \(2\)\. .* needs quotes"),
        ("text\nHello,world\nBye,now\n", r"line 2 \(2\)"),
        ("# made 2024\nq,n\na,1\n", r"line 2 \(2\).* names of the columns are to stand in line 1"),
        ('"Report 2024"\nq,n\na,1\n', r"line 2 \(2\)"),
        ("q,n\n'a, b',1\n", r"line 2 \(3\)"),
        ("q,n\n1,5,2\n2,5,4\n", r"line 2 \(3\)"),
        ("q;n\nHello; world;1\nBye; now;2\n", r"line 2 \(3\)"),
        ('"q","n"\n"x","a",1\n"x","b",2\n', r"line 2 \(3\)"),
        ("q,n,m\na,1\n", r"line 2 \(2\)\. Every row needs a cell for each name"),
    ],
)
def test_row_names_without_a_head_are_not_guessed(write, data, why):
    """What may be a separator in a text, or a title above the names, is refused with its lines."""
    with pytest.raises(DefinitionError, match=why):
        read_csv(write(data))


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ("q, target\n2+2?, 4\n", {"q": ["2+2?"], "target": [4]}),
        ("q , target\n2+2? , 4\n", {"q": ["2+2?"], "target": [4]}),
        ('q, target\n"a, b", "c"\n', {"q": ["a, b"], "target": ["c"]}),
        ('"q" , "target"\n"a, b" , " c"\n', {"q": ["a, b"], "target": [" c"]}),
        ('q,target\n "a, b", "c" \n', {"q": ["a, b"], "target": ["c"]}),
        ('q\ttarget\n"a" \t "b\tc"\n', {"q": ["a"], "target": ["b\tc"]}),
        ('q,target\n"x, ""y"" , z",1\n', {"q": ['x, "y" , z'], "target": [1]}),
        ('q,target\nsay "hi" , 2\n', {"q": ['say "hi" '], "target": [" 2"]}),
        ("q,target\n x,1\n", {"q": [" x"], "target": [1]}),
    ],
)
def test_blanks_beside_separators_and_quotes_belong_to_no_cell(write, data, columns):
    """Blanks around a quoted cell are left out, those around others only where the column's name has them."""
    assert read_csv(write(data)).columns == columns


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ("q,n,\na,1,\nb,2,\n", {"q": ["a", "b"], "n": [1, 2]}),
        ("q,n\na,1,\nb,2,,\n", {"q": ["a", "b"], "n": [1, 2]}),
        ('q,n\n"say \\"hi\\", he said",1\n', {"q": ['say "hi", he said'], "n": [1]}),
        ('q,n\n"C:\\",1\n', {"q": ["C:\\"], "n": [1]}),
    ],
)
def test_other_habits_of_programs(write, data, columns):
    """Separators at the ends of lines are no cells; a quote may be written as `\\"` where `""` is not."""
    assert read_csv(write(data)).columns == columns
