"""An executed notebook as one HTML page that fetches nothing. It does not know how it was executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_page(executed: Path) -> Path:
    """The executed notebook as one HTML page that fetches nothing: charts carry their own script, once."""
    import nbformat
    from nbconvert import HTMLExporter

    book = nbformat.read(executed, as_version=4)
    _draw_charts(book)
    _show_fallbacks(book)
    exporter = HTMLExporter(
        template_name="lab", mathjax_url="", require_js_url="", jquery_url="", jupyter_widgets_base_url=""
    )
    body, _ = exporter.from_notebook_node(book)
    page = executed.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def _draw_charts(book: Any) -> None:
    import plotly.io

    script: bool | str = True
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
            if figure is not None:
                kept = {"data": figure["data"], "layout": figure["layout"]}
                output["data"] = {
                    "text/html": plotly.io.to_html(
                        kept, include_plotlyjs=script, full_html=False, validate=False
                    )
                }
                script = False


def _show_fallbacks(book: Any) -> None:
    """A page has no kernel: of a widget it shows the table that the widget carries."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output["data"].pop("application/vnd.jupyter.widget-view+json", None)
