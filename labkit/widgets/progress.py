"""A run that shows itself while it goes: the live grid, a small table, or a line now and then.

It hears the run as a `Watcher` and costs it nothing: showing happens in threads of its own. `style` is
`grid` in a notebook and `lines` elsewhere, unless `$LABKIT_PROGRESS` or the caller says `grid`, `table`,
`lines` or `none`. It does not know how a run is driven.
"""

from __future__ import annotations

import html
import os
import sys
import threading
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from labkit.errors import DefinitionError
from labkit.visible import cut, quoted, shown
from labkit.widgets.live_run import LiveRun
from labkit.widgets.model_progress import cost_words
from labkit.widgets.view_updates import line, state

LINES_EVERY_S = 5.0
TABLE_EVERY_S = 0.25
STYLES = ("grid", "table", "lines", "none")


class Progress(LiveRun):
    """Counts a run and shows it, from `start` to `finish`. What it takes is as for `LiveRun`."""

    def __init__(
        self,
        *,
        title: str | Callable[[], str],
        style: str | None = None,
        **given: Any,
    ) -> None:
        self.style = style or os.environ.get("LABKIT_PROGRESS") or ("grid" if in_notebook() else "lines")
        if self.style not in STYLES:
            raise DefinitionError(f"progress is {quoted(self.style)}; it can be {', '.join(STYLES)}.")
        super().__init__(title=title, keep_text=self.style == "grid" or in_notebook(), **given)
        self._thread: threading.Thread | None = None
        self._grid: Any = None
        self._shown_in: int | None = None

    # -- showing ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to show, in the cell that calls this; returns at once."""
        if self.style == "grid":
            self._shown_in = _cell()
            self.grid.show()
        elif self.style == "table":
            self._begin(self._show_table)
        elif self.style == "lines":
            print(shown(self.title), flush=True)
            self._begin(self._show_lines)

    def finish(
        self, error: BaseException | None = None, *, left: str | None = None, notes: Sequence[str] = ()
    ) -> None:
        """Show the last state and end; `error` is what broke the run, if something did, `left` what was not
        asked, `notes` what its scores lack."""
        self.close(error, left=left, notes=notes)
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def grid(self) -> Any:
        """The live grid of this run; one for all its views, so that they agree."""
        if self._grid is None:
            from labkit.widgets.grid import LiveGrid

            self._grid = LiveGrid(self)
        return self._grid

    @property
    def can_show_grid(self) -> bool:
        """Whether this is a notebook, in a cell that does not show the grid already."""
        return in_notebook() and (self._shown_in is None or self._shown_in != _cell())

    def line(self) -> str:
        """The whole run in one line."""
        return line(self)

    def _begin(self, show: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=show, name="labkit-progress", daemon=True)
        self._thread.start()

    def _show_lines(self) -> None:
        told = ""
        while not self.over.wait(LINES_EVERY_S):
            if (now := shown(self.line())) != told:
                print(f"  {now}", flush=True)
                told = now
        for told in (f"{state(self)} · {self.line()}", self.left, *self.notes):
            if told:
                print(f"  {shown(told)}", flush=True)

    def _show_table(self) -> None:
        from IPython.display import DisplayHandle

        told = self._table()
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        handle.display(told, raw=True)
        while not self.over.wait(TABLE_EVERY_S):
            if (now := self._table()) != told:
                handle.update(now, raw=True)
                told = now
        handle.update(self._table(), raw=True)

    def _table(self) -> dict[str, Any]:
        return {"text/plain": f"{self.title} {self.line()}", "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{_text(model)}</td>"
            f"<td><progress aria-label='ended' max='{max(t.total, 1)}' value='{t.ended}'></progress></td>"
            f"<td>{t.ended:,} of {t.total:,}</td><td>{t.failed:,}</td><td>{t.in_flight:,}</td>"
            f"<td>{f'{median(t.ttft_s):.2f}' if t.ttft_s else ''}</td>"
            f"<td>{f'{t.output_tokens / t.asked_s:.0f}' if t.asked_s else ''}</td><td>{cost_words([t])}</td>"
            f"<td style='text-align:left'>{_text(t.waiting_why if t.waiting else '')}</td></tr>"
            for model, t in list(self.tallies.items())
        )
        ended = "requests ended" if self.lines else "ended"
        names = ("model", "", ended, "failed", "in flight", "TTFT p50 (s)", "tokens/s", "cost", "")
        heads = "".join(f"<th scope='col'>{name}</th>" for name in names)
        said = "".join(f"<div>{_text(told, 600)}</div>" for told in (self.left, *self.notes) if told)
        line = _text(f"{state(self)} · {self.line()}", 600)
        return (
            f"<div role='status'><b>{_text(self.title, 300)}</b> {line}</div>{said}"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    return type(_shell()).__name__ == "ZMQInteractiveShell"


def _shell() -> Any:
    ipython: Any = sys.modules.get("IPython")
    get: Callable[[], Any] | None = getattr(ipython, "get_ipython", None)
    return get() if get is not None else None


def _cell() -> int | None:
    return getattr(_shell(), "execution_count", None)


def _text(text: str, limit: int = 120) -> str:
    return html.escape(shown(cut(text, limit=limit)))
