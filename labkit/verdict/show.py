"""A verdict as HTML for notebooks and reports: escaped, readable on light and on dark pages.

It prints what it is given; names are already made visible in sentences, and here in cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from labkit import summary
from labkit.verdict.amounts import about, number, times, times_span
from labkit.verdict.words import limits
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 30
"""Rows of a comparison of two runs, or of blocks."""
FOLDED_ABOVE = 12
"""More sentences than these stand folded."""
_LINE = "var(--jp-border-color1,var(--vscode-panel-border,#8888))"
_CELL = f"padding:3px 7px;border-bottom:1px solid {_LINE}"
_TABLE = (
    "border-collapse:collapse;font-size:var(--jp-ui-font-size1,13px);font-variant-numeric:tabular-nums;"
    "color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit))"
)
_MUTED = "color:var(--jp-ui-font-color2,inherit);font-size:smaller;padding-top:4px"


def html(
    said: Sequence[str],
    ranks: Sequence[str],
    sentences: Sequence[str],
    notes: Sequence[str],
    pairs: pd.DataFrame,
    contenders: pd.DataFrame | None,
    names: Mapping[str, str],
    *,
    most: int | None,
) -> str:
    """The first of `said` in bold, the others below, then ranks or sentences, tables and notes.

    With ranks, or of many sentences, all of these and the table of pairs are folded, at most `most` of each.
    """
    told = "<br>".join(escape(note) for note in notes)
    head = "".join(f"<p>{escape(one)}</p>" for one in said[1:])
    every = f"{_list(sentences[:most])}{table(pairs, names, most=most)}"
    summed = "" if contenders is None else summary.html(contenders.drop(columns="name"), only_signs=True)
    if ranks or len(sentences) > FOLDED_ABOVE:
        listed = _list(ranks) if ranks else _list(sentences[:FOLDED_ABOVE])
        fold = f"<details><summary>All {len(pairs):,} pairs, one by one</summary>{every}</details>"
        parts = f"{listed}{summed}{fold}"
    else:
        parts = f"{every}{summed}"
    return (
        f'<div class="labkit-verdict"><p><strong>{escape(said[0])}</strong></p>{head}{parts}'
        f'<div style="{_MUTED}">{told}</div></div>'
    )


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>"


def listing(title: str, sentences: Sequence[str], notes: Sequence[str], rows: pd.DataFrame) -> str:
    """A title, sentences, a plain table of `rows`, at most thirty of them, notes."""
    told = "<br>".join(escape(note) for note in notes)
    style = f'style="{_CELL};text-align:left"'
    head = "".join(f'<th scope="col" {style}>{escape(str(name))}</th>' for name in rows.columns)
    body = "".join(
        "<tr>" + "".join(f"<td {style}>{escape(_plain(value))}</td>" for value in row) + "</tr>"
        for row in rows.head(MOST_ROWS).itertuples(index=False)
    )
    more = len(rows) - MOST_ROWS
    rest = f'<div style="{_MUTED}">and {more:,} more rows, in .frame()</div>' if more > 0 else ""
    return (
        f'<div class="labkit-verdict"><p><strong>{escape(visible(title))}</strong></p>{_list(sentences)}'
        f'<div style="overflow-x:auto"><table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table>{rest}</div><div style="{_MUTED}">{told}</div></div>'
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return visible(value, limit=80)


def table(pairs: pd.DataFrame, names: Mapping[str, str], *, most: int | None = None) -> str:
    """The pairs as an HTML table, as the sentences tell them: difference, price and time with their ranges.

    `names` are those of the sentences. What no pair has makes no column; `most` cuts the rows.
    """
    if pairs.empty:
        return ""
    unit = bool(pairs.attrs.get("unit"))
    cells = [
        _cells(row, unit, names)
        for row in pairs.head(len(pairs) if most is None else most).to_dict("records")
    ]
    columns = [name for name in cells[0] if name in ALWAYS or any(row[name] not in NOTHING for row in cells)]
    head = "".join(
        f'<th scope="col" style="{_style(name, head=True)}">{escape(name)}</th>' for name in columns
    )
    body = "".join(
        "<tr>" + "".join(f'<td style="{_style(name)}">{escape(row[name])}</td>' for name in columns) + "</tr>"
        for row in cells
    )
    more = len(pairs) - len(cells)
    rest = f'<div style="{_MUTED}">and {more:,} more pairs, in .frame() and in a report</div>' if more else ""
    return (
        f'<div style="overflow-x:auto"><table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{rest}</div>"
    )


ALWAYS = ("first", "second", "decided", "price", "time")
NOTHING = ("", "0")


def _style(column: str, *, head: bool = False) -> str:
    """Names and heads wrap, ranges do not."""
    named = column in ("first", "second")
    wraps = "normal" if head or named or column == "decided" else "nowrap"
    return f"{_CELL};text-align:{'left' if named else 'right'};white-space:{wraps}"


def _cells(row: Mapping[Any, Any], unit: bool, names: Mapping[str, str]) -> dict[str, str]:
    return {
        "first": names[row["first"]],
        "second": names[row["second"]],
        "difference (points)" if unit else "difference": _difference(row, unit),
        "decided": _answer(row),
        "price": _price(row),
        "time": _ratio(row, "latency"),
        "wins – ties – losses": f"{row['wins']:,} – {row['ties']:,} – {row['losses']:,}",
        "missing": f"{row['missing']:,}",
        "samples needed": _count(row["samples_needed"]),
    }


def _count(value: Any) -> str:
    return "" if value is None or value != value else about(int(value))


def _difference(row: Mapping[Any, Any], unit: bool) -> str:
    if math.isnan(row["difference"]):
        return "–"
    low, high = row["all_low"], row["all_high"]
    factor = 100 if unit else 1
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{number(factor * row['difference'])} (no range)"
    least, most = limits(row, factor)
    return f"{number(factor * row['difference'])} ({least} to {most})"


def _answer(row: Mapping[Any, Any]) -> str:
    if row["answer"] == "equal":
        return "yes, within the margin" if row["decided"] else "equal within the margin"
    if row["answer"] == "better":
        return "yes, by more than the margin"
    return "yes" if row["decided"] else "no"


def _price(row: Mapping[Any, Any]) -> str:
    one, two = row["first_cost_usd"], row["second_cost_usd"]
    if one == 0 or two == 0:
        return "both free" if one == two else "first free" if one == 0 else "second free"
    return _ratio(row, "cost")


def _ratio(row: Mapping[Any, Any], what: str) -> str:
    ratio, low, high = (row[f"{what}_{part}"] for part in ("ratio", "low", "high"))
    if not all(map(math.isfinite, (ratio, low, high))):
        return "–"
    if math.isclose(low, high):
        return f"{times(ratio)} (throughout)"
    return f"{times(ratio)} ({times_span(low, high)})"
