"""What was declared of a score: its lowest and highest value, and the step between values.

Nothing here is read off the data. A score of which nothing was declared may lie anywhere, and then no
method may use that the values seen happen to lie from 0 to 1, or to be whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.stats.units import Floats

REST = 1e-12
"""What is smaller, as a share of the values' own size, is left over from adding floating-point numbers."""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, in steps of `step`; infinite and None where nothing was declared.

    >>> Scale(0, 1, 1).binary, Scale(1, 5, 1).width, Scale().bounded
    (True, 4, False)
    """

    low: float = -math.inf
    high: float = math.inf
    step: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def width(self) -> float:
        """The largest difference there can be."""
        return self.high - self.low

    @property
    def binary(self) -> bool:
        """Whether there are two values only."""
        return self.step is not None and self.step == self.width

    @property
    def unit(self) -> bool:
        """Whether it runs from 0 to 1, so that a hundredth is a point."""
        return self.low == 0 and self.high == 1

    def faults(self) -> list[str]:
        """What is wrong with it, in words; empty where nothing is.

        >>> Scale(5, 1).faults()
        ['low=5 is not below high=1']
        """
        found = []
        ends = [end for end in (self.low, self.high) if math.isfinite(end)]
        if (
            any(math.isnan(end) for end in (self.low, self.high))
            or self.low == math.inf
            or self.high == -math.inf
        ):
            return [f"low={self.low:g} and high={self.high:g} are no bounds"]
        if len(ends) == 1:
            found.append("give both low= and high=, or neither")
        elif not self.low < self.high:
            found.append(f"low={self.low:g} is not below high={self.high:g}")
        if self.step is not None:
            if not self.step > 0 or math.isinf(self.step):
                found.append(f"step={self.step:g} is not above 0")
            elif self.bounded and not found and not _whole(self.width / self.step):
                found.append(f"step={self.step:g} does not lead from low={self.low:g} to high={self.high:g}")
        return found

    def holds(self, values: Floats) -> bool:
        """Whether no value lies outside (NaN is no value; a rest of adding is allowed for)."""
        import numpy as np

        if not self.bounded:
            return True
        rest = REST * max(abs(self.low), abs(self.high))
        with np.errstate(invalid="ignore"):
            return not bool(((values < self.low - rest) | (values > self.high + rest)).any())

    def rest(self, values: Floats) -> float:
        """How large a difference of such `values` may be and be only left over from adding them.

        >>> import numpy as np
        >>> Scale(0, 1).rest(np.array([0.3])), abs(0.1 + 0.2 - 0.3) < 1e-12
        (1e-12, True)
        """
        import numpy as np

        sizes = np.abs(values[np.isfinite(values)])
        return REST * max(self.width if self.bounded else 0.0, float(sizes.max()) if sizes.size else 0.0)

    def without_rests(self, differences: Floats, values: Floats) -> Floats:
        """`differences` of `values`, where those that are nothing but rests of adding become 0."""
        import numpy as np

        return np.where(np.abs(differences) < self.rest(values), 0.0, differences)


UNKNOWN = Scale()
"""Of which nothing was declared."""


def agreed(scales: Sequence[Scale]) -> Scale:
    """The scale of several parts: theirs where all were declared alike, else unknown."""
    return scales[0] if scales and all(one == scales[0] for one in scales) else UNKNOWN


def scale_of(told: Sequence[float | None]) -> Scale:
    """The scale told as lowest, highest and step, None for what was not declared.

    >>> scale_of((1, 5, 1)), scale_of((None, None, None)) == UNKNOWN
    (Scale(low=1.0, high=5.0, step=1.0), True)
    """
    low, high, step = told
    return Scale(
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
        None if step is None else float(step),
    )


def _whole(number: float) -> bool:
    return math.isclose(number, round(number), rel_tol=1e-9)
