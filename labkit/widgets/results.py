"""What a run came to, in tabs: answers side by side, the summary, charts, the rows, and blocks if measured.

It follows a run that goes, drawing only the tab that is looked at. Charts are made by the run and shown
as they are; nothing is calculated here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets

from labkit.widgets import answers, forms
from labkit.widgets.forms import WIDE, WRAPPED, Pager, Status

if TYPE_CHECKING:
    import pandas as pd

FOLLOW_S = 2.0
ROWS = 50
TITLES = ("Answers", "Summary", "Charts", "Rows")
BLOCKS = "Blocks"
CHARTS = {
    "frontier": "score against price and speed",
    "scores": "score",
    "cost_latency": "cost against latency",
    "forest": "differences of score",
    "ttft": "time to first token (ECDF)",
    "latency": "latency (ECDF)",
    "tokens_cost": "tokens and cost",
}
BY: dict[str, str | tuple[str, ...]] = {
    "prompts and models": ("prompt", "model"),
    "models": "model",
    "prompts": "prompt",
}
COLUMNS = (
    "prompt", "model", "sample_id", "repeat", "status", "text", "score.*", "cost_usd", "ttft_s", "latency_s",
    "output_tokens", "error_type",
)  # fmt: skip


class Readable(Protocol):
    """A run as its results are read."""

    run_id: str

    @property
    def status(self) -> str: ...

    def generations(self, *, columns: Sequence[str] | None = None, steps: bool = False) -> pd.DataFrame: ...

    def summary(self) -> pd.DataFrame: ...

    def chart(self, kind: str, *, by: str | Sequence[str] | None = None) -> Any: ...


Blocks = Callable[[Any], str]
"""A run → what its blocks are worth, as HTML."""


class Results:
    """The tabs of one run at a time; `show` begins with another."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._run: Readable | None = None
        self._draw_blocks: Blocks | None = None
        self._turn = 0
        self._pagers = [Pager(status, self._draw), Pager(status, self._draw)]
        self._drawing = threading.RLock()
        self._answers = ipywidgets.HTML(layout=WIDE)
        rule = ipywidgets.HTML(f"<span class='lk-soft'>{forms.text(answers.RULE)}</span>")
        self._summary = ipywidgets.HTML(layout=WIDE)
        self._summary.add_class("lk-lines")
        self._rows = ipywidgets.HTML(layout=WIDE)
        self._kind = ipywidgets.Dropdown(
            description="Chart", options=[(words, kind) for kind, words in CHARTS.items()]
        )
        self._by = ipywidgets.Dropdown(description="Compare", options=list(BY.items()))
        self._chart = ipywidgets.Output(layout={"width": "auto", "min_height": "460px"})
        self._against = ipywidgets.Dropdown(description="Compare to", layout={"width": "34em"})
        self._differing = ipywidgets.Checkbox(description="only where answers differ", indent=False)
        for box in (self._kind, self._by, self._against, self._differing):
            box.observe(status.guarded(lambda _: self._draw()), "value")
        tools = ipywidgets.HBox([self._against, self._differing, rule], layout=WRAPPED)
        parts = [
            ipywidgets.VBox([tools, self._answers, self._pagers[0].widget]),
            self._summary,
            ipywidgets.VBox([ipywidgets.HBox([self._kind, self._by], layout=WRAPPED), self._chart]),
            ipywidgets.VBox([self._rows, self._pagers[1].widget]),
        ]
        self._parts = parts
        self._blocks = ipywidgets.HTML(layout=WIDE)
        self._blocks.add_class("lk-lines")
        self.tabs = ipywidgets.Tab(parts, titles=TITLES, layout=WIDE)
        self.tabs.observe(status.guarded(lambda _: self._draw()), "selected_index")
        self.widget = ipywidgets.VBox(layout=WIDE)

    def show(
        self, run: Readable, *, goes: Callable[[float], bool] | None = None, blocks: Blocks | None = None
    ) -> None:
        """Show `run`. `goes` waits so many seconds and says whether it still goes; None: it is over. `blocks`
        draws what its blocks are worth, where it measures any."""
        self._run = run
        self._draw_blocks = blocks
        more = blocks is not None
        if more != (len(self.tabs.children) > len(TITLES)):
            self.tabs.selected_index = 0
            self.tabs.children = [*self._parts, self._blocks] if more else self._parts
            self.tabs.titles = [*TITLES, BLOCKS] if more else TITLES
        for pager in self._pagers:
            pager.page = 0
        self._turn += 1
        self.widget.children = [self.tabs]
        self._draw()
        if goes is not None:
            turn = self._turn
            threading.Thread(
                target=self._follow, args=(turn, goes), name="labkit-results", daemon=True
            ).start()

    def _follow(self, turn: int, goes: Callable[[float], bool]) -> None:
        while goes(FOLLOW_S) and turn == self._turn:
            self._guarded_draw()
        if turn == self._turn:
            self._guarded_draw()

    def _guarded_draw(self) -> None:
        self._status.guarded(lambda _: self._draw())(None)

    def _draw(self) -> None:
        if self._run is None:
            return
        with self._drawing:
            draw = (
                self._draw_answers,
                self._draw_summary,
                self._draw_chart,
                self._draw_rows,
                self._draw_worth,
            )
            draw[self.tabs.selected_index or 0](self._run)

    def _draw_answers(self, run: Readable) -> None:
        frame = answers.read(run)
        heads = [" · ".join(head) for head in answers.columns(frame)]
        options = [(forms.plain(head, limit=80), i) for i, head in enumerate(heads)]
        if tuple(options) != tuple(self._against.options):
            self._against.options = options
            self._against.value = 0 if options else None
        page = self._pagers[0].within(answers.pages(frame))
        self._answers.value = answers.table(
            frame, page=page, against=self._against.value or 0, only_different=self._differing.value
        )

    def _draw_summary(self, run: Readable) -> None:
        from labkit import summary

        self._summary.value = summary.html(run.summary())

    def _draw_chart(self, run: Readable) -> None:
        figure = run.chart(self._kind.value, by=self._by.value)
        data = {
            "application/vnd.plotly.v1+json": json.loads(figure.to_json()),
            "text/plain": f"{CHARTS[self._kind.value]}: plotly figure",
        }
        self._chart.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    def _draw_worth(self, run: Readable) -> None:
        self._blocks.value = "" if self._draw_blocks is None else self._draw_blocks(run)

    def _draw_rows(self, run: Readable) -> None:
        frame = run.generations(columns=COLUMNS)
        page = self._pagers[1].within(-(-len(frame) // ROWS))
        rows = [
            [_value(value) for value in row]
            for row in frame.iloc[page * ROWS : (page + 1) * ROWS].itertuples(index=False)
        ]
        where = (
            f"rows {page * ROWS + 1:,}–{page * ROWS + len(rows):,} of {len(frame):,}" if rows else "no rows"
        )
        self._rows.value = (
            f"<div class='lk-soft'>{where}</div>{forms.table(list(frame.columns), rows, name='lk-rows')}"
        )


def _value(value: Any) -> str:
    if value is None or value != value or str(value) == "<NA>":
        return ""
    return forms.text(_number(value) if isinstance(value, float) else value, limit=200)


def _number(value: float) -> str:
    """Four significant digits, never an exponent.

    >>> [_number(value) for value in (0.00001234, 0.5, 2.0, 123456.7)]
    ['0.00001234', '0.5', '2', '123500']
    """
    import numpy as np

    return np.format_float_positional(value, precision=4, fractional=False, trim="-")
