"""What a run's grid is to know of a design with chains: which lines a step is of, how many answers each
contender owes, and what steps of the lines that go on have answered already.

It shows nothing, and decides nothing about what is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from labkit.design import Design, Place
from labkit.records import Generation
from labkit.run.stored import Stored
from labkit.widgets.chain_line import LineOf


def lines(design: Design, run_id: str) -> dict[str, tuple[LineOf, ...]]:
    """By the generation_id of a step, the lines that it is of."""
    found: dict[str, tuple[LineOf, ...]] = {}
    for place in design.places if design.has_chains else ():
        if place.line and design.is_last(place):
            steps = tuple(step.name for step in design.prompts[place.prompt].steps)
            line = LineOf(design.chain_id(place, run_id), design.contender(place), steps)
            for generation_id in design.step_ids(place, run_id):
                found[generation_id] = (*found.get(generation_id, ()), line)
    return found


def contenders(design: Design, missing: Iterable[Place]) -> dict[str, tuple[int, int]]:
    """Of each contender how many answers are wanted and how many are there; nothing where each is one of the
    models and each model is one: then the models' counts say it all."""
    if set(design.contenders) == {design.models[place.model].id for place in design.places}:
        return {}
    wanted = Counter(design.contender(place) for place in design.places if design.is_last(place))
    lacks = Counter(design.contender(place) for place in missing if design.is_last(place))
    return {name: (wanted[name], wanted[name] - lacks[name]) for name in design.contenders if wanted[name]}


def answered(stored: Stored) -> list[Generation]:
    """The answers that an earlier launch had to the steps before those that are missing."""
    behind = {
        (*place.where[:3], place.line[:n]): None
        for place in stored.missing
        for n in range(1, len(place.line))
    }
    return [stored.steps[where] for where in behind if where in stored.steps]
