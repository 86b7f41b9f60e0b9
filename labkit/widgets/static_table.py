"""A live run as a table that needs no script: what notebooks show without a kernel, on paper and on the web.

Everything from data is escaped, hidden characters are shown, answers are cut at 200 characters and say
so. The table stays below a size, so that a saved notebook does too. Of a run that is over it is folded, where
it has more than a few rows, with the run's line above it.
"""

from __future__ import annotations

from html import escape
from typing import Any

from labkit.visible import cut, shown
from labkit.widgets.grid_row import row_name
from labkit.widgets.live_run import LiveRun
from labkit.widgets.panel import Panel
from labkit.widgets.panel_words import folded, note, state_words
from labkit.widgets.score_mark import mark
from labkit.widgets.view_updates import folds, line, state

CUT_CHARS = 200
MOST_BYTES = 100_000

_TABLE = "border-collapse:collapse;width:100%;table-layout:fixed;text-align:left"
_RULE = "border-bottom:1px solid var(--jp-border-color2,#8886)"


# On each cell, since a notebook that is not trusted keeps no style sheet and aligns cells to the right.
_LEFT = "style='text-align:left;vertical-align:top'"
_STYLE = (
    f"<style>.lk-still td,.lk-still th{{{_RULE};padding:4px 8px;vertical-align:top;text-align:left;"
    "white-space:pre-wrap;overflow-wrap:anywhere}</style>"
)


def table(live: LiveRun) -> str:
    """The live run as HTML: a line, then a column per contender and a row per prompt and sample."""
    columns = live.columns
    heads = "".join(f"<th scope='col' {_LEFT}>{_text(name, 80)}</th>" for name in ("", *columns))
    body = [f"<table class='lk-still' style='{_TABLE}'><thead><tr>{heads}</tr></thead><tbody>"]
    size = len(heads)
    shown_rows = 0
    for row in live.in_order():
        cells = "".join(f"<td {_LEFT}>{_cell(row.panels.get(name))}</td>" for name in columns)
        drawn = f"<tr><th scope='row' {_LEFT}>{_text(row_name(row), 120)}</th>{cells}</tr>"
        size += len(drawn.encode(errors="replace"))
        if size > MOST_BYTES and shown_rows:
            break
        body.append(drawn)
        shown_rows += 1
    body.append("</tbody></table>")
    if left := len(live.order) - shown_rows:
        body.append(f"<div>{left:,} more rows: run.generations() has them all.</div>")
    told = (f"{state(live)} · {line(live)}", live.left, *live.notes)
    said = f"<div><b>{_text(live.title, 300)}</b></div>"
    said += "".join(f"<div>{_text(one, 600)}</div>" for one in told if one)
    if live.over.is_set():
        opened = "" if folds(live) else " open"
        body = [f"<details{opened}><summary>show answers</summary>", *body, "</details>"]
    return "".join([_STYLE, said, *body])


def rows(live: LiveRun, *, most_bytes: int = 70_000) -> dict[str, Any]:
    """The same as plain values, for a live view that finds no kernel: it is saved with the widget."""
    columns = live.columns
    kept: list[dict[str, Any]] = []
    size = 0
    for row in live.in_order():
        panels = [_values(row.panels.get(name)) for name in columns]
        drawn = {"name": _plain(row_name(row), 120), "panels": panels}
        size += len(str(drawn).encode(errors="replace"))
        if size > most_bytes and kept:
            break
        kept.append(drawn)
    return {
        "title": _plain(live.title, 300),
        "line": _plain(f"{state(live)} · {line(live)}", 600),
        "unasked": _plain(live.left, 600),
        "notes": [_plain(note, 600) for note in live.notes],
        "over": live.over.is_set(),
        "folds": folds(live),
        "columns": [_plain(name, 80) for name in columns],
        "rows": kept,
        "left": len(live.order) - len(kept),
    }


def _cell(panel: Panel | None) -> str:
    if panel is None:
        return ""
    text, (said, _, why) = _text(panel.now.text.strip(), CUT_CHARS), _said(panel)
    before = _earlier(panel)
    if panel.state == "done" and not panel.scores and not why:
        return before + text
    return f"{before}{text}<div><i>{_text(said, 120)}{f': {_text(why, CUT_CHARS)}' if why else ''}</i></div>"


def _earlier(panel: Panel) -> str:
    """The earlier steps of a chain, folded."""
    if not panel.earlier:
        return ""
    told = folded(panel, limit=CUT_CHARS)
    steps = "".join(
        f"<div>{f'<i>{escape(head)}</i> ' if head else ''}{escape(text)}</div>"
        for head, text in told["steps"]
    )
    return f"<details><summary>{escape(told['line'])}</summary>{steps}</details>"


def _values(panel: Panel | None) -> list[Any]:
    """State, text, note, what is said of the state or the score, with its mark, and of a chain its earlier
    steps."""
    if panel is None:
        return [""] * 5
    text, (said, kind, why) = panel.now.text.strip(), _said(panel)
    told = [panel.now.state, _plain(text, CUT_CHARS), _plain(why, CUT_CHARS), _plain(said, 120), kind]
    return [*told, folded(panel, limit=CUT_CHARS)] if panel.earlier else told


def _said(panel: Panel) -> tuple[str, str, str]:
    scored = mark(panel.scores)
    return scored.words or state_words(panel), scored.kind, note(panel.now)


def _plain(text: str, limit: int) -> str:
    return shown(cut(text, limit=limit))


def _text(text: str, limit: int) -> str:
    return escape(_plain(text, limit))
