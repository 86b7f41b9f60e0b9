"""labkit.verdict.amounts: ranges are rounded outwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.verdict.amounts import about, listed, number, span, times, times_span, usd

finite = st.floats(-1000, 1000, allow_nan=False)


def _value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


@given(finite, finite)
def test_a_span_never_says_less_than_its_interval(one, two):
    """The words always cover the interval, to within a thousandth."""
    low, high = sorted((one, two))
    least, most = span(low, high)
    assert _value(least) <= low + 1e-6
    assert _value(most) >= high - 1e-6


@given(st.floats(0.002, 500), st.floats(0.002, 500))
def test_the_span_of_a_ratio_covers_it_and_keeps_its_side_of_one(one, two):
    """Outwards again; what lies above 1 is never told as 1 or less, to a thousandth."""
    low, high = sorted((one, two))
    ends = [float(end.rstrip("×")) for end in times_span(low, high).split(" to ")]
    assert ends[0] <= low + 1e-6
    assert ends[-1] >= high - 1e-6
    if low > 1.001:
        assert ends[0] > 1
    if high < 0.999:
        assert ends[-1] < 1


def test_single_numbers_are_short_and_without_exponents():
    """Numbers, amounts and counts as a person writes them."""
    assert [number(x) for x in (0, 0.0456, 3.14159, 45.6)] == ["0", "0.046", "3.1", "46"]
    assert [times(x) for x in (0.5, 2.345, 45.61, 0.01234)] == ["0.50×", "2.35×", "45.6×", "0.012×"]
    assert [usd(x) for x in (0, 0.000123, 12345)] == ["USD 0", "USD 0.000123", "USD 12,345"]
    assert [about(x) for x in (7, 99, 101, 137, 9_960)] == ["7", "99", "110", "140", "10,000"]
    assert listed(["a"]) == "a"
