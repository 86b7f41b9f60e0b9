"""The service's state: two databases that behave alike."""

from __future__ import annotations

from labkit.server.state import State
from labkit.server.state.tables import Meta


def test_what_was_written_is_read(state: State) -> None:
    """What was committed is there for the next."""
    with state.writing() as rows:
        rows.add(Meta(name="a", value={"n": 1}))
    with state.reading() as rows:
        assert rows.get_one(Meta, "a").value == {"n": 1}
