"""One kind of simulated study, and how often its claim held. What is drawn it does not know."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

Held = bool | np.ndarray
"""Whether the claim held: in one study, or in each of some drawn at once."""


@dataclass(frozen=True)
class Cell:
    """One kind of study: `holds` draws some and says whether the claim held; `least` is the claimed share."""

    kind: str
    method: str
    data: str
    n: int
    nominal: float
    least: float
    holds: Callable[[Generator], Held]
    part: float = 1.0
    """Of the studies that a cell gets, where one is dear."""

    @property
    def name(self) -> str:
        """Method, data and size."""
        return f"{self.method} | {self.data} | {self.n}"


@dataclass(frozen=True)
class Counted:
    """What a cell came to."""

    cell: Cell
    held: float
    studies: int


def count(cell: Cell, *, studies: int) -> Counted:
    """Run a cell; the same cell draws the same studies every time."""
    rng = np.random.default_rng([*cell.name.encode()])
    wanted, done, held = max(1, math.ceil(studies * cell.part)), 0, 0
    while done < wanted:
        found = np.atleast_1d(cell.holds(rng))
        done, held = done + len(found), held + int(found.sum())
    return Counted(cell, held / done, done)
