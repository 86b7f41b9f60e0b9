"""Builds the manual: the pages of this folder, and the executed notebooks as pages of their own.

    python docs/build.py [NOTEBOOKS [SITE]]

NOTEBOOKS holds the notebooks as `labkit run` left them (default: build/notebooks); one that is not there is
taken without outputs. SITE is where the pages come to (default: build/manual). Nothing is fetched.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

import command_page
import nbformat
from plotly.offline import get_plotlyjs

HERE = Path(__file__).parent
ROOT = HERE.parent
FIGURE = "application/vnd.plotly.v1+json"
DRAW = """
document.querySelectorAll(".labkit-figure > div").forEach(place => {
  const figure = JSON.parse(place.firstElementChild.textContent);
  Plotly.newPlot(place, figure.data, figure.layout, {responsive: true, displaylogo: false});
});
"""


def page(book: nbformat.NotebookNode) -> str:
    """A notebook as Markdown: prose as it stands, code in fences, what it showed below it."""
    parts = [_cell(cell) for cell in book.cells]
    if any('class="labkit-figure"' in part for part in parts):
        parts += ['<script src="../assets/plotly.js"></script>', f"<script>{DRAW}</script>"]
    return "\n\n".join(filter(None, parts)) + "\n"


def _cell(cell: nbformat.NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    shown = cell.get("outputs", ())
    said = "".join(one.text for one in shown if one.output_type == "stream" and one.name == "stdout")
    parts = [f"```python\n{cell.source}\n```", _text(said) if said else "", *map(_output, shown)]
    return "\n\n".join(filter(None, parts))


def _output(output: Any) -> str:
    """What a cell gave or displayed, as HTML; what it printed is told apart."""
    data = output.get("data", {})
    if FIGURE in data:
        figure = json.dumps(data[FIGURE]).replace("</", "<\\/")
        height = data[FIGURE]["layout"].get("height", 420)
        script = f'<script type="application/json">{figure}</script>'
        return f'<div class="labkit-figure"><div style="min-height: {height}px">{script}</div></div>'
    if "text/html" in data:
        return _block(f'<div class="labkit-shown">\n{data["text/html"]}\n</div>')
    return _text(data["text/plain"]) if "text/plain" in data else ""


def _text(said: str) -> str:
    return _block(f'<pre class="labkit-shown">{escape(said.rstrip())}</pre>')


def _block(html: str) -> str:
    """An empty line would end the block of HTML: it is left out, or in a `pre` has a space of no width."""
    instead = "\n&#8203;" if html.startswith("<pre") else ""
    return re.sub(r"\n[ \t]*(?=\n)", instead, html)


def stage(notebooks: Path, folder: Path) -> None:
    """Put together in `folder` what Zensical reads."""
    pages = folder / "pages"
    shutil.copytree(HERE, pages, ignore=shutil.ignore_patterns("*.py", "*.toml", "__pycache__"))
    for name in ("zensical.toml", "docstrings.py"):
        shutil.copy(HERE / name, folder)
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = notebooks / source.name
        book = nbformat.read(executed if executed.exists() else source, as_version=4)
        (pages / "tutorials" / f"{source.stem}.md").write_text(page(book), encoding="utf-8")
    (pages / "reference" / "commands.md").write_text(command_page.commands(), encoding="utf-8")
    (pages / "assets" / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")


def build(notebooks: Path, site: Path) -> None:
    """Build the manual into `site`, in place of what is there. Raises CalledProcessError for a link or a name
    that leads nowhere."""
    zensical = Path(sys.executable).with_name("zensical")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stage(notebooks, folder)
        subprocess.run([zensical, "build", "--strict"], cwd=folder, check=True)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(folder / "site", site)


if __name__ == "__main__":
    given = [Path(place) for place in sys.argv[1:]]
    notebooks, site = [*given, *(ROOT / "build" / "notebooks", ROOT / "build" / "manual")[len(given) :]]
    build(notebooks, site)
    print(f"the manual: {site / 'index.html'}")
