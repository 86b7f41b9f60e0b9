"""Whether the chance that `plan.power` tells is the share of studies that are decided: by simulation.

    python benchmarks/power.py            # 4,000 studies a cell; writes benchmarks/power.md
    python benchmarks/power.py 200        # fewer, printed only

Each cell is a world of two models on common samples. It is told from a history of 20,000 samples of that
world, or from a guess that is right, what n samples decide with chance 0.2, 0.5, 0.8 and 0.95; then as many
studies are drawn with that true difference and compared as `stats.pairwise` does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.planning import Disagreement, Normal, Scatter, Seen, detectable_difference, power
from labkit.stats.scale import Scale

STUDIES = 4000
SIZES = (10, 20, 50, 200, 500)
PAIRS = (1, 3, 6, 45)
CHANCES = (0.2, 0.5, 0.8, 0.95)
HISTORY = 20_000

Draw = Callable[[Generator, float, tuple[int, ...]], tuple[np.ndarray, np.ndarray]]
"""Answers' scores of both models: shape (samples, repeats, …), or one that broadcasts to it."""


Gain = Callable[[float], float]


@dataclass(frozen=True)
class World:
    """Two models: `draw` gives their scores if the first is better by so much on a scale of its own."""

    name: str
    draw: Draw
    true: Gain
    """The true difference of the mean scores, by gain."""
    scale: Scale

    def apart(self, rng: Generator, gain: float, n: int, repeats: int, studies: int) -> np.ndarray:
        """Differences of the samples' means, one column a study."""
        one, two = self.draw(rng, gain, (n, repeats, studies))
        return np.asarray(one.mean(axis=1) - two.mean(axis=1))


def answers(likeness: float) -> Draw:
    """0/1 answers around a rate of .6, as in `coverage.py`: a share of samples is answered alike by both."""

    def draw(rng: Generator, gain: float, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        sample = (shape[0], 1, shape[2])
        alike, luck = rng.random(sample) < likeness, rng.random(sample)

        def model(rate: float) -> np.ndarray:
            return np.where(alike, luck < rate, rng.random(shape) < rate) * 1.0

        return model(0.6 + gain / 2), model(0.6 - gain / 2)

    return draw


def latent(middle: float, own: float, reach: float, value: Callable[[np.ndarray], np.ndarray]) -> Draw:
    """Scores that are a value of something normal, of which both models share the sample's part."""

    def draw(rng: Generator, gain: float, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        sample = rng.normal(middle, 0.8, (shape[0], 1, shape[2]))

        def model(shift: float) -> np.ndarray:
            return value(sample + shift + rng.normal(0, own, shape))

        return model(reach * gain / 2), model(-reach * gain / 2)

    return draw


def rating(hidden: np.ndarray) -> np.ndarray:
    """Whole numbers from 1 to 5."""
    return np.clip(np.round(hidden), 1, 5)


def grade(hidden: np.ndarray) -> np.ndarray:
    """Between 0 and 1, mostly near 1, as an F1 of tokens."""
    return 1 / (1 + np.exp(-hidden))


def mean_gain(middle: float, own: float, reach: float, value: Callable[[np.ndarray], np.ndarray]) -> Gain:
    """The true difference of means that a gain comes to, over half a million places of equal chance."""
    places = middle + np.hypot(0.8, own) * ndtri((np.arange(500_000) + 0.5) / 500_000)
    return lambda gain: float((value(places + reach * gain / 2) - value(places - reach * gain / 2)).mean())


RATING, GRADE = (3.3, 0.7, 1.0, rating), (1.2, 0.9, 5.0, grade)
WORLDS = (
    World("0/1, independent", answers(0.0), float, Scale(0, 1, 1)),
    World("0/1, 70 % alike", answers(0.7), float, Scale(0, 1, 1)),
    World("ratings 1 to 5", latent(*RATING), mean_gain(*RATING), Scale(1, 5, 1)),
    World("graded, near 1", latent(*GRADE), mean_gain(*GRADE), Scale(0, 1)),
)


@dataclass(frozen=True)
class Cell:
    """A world, and by what its scatter is told."""

    world: World
    source: str
    repeats: int
    n: int
    pairs: int
    wanted: float

    @property
    def name(self) -> str:
        """What is told of which."""
        return f"{self.source} | {self.world.name} | {self.repeats} | {self.n} | {self.pairs}"


@dataclass(frozen=True)
class Counted:
    """What a cell came to."""

    cell: Cell
    effect: float
    told: float
    decided: float

    @property
    def apart(self) -> float:
        """How much more was told than was decided, in points."""
        return 100 * (self.told - self.decided)


def cells() -> Iterator[Cell]:
    """History for every world; guesses for those they are made for."""
    for n, pairs, wanted in product(SIZES, PAIRS, CHANCES):
        if n > 200 and (pairs not in (1, 45) or wanted not in (0.2, 0.8)):
            continue
        for world, repeats in product(WORLDS, (1, 5)):
            yield Cell(world, "history", repeats, n, pairs, wanted)
            if not world.scale.binary and repeats == 1:
                yield Cell(world, "sd", repeats, n, pairs, wanted)
        yield Cell(WORLDS[1], "disagreement", 1, n, pairs, wanted)


def count(cell: Cell, *, studies: int) -> Counted | None:
    """Plan a study and draw it so many times; None where no difference would be decided that often."""
    rng = np.random.default_rng([*f"{cell.name} | {cell.wanted}".encode()])
    world, alpha = cell.world, 0.05 / cell.pairs
    plan: Any = {"n": cell.n, "pairs": cell.pairs, "scale": world.scale}
    gain = effect = 0.1
    for _ in range(2):
        # How far samples scatter depends a little on how far the models are apart.
        found = detectable_difference(_scatter(cell, gain, rng), power=cell.wanted, **plan)
        if found is None or found > 0.75 * world.scale.width:
            return None
        gain *= found / effect
        effect = world.true(gain)
    told = power(_scatter(cell, gain, rng), effect, **plan)
    apart = world.apart(rng, gain, cell.n, cell.repeats, studies)
    apart[np.abs(apart) < 1e-12] = 0
    decided = adjusted_t(apart, scale=world.scale).p_value() < alpha
    return Counted(cell, effect, told, float(decided.mean()))


def _scatter(cell: Cell, gain: float, rng: Generator) -> Scatter:
    differences = cell.world.apart(rng, gain, HISTORY, cell.repeats, 1).ravel()
    if cell.source == "sd":
        return Normal(float(differences.std()), step=cell.world.scale.step)
    if cell.source == "disagreement":
        return Disagreement(float((differences != 0).mean()))
    return Seen(tuple(np.sort(differences)[:: HISTORY // 2000].tolist()))


def table(found: list[Counted], *, studies: int) -> str:
    """Markdown: the furthest of each kind, and all that are more than three points apart."""
    far = np.array([abs(one.apart) for one in found])
    lines = [
        f"{len(found)} cells of {studies:,} studies each: {(far <= 3).sum()} are within 3 points, half "
        f"within {np.median(far):.1f}. The simulation's own error is up to {50 / studies**0.5:.1f} points. "
        "Of each kind the furthest cell, and all beyond 3 points.",
        "",
        "| told by | data | repeats | n | pairs | true difference | told | decided | apart (points) |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    seen = set()
    for one in sorted(found, key=lambda one: -abs(one.apart)):
        cell = one.cell
        kind = (cell.source, cell.world.name, cell.repeats, cell.n)
        if kind in seen and abs(one.apart) <= 3:
            continue
        seen.add(kind)
        lines.append(
            f"| {cell.source} | {cell.world.name} | {cell.repeats} | {cell.n} | {cell.pairs} "
            f"| {one.effect:.3g} | {one.told:.3f} | {one.decided:.3f} | {one.apart:+.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Count every cell; with the full number of studies, write the table beside this file."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    began = time.monotonic()
    found = [one for cell in cells() if (one := count(cell, studies=studies)) is not None]
    print(f"{len(found)} cells in {time.monotonic() - began:.0f} s")
    head = (Path(__file__).with_suffix(".md")).read_text().partition("<!-- table -->")[0]
    text = f"{head}<!-- table -->\n{table(found, studies=studies)}\n"
    if studies >= STUDIES:
        Path(__file__).with_suffix(".md").write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
