"""A verdict as HTML for notebooks and reports: escaped, readable on light and on dark pages.

It prints what it is given; names are already made visible in sentences, and here in cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from labkit import summary
from labkit.verdict.amounts import about, number, span, times, times_span
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 30
_LINE = "var(--jp-border-color1,var(--vscode-panel-border,#8888))"
_CELL = f"padding:3px 10px;border-bottom:1px solid {_LINE};white-space:nowrap"
_TABLE = (
    "border-collapse:collapse;font-size:var(--jp-ui-font-size1,13px);font-variant-numeric:tabular-nums;"
    "color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit))"
)
_MUTED = "color:var(--jp-ui-font-color2,inherit);font-size:smaller;padding-top:4px"


def html(
    headline: str,
    sentences: Sequence[str],
    notes: Sequence[str],
    pairs: pd.DataFrame,
    contenders: pd.DataFrame,
    by: Sequence[str],
) -> str:
    """Headline, sentences, the table of pairs, the table of contenders (with ranks: that first), notes."""
    said = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    told = "<br>".join(escape(note) for note in notes)
    tables = [
        f'<div style="overflow-x:auto">{table(pairs)}</div>',
        summary.html(contenders.drop(columns="name")),
    ]
    if "rank_low" in contenders.columns:
        tables.reverse()
    return (
        f'<div class="labkit-verdict"><p><strong>{escape(headline)}</strong></p><ul>{said}</ul>'
        f"{''.join(tables)}"
        f'<div style="{_MUTED}">{told}</div></div>'
    )


def listing(title: str, sentences: Sequence[str], notes: Sequence[str], rows: pd.DataFrame) -> str:
    """A title, sentences, a plain table of `rows`, notes."""
    said = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    told = "<br>".join(escape(note) for note in notes)
    style = f'style="{_CELL};text-align:left"'
    head = "".join(f'<th scope="col" {style}>{escape(str(name))}</th>' for name in rows.columns)
    body = "".join(
        "<tr>" + "".join(f"<td {style}>{escape(_plain(value))}</td>" for value in row) + "</tr>"
        for row in rows.head(MOST_ROWS).itertuples(index=False)
    )
    return (
        f'<div class="labkit-verdict"><p><strong>{escape(visible(title))}</strong></p><ul>{said}</ul>'
        f'<div style="overflow-x:auto"><table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><div style="{_MUTED}">{told}</div></div>'
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return visible(value, limit=80)


def table(pairs: pd.DataFrame) -> str:
    """The pairs as an HTML table: difference, wins, price and time, with their intervals."""
    if pairs.empty:
        return ""
    unit = bool(pairs.attrs.get("unit"))
    cells = [_cells(row, unit) for row in pairs.head(MOST_ROWS).to_dict("records")]
    head = "".join(
        f'<th scope="col" style="{_CELL};text-align:{"left" if name in ("first", "second") else "right"}">'
        f"{escape(name)}</th>"
        for name in cells[0]
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_CELL};text-align:{"left" if name in ("first", "second") else "right"}">'
            f"{escape(value)}</td>"
            for name, value in row.items()
        )
        + "</tr>"
        for row in cells
    )
    more = len(pairs) - MOST_ROWS
    rest = f'<div style="{_MUTED}">and {more:,} more pairs, in .frame()</div>' if more > 0 else ""
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}'


def _cells(row: Mapping[Any, Any], unit: bool) -> dict[str, str]:
    return {
        "first": visible(row["first"], limit=60),
        "second": visible(row["second"], limit=60),
        "difference (points)" if unit else "difference": _difference(row, unit),
        "decided": _answer(row),
        "wins – ties – losses": f"{row['wins']:,} – {row['ties']:,} – {row['losses']:,}",
        "price": _ratio(row, "cost"),
        "time": _ratio(row, "latency"),
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
    least, most = span(factor * low, factor * high)
    return f"{number(factor * row['difference'])} ({least} to {most})"


def _answer(row: Mapping[Any, Any]) -> str:
    if row["answer"] == "equal":
        return "yes, within the margin" if row["decided"] else "equal within the margin"
    if row["answer"] == "better":
        return "yes, by more than the margin"
    return "yes" if row["decided"] else "no"


def _ratio(row: Mapping[Any, Any], what: str) -> str:
    ratio, low, high = (row[f"{what}_{part}"] for part in ("ratio", "low", "high"))
    if not all(map(math.isfinite, (ratio, low, high))):
        return "–"
    if math.isclose(low, high):
        return f"{times(ratio)} (throughout)"
    return f"{times(ratio)} ({times_span(low, high)})"
