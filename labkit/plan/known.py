"""What the lab already has for a design's cells, and for the others: why not.

It reads the store and decides nothing; a fresh run ignores it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.design import Design

if TYPE_CHECKING:
    from labkit.store import Store

UNIDENTIFIED = "its endpoint has no identity, so its answers are never replayed"
NEVER = "never asked"
FAILED = "asked before, without a finished answer"


@dataclass(frozen=True)
class Known:
    """For each cell, in the design's order: "" where the lab has its answer, else why it has none."""

    why: tuple[str, ...]

    @classmethod
    def look_up(cls, design: Design, store: Store) -> Known:
        """Ask the store once for all cells."""
        import pyarrow as pa

        places = design.places
        keys = pa.table(
            {"request_id": [place.request_id for place in places], "draw": [place.draw for place in places]}
        )
        have = store.known(keys, columns=("request_id", "draw"))
        answered = set(zip(have["request_id"].to_pylist(), have["draw"].to_pylist(), strict=True))
        before = _asked_before(design, store) if len(answered) < len(places) else {}
        reasons: list[str] = []
        for place in places:
            if design.endpoints[place.model] is None:
                reasons.append(UNIDENTIFIED)
            elif (place.request_id, place.draw) in answered:
                reasons.append("")
            else:
                cell = (
                    design.prompts[place.prompt].name,
                    design.models[place.model].id,
                    design.dataset.samples[place.sample].id,
                )
                reasons.append(_why(place.request_id, before.get(cell)))
        return cls(tuple(reasons))

    def reasons(self) -> dict[str, int]:
        """How many cells are not known, by reason, most first."""
        return dict(Counter(why for why in self.why if why).most_common())

    def __repr__(self) -> str:
        return f"Known({self.why.count('')} of {len(self.why)})"


Earlier = dict[str, tuple[str, str]]
"""request_id → params and endpoint as stored."""


def _asked_before(design: Design, store: Store) -> dict[tuple[str, str, str], Earlier]:
    found = store.table(
        """
        select distinct g.prompt, g.model, g.sample_id, g.request_id, r.params::varchar as params, r.endpoint
        from generations g join requests r using (request_id)
        where g.prompt in (select unnest(?)) and g.model in (select unnest(?))
        """,
        [[prompt.name for prompt in design.prompts], [model.id for model in design.models]],
    )
    before: dict[tuple[str, str, str], Earlier] = {}
    for row in found.to_pylist():
        cell = before.setdefault((row["prompt"], row["model"], row["sample_id"]), {})
        cell[row["request_id"]] = (row["params"], row["endpoint"])
    return before


def _why(request_id: str, earlier: Earlier | None) -> str:
    if not earlier:
        return NEVER
    if request_id in earlier:
        return FAILED
    return "the prompt, the sample or the params changed since it was asked"
