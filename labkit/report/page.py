"""A run as one page that fetches nothing: question, verdict, charts, tables, provenance, methods.

Its content security policy allows the scripts it carries, by their hashes, and nothing else: what models
wrote can neither run nor call out. It draws what it is given.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from labkit import summary
from labkit.report.material import Material, Watched, scrub
from labkit.report.methods import paragraph, references
from labkit.report.tables import (
    design_rows,
    lacking_notes,
    missing_rows,
    moment,
    provenance_rows,
    summaries,
    watch_notes,
)
from labkit.visible import visible

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LINES = 60
"""Prompts of more lines in all are folded."""

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 3px 10px; vertical-align: top;
  border-bottom: 1px solid #8886; } pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.wide { overflow-x: auto; } .chart { width: 100%; } .muted { color: GrayText; }
details { margin: 0.6rem 0; } summary { cursor: pointer; }
@media print { details[open] { break-inside: avoid; } }
"""

_DRAW = (
    "for (const kept of document.querySelectorAll('script[type=\"application/json\"]')) {"
    "const figure = JSON.parse(kept.textContent);"
    "Plotly.newPlot(kept.previousElementSibling, figure.data, figure.layout,"
    "{responsive: true, displaylogo: false});}"
)

# Plotly is 4.8 MB, packed 2.0. What is unpacked runs only if the policy has its hash.
_UNPACK = (
    "(async () => {for (const kept of document.querySelectorAll('script[type=\"text/plain\"]')) {"
    "const bytes = Uint8Array.from(atob(kept.textContent), one => one.charCodeAt(0));"
    "const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));"
    "const script = document.createElement('script');"
    "script.textContent = await new Response(stream).text(); document.body.append(script);}})();"
)


def page(given: Material) -> str:
    """The whole page as HTML."""
    from plotly.offline import get_plotlyjs

    scripts = [_UNPACK, get_plotlyjs(), _DRAW] if _drawn(given) else []
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts)) or chr(39) + 'none' + chr(39)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = escape(visible(given.question, limit=200))
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" '
        f'content="no-referrer"><title>{title}</title><style>{_STYLE}</style></head><body>'
    )
    # The scripts are ours and hold no path; what the data holds goes through scrub.
    body = scrub("".join(_sections(given, title)))
    packed = "".join(f'<script type="text/plain">{_packed(script)}</script>' for script in scripts[1:])
    drawn = f"{packed}<script>{_UNPACK}</script>" if scripts else ""
    return f"{scrub(head)}{body}{drawn}</body></html>"


def _packed(script: str) -> str:
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode()


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _sections(given: Material, title: str) -> Iterable[str]:
    run = given.run
    yield f"<h1>{title}</h1>"
    yield (
        f'<p class="muted">run {_text(run["run_id"])} · {_text(run["status"])} · experiment '
        f"{_text(run['experiment'])} · {_text(moment(run['started_at']))}</p>"
    )
    if given.watched:
        yield "<h2>Night watch</h2>"
        yield from map(_watched, given.watched)
    yield "<h2>Verdict</h2>"
    if given.verdict is None:
        yield "<p>Nothing was scored, so there is no verdict.</p>"
    else:
        yield given.verdict.html(contenders=False)
    if given.blocks is not None:
        yield f"<h2>Blocks of context</h2>{given.blocks.html()}"
    yield "<h2>Summary</h2>" + "".join(map(summary.html, summaries(given)))
    if given.figures:
        yield "<h2>Charts</h2>"
        for name, figure in given.figures:
            yield _chart(name, figure)
    if given.differences is not None and len(given.differences.frame()):
        yield f"<h2>Rows that decide</h2>{given.differences._repr_html_()}"
    yield f"<h2>Design</h2>{_table(design_rows(given))}"
    lines = sum(
        str(prompt.get(part) or "").count("\n") + 1 for prompt in given.prompts for part in ("system", "text")
    )
    for prompt in given.prompts:
        yield _prompt(prompt, seen=lines <= MOST_LINES)
    yield f"<h2>Missing data</h2>{_missing(given)}"
    yield f"<h2>Provenance</h2>{_table(provenance_rows(given))}"
    yield f"<h2>Methods</h2><p>{_text(paragraph(given), limit=5000)}</p>"
    if works := references(given):
        yield "<ul>" + "".join(f"<li>{escape(work)}</li>" for work in works) + "</ul>"


def _drawn(given: Material) -> bool:
    return bool(given.figures) or any(one.figure is not None for one in given.watched)


def _watched(given: Watched) -> str:
    head, *held = watch_notes(given)
    said = "".join(f"<li>{_text(one, limit=1500)}</li>" for one in given.sentences)
    notes = "".join(f"<p class='muted'>{_text(one, limit=600)}</p>" for one in (*given.notes, *held))
    drawn = "" if given.figure is None else _chart(f"nights of {given.sentinel}", given.figure)
    return f"<p><strong>{_text(head, limit=500)}</strong></p><ul>{said}</ul>{notes}{drawn}"


def _chart(name: str, figure: go.Figure) -> str:
    # Plotly measures its place when drawn; the height is there before, so that nothing jumps.
    height = int(figure.layout.height or 440)
    kept = figure.to_json().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    label = escape(visible(name, limit=80), quote=True)
    return (
        f'<div class="chart" role="img" aria-label="{label}" style="height:{height}px"></div>'
        f'<script type="application/json">{kept}</script>'
    )


def _prompt(prompt: Mapping[str, Any], *, seen: bool) -> str:
    version = f", version {prompt['version']}" if prompt.get("version") is not None else ""
    parts = [
        f"<p class='muted'>{name}</p><pre>{_lines(text)}</pre>"
        for name, text in (("system", prompt.get("system")), ("user", prompt.get("text")))
        if text
    ]
    head = f"prompt {_text(prompt['name'])}{_text(version)}"
    return f"<details{' open' if seen else ''}><summary>{head}</summary>{''.join(parts)}</details>"


def _missing(given: Material) -> str:
    rows, said = missing_rows(given), lacking_notes(given)
    table = _table(rows, headed=True) if len(rows) > 1 else "<p>No answer is missing.</p>"
    return table + "".join(f"<p>{_text(note, limit=600)}</p>" for note in said)


def _table(rows: Sequence[Sequence[object]], *, headed: bool = False) -> str:
    lines = []
    for place, row in enumerate(rows):
        tag = "th" if headed and place == 0 else "td"
        cells = "".join(f"<{tag}>{_text(cell, limit=500)}</{tag}>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _text(value: object, *, limit: int = 200) -> str:
    return escape(visible(value, limit=limit))


def _lines(text: str) -> str:
    return escape("\n".join(visible(line, limit=5000) for line in str(text).splitlines()))
