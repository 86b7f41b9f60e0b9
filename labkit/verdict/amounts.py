"""Numbers as words: ranges are rounded outwards, so that none says more than its interval.

Digits are those that the width of a range deserves, however small or large its scale is. It knows no
frame and no sentence.
"""

from __future__ import annotations

import math

from labkit.summary.show import three_digits


def span(low: float, high: float) -> tuple[str, str]:
    """The limits of an interval, rounded outwards to what its width deserves.

    A limit beside 0 stays beside it, unless it is hundreds of times smaller than the width.

    >>> span(4.4, 8.6)
    ('4', '9')
    >>> span(0.31, 8.6)
    ('0.3', '9')
    >>> span(-2.5, 8.7)
    ('−3', '9')
    >>> span(0.000211, 0.000357), span(123456789.0, 131456789.0)
    (('0.00021', '0.00036'), ('123,000,000', '132,000,000'))
    """
    width = high - low
    places = -_magnitude(width / 2) if width > 0 else 1 - _magnitude(high)
    places = max(places, min(0, 2 - _magnitude(max(abs(low), abs(high)))))
    least = most = places
    if low > 0:
        least = max(places, min(-_magnitude(low), places + 2))
    if high < 0:
        most = max(places, min(-_magnitude(high), places + 2))
    return _fixed(_down(low, least), least), _fixed(_up(high, most), most)


def number(value: float) -> str:
    """Two significant digits, three of what has thousands.

    >>> number(3.14159), number(0.0), number(12.3456), number(0.000123), number(123456.0)
    ('3.1', '0', '12', '0.00012', '123,000')
    """
    if value == 0:
        return "0"
    magnitude = _magnitude(value)
    return _fixed(value, max(0, 1 - magnitude) if magnitude < 3 else 2 - magnitude)


def times(value: float) -> str:
    """A ratio with its sign: two places near 1, two significant digits far from it.

    >>> times(0.604), times(12.4), times(1.0)
    ('0.60×', '12.4×', '1.00×')
    """
    return f"{_fixed(value, _places(value))}×"


def times_span(low: float, high: float) -> str:
    """The interval of a ratio, rounded outwards; a limit beside 1 stays beside 1.

    >>> times_span(0.553, 0.661), times_span(1.002, 1.4), times_span(2.0, 2.0)
    ('0.55× to 0.67×', '1.002× to 1.40×', '2.00×')
    """
    lowest, highest = _places(low), _places(high)
    if low > 1 and _down(low, lowest) <= 1:
        lowest = 3
    if high < 1 and _up(high, highest) >= 1:
        highest = 3
    ends = [f"{_fixed(_down(low, lowest), lowest)}×", f"{_fixed(_up(high, highest), highest)}×"]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def usd(value: float) -> str:
    """An amount with the digits that it has in a summary: three significant ones, never an exponent.

    >>> usd(0.0312), usd(1234.5), usd(2), usd(0)
    ('USD 0.0312', 'USD 1,234', 'USD 2.00', 'USD 0')
    """
    return f"USD {three_digits(value)}"


def about(count: int) -> str:
    """A number of samples to two significant digits, upwards, since more is not known.

    >>> about(137), about(8), about(12345)
    ('140', '8', '13,000')
    """
    step: int = 10 ** max(0, len(str(count)) - 2)
    return f"{math.ceil(count / step) * step:,}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`count` with its noun.

    >>> counted(1, "sample"), counted(1200, "sample")
    ('1 sample', '1,200 samples')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(words: list[str], *, most: int = 5, joint: str = "and") -> str:
    """Words as an English list.

    >>> listed(["a", "b", "c"]), listed(list("abcdefg"), most=2)
    ('a, b and c', 'a, b and 5 more')
    """
    shown = words if len(words) <= most + 1 else [*words[:most], f"{len(words) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def _magnitude(value: float) -> int:
    """The power of ten that it begins with; 0 for nothing."""
    return min(15, max(-15, math.floor(math.log10(abs(value))))) if value else 0


def _places(value: float) -> int:
    if not value > 0 or not math.isfinite(value) or value >= 100:
        return 0
    return 1 if value >= 10 else 2 if value >= 0.1 else min(6, 1 - math.floor(math.log10(value)))


def _down(value: float, places: int) -> float:
    return math.floor(value * 10.0**places + 1e-9) / 10.0**places


def _up(value: float, places: int) -> float:
    return math.ceil(value * 10.0**places - 1e-9) / 10.0**places


def _fixed(value: float, places: int) -> str:
    # A minus sign that is one, and no minus before nothing.
    text = f"{round(value, places):,.{max(0, places)}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text.replace("-", "−")
