"""Which rows of a live run are looked at: those in flight and the latest, or one page of all.

What is in flight stands as it was sent, in an order drawn at random. A page has the rows that have come
so far in the order of the dataset, as `run.generations()` has them.

Once the run is over nothing is in flight: then it is the first page, until another is turned to.

A row keeps its place while it is shown, so that nobody reads a moving target; once nothing of it is in
flight, its place may go to another. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from labkit.widgets.grid_row import Row
from labkit.widgets.live_run import LiveRun

PANELS = 48
"""Panels shown at once, at most."""
FEWEST_ROWS = 2


class Window:
    """At most `size` rows of `live`. `page` None follows the run; 0, 1, … are fixed pages."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._places: list[Row] = []
        self._turned_to: int | None = None

    @property
    def page(self) -> int | None:
        return 0 if self._turned_to is None and self._live.over.is_set() else self._turned_to

    @property
    def size(self) -> int:
        return max(FEWEST_ROWS, PANELS // max(1, len(self._live.columns)))

    @property
    def pages(self) -> int:
        return max(1, -(-len(self._live.order) // self.size))

    def turn(self, page: int | None) -> None:
        """Look at a page, or (None) follow the run. A page beyond the last is the last."""
        self._turned_to = None if page is None else min(max(0, page), self.pages - 1)

    def rows(self) -> list[Row]:
        """The rows to show now, in their places."""
        page = self.page
        if page is not None:
            return self._live.in_order()[page * self.size : (page + 1) * self.size]
        self._follow()
        return list(self._places)

    @property
    def words(self) -> str:
        """Where one is."""
        count = len(self._live.order)
        if count <= self.size:
            return f"all {count} rows" if count != 1 else "1 row"
        page = self.page
        if page is None:
            return f"in flight and latest: {len(self._places)} of {count:,} rows"
        first = page * self.size
        return f"rows {first + 1:,}–{min(first + self.size, count):,} of {count:,}"

    def _follow(self) -> None:
        live, size = self._live, self.size
        if len(live.order) <= size:
            self._places = list(live.in_order())
            return
        del self._places[size:]
        active = list(live.active.values())
        latest = list(live.latest)[::-1]
        shown = {row.number for row in self._places}
        for row in _new(chain(active, latest, islice(live.order, size)), shown):
            if len(self._places) >= size:
                break
            self._places.append(row)
            shown.add(row.number)
        free = sorted(
            (row.touched, place) for place, row in enumerate(self._places) if row.number not in live.active
        )
        # A quarter of the places at a time: a run of thousands a second would else repaint everything.
        free = free[: max(1, size // 4)]
        for row in _new(chain(active, latest), shown):
            if not free or (row.number not in live.active and row.touched <= free[0][0]):
                break
            self._places[free.pop(0)[1]] = row


def _new(rows: Iterator[Row], shown: set[int]) -> Iterator[Row]:
    return (row for row in rows if row.number not in shown)
