"""Answers given before, and answers shared: which there are, and what their rows become in another run.

It asks the store and decides nothing about what is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from labkit.design import Design, Place
from labkit.records import Cell, Generation
from labkit.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("labkit.run")

KEPT = tuple(name for name in Generation.__struct_fields__ if name != "raw")
"""What a replayed row takes over: the provider's payload stays with the original alone."""


class Answers(NamedTuple):
    """What the store has for some cells: rows as they lie there, and the model each verified request asks."""

    rows: pa.Table
    asked: Mapping[str, str]

    def matching(self) -> set[tuple[str, int]]:
        """The request_id and draw of each answer to a request that is verified and of its model."""
        names = ("request_id", "draw", "model")
        rows = zip(*(self.rows[name].to_pylist() for name in names), strict=True)
        return {(request_id, draw) for request_id, draw, model in rows if self.asked.get(request_id) == model}


def look_up(
    store: Store, design: Design, places: Sequence[Place], *, workspaces: Sequence[str] | None = None
) -> Answers:
    """The original answers to the requests of those places whose model has an identity, from all of the lab
    or from these `workspaces`."""
    import pyarrow as pa

    places = [place for place in places if design.endpoints[place.model] is not None]
    keys = pa.table(
        {
            "request_id": pa.array([place.request_id for place in places], pa.string()),
            "draw": pa.array([place.draw for place in places], pa.int64()),
        }
    )
    with store.one_opening():
        rows = store.known(keys, columns=KEPT, workspaces=workspaces)
        asked = store.verified(rows["request_id"].to_pylist()) if rows.num_rows else {}
    return Answers(rows, asked)


def answers(there: Answers) -> tuple[dict[tuple[str, int], Generation], list[str]]:
    """The answers by request_id and draw, and the request_ids of those that are not used since what is
    stored does not match them."""
    rows, asked = [Generation(**row) for row in there.rows.to_pylist()], there.asked
    found = {(row.request_id, row.draw): row for row in rows if asked.get(row.request_id) == row.model}
    unfounded = sorted({row.request_id for row in rows if asked.get(row.request_id) != row.model})
    if unfounded:
        log.warning("Stored answers to %d requests do not match them and are not used.", len(unfounded))
    return found, unfounded


def replay(original: Generation, cell: Cell) -> Generation:
    """An answer given before, as this cell's row: same text, usage and cost; no clocks, no attempts."""
    place = {name: getattr(cell, name) for name in cell.__struct_fields__}
    return replace(
        original,
        **place,
        queue_s=None,
        first_event_s=None,
        ttft_s=None,
        latency_s=None,
        retry_s=None,
        in_flight=None,
        attempts=0,
        maybe_paid=0,
        replayed_from=original.generation_id,
    )


def unshared(cell: Cell) -> Generation:
    """The row of a cell whose answer was to come from another, which has none."""
    place = {name: getattr(cell, name) for name in cell.__struct_fields__}
    why = "the cell whose answer it shares has none; run the plan again, or use duplicates='ask'"
    return Generation(**place, status="failed", error_type="NoSharedAnswer", error_message=why)


def share(cells: list[tuple[Place, Cell]]) -> tuple[list[tuple[Place, Cell]], list[tuple[Place, Cell]]]:
    """The cells to be asked, and those that wait for the answer of one of them."""
    first: dict[tuple[str, int], tuple[Place, Cell]] = {}
    sharing = []
    for pair in cells:
        key = pair[1].request_id, pair[1].draw
        if key in first:
            sharing.append(pair)
        else:
            first[key] = pair
    return list(first.values()), sharing
