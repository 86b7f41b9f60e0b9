r"""A CSV file as columns of text and numbers, in the dialects that people and programs write.

It knows Excel's first line (`sep=;`), rows of separators only, the row names of R and pandas, blanks around
names and quotes, quotes written as `\"`. It guesses no encoding and no column names, and mends no row of
another width.
"""

from __future__ import annotations

import csv
import io
import os
import re
from itertools import islice

from labkit.datasets.tables import ROW_NAMES, Table, check_names, is_count, read_text
from labkit.datasets.values import numbers
from labkit.errors import DefinitionError

SHOWN = 5
_CELL_CHARACTERS = 100_000_000
_DELIMITERS = ",;\t|"
_SNIFFED = 200_000
_TOLD = re.compile(r'"?sep=(?P<delimiter>[^\r\n"])"?[ ,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_BY_BLANKS = re.compile(
    r"""("[^"\r\n]*"\ )+"[^"\r\n]*"(?=[\r\n])
    | "[^"\r\n]*"(\r\n|\r|\n)"[^"\r\n]*"\ ("[^"\r\n]*"|-?[0-9][0-9.]*|NA|TRUE|FALSE)(?=[\r\n]|\Z)""",
    re.VERBOSE,
)
"""How a file begins as R's write.table leaves it, where blanks separate; the second for one column."""
_QUOTED_LINE = re.compile(r'(?:\A|(?<=[\r\n]))[ \t]*"')


def read_csv(path: str | os.PathLike[str]) -> Table:
    """A CSV file: UTF-8, first line the column names, separated by comma, semicolon, tab or bar.

    A column becomes whole numbers or decimals only if every cell is written just as Python writes
    that number, so that a prompt shows the characters of the file: `007` stays text. Empty cells
    are None, rows without any filled cell are left out. A first column without a name is R's or pandas' row
    names: column `rownames`, or left out where it only counts the rows.
    """
    what = f"CSV file {os.fspath(path)!r}"
    text = read_text(path, what=what)
    told = _TOLD.match(text)
    if told:
        text = text[told.end() :]
        delimiter = told["delimiter"]
    elif os.fspath(path).lower().endswith(".tsv") and "\t" in _first_line(text):
        delimiter = "\t"
    else:
        delimiter = _delimiter(text)
    rows, lines = _rows(text, delimiter, 2 if told else 1, what)
    if not rows:
        raise DefinitionError(f"The {what} has no column names.")
    head, rows = rows[0], rows[1:]
    if _has_row_names(head, rows, text, delimiter):
        head = ["", *head]
    rows = _of_one_width(head, rows, lines, what)
    names = [name.strip().replace("\r\n", "\n") for name in head]
    is_unnamed = names[0] == "" and len(names) > 1 and ROW_NAMES not in names
    if is_unnamed:
        names[0] = ROW_NAMES
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    kept = [place for place, name in enumerate(names) if name or any(map(str.strip, columns[place]))]
    if is_unnamed and is_count(columns[0]):
        kept.remove(0)
    if head[0].strip() and _are_numbers(names):
        raise DefinitionError(
            f"The {what} has numbers where the names of its columns are to stand, in line {lines[0]:,}. "
            "Put a line of names above it."
        )
    _check_head([names[place] for place in kept], kept, lines[0], what)
    read = {names[place]: numbers(_cells(columns[place], head[place])) for place in kept}
    return Table(read, len(rows), lambda i: f"line {lines[i + 1]:,}", is_unnamed)


def _rows(text: str, delimiter: str, line: int, what: str) -> tuple[list[list[str]], list[int]]:
    """The rows with a filled cell, and the lines they begin in."""
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARACTERS))
    text = _without_blanks_around_quotes(text, delimiter)
    try:
        return _parsed(text, delimiter, line, what)
    except DefinitionError:
        if '\\"' not in text:
            raise
        return _parsed(text.replace('\\"', '""'), delimiter, line, what)


def _parsed(text: str, delimiter: str, line: int, what: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = line
    try:
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + line
    except csv.Error as error:
        is_quote = "expected after" in str(error)
        advice = " A cell with a quote in it needs quotes around it, and its own twice." if is_quote else ""
        raise DefinitionError(
            f"The {what} cannot be read in line {reader.line_num + line - 1:,}: {error}.{advice}"
        ) from None
    return rows, lines


def _has_row_names(head: list[str], rows: list[list[str]], text: str, delimiter: str) -> bool:
    """Whether the rows begin with a name of theirs, for which R's write.table leaves no place in the head.

    A comma in every text, or a title above the names, looks alike. So it is believed only of names that are
    all there and all different; and then where the file puts them in quotes, as R does, or where a head of
    several names stands under tabs or the like, which texts do not hold as they hold commas.
    """
    names = [row[0].strip() for row in rows]
    if (
        not rows
        or any(len(row) != len(head) + 1 for row in rows)
        or not any(row[-1].strip() for row in rows)
        or not all(names)
        or len(set(names)) < len(names)
    ):
        return False
    if len(_QUOTED_LINE.findall(text)) > len(rows):
        return True
    return delimiter != "," and len(head) > 1 and not any(cell[:1].isspace() for row in rows for cell in row)


def _of_one_width(head: list[str], rows: list[list[str]], lines: list[int], what: str) -> list[list[str]]:
    """The rows as wide as the head: separators at their ends are no cells. Raises `DefinitionError` naming
    the lines of any other width."""
    width = len(head)
    rows = [row if any(map(str.strip, row[width:])) else row[:width] for row in rows]
    ragged = [(line, len(row)) for line, row in zip(lines[1:], rows, strict=True) if len(row) != width]
    if ragged:
        shown = ", ".join(f"line {line:,} ({cells})" for line, cells in ragged[:SHOWN])
        more = f" and {len(ragged) - SHOWN:,} more" if len(ragged) > SHOWN else ""
        advice = []
        if any(cells > width for _, cells in ragged):
            advice.append("A cell that holds the separator or a line end needs quotes around it.")
        if any(cells < width for _, cells in ragged):
            advice.append("Every row needs a cell for each name, an empty one too.")
        if len(ragged) == len(rows):
            advice.append(f"The names of the columns are to stand in line {lines[0]:,}, nothing above them.")
        raise DefinitionError(
            f"The {what} has {width} column{'' if width == 1 else 's'}, but another number of cells in "
            f"{shown}{more}. {' '.join(advice)}"
        )
    return rows


def _check_head(names: list[str], places: list[int], line: int, what: str) -> None:
    nameless = names.count("")
    if nameless > 1:
        raise DefinitionError(
            f"The {what} names {len(names) - nameless} of its {len(names)} columns in line {line:,}. The "
            "names are to stand in the first line: take out what stands above them, or name every column."
        )
    check_names(names, what, places)


def _are_numbers(names: list[str]) -> bool:
    """Whether a first line is a row of numbers; years alone can be names."""
    try:
        read = [float(name) for name in names]
    except ValueError:
        return False
    return len(set(read)) < len(read) or not all(map(str.isdecimal, names))


def _cells(column: tuple[str, ...], name: str) -> list[str | None]:
    """The cells, None where empty, without the blanks by which the file sets its columns apart: those that
    stand around the column's name too."""
    if name[:1].isspace():
        column = tuple(map(str.lstrip, column))
    if name[-1:].isspace():
        column = tuple(map(str.rstrip, column))
    return [cell or None for cell in column]


def _without_blanks_around_quotes(text: str, delimiter: str) -> str:
    """`1, "a, b" ,2` as `1,"a, b",2`: a blank beside a quote belongs to no cell."""
    mark = re.escape(delimiter)
    if (
        '"' not in text
        or delimiter == " "
        or not re.search(rf'(?:{mark}|^)[ \t]+"|"[ \t]+(?:{mark}|$)', text, re.MULTILINE)
    ):
        return text
    blank = "[ ]*" if delimiter == "\t" else "[ \t]*"
    quoted = rf'(?:\A|(?<=[\r\n])|(?<={mark})){blank}("(?:[^"]|"")*+"){blank}(?={mark}|[\r\n]|\Z)'
    return re.sub(quoted, r"\1", text)


def _delimiter(text: str) -> str:
    """The separator under which the first lines have one width; if there is none, the first line's own."""
    if _BY_BLANKS.match(text):
        return " "
    widest: tuple[int, str] = (1, "")
    for candidate in _DELIMITERS:
        start = io.StringIO(_without_blanks_around_quotes(text[:_SNIFFED], candidate), newline="")
        try:
            rows = list(islice((row for row in csv.reader(start, delimiter=candidate) if row), 50))
        except csv.Error:
            continue
        if len(text) > _SNIFFED and len(rows) > 1:
            rows.pop()  # it may be cut
        widths = {len(row) for row in rows}
        if len(widths) == 1:
            widest = max(widest, (widths.pop(), candidate), key=lambda found: found[0])
    return widest[1] or max(_DELIMITERS, key=_first_line(text).count)


def _first_line(text: str) -> str:
    return text[:_SNIFFED].lstrip("\r\n").replace("\r", "\n").partition("\n")[0]
