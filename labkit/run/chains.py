"""The chains of a run: which step follows which, what each is asked, and the row that sums up a line.

It is told each row once it is there, whether asked now, replayed or of an earlier launch, and says what can
be asked then. Rows it makes itself: of steps that are not asked since one before them failed, and of whole
chains. It does not know how a step is asked, and decides nothing about money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from labkit.design import Design, Place
from labkit.prompts.step_messages import StepFailed
from labkit.records import Cell, Generation, Message

FAILED = StepFailed.__name__
"""The `error_type` of a step that is not asked, since one before it failed or its answer could not be
read."""
Put = Callable[[Generation], None]
_TOTALS = (
    "queue_s", "latency_s", "retry_s", "attempts", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "cost_usd", "maybe_paid",
)  # fmt: skip


class Asked(NamedTuple):
    """A cell as it is asked: with the request that it turned out to be, and of a later step what it sends."""

    place: Place
    cell: Cell
    messages: Sequence[Message] | None


class Steps:
    """The answers that the steps of a design follow, and what a step is asked once they are there."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self.rows: dict[tuple[Any, ...], Generation] = {}
        """The finished answers, by where."""

    def has(self, place: Place, row: Generation) -> None:
        """A step has this answer."""
        self.rows[place.where] = row

    def waits(self, place: Place) -> bool:
        """Whether the step before it has no answer yet."""
        return place.before is not None and place.before not in self.rows

    def told(self, place: Place) -> tuple[Place, Sequence[Message] | None]:
        """The place as it is asked, and what it sends where that is not known from the design. Raises
        `StepFailed` where the answers before it cannot be read, or be put into its template."""
        if place.before is None:
            return place, None
        before = self._before(place)
        last = before[-1]
        return self._design.follow(place, [row.text or "" for row in before], (last.request_id, last.draw))

    def _before(self, place: Place) -> list[Generation]:
        """The finished answers of the steps before a place, in order, as far as there are any."""
        head = place.where[:3]
        steps = ((*head, place.line[:n]) for n in range(1, len(place.line)))
        return [self.rows[where] for where in steps if where in self.rows]


class Chains(Steps):
    """The steps of one run: `cells` are those that have no finished answer yet, by place. `put` takes the
    rows that are made here, and may be changed. Used by one thread at a time."""

    def __init__(self, design: Design, cells: Iterable[tuple[Place, Cell]], *, run_id: str, put: Put) -> None:
        super().__init__(design)
        self._run_id = run_id
        self.put = put
        self._after: dict[tuple[Any, ...], list[tuple[Place, Cell]]] = {}
        self._places: dict[str, Place] = {}
        self.originals: dict[str, str] = {}
        """Of the last steps of chains that were asked before: the generation_id of the whole chain."""
        for place, cell in cells:
            if place.line:
                self._places[cell.generation_id] = place
            if place.before is not None:
                self._after.setdefault(place.before, []).append((place, cell))

    def known(self, row: Generation) -> None:
        """A row of this run is replayed; what follows it is asked for by `ready`."""
        if row.generation_id in self._places:
            self._got(self._places[row.generation_id], row)

    def heard(self, row: Generation) -> list[Asked]:
        """A row of this run is on disk: what is to be asked now. What can never be asked gets its rows."""
        if row.generation_id not in self._places:
            return []
        place = self._places[row.generation_id]
        if row.status != "done":
            self._close(place, row)
            return []
        self._got(place, row)
        return self.ready(self.after(place))

    def ready(self, pairs: Iterable[tuple[Place, Cell]]) -> list[Asked]:
        """Those of `pairs` that wait for no answer, as they are asked. What can never be asked gets its
        rows."""
        return [asked for place, cell in pairs if not self.waits(place) for asked in self._asked(place, cell)]

    def after(self, place: Place) -> Sequence[tuple[Place, Cell]]:
        """The cells that follow the answer of a place."""
        return self._after.get(place.where, ())

    def sum_up(self, summed: frozenset[str]) -> None:
        """Sum up the lines whose steps are all answered, and whose chain is not among the generation_ids
        `summed`: a process ended between their last answer and that row."""
        for place in self._design.places:
            ends = place.line and self._design.is_last(place) and place.where in self.rows
            if ends and self._design.chain_id(place, self._run_id) not in summed:
                self.put(self._whole(place, [*self._before(place), self.rows[place.where]], None))

    # -- what follows ----------------------------------------------------------------------------

    def _got(self, place: Place, row: Generation) -> None:
        self.has(place, row)
        if self._design.is_last(place):
            self.put(self._whole(place, [*self._before(place), row], None))

    def _asked(self, place: Place, cell: Cell) -> Iterator[Asked]:
        try:
            asked, messages = self.told(place)
        except StepFailed as failed:
            self._stop(place, cell, failed.step, (FAILED, str(failed)))
        else:
            yield Asked(asked, replace(cell, request_id=asked.request_id, draw=asked.draw), messages)

    def _close(self, place: Place, row: Generation) -> None:
        """A step has no answer: neither has what follows it, and so the chain."""
        name = self._design.step_name(place) or ""
        if self._design.is_last(place):
            self.put(self._whole(place, [*self._before(place), row], name))
            return
        if row.status == "stopped":
            why = row.error_type or "", row.error_message or ""
        else:
            why = FAILED, f"step {name!r} failed: {row.error_message or row.error_type}"
        for following, cell in self.after(place):
            self._stop(following, cell, name, why)

    def _stop(self, place: Place, cell: Cell, blamed: str, why: tuple[str, str]) -> None:
        row = Generation(
            **{name: getattr(cell, name) for name in cell.__struct_fields__},
            status="stopped",
            error_type=why[0],
            error_message=why[1],
        )
        self.put(row)
        if self._design.is_last(place):
            self.put(self._whole(place, [*self._before(place), row], blamed))
        for following, its in self.after(place):
            self._stop(following, its, blamed, why)

    # -- the whole line --------------------------------------------------------------------------

    def _whole(self, place: Place, rows: Sequence[Generation], blamed: str | None) -> Generation:
        """The row of a chain: its last step's text, and cost and clocks of its line as if it stood alone."""
        first, last = rows[0], rows[-1]
        done = blamed is None
        behind = _total([row.latency_s for row in rows[:-1]])
        odd = [row.stop_reason for row in rows if row.stop_reason not in (None, "stop", "stop_sequence")]
        unknown = [row.price_id for row in rows if row.cost_usd is None and row.price_id]
        totals = {name: _total([getattr(row, name) for row in rows]) for name in _TOTALS}
        totals |= {name: totals[name] or 0 for name in ("attempts", "maybe_paid")}
        totals["cost_usd"] = _cost(rows)
        prices = [row.price_id for row in rows if row.price_id]
        return replace(
            last,
            generation_id=self._design.chain_id(place, self._run_id),
            model=self._design.contender(place),
            status=_status(last),
            text=last.text if done or last.status == "partial" else None,
            stop_reason=odd[0] if odd and done else last.stop_reason,
            started_at=first.started_at,
            first_event_s=_plus(behind, last.first_event_s),
            ttft_s=_plus(behind, last.ttft_s),
            in_flight=max((row.in_flight for row in rows if row.in_flight), default=None),
            **totals,
            price_id=[*unknown, *reversed(prices), None][0],
            replayed_from=self._original(rows) if done else None,
            # What later steps send follows from answers: only the first tells whether the same was asked.
            request_id=first.request_id,
            draw=first.draw,
            raw=None,
            parent_id=last.generation_id,
            step=0,
            step_name=None,
            steps=len(self._design.prompts[place.prompt].steps),
            failed_step=blamed,
            call_id=None,
        )

    def _original(self, rows: Sequence[Generation]) -> str | None:
        """The chain that was asked first, where all of this one is known from it."""
        last = rows[-1].replayed_from
        return self.originals.get(last) if last and all(row.replayed_from for row in rows) else None


def _status(last: Generation) -> Any:
    if last.status == "stopped" and last.error_type == FAILED:
        return "failed"
    return last.status


def _cost(rows: Sequence[Generation]) -> float | None:
    """What was paid for a line, also where a step of it has no answer: that one cost nothing, unless it may
    have been paid for."""
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    for row in rows:
        if row.cost_usd is None and (row.maybe_paid or row.status == "done" or row.status == "partial"):
            return None
    return sum(known) if known else None


def _total(values: Sequence[Any]) -> Any:
    return None if any(value is None for value in values) else sum(values)


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
