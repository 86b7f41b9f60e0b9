"""labkit.nearest: what there is comes with the likest first, and nothing is left out unsaid."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.nearest import by_likeness, listed


@given(st.text(), st.lists(st.text(), max_size=20, unique=True))
def test_every_name_there_is_comes_once_and_the_same_one_first(name: str, there: list[str]) -> None:
    """Sorting leaves out nothing, and a name that is there stands before all others."""
    found = by_likeness(name, [*there, name])
    assert sorted(found) == sorted([*there, name])
    assert found[0].casefold() == name.casefold()


def test_what_is_left_out_is_counted() -> None:
    """Of many names the likest are shown and the rest is counted; of none it says so."""
    there = [f"column {n}" for n in range(100)]
    assert listed("column 7", there, most=2).startswith("'column 7', 'column ")
    assert listed("column 7", there, most=2).endswith(" and 98 more")
    assert listed("x", []) == "none"
