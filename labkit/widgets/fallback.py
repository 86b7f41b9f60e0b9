"""A widget, and beside it in the notebook a table that stands in for it where it is not alive.

Reopened without its kernel, exported, untrusted or on a code host, a widget is a line that says it was
not found. So two outputs are displayed: the widget, and its table, which a style sheet in the table
hides while the widget lives. The table can be renewed without drawing the widget anew.
"""

from __future__ import annotations

from typing import Any

ALIVE = "lk-alive"
"""The class that a living widget has in the page."""

_OUTPUT = ".jp-OutputArea-child"
_STYLE = (
    f"<style>{_OUTPUT}:has(.{ALIVE}) + {_OUTPUT}:has(.lk-stands){{display:none}}"
    f"{_OUTPUT}:has(.jupyter-widgets):not(:has(.{ALIVE})):has(+ {_OUTPUT} .lk-stands){{display:none}}</style>"
)


class WithFallback:
    """Displays `view`, a widget's MIME bundle, and `table`, its HTML, in the cell that makes it."""

    def __init__(self, view: dict[str, Any], table: str) -> None:
        from IPython.display import DisplayHandle, display

        display(view, raw=True)  # type: ignore[no-untyped-call]
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        handle.display(_bundle(table), raw=True)
        self._table = handle

    def renew(self, table: str) -> None:
        """Put another table in the place of the last; from any thread."""
        self._table.update(_bundle(table), raw=True)


def _bundle(table: str) -> dict[str, str]:
    return {"text/html": f"{_STYLE}<div class='lk-stands'>{table}</div>", "text/plain": ""}
