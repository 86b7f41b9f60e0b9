"""Which rows are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.widgets.live_run import LiveRun
from labkit.widgets.window import PANELS, Window


def test_a_small_run_is_shown_whole(live: Callable[..., LiveRun]) -> None:
    """While all rows fit, they stand in their order, and there is one page."""
    found = live(("m/one", "m/two"), rows=5)
    window = Window(found)
    assert [row.number for row in window.rows()] == [0, 1, 2, 3, 4]
    assert (window.pages, window.words) == (1, "all 5 rows")


def test_at_most_forty_eight_panels(live: Callable[..., LiveRun]) -> None:
    """The more columns, the fewer rows: never more than 48 panels at once."""
    for columns in (1, 2, 3, 4, 6, 12, 24):
        window = Window(live([f"m/{n}" for n in range(columns)], rows=60))
        assert len(window.rows()) * columns <= PANELS


def test_pages_cover_every_row_once(live: Callable[..., LiveRun]) -> None:
    """Paging through shows each row exactly once; a page beyond the last is the last."""
    window = Window(live(rows=100))
    seen = []
    for page in range(window.pages):
        window.turn(page)
        seen += [row.number for row in window.rows()]
    assert seen == list(range(100))
    window.turn(10_000)
    assert window.page == window.pages - 1
    assert window.words.startswith("rows 97–100 of 100")


def test_what_is_in_flight_is_shown(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """A row that is asked comes into view, far down as it may be."""
    found = live(rows=100)
    window = Window(found)
    window.rows()
    found.sent(cell("m/one", "s90"), 1)
    assert 90 in {row.number for row in window.rows()}


def test_the_latest_are_shown(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """Rows that came and went between two looks are shown as the latest."""
    found = live(("m/one",), rows=200)
    window = Window(found)
    window.rows()
    for number in range(100, 110):
        found.sent(cell("m/one", f"s{number}"), 1)
        found.ended(generation(cell("m/one", f"s{number}")))
    assert {row.number for row in window.rows()} >= set(range(100, 110))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=60), st.integers(1, 8))
def test_rows_in_flight_keep_their_places(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun],
    asked: list[int], after: int,
) -> None:  # fmt: skip
    """A row in view does not move or go while anything of it is in flight, and no row is in view twice."""
    found = live(("m/one", "m/two"), rows=100)
    window = Window(found)
    before: dict[int, int] = {}
    for step, number in enumerate(asked):
        one = cell("m/one", f"s{number}")
        if found.rows[next(k for k in found.rows if k.sample_id == f"s{number}")].panels["m/one"].over:
            continue
        found.sent(one, 1)
        if step % after == 0:
            found.ended(generation(one))
        places = {row.number: place for place, row in enumerate(window.rows())}
        assert len(places) == len(window.rows())
        for row, place in before.items():
            if row in found.active:
                assert places.get(row) == place
        before = places


def test_a_run_that_is_over_is_read_from_its_first_row(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """When nothing is in flight any more the first page is shown, in the dataset's order."""
    samples = {f"s{number}": {} for number in reversed(range(100))}
    found = live(rows=100, samples=samples)
    window = Window(found)
    found.sent(cell("m/one", "s3"), 1)
    assert window.page is None
    assert window.words.startswith("in flight and latest")
    found.close()
    assert [row.key.sample_id for row in window.rows()] == list(samples)[: window.size]
    assert (window.page, window.words) == (0, "rows 1–24 of 100")
    window.turn(2)
    assert window.page == 2
