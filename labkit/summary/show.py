"""A summary as text for terminals and as HTML for notebooks, with units in the headers.

Every name in it may be hostile: characters that hide or act are made visible, HTML is escaped. This
module calculates nothing; it prints the columns of `summarize`.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

NONE = "–"

_STYLE = (
    "border-collapse:collapse;font-size:var(--jp-ui-font-size1,13px);"
    "color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit));"
    "font-variant-numeric:tabular-nums"
)
_LINE = "var(--jp-border-color1,var(--vscode-panel-border,#8888))"
# All cells wrap, names first, so that a narrow page cuts nothing, and no price.
_CELL = f"padding:3px 6px;border-bottom:1px solid {_LINE};white-space:normal"


def text(summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> str:
    """`summary` as an aligned table of plain text, with a line that says what the numbers are.

    `labels` gives other names to models, by id.

    >>> import pandas as pd
    >>> from labkit.summary.summarize import summarize
    >>> rows = pd.DataFrame({"model": "m", "sample_id": ["1", "2"], "status": "done", "score.ok": [1, 0]})
    >>> text(summarize(rows, by="model")).splitlines()[1].split()[:3]
    ['model', 'n', 'failed']
    """
    headers, lines, left = _cells(summary, labels or summary.attrs.get("labels"))
    heads = [["", *name.split("\n")][-2:] for name in headers]
    shown = [[head[0] for head in heads], [head[1] for head in heads], *lines]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
    shown.insert(2, ["─" * width for width in widths])
    sides = [name in left for name in headers]
    told = [
        "  ".join(_padded(*cell) for cell in zip(line, widths, sides, strict=True)).rstrip() for line in shown
    ]
    return "\n".join([*told, *_notes(summary)])


def html(summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> str:
    """`summary` as an HTML table, escaped, for light and dark themes; the same cells as `text`."""
    headers, lines, left = _cells(summary, labels or summary.attrs.get("labels"))

    def row(tag: str, cells: list[str]) -> str:
        align = ["left" if name in left else "right" for name in headers]
        scope = ' scope="col"' if tag == "th" else ""
        escaped = [escape(cell).replace("\n", "<br>") for cell in cells]
        return "".join(
            f'<{tag}{scope} style="{_CELL};text-align:{side}">{cell}</{tag}>'
            for cell, side in zip(escaped, align, strict=True)
        )

    body = "".join(f"<tr>{row('td', line)}</tr>" for line in lines)
    notes = "<br>".join(escape(note) for note in _notes(summary))
    muted = "color:var(--jp-ui-font-color2,inherit);font-size:smaller;padding-top:4px"
    return (
        f'<div class="labkit-summary" style="overflow-x:auto"><table style="{_STYLE}">'
        f"<thead><tr>{row('th', headers)}</tr></thead><tbody>{body}</tbody></table>"
        f'<div style="{muted}">{notes}</div></div>'
    )


def _cells(
    summary: pd.DataFrame, labels: Mapping[str, str] | None
) -> tuple[list[str], list[list[str]], set[str]]:
    rows = summary.to_dict("records")
    keys = [str(name) for name in summary.columns[: summary.columns.get_loc("n")]]
    columns: dict[str, list[str]] = {}
    for key in keys:
        # Where labels are alike the ids tell models apart.
        told = Counter((labels or {}).get(one, one) for one in {row[key] for row in rows})
        names = {one: label for one, label in (labels or {}).items() if key == "model" and told[label] == 1}
        columns[visible(key, limit=40)] = [visible(names.get(row[key], row[key]), limit=48) for row in rows]
    columns["n"] = [f"{row['n']:,}" for row in rows]
    for name in ("failed", "partial", "stopped", "replayed", "maybe_paid"):
        # Failures are always told; the rarer counts where there are any.
        if name == "failed" or any(row[name] for row in rows):
            columns[name.replace("_", "\n")] = [f"{row[name]:,}" for row in rows]
    if any(row["scorer"] for row in rows):
        level = f"{rows[0]['level'] * 100:g} % interval"
        columns[f"score\n({level})"] = [_score(row) for row in rows]
    if "rank_low" in summary.columns:
        columns["rank"] = [_ranks(row) for row in rows]
        columns["chance of\nbeing best"] = [_chance(row["best_chance"]) for row in rows]
    if "above_baseline" in summary.columns:
        columns["above\nbaseline"] = [_yes(row["above_baseline"]) for row in rows]
    columns["USD per\n1,000"] = [_number(row["cost_per_1k_usd"]) for row in rows]
    columns["cost\n(USD)"] = [_cost(row) for row in rows]
    for clock, header in (("latency", "latency (s)"), ("ttft", "TTFT (s)")):
        columns[f"{header}\np50 / p95"] = [_clock(row, clock) for row in rows]
    columns["tokens\nper s"] = [_number(row["tokens_per_s"]) for row in rows]
    lines = [list(line) for line in zip(*columns.values(), strict=True)]
    return list(columns), lines, {visible(key, limit=40) for key in keys}


def _notes(summary: pd.DataFrame) -> list[str]:
    notes = []
    if len(summary) == 0:
        return ["no generations"]
    first = summary.iloc[0]
    if first["scorer"] is not None:
        least, most = int(summary["score_n"].min()), int(summary["score_n"].max())
        samples = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        notes.append(f"score: {visible(first['scorer'])}, mean over {samples} scored samples")
        if intervals := summary.attrs.get("intervals"):
            notes[-1] += f"; {visible(intervals)}"
    if "baseline" in summary.columns:
        notes.append(f"baseline: {first['baseline']:.3f}, what always giving the same answer scores")
    if (summary["replayed"] > 0).any():
        notes.append("latencies: of fresh answers only; replayed ones have none of their own")
    if (~summary["cost_known"] & summary["cost_usd"].notna()).any():
        notes.append("≥: at least; the cost of some calls is not known")
    if summary["cost_usd"].isna().any():
        notes.append("unknown: no price is known for these answers")
    return notes


def _score(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["score"]):
        return NONE
    ends = (row["score_low"], row["score_high"])
    if not all(map(math.isfinite, ends)):
        return f"{_number(row['score'])} ({'one sample' if row['score_n'] == 1 else 'no scatter'})"
    return f"{row['score']:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


def _ranks(row: Mapping[Any, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    if not isinstance(low, int):  # NA comes as None
        return NONE
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _chance(value: float) -> str:
    if math.isnan(value):
        return NONE
    return "< 1 %" if value < 0.01 else "> 99 %" if value > 0.99 else f"{value * 100:.0f} %"


def _yes(value: Any) -> str:
    if value is not True and value is not False:
        return NONE if value != value or value is None or str(value) == "<NA>" else str(value)
    return "yes" if value else "no"


def _clock(row: Mapping[Any, Any], clock: str) -> str:
    ends = (row[f"{clock}_p50_s"], row[f"{clock}_p95_s"])
    return NONE if all(map(math.isnan, ends)) else " / ".join(map(_number, ends))


def _cost(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["cost_usd"]):
        return "unknown"
    return _number(row["cost_usd"]) if row["cost_known"] else f"≥ {_number(row['cost_usd'])}"


def _number(value: float) -> str:
    """Three significant digits, never an exponent.

    >>> [_number(x) for x in (0.0, 0.00001234, 0.5, 12.345, 12345.6)]
    ['0', '0.0000123', '0.500', '12.3', '12,346']
    """
    if math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(12, max(0, digits))}f}"


def _width(cell: str) -> int:
    return sum(_character_width(character) for character in cell)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(cell: str, width: int, left: bool) -> str:
    blanks = " " * (width - _width(cell))
    return cell + blanks if left else blanks + cell
