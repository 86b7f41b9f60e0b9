"""Answers given before, and answers shared: which there are, and what their rows become in another run.

It asks the store and decides nothing about what is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from labkit.design import Design, Place
from labkit.prompts.step_messages import StepFailed
from labkit.records import Cell, Generation
from labkit.run.chains import Asked, Steps
from labkit.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("labkit.run")

KEPT = tuple(name for name in Generation.__struct_fields__ if name != "raw")
"""What a replayed row takes over: the provider's payload stays with the original alone."""
_CHAINS = """
    select parent_id, generation_id from log.generations
    where parent_id in (select unnest(?::varchar[])) and steps is not null and status = 'done'
        and replayed_from is null
"""


class Answers(NamedTuple):
    """What the store has for some cells: rows as they lie there, and the model each verified request asks."""

    rows: pa.Table
    asked: Mapping[str, str]
    steps: Mapping[tuple[Any, ...], Place] = {}
    """By where, the later steps of chains that could be looked up, since the answers before them are
    there."""
    chains: Mapping[str, str] = {}
    """By the generation_id of its last step, that of each whole chain that was asked."""

    def told(self, place: Place) -> Place:
        """The place with the request that it turned out to be, where it did."""
        return self.steps.get(place.where, place)

    def matching(self) -> set[tuple[str, int]]:
        """The request_id and draw of each answer to a request that is verified and of its model."""
        names = ("request_id", "draw", "model")
        rows = zip(*(self.rows[name].to_pylist() for name in names), strict=True)
        return {(request_id, draw) for request_id, draw, model in rows if self.asked.get(request_id) == model}


def look_up(
    store: Store,
    design: Design,
    places: Sequence[Place],
    *,
    workspaces: Sequence[str] | None = None,
    done: Mapping[tuple[Any, ...], Generation] | None = None,
) -> Answers:
    """The original answers to the requests of those places whose model has an identity, from all of the lab
    or from these `workspaces`: of chains step by step, as far as all before is known or in `done` (by where:
    what this run has)."""
    import pyarrow as pa

    places = [place for place in places if design.endpoints[place.model] is not None]
    told = [place for place in places if place.before is None]
    later = [place for place in places if place.before is not None]
    steps, found = Steps(design), dict[tuple[Any, ...], Place]()
    steps.rows.update(done or {})
    tables: list[pa.Table] = []
    asked, chains = dict[str, str](), dict[str, str]()
    with store.one_opening():
        while told or not tables:
            rows = _known(store, told, workspaces)
            tables.append(rows)
            asked |= store.verified(rows["request_id"].to_pylist()) if rows.num_rows else {}
            if not later:
                break
            there = answers(Answers(rows, asked))[0]
            for place in told:
                if place.line and (key := (place.request_id, place.draw)) in there:
                    steps.has(place, there[key])
            told, later = _next(steps, later)
            found.update({place.where: place for place in told})
        if design.has_chains:
            last = [row for table in tables for row in table["generation_id"].to_pylist()]
            chains = dict(zip(*store.table(_CHAINS, [last]).to_pydict().values(), strict=True))
    return Answers(pa.concat_tables(tables), asked, found, chains)


def _known(store: Store, places: Sequence[Place], workspaces: Sequence[str] | None) -> pa.Table:
    import pyarrow as pa

    keys = pa.table(
        {
            "request_id": pa.array([place.request_id for place in places], pa.string()),
            "draw": pa.array([place.draw for place in places], pa.int64()),
        }
    )
    return store.known(keys, columns=KEPT, workspaces=workspaces)


def _next(steps: Steps, later: Sequence[Place]) -> tuple[list[Place], list[Place]]:
    """The later steps whose answers before are there, as they are asked, and those that still wait."""
    told, waiting = [], []
    for place in later:
        if steps.waits(place):
            waiting.append(place)
            continue
        with suppress(StepFailed):
            told.append(steps.told(place)[0])
    return told, waiting


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
        call_id=None,
    )


def unshared(cell: Cell) -> Generation:
    """The row of a cell whose answer was to come from another, which has none."""
    place = {name: getattr(cell, name) for name in cell.__struct_fields__}
    why = "the cell whose answer it shares has none; run the plan again, or use duplicates='ask'"
    return Generation(**place, status="failed", error_type="NoSharedAnswer", error_message=why)


def share(cells: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """The cells to be asked, and those that wait for the answer of one of them."""
    first: dict[tuple[str, int], Asked] = {}
    sharing = []
    for asked in cells:
        key = asked.cell.request_id, asked.cell.draw
        if key in first:
            sharing.append(asked)
        else:
            first[key] = asked
    return list(first.values()), sharing
