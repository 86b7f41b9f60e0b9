"""The upper limit of Gaffke (2005) for the mean of bounded values, by saddlepoint.

Shares of the scale in, a share out; the lower limit is that of the shares turned round. It knows no
interval and no score.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from labkit.stats.scale import REST
from labkit.stats.units import Floats


def gaffke_limit(shares: Floats, sizes: Floats, tail: float) -> float:
    """What the mean of `shares`, under sizes times independent exponential weights, exceeds by that chance.

    One more unit, of mean size, stands at 1, which no share exceeds.
    """
    ends, weight = np.append(np.clip(shares, 0, 1), 1.0), np.append(sizes, sizes.mean())
    lowest, highest = float(ends.min()), 1.0
    if highest - lowest <= REST:
        return highest
    middle = float((ends * weight).sum() / weight.sum())
    far = 4 * float(np.sqrt((((ends - middle) * weight) ** 2).sum())) / float(weight.sum())
    while middle + far < highest and _chance_above(ends - middle - far, weight) > tail:
        far *= 2
    return float(
        optimize.brentq(
            lambda at: _chance_above(ends - at, weight) - tail,
            middle if _chance_above(ends - middle, weight) > tail else lowest,
            min(middle + far, highest),
            xtol=far * 1e-7,
        )
    )


def _chance_above(apart: Floats, weight: Floats) -> float:
    """The chance that Σ w·weight·apart is above 0 (Lugannani & Rice 1980)."""
    given = apart * weight
    if given.max() <= 0 or given.min() >= 0:
        return float(given.max() > 0)
    # The cumulant function is −Σ log(1 − s·given); its slope rises from −∞ to ∞ between these ends.
    ends = 1 / given.min(), 1 / given.max()
    inside = [end * (1 - 1e-12) for end in ends]

    def slope(s: float) -> float:
        return float((given / (1 - s * given)).sum())

    s = float(optimize.brentq(slope, *inside, xtol=1e-9 * min(-inside[0], inside[1]), rtol=1e-9))
    scaled = given / (1 - s * given)
    size = math.sqrt(max(0.0, 2 * float(np.log1p(-s * given).sum())))
    root, reach = math.copysign(size, s), s * math.sqrt(float((scaled**2).sum()))
    if abs(root) < 1e-4:
        # At the mean itself the two terms cancel; what is left is the skewness.
        third = 2 * float((given**3).sum()) / float((given**2).sum()) ** 1.5
        return float(0.5 - third / (6 * math.sqrt(2 * math.pi)))
    density = math.exp(-(root**2) / 2) / math.sqrt(2 * math.pi)
    above = float(special.ndtr(-root)) + density * (1 / reach - 1 / root)
    return float(np.clip(above, 0, 1))
