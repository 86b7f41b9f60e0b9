"""A live run as a table that needs no script: what notebooks show without a kernel, on paper and on the web.

Everything from data is escaped, hidden characters are shown, answers are cut at 200 characters and say
so. The table stays below a size, so that a saved notebook does too.
"""

from __future__ import annotations

from html import escape
from typing import Any

from labkit.visible import cut, shown
from labkit.widgets.live_run import LiveRun, Row
from labkit.widgets.panel import Panel
from labkit.widgets.view_updates import STATES, line

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
    """The live run as HTML: a line, then a column per model and a row per prompt and sample."""
    models = list(live.tallies)
    heads = "".join(f"<th scope='col' {_LEFT}>{_text(model, 80)}</th>" for model in ("", *models))
    head = f"<div><b>{_text(live.title, 300)}</b> {_text(line(live), 600)}</div>"
    head += "".join(f"<div>{_text(note, 600)}</div>" for note in live.notes)
    parts = [_STYLE, head, f"<table class='lk-still' style='{_TABLE}'><thead><tr>{heads}</tr></thead><tbody>"]
    size = sum(map(len, parts))
    shown_rows = 0
    for row in live.in_order():
        cells = "".join(f"<td {_LEFT}>{_cell(row.panels.get(model))}</td>" for model in models)
        drawn = f"<tr><th scope='row' {_LEFT}>{_name(row)}</th>{cells}</tr>"
        size += len(drawn.encode(errors="replace"))
        if size > MOST_BYTES and shown_rows:
            break
        parts.append(drawn)
        shown_rows += 1
    parts.append("</tbody></table>")
    if left := len(live.order) - shown_rows:
        parts.append(f"<div>{left:,} more rows: run.generations() has them all.</div>")
    return "".join(parts)


def rows(live: LiveRun, *, most_bytes: int = 70_000) -> dict[str, Any]:
    """The same as plain values, for a live view that finds no kernel: it is saved with the widget."""
    models = list(live.tallies)
    kept: list[dict[str, Any]] = []
    size = 0
    for row in live.in_order():
        panels = [_values(row.panels.get(model)) for model in models]
        drawn = {"name": _plain(_label(row), 120), "panels": panels}
        size += len(str(drawn).encode(errors="replace"))
        if size > most_bytes and kept:
            break
        kept.append(drawn)
    return {
        "title": _plain(live.title, 300),
        "line": _plain(line(live), 600),
        "notes": [_plain(note, 600) for note in live.notes],
        "models": [_plain(model, 80) for model in models],
        "rows": kept,
        "left": len(live.order) - len(kept),
    }


def _cell(panel: Panel | None) -> str:
    if panel is None:
        return ""
    text = _text(panel.text, CUT_CHARS)
    if panel.state == "done":
        return text
    note = f": {_text(panel.note, CUT_CHARS)}" if panel.note else ""
    return f"{text}<div><i>{escape(STATES[panel.state])}{note}</i></div>"


def _values(panel: Panel | None) -> list[str]:
    if panel is None:
        return ["", "", ""]
    return [panel.state, _plain(panel.text, CUT_CHARS), _plain(panel.note, CUT_CHARS)]


def _name(row: Row) -> str:
    return _text(_label(row), 120)


def _label(row: Row) -> str:
    version = "" if row.key.prompt_version is None else f"@{row.key.prompt_version}"
    repeat = f" · repeat {row.key.repeat}" if row.key.repeat else ""
    return f"{row.key.prompt}{version} · {row.key.sample_id}{repeat}"


def _plain(text: str, limit: int) -> str:
    return shown(cut(text, limit=limit))


def _text(text: str, limit: int) -> str:
    return escape(_plain(text, limit))
