"""What the lab already has for a design's cells, and for the others: why not.

It reads the store and decides nothing; a fresh run ignores it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.design import PLANNED, Design, Place
from labkit.identity import canonical_json
from labkit.run import replaying

if TYPE_CHECKING:
    from labkit.store import Store

UNIDENTIFIED = "its endpoint has no identity, so its answers are never replayed"
UNFOUNDED = "what is stored for it does not match the request it claims to answer"
NEVER = "never asked"
LESS_OFTEN = "asked before, but fewer times"
FAILED = "asked before, without a finished answer"
PARAMS = "the params changed since it was asked"
ENDPOINT = "the model's endpoint changed since it was asked"
TEXT = "the prompt's text or the sample changed since it was asked"
STEP = "the step's text or the sample changed since it was asked"
BEFORE = "the step before it is to be asked"


@dataclass(frozen=True)
class Known:
    """For each cell, in the design's order: "" where the lab has its answer, else why it has none."""

    why: tuple[str, ...]

    @classmethod
    def look_up(cls, design: Design, store: Store) -> Known:
        """Ask the store once for all cells."""
        with store.one_opening():
            places, answered = _answered(design, store)
            before = _asked_before(design, store) if len(answered) < len(places) else {}
        requests = {request_id for request_id, _ in answered}
        reasons: list[str] = []
        for place in places:
            if design.endpoints[place.model] is None:
                reasons.append(UNIDENTIFIED)
            elif place.request_id.startswith(PLANNED):
                reasons.append(BEFORE)
            elif (place.request_id, place.draw) in answered:
                reasons.append("" if answered[place.request_id, place.draw] else UNFOUNDED)
            else:
                reasons.append(_why(design, place, before, requests))
        return cls(tuple(reasons))

    def reasons(self) -> dict[str, int]:
        """How many cells are not known, by reason, most first."""
        return dict(Counter(why for why in self.why if why).most_common())

    def __repr__(self) -> str:
        return f"Known({self.why.count('')} of {len(self.why)})"


def _answered(design: Design, store: Store) -> tuple[Sequence[Place], dict[tuple[str, int], bool]]:
    """The places, later steps of chains as they would be asked where all before is known; and request and
    draw of each stored answer → whether it is verified."""
    import pyarrow as pa

    if design.has_chains:
        found = replaying.look_up(store, design, design.places)
        have = found.rows.select(["request_id", "draw", "model"]).to_pylist()
        return [found.told(place) for place in design.places], _verified(have, found.asked)
    places = design.places
    keys = pa.table(
        {"request_id": [place.request_id for place in places], "draw": [place.draw for place in places]}
    )
    with store.one_opening():
        have = store.known(keys, columns=("request_id", "draw", "model")).to_pylist()
        asked = store.verified({row["request_id"] for row in have}) if have else {}
    return places, _verified(have, asked)


def _verified(have: Sequence[Mapping[str, Any]], asked: Mapping[str, str]) -> dict[tuple[str, int], bool]:
    return {(row["request_id"], row["draw"]): asked.get(row["request_id"]) == row["model"] for row in have}


Earlier = dict[tuple[str, str | None, str, str], dict[str, tuple[str, str]]]
"""Prompt, its step, model and sample → the requests sent for them: request_id → params and endpoint, as
stored."""


def _asked_before(design: Design, store: Store) -> Earlier:
    found = store.table(
        """
        select distinct
            g.prompt, g.step_name, g.model, g.sample_id, g.request_id, r.params::varchar as params, r.endpoint
        from steps g join requests r using (request_id)
        where g.prompt in (select unnest(?)) and g.model in (select unnest(?))
        """,
        [[prompt.name for prompt in design.prompts], [model.id for model in design.models]],
    )
    before: Earlier = {}
    for row in found.to_pylist():
        where = row["prompt"], row["step_name"], row["model"], row["sample_id"]
        cell = before.setdefault(where, {})
        cell[row["request_id"]] = (row["params"], row["endpoint"])
    return before


def _why(design: Design, place: Place, before: Earlier, answered: set[str]) -> str:
    model = design.models[place.model]
    step, sample = design.step_name(place), design.dataset.samples[place.sample].id
    earlier = before.get((design.prompts[place.prompt].name, step, model.id, sample))
    if not earlier:
        return NEVER
    if place.request_id in earlier:
        return LESS_OFTEN if place.request_id in answered else FAILED
    params = canonical_json(dict(design.params[place.model])).decode()
    if not any(params == sent for sent, _ in earlier.values()):
        return PARAMS
    if not any(design.endpoints[place.model] == endpoint for _, endpoint in earlier.values()):
        return ENDPOINT
    return STEP if step else TEXT
