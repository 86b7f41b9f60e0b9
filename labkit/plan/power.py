"""What a plan's samples can show, as a value: chance to decide, smallest difference, and how it reads.

It computes nothing from designs, history or guesses: see `power_inputs`.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from labkit.plan.estimate import plural
from labkit.stats.scale import Scale
from labkit.visible import visible


@dataclass(frozen=True, kw_only=True)
class Power:
    """What the samples of a plan can show of one score. Made by `plan.power`; frozen.

    `chance` is None where no `effect` was asked for, `detectable` where no difference is decided with
    chance `power`: too few samples for so many pairs. Differences are in the score's own unit.
    """

    scorer: str
    by: tuple[str, ...]
    samples: int
    """That two contenders have in common; the least of all pairs."""
    pairs: int
    effect: float | None
    chance: float | None
    power: float
    detectable: float | None
    level: float
    basis: str
    """By what it goes, in words."""
    seen: int
    """Samples scored before by which it goes; 0 where it goes by a guess."""
    scale: Scale
    """What is declared of the score: from 0 to 1 it is told in points of a hundred."""

    @property
    def short(self) -> str:
        """In a few words: `decides a difference of 18 points with chance 0.8 if …`."""
        return f"decides {self._decided} {self.basis}"

    def __str__(self) -> str:
        asked = ""
        if self.effect is not None and self.chance is not None:
            asked = f", one of {self._amount(self.effect)} with chance {_chance(self.chance)}"
        what = " and ".join(f"{factor}s" for factor in self.by)
        among = f"two {what}" if self.pairs == 1 else f"{plural(self.pairs, 'pair')} of {what}"
        return (
            f"{visible(self.scorer, limit=60)}: {plural(self.samples, 'sample')} decide "
            f"{self._decided}{asked} ({among}, {100 * self.level:g} % sure; {self.basis})"
        )

    def __repr__(self) -> str:
        return f"Power({self})"

    def _repr_html_(self) -> str:
        return f"<div>{html.escape(str(self))}</div>"

    @property
    def _decided(self) -> str:
        least = self.detectable
        what = "no difference" if least is None else f"a difference of {self._amount(least)}"
        unit = "" if least is None or self.scale.unit else self._own_unit
        return f"{what}{unit} with chance {self.power:g}"

    @property
    def _own_unit(self) -> str:
        low, high = self.scale.low, self.scale.high
        return f" on a scale from {low:g} to {high:g}" if self.scale.bounded else " in the score's own unit"

    def _amount(self, difference: float) -> str:
        if not self.scale.unit:
            return _upwards(difference)
        told = _upwards(100 * difference)
        return f"{told} point{'' if told == '1' else 's'}"


def _chance(chance: float) -> str:
    return "more than 0.99" if chance > 0.995 else "less than 0.01" if chance < 0.005 else f"{chance:.2f}"


def _upwards(value: float) -> str:
    """Two significant digits, upwards: what is larger is decided sooner."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / step - 1e-9) * step:,.10g}"
