"""A list of things to tick, with a search box, filters and pages, for a selector.

It draws the selector's state and tells it what was ticked. Rows are made once and filled anew, so a
list of thousands costs a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from labkit.visible import visible
from labkit.widgets.forms import WIDE, WRAPPED, Status, button, text
from labkit.widgets.selector import Choice, Selector

ROWS = 12
Extra = Callable[[Choice], Sequence[ipywidgets.Widget]]


class Listbox:
    """Draws `selector`. `filters` maps a filter's name to tags by what they are called; `extra` gives
    further widgets of a row; `widths` are the columns of the facts as CSS grid tracks, in units that do not
    follow the size of the type, so that head and rows stand under each other."""

    def __init__(
        self,
        selector: Selector,
        *,
        noun: str,
        heads: Sequence[str],
        widths: str,
        status: Status,
        filters: dict[str, dict[str, str]] | None = None,
        extra: Extra | None = None,
        extra_width: str = "0",
    ) -> None:
        self._selector = selector
        self._status = status
        self._extra = extra
        self._page = 0
        self._size = ROWS
        self._drawing = False
        self._search = ipywidgets.Text(
            description=f"Find {noun}",
            placeholder="words in any column",
            layout={"width": "24em"},
            style={"description_width": "initial"},
        )
        self._filters = [
            ipywidgets.Dropdown(
                description=name,
                options=[("any", ""), *((label, tag) for label, tag in tags.items())],
                layout=ipywidgets.Layout(width="auto", max_width="18em"),
                style={"description_width": "initial"},
            )
            for name, tags in (filters or {}).items()
        ]
        self._heads = _heads(heads, widths, extra_width)
        self._rows = [_Row(self._tick, widths, extra_width) for _ in range(ROWS)]
        self._list = ipywidgets.VBox(layout=WIDE)
        self._list.add_class("lk-list")
        self._where = ipywidgets.HTML()
        self._before = button("Previous", status.guarded(lambda _: self._turn(-1)), tip="previous page")
        self._after = button("Next", status.guarded(lambda _: self._turn(1)), tip="next page")
        for box in (self._search, *self._filters):
            box.observe(status.guarded(lambda _: self._turn(None)), "value")
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HBox([self._search, *self._filters], layout=WRAPPED),
                self._list,
                ipywidgets.HBox([self._where, self._before, self._after]),
            ],
            layout=WIDE,
        )
        selector.on_change(self.refresh)
        self.refresh()

    def shorten(self, rows: int) -> None:
        """Show fewer rows a page."""
        self._size = min(ROWS, rows)
        self.refresh()

    def refresh(self) -> None:
        """Draw the selector's state anew."""
        tags = [box.value for box in self._filters if box.value]
        found = self._selector.found(self._search.value, tags=tags)
        pages = max(1, -(-len(found) // self._size))
        self._page = min(self._page, pages - 1)
        listed = found[self._page * self._size : (self._page + 1) * self._size]
        chosen = set(self._selector.chosen)
        self._drawing = True
        try:
            for row, choice in zip(self._rows, listed, strict=False):
                row.fill(choice, choice.value in chosen, self._extra(choice) if self._extra else ())
        finally:
            self._drawing = False
        self._list.children = [self._heads, *(row.widget for row in self._rows[: len(listed)])]
        first = self._page * self._size + 1
        where = f"{first}–{first + len(listed) - 1} of {len(found)}" if pages > 1 else f"{len(found)} listed"
        self._where.value = (
            f"<span class='lk-soft'>{where} · {len(chosen)} chosen{self._selector.beside}</span>"
        )
        for one in (self._before, self._after):
            one.layout.display = "" if pages > 1 else "none"
        self._before.disabled, self._after.disabled = self._page == 0, self._page >= pages - 1

    def _turn(self, step: int | None) -> None:
        self._page = 0 if step is None else max(0, self._page + step)
        self.refresh()

    def _tick(self, choice: Choice, on: bool) -> None:
        if not self._drawing:
            self._status.guarded(lambda _: self._selector.toggle(choice.value, on))(None)


class _Row:
    """One line of the list: a box to tick, facts, and what else belongs to it."""

    def __init__(self, tick: Callable[[Choice, bool], None], widths: str, extra_width: str) -> None:
        self._widths = widths
        self._choice: Choice | None = None
        self._tick = tick
        self._box = ipywidgets.Checkbox(indent=False)
        self._facts = ipywidgets.HTML(layout=_facts_layout(widths))
        self._extra = ipywidgets.HBox(layout=_extra_layout(extra_width))
        self.widget = ipywidgets.HBox([self._box, self._facts, self._extra], layout=WIDE)
        self.widget.add_class("lk-item")
        self._box.observe(self._ticked, "value")

    def fill(self, choice: Choice, on: bool, extra: Sequence[ipywidgets.Widget]) -> None:
        """Show this choice."""
        self._choice = choice
        self._box.description = visible(choice.name, limit=60)
        self._box.tooltip = visible(choice.value, limit=200)
        self._box.value = on
        spans = "".join(f"<span title='{text(fact)}'>{text(fact)}</span>" for fact in choice.facts)
        self._facts.value = _columns(spans, self._widths)
        if self._extra.children != tuple(extra):
            self._extra.children = tuple(extra)

    def _ticked(self, change: Any) -> None:
        if self._choice is not None:
            self._tick(self._choice, bool(change["new"]))


def _columns(spans: str, widths: str) -> str:
    return f"<div class='lk-cols' style='grid-template-columns:{widths}'>{spans}</div>"


def _heads(heads: Sequence[str], widths: str, extra_width: str) -> ipywidgets.Widget:
    columns = "".join(f"<span title='{text(head)}'>{text(head)}</span>" for head in heads[1:])
    name = ipywidgets.HTML(text(heads[0]))
    facts = ipywidgets.HTML(_columns(columns, widths), layout=_facts_layout(widths))
    made = ipywidgets.HBox([name, facts, ipywidgets.HBox(layout=_extra_layout(extra_width))], layout=WIDE)
    made.add_class("lk-item")
    made.add_class("lk-heads")
    name.add_class("lk-name")
    return made


def _facts_layout(widths: str) -> ipywidgets.Layout:
    count = widths.count("fr")
    return ipywidgets.Layout(flex=f"{count} 1 {6 * count}em", width="auto", min_width="0")


def _extra_layout(width: str) -> ipywidgets.Layout:
    return ipywidgets.Layout(width=width, flex="0 0 auto", justify_content="flex-end")
