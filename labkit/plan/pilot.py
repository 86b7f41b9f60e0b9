"""Which cells a pilot asks: a few, drawn so that every prompt meets every model, on the same samples.

It draws and decides nothing else: that they are asked, kept and replayed is an ordinary run's.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from labkit.design import Design
from labkit.errors import DefinitionError


def drawn(design: Design, n: int, *, seed: int) -> list[int]:
    """Positions of `n` cells per prompt × model, of as many different samples as there are.

    Samples are put in one random order for the whole design, so that prompts and models are asked the same
    ones as far as they have them, and a larger `n` draws what a smaller one drew and more. Repeats come
    where there are fewer samples than `n`. Raises `DefinitionError` unless `n` is a whole number from 1 up.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise DefinitionError(f"A pilot has n={n!r:.40}; use a whole number of answers, from 1 up.")
    order = sorted({place.sample for place in design.places})
    Random(f"pilot/{seed}").shuffle(order)  # noqa: S311 - a draw, not a secret
    rank = {sample: position for position, sample in enumerate(order)}
    times: Counter[tuple[int, int, int]] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for position, place in enumerate(design.places):  # places come repeat by repeat
        ranked.append((times[place[:3]], rank[place.sample], position))
        times[place[:3]] += 1
    taken: Counter[tuple[int, int]] = Counter()
    chosen = []
    for _, _, position in sorted(ranked):
        pair = design.places[position].prompt, design.places[position].model
        if taken[pair] < n:
            taken[pair] += 1
            chosen.append(position)
    return sorted(chosen)
