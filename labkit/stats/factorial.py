"""Two-level factorial designs: which sets of factors to try, and which contrast of the cells is whose effect.

Full factorials, their fractions of stated resolution, Plackett and Burman's, and leaving one out at a time.
What can be told apart is read off the cells, so it holds for designs that were cut as well. It knows signs
and weights only: no answers, no intervals, and no effects of three factors at once, which it takes for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from labkit.stats.units import Floats

Cell = tuple[bool, ...]
"""Which factors are in."""
Pair = tuple[int, int]
MOST = 12
"""Factors of a fraction."""
MOST_FULL = 8
"""Factors of a full factorial: 256 cells."""
GENERATORS = {
    5: ((0, 1, 2, 3),),
    6: ((0, 1, 2), (1, 2, 3)),
    7: ((0, 1, 2), (1, 2, 3), (0, 2, 3)),
    8: ((1, 2, 3), (0, 2, 3), (0, 1, 2), (0, 1, 3)),
}
"""Of 16 cells: which of the first four signs each further factor is the product of (Box & Hunter 1961)."""
PLACKETT_BURMAN = {
    12: "++-+++---+-",
    16: "++++-+-++--+---",
}
"""First rows (Plackett & Burman 1946). Twelve cells take 11 factors, so a twelfth needs 16."""
_TINY = 1e-9


def design(k: int, kind: str = "auto") -> tuple[Cell, ...]:
    """The cells for `k` factors, the one with all factors first, then by how many are in.

    `auto`: all sets to 4 factors; half of them at 5 (resolution V); 16 at 6 to 8 (resolution IV); Plackett
    and Burman's 12 at 9 to 11 and 16 at 12 (resolution III). `full`: all sets. `each`: all factors, and all
    but one. Raises ValueError for other kinds and for `k` that the kind has no design for.

    >>> [len(design(k)) for k in range(1, 13)]
    [2, 4, 8, 16, 16, 16, 16, 16, 12, 12, 12, 16]
    >>> design(2, "each")
    ((True, True), (True, False), (False, True))
    """
    most = MOST_FULL if kind == "full" else MOST
    if kind not in ("auto", "full", "each") or not 1 <= k <= most:
        raise ValueError(f"there is no design {kind!r} for {k} factors")
    if kind == "each":
        cells = [tuple(at != out for at in range(k)) for out in (-1, *range(k))]
    elif kind == "full" or k <= 4:
        cells = list(product((True, False), repeat=k))
    elif k in GENERATORS:
        cells = [_generated(first, GENERATORS[k]) for first in product((True, False), repeat=4)]
    else:
        cells = _plackett_burman(k)
    return tuple(sorted(cells, key=lambda cell: (-sum(cell), tuple(not one for one in cell))))


@dataclass(frozen=True)
class Factorial:
    """What the cells of a two-level design can tell.

    >>> found = Factorial(design(5))
    >>> found.resolution, len(found.strings), found.aliases(0)
    (5, 10, [])
    """

    cells: tuple[Cell, ...]

    @cached_property
    def signs(self) -> Floats:
        """One row per cell, one column per factor: 1 where it is in, −1 where it is out."""
        return np.where(np.array(self.cells, dtype=bool), 1.0, -1.0)

    @property
    def k(self) -> int:
        """How many factors."""
        return len(self.cells[0])

    @cached_property
    def resolution(self) -> int | None:
        """The fewest factors whose signs do not balance out; None where all do, so that nothing is mixed.

        At III a factor's effect is mixed with those of pairs, at IV pairs with pairs, at V neither; below
        III the cells are no balanced fraction.
        """
        for size in range(1, self.k + 1):
            if any(abs(self._product(term).mean()) > _TINY for term in combinations(range(self.k), size)):
                return size
        return None

    def main(self, factor: int) -> Floats | None:
        """The weight of each cell in the effect of a factor: its mean with it less its mean without it,
        averaged over the others; None where the cells do not tell it.

        In a balanced design that is ±1 ÷ (cells ÷ 2), else least squares for a sum of effects.
        """
        return self._effect(self.signs[:, factor] > 0, np.ones(len(self.cells), dtype=bool), {factor})

    def given(self, factor: int, other: int, *, inside: bool) -> Floats | None:
        """The same among the cells that have `other` in (or out)."""
        among = (self.signs[:, other] > 0) == inside
        return self._effect(self.signs[:, factor] > 0, among, {factor, other})

    def together(self, factor: int, other: int, *, alike: bool) -> Floats | None:
        """Both factors against neither, or (not `alike`) the first alone against the other alone."""
        among = (self.cells_of(factor) == self.cells_of(other)) == alike
        return self._effect(self.cells_of(factor), among, {factor, other})

    def cells_of(self, factor: int) -> NDArray[np.bool_]:
        """Which cells have the factor in."""
        return self.signs[:, factor] > 0

    @cached_property
    def strings(self) -> dict[tuple[Pair, ...], Floats]:
        """Pairs whose effects cannot be told from one another, and the weights of the cells in their sum.

        The effect of a pair is half of what the effect of one is greater for where the other is in. Pairs
        that are mixed with a single factor, or only in part with others, are in none.
        """
        columns: dict[bytes, list[Pair]] = {}
        for pair in combinations(range(self.k), 2):
            columns.setdefault(self._product(pair).tobytes(), []).append(pair)
        groups = [tuple(pairs) for pairs in columns.values()]
        model = np.column_stack(
            [np.ones(len(self.cells)), self.signs, *(self._product(pairs[0]) for pairs in groups)]
        )
        found = {}
        for place, pairs in enumerate(groups):
            weights = _weights(model, 1 + self.k + place)
            if weights is not None:
                found[pairs] = 2 * weights
        return found

    def aliases(self, factor: int) -> list[tuple[Pair, float]]:
        """Pairs of others whose effects are in that of the factor, and how much of them.

        >>> Factorial(((True, True, True), (True, False, False), (False, True, False), (False, False, True))
        ...     ).aliases(0)
        [((1, 2), 1.0)]
        """
        weights = self.main(factor)
        if weights is None:
            return []
        shares = [
            (pair, float(weights @ self._product(pair)) / 2)
            for pair in combinations(range(self.k), 2)
            if factor not in pair
        ]
        return [(pair, round(share, 9)) for pair, share in shares if abs(share) > _TINY]

    def conditions(self, factor: int) -> list[tuple[int, bool]]:
        """Factors that are in, or out, in all cells that tell this one's effect.

        >>> Factorial(design(3, "each")).conditions(0)
        [(1, True), (2, True)]
        """
        weights = self.main(factor)
        if weights is None:
            return []
        told = np.abs(weights) > _TINY
        others = [other for other in range(self.k) if other != factor]
        return [
            (other, bool(self.cells_of(other)[told].all()))
            for other in others
            if len(set(self.cells_of(other)[told].tolist())) == 1
        ]

    def _product(self, term: Sequence[int]) -> Floats:
        return np.asarray(self.signs[:, list(term)].prod(axis=1))

    def _effect(self, inside: NDArray[np.bool_], among: NDArray[np.bool_], own: set[int]) -> Floats | None:
        others = [self.cells_of(other) for other in range(self.k) if other not in own]
        model = np.column_stack([np.ones(len(self.cells)), inside, *others])[among] * 1.0
        if not len(model):
            return None
        weights = _weights(model, 1)
        if weights is None:
            return None
        found = np.zeros(len(self.cells))
        found[among] = weights
        return found


def sides(weights: Floats) -> tuple[Floats, Floats]:
    """A contrast as two means of cells, the first less the second.

    >>> [side.tolist() for side in sides(np.array([0.5, -0.5, 0.5, -0.5]))]
    [[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5]]
    """
    return np.maximum(weights, 0.0), np.maximum(-weights, 0.0)


def roman(resolution: int) -> str:
    """A resolution as it is written: III, IV, V and above."""
    return {1: "I", 2: "II", 3: "III", 4: "IV"}.get(resolution, "V" if resolution == 5 else str(resolution))


def _weights(model: Floats, column: int) -> Floats | None:
    """The weights of rows in the least-squares coefficient of a column; None where it is not determined."""
    own = model[:, column] - model[:, column].mean()
    rest = np.delete(model, column, axis=1)
    if np.abs(own @ rest).max(initial=0.0) < _TINY and own @ own > _TINY:
        return np.asarray(own / (own @ own))  # balanced: exact, without a rest of the calculation
    inverse = np.linalg.pinv(model)
    if np.abs((inverse @ model)[column] - np.eye(model.shape[1])[column]).max() > _TINY:
        return None
    weights = inverse[column]
    return np.where(np.abs(weights) < _TINY, 0.0, weights)


def _generated(first: Cell, generators: Sequence[Sequence[int]]) -> Cell:
    return (*first, *(sum(not first[at] for at in word) % 2 == 0 for word in generators))


def _plackett_burman(k: int) -> list[Cell]:
    cells = min(size for size in PLACKETT_BURMAN if size > k)
    row = [sign == "+" for sign in PLACKETT_BURMAN[cells]]
    # The rows as published end in one of minuses; turned round, that is the cell with all factors in.
    turned = [[not row[(at - shift) % len(row)] for at in range(len(row))] for shift in range(len(row))]
    return [tuple(cell[:k]) for cell in [*turned, [True] * len(row)]]
