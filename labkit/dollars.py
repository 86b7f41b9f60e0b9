"""A sum of US dollars, as budgets count it, and in words, as everything that tells of money spent writes it.

Of an amount it sees twelve decimal places, and of a float fifteen digits: what comes after them is left over
from adding. Rates and means in tables have their own digits. It knows no budget and no price.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

PUSD = 10**12
"""Units of a dollar in which money is counted: a millionth of a millionth each."""
_EXACT = Context(prec=400)
"""Digits enough for every float that is finite, and its cents."""


def pusd_up(amount: float) -> int:
    """The amount in whole units, rounded up: a cost.

    >>> pusd_up(0.1 + 0.2), pusd_up(1e-13)
    (300000000000, 1)
    """
    return _counted(amount, ROUND_CEILING)


def pusd_down(amount: float) -> int:
    """The amount in whole units, rounded down: a limit.

    >>> pusd_down(3 * 0.00012195), pusd_down(1.9e-12)
    (365850000, 1)
    """
    return _counted(amount, ROUND_FLOOR)


def usd(amount: float) -> str:
    """Cents, or the first three digits that say something.

    >>> [usd(x) for x in (0, 0.0000123, 0.0004, 0.01234, 0.13, 4.2, 1234.5)]
    ['0.00', '0.0000123', '0.0004', '0.0123', '0.13', '4.20', '1,234.50']
    """
    return _written(amount, ROUND_HALF_EVEN)


def at_most(amount: float) -> str:
    """As `usd`, rounded up: no less than the amount to twelve places.

    >>> at_most(0.0021301), at_most(0.0021)
    ('0.00214', '0.0021')
    """
    return _written(amount, ROUND_CEILING)


def at_least(amount: float) -> str:
    """As `usd`, rounded down: no more than the amount to twelve places.

    >>> at_least(0.0021309), at_least(0.0021)
    ('0.00213', '0.0021')
    """
    return _written(amount, ROUND_FLOOR)


def _counted(amount: float, rounding: str) -> int:
    return int((Decimal(f"{amount:.15g}") * PUSD).to_integral_value(rounding, _EXACT))


def _written(amount: float, rounding: str) -> str:
    seen = round(float(amount), 12) + 0.0  # no -0.0
    if not math.isfinite(seen):
        return str(seen)
    exact = Decimal(repr(seen))  # as it is written
    places = max(2, 2 - exact.adjusted()) if exact else 2
    whole, _, part = f"{exact.quantize(Decimal(1).scaleb(-places), rounding, _EXACT):,f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"
