"""A stopwatch of asking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.widgets import asking_clock
from labkit.widgets.asking_clock import AskingClock


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), max_size=20))
def test_it_counts_what_lies_between_go_and_rest(story: list[tuple[bool, int]]) -> None:
    """Whatever is said twice, its seconds are those after each go, up to the next rest."""
    with pytest.MonkeyPatch.context() as patch:
        now, going, expected = 0, False, 0
        patch.setattr(asking_clock, "monotonic", lambda: float(now))
        clock = AskingClock()
        for on, passed in story:
            clock.go(on)
            going = on
            now += passed
            expected += passed if going else 0
            assert clock.seconds == expected
