"""Rating answers in a notebook, blind: one anywidget that shows a task at a time and takes keys.

For labels of single answers and for two answers side by side: what is shown, and which keys there are, comes
from a `Rated`. Nothing of a task is in the widget's state, so none of it is saved with a notebook. It does
not know what is rated, nor where it is kept.
"""

from __future__ import annotations

import threading
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labkit.visible import visible
from labkit.widgets.fallback import WithFallback
from labkit.widgets.grid import answer_while_busy
from labkit.widgets.rating import Rated, Rating

STATIC = Path(__file__).parent / "static"


class RatingView(anywidget.AnyWidget):
    """A task at a time, with a button and a key for each thing that can be said of it.

    The keys work while it has the focus: those on the buttons, `←` or Backspace to take back, `n` for a note,
    `j` and `k` to scroll, Esc to leave. The next task shows when what was said is on disk; what could not be
    written is told, and the task stays. Several views of it show the same. In the saved notebook stands how
    much is done.

    >>> RatingView(rated)              # doctest: +SKIP
    """

    _esm = STATIC / "rating_view.js"
    _css = STATIC / "rating_view.css"
    still = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """What a view says that finds no kernel: a heading and two lines."""

    def __init__(self, rated: Rated) -> None:
        self._rating = Rating(rated)
        self._telling = threading.Lock()
        self._standing: list[WithFallback] = []
        super().__init__(still=_still(rated.title, rated.progress().words))
        self.layout.width = "100%"
        answer_while_busy(self)
        self.on_msg(self._heard)

    def show(self) -> None:
        """Display it here, with lines that stand in for it in the saved notebook."""
        view, _ = super()._repr_mimebundle_() or ({}, {})
        self._standing.append(WithFallback({**view, "text/plain": repr(self)}, _lines(self.still)))

    _ipython_display_ = show

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        with self._telling:  # so that messages leave in the order of their numbers
            state = self._rating.obey(content)
            self.send(state)
            if (still := _still(state["title"], state["progress"][2])) != self.still:
                self.still = still
                for standing in self._standing:
                    standing.renew(_lines(still))

    def __repr__(self) -> str:
        # Without a count: what a cell shows is saved, and not renewed by a press.
        return f"RatingView({visible(self._rating.rated.title)})"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        view, metadata = super()._repr_mimebundle_() or ({}, {})
        return {**view, "text/plain": repr(self), "text/html": _lines(self.still)}, metadata


def _still(title: str, done: str) -> list[str]:
    return [visible(title), visible(done), "It is used in a notebook that runs: run this cell again."]


def _lines(still: list[str]) -> str:
    """The same as HTML."""
    title, *lines = map(escape, still)
    return f"<div><b>{title}</b></div>" + "".join(f"<div>{line}</div>" for line in lines)
