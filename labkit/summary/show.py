"""A summary as text for terminals and as HTML for notebooks, with units in the headers.

Every name in it may be hostile: characters that hide or act are made visible, HTML is escaped. This
module calculates nothing; it prints the columns of `summarize`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from labkit.summary import cut_answers, unscored
from labkit.summary.contender_names import whole_labels
from labkit.summary.cut_answers import KINDS
from labkit.summary.judge_notes import judge_notes
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


def headers(summary: pd.DataFrame) -> list[str]:
    """The headers of the columns that `text` shows, each on one line."""
    return [name.replace("\n", " ") for name in _cells(summary, None)[0]]


def html(summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None, only_signs: bool = False) -> str:
    """`summary` as an HTML table, escaped, for light and dark themes; the same cells as `text`.

    Below it stand its notes, or with `only_signs` those on signs in its cells: what else there is to note of
    its answers is then told around it.
    """
    headers, lines, left = _cells(summary, labels or summary.attrs.get("labels"))

    def row(tag: str, cells: list[str]) -> str:
        align = ["left" if name in left else "right" for name in headers]
        scope = ' scope="col"' if tag == "th" else ""
        escaped = [escape(cell).replace("\n", "<br>") for cell in cells]
        told = [cell if side == "left" else _whole(cell) for cell, side in zip(escaped, align, strict=True)]
        return "".join(
            f'<{tag}{scope} style="{_CELL};text-align:{side}">{cell}</{tag}>'
            for cell, side in zip(told, align, strict=True)
        )

    body = "".join(f"<tr>{row('td', line)}</tr>" for line in lines)
    notes = "<br>".join(escape(note) for note in (_signs if only_signs else _notes)(summary))
    muted = "color:var(--jp-ui-font-color2,inherit);font-size:smaller;padding-top:4px"
    return (
        f'<div class="labkit-summary" style="overflow-x:auto"><table style="{_STYLE}">'
        f"<thead><tr>{row('th', headers)}</tr></thead><tbody>{body}</tbody></table>"
        f'<div style="{muted}">{notes}</div></div>'
    )


def _whole(cell: str) -> str:
    """A cell of numbers that breaks before a bracket and behind a stroke, and nowhere in between."""
    return re.sub(r"\([^()]*\)| /", lambda found: found[0].replace(" ", "&nbsp;"), cell)


def _cells(
    summary: pd.DataFrame, labels: Mapping[str, str] | None
) -> tuple[list[str], list[list[str]], set[str]]:
    rows = summary.to_dict("records")
    keys = [str(name) for name in summary.columns[: summary.columns.get_loc("n")]]
    columns: dict[str, list[str]] = {}
    for key in keys:
        told = [row[key] for row in rows]
        names = whole_labels(list(dict.fromkeys(told)), labels or {}) if key == "model" else {}
        columns[visible(key, limit=40)] = _told_apart([names.get(one, one) for one in told])
    columns["n"] = [f"{row['n']:,}" for row in rows]
    for name in ("failed", "partial", "stopped", *KINDS, "replayed", "maybe_paid"):
        # Failures are always told; the rarer counts where there are any.
        if name == "failed" or any(row[name] for row in rows):
            columns[name.replace("_", "\n")] = [f"{row[name]:,}" for row in rows]
    for name, suffix in _scores(summary):
        head = f"{visible(name, limit=24)} above" if suffix else "above"
        level = f"{rows[0][f'level{suffix}'] * 100:g} % interval"
        columns[f"{visible(name, limit=24) if suffix else 'score'}\n({level})"] = [
            _score(row, suffix) for row in rows
        ]
        if (above := f"above_baseline{suffix}") in summary.columns:
            columns[f"{head}\nbaseline"] = [_yes(row[above]) for row in rows]
    if "rank_low" in summary.columns:
        columns["rank"] = [_ranks(row) for row in rows]
        columns["chance of\nbeing best"] = [_chance(row["best_chance"]) for row in rows]
    columns["USD per\n1,000"] = [three_digits(row["cost_per_1k_usd"]) for row in rows]
    columns["cost\n(USD)"] = [_cost(row) for row in rows]
    if "judge_usd" in summary.columns:
        columns["judges\n(USD)"] = [
            "unknown" if math.isnan(row["judge_usd"]) else three_digits(row["judge_usd"]) for row in rows
        ]
    for clock, header in (("latency", "latency (s)"), ("ttft", "TTFT (s)")):
        columns[f"{header}\np50 / p95{_mark(summary)}"] = [_clock(row, clock) for row in rows]
    columns[f"tokens\nper s{_mark(summary)}"] = [three_digits(row["tokens_per_s"]) for row in rows]
    lines = [list(line) for line in zip(*columns.values(), strict=True)]
    return list(columns), lines, {visible(key, limit=40) for key in keys}


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names as they stand in cells: cut where they are long, but where that makes two look the same."""
    cut = [visible(name, limit=48) for name in names]
    alike = len(set(cut)) < len(set(names))
    return [visible(name, limit=400) for name in names] if alike else cut


def _mark(summary: pd.DataFrame) -> str:
    """What marks clocks of replays, which are those of their first asking."""
    return "*" if (summary["latency_before_n"] > 0).any() else ""


def _notes(summary: pd.DataFrame) -> list[str]:
    notes = []
    if len(summary) == 0:
        return ["no generations"]
    notes += lacking(summary)
    for name, suffix in _scores(summary):
        of = summary[f"score_n{suffix}"]
        least, most = int(of.min()), int(of.max())
        if most == 0:
            # Where the scorer failed, that is told already.
            failed = name in (summary.attrs.get("failures") or {})
            notes += [] if failed else [f"score: {visible(name)}, which no answer has"]
            continue
        samples = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        notes.append(f"score: {visible(name)}, mean over {samples} scored samples")
        if intervals := summary.attrs.get("intervals", {}).get(name):
            notes[-1] += f"; {visible(intervals)}"
    if others := summary.attrs.get("others"):
        notes.append(f"scored too: {visible(', '.join(others))}; see them with score=")
    if "baseline" in summary.columns:
        rate = summary["baseline"].iloc[0]
        notes.append(f"baseline: {rate:.3f}, what always giving the same answer scores")
    return [*notes, *_signs(summary)]


def _signs(summary: pd.DataFrame) -> list[str]:
    """What signs and words in its cells mean."""
    notes = []
    if mark := _mark(summary):
        notes.append(
            f"{mark} {visible(summary.attrs.get('clocks') or 'measured when first asked', limit=300)}"
        )
    elif (summary["replayed"] > 0).any():
        notes.append("latencies: of fresh answers only; the frame has no clocks of those that were replayed")
    if (~summary["cost_known"] & summary["cost_usd"].notna()).any():
        notes.append("≥: at least; the cost of some calls is not known")
    if summary["cost_usd"].isna().any():
        notes.append("unknown: no price is known for these answers")
    return notes


def lacking(summary: pd.DataFrame) -> list[str]:
    """What the answers and scores of a summary lack, a sentence each: answers cut, empty or refused, scorers
    that failed; and what is to be known of judges."""
    names = [name for name, _ in _scores(summary)]
    return [
        *cut_answers.of_summary(summary),
        *unscored.failures(summary.attrs.get("failures"), names),
        *judge_notes(summary.attrs.get("judges") or {}, names, labelled=summary.attrs.get("labelled") or ()),
    ]


def _scores(summary: pd.DataFrame) -> list[tuple[str, str]]:
    """The scores that it tells of, and what their columns end in: nothing where there is only one."""
    if "scorer" not in summary.columns:
        names = [str(name).removeprefix("score.") for name in summary.columns if str(name)[:6] == "score."]
        return [(name, f".{name}") for name in names]
    return [(str(name), "") for name in summary["scorer"].dropna().unique()]


def _score(row: Mapping[Any, Any], suffix: str) -> str:
    mean, n = row[f"score{suffix}"], row[f"score_n{suffix}"]
    if math.isnan(mean):
        return NONE
    ends = (row[f"score_low{suffix}"], row[f"score_high{suffix}"])
    if not all(map(math.isfinite, ends)):
        return f"{three_digits(mean)} ({'one sample' if n == 1 else 'no scatter'})"
    return f"{mean:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


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
    return NONE if all(map(math.isnan, ends)) else " / ".join(map(three_digits, ends))


def _cost(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["cost_usd"]):
        return "unknown"
    return three_digits(row["cost_usd"]) if row["cost_known"] else f"≥ {three_digits(row['cost_usd'])}"


def three_digits(value: float) -> str:
    """Three significant digits, never an exponent.

    >>> [three_digits(x) for x in (0.0, 0.00001234, 0.5, 12.345, 12345.6, 0.1125, 0.1125 - 3e-17)]
    ['0', '0.0000123', '0.500', '12.3', '12,346', '0.113', '0.113']
    """
    if math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    # What comes after twelve digits is left over from adding, and differs between processors.
    value = float(f"{value:.12g}")
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
