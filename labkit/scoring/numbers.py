"""The scorer for numbers: the one number in an answer against the sample's, within a tolerance.

It reads numbers as people write them, in answers and in targets alike, and guesses nothing: where the text
leaves open which number is meant, the answer is not scored and the explanation says why. It converts no
units: 1 kg is 1.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

from labkit.arguments import check, number
from labkit.records import Generation, Sample
from labkit.scoring.matching import NothingToCompare, answer_text, explained, target_values
from labkit.scoring.recipe import built_in
from labkit.scoring.scorer import Scorer, Value, zero_or_one
from labkit.visible import quoted

MAX_CHARACTERS = 100_000
Pick = Literal["only", "first", "last"]

_CURRENCY = "$\u00a2-\u00a5\u20a0-\u20bf"
_SIGNS = "-+\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
"""Plus, and what is written for a minus: hyphens, the figure and the short dash, the minus itself."""
_RAISED = "\u207a\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_GROUPS = "\u00a0\u2009\u202f'\u2019"
"""Marks that set thousands apart, beside the comma: narrow and fixed blanks, the apostrophe."""
_UNITS = (
    "g|t|m|l|L|s|h|V|W|(?i:kg|mg|[\u00b5\u03bc]g|lbs?|oz|km|cm|mm|nm|[\u00b5\u03bc]m|mi|ft|in|yd|ha|ml|cl|dl|"
    "ms|[\u00b5\u03bc]s|ns|mins?|hrs?|[kmgt]i?b|kwh|[kmg]w|kv|ma|kcal|cal|kj|[kmg]?hz|[kh]?pa|db|mph|kmh|kph|rpm|"
    "fps|px|pp|bps?|usd|eur|gbp|chf|jpy)"
)
"""What may follow a number without a blank and leave it as it is."""
_SCALES = {
    **dict.fromkeys(("hundred",), 2),
    **dict.fromkeys(("k", "thousand"), 3),
    **dict.fromkeys(("lakh",), 5),
    **dict.fromkeys(("m", "mn", "mln", "mio", "million"), 6),
    **dict.fromkeys(("crore",), 7),
    **dict.fromkeys(("b", "bn", "mrd", "billion"), 9),
    **dict.fromkeys(("t", "tn", "trillion"), 12),
    **dict.fromkeys(("quadrillion",), 15),
}
"""By how many places a word or letter behind a number moves its point."""
# A run of digits with separators, not part of a word. It is taken whole (12.5x is not 12), and each piece is
# bounded, so it cannot backtrack far.
# A letter counts as a scale behind a currency's sign, or in the case in which it is no unit.
_CANDIDATE = re.compile(
    rf"""
    (?<![\w.,])(?P<sign>[{_SIGNS}])?(?P<currency>[{_CURRENCY}][ ]?)?(?P<sign_inside>[{_SIGNS}])?
    (?P<digits>(?>
        \.?[0-9](?:[0-9]|[.,]+(?=[0-9])|[{_GROUPS}](?=[0-9]{{3}}(?![0-9]))){{0,60}}(?:[eE][-+]?[0-9]{{1,6}})?
    ))
    (?:[ ]?(?:[x*\u00b7\u00d7\u22c5]|\\times|\\cdot)[ ]?10(?:
        (?:\^|\*\*)[ ]?\{{?(?P<power>[{_SIGNS}]?[0-9]{{1,6}})\}}? | (?P<raised>[{_RAISED}]{{1,6}})
    ))?
    (?:
        (?P<scale>
            [ \u00a0-]?(?i:hundred|thousand|[mb]illion|(?:tr|quadr)illion|lakh|crore|mln|mio|mrd|mn|bn|tn)
            | [kKMBT]
            | (?(currency)[ ]?[kKmMbBtT]|(?!))
        )
        | [ \u00a0](?P<letter>[KMB])
        | (?:{_UNITS})[23\u00b2\u00b3]?
    )?
    (?!\w)(?P<percent>[ \u00a0]?(?:%|per[ ]?cent\b))?
    """,
    re.VERBOSE,
)
_MINUS = str.maketrans(dict.fromkeys(_SIGNS[2:], "-"))
_POWERS = str.maketrans(
    "\u207a\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "+-0123456789"
)
_PLAIN = re.compile(
    r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})?"
    r"(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
)


class Reading(NamedTuple):
    """A number as it was read; with a percent sign it may also mean its hundredth, and before a letter that
    stands apart, as in "5 K", so many places more."""

    number: Decimal
    is_percent: bool = False
    places: int = 0


@built_in
def numeric(
    tolerance: float = 0.0,
    *,
    target: str = "target",
    relative: float = 0.0,
    low: float | None = None,
    high: float | None = None,
    pick: Pick = "only",
    unreadable: float | None = None,
    name: str = "numeric",
    step: str | None = None,
) -> Scorer:
    """1 where the answer's number lies within `tolerance` + `relative` × |target| of the target, else 0.

    Numbers may stand in prose or in a code fence, with thousands separators ("1,234.5"), signs, exponents,
    currencies, scales ("$1.5M", "2 million") and units ("12.5kg", not converted). "60%" equals 60%, 60 and
    0.6, "5 K" 5 and 5,000. Targets are read in the same way; a list of them means: any of these. An answer
    with no number, with two different ones (unless `pick` says which), with "Infinity", or with a number
    outside `low` … `high` is not scored, with an explanation; say `unreadable=0` to count such answers as
    wrong.
    Comparison is decimal: 0.3 is within 0.1 of 0.2.

    >>> numeric(0.5, target="price", unreadable=0)
    Scorer('numeric')
    """
    of = f"of scorer {quoted(name)}"
    known = pick in ("only", "first", "last")
    check(
        number(f"tolerance {of}", tolerance, least=0),
        number(f"relative {of}", relative, least=0),
        number(f"low {of}", low, below=None, or_none=True),
        number(f"high {of}", high, below=None, or_none=True),
        number(f"unreadable {of}", unreadable, or_none=True),
        [] if known else [f"pick {of} is {quoted(pick)}; choose 'only', 'first' or 'last'"],
    )

    slack, share = Decimal(str(tolerance)), Decimal(str(relative))
    lowest, highest = (None if end is None else Decimal(str(end)) for end in (low, high))

    def compare(generation: Generation, sample: Sample) -> Value:
        wanted = _targets(sample, target, pick)
        try:
            found = _reading(answer_text(generation), pick)
            meant = [
                one
                for one in _meanings(found)
                if (lowest is None or one >= lowest) and (highest is None or one <= highest)
            ]
            if not meant:
                raise NothingToCompare(f"{found.number:f} lies outside the scale {low} to {high}")
        except NothingToCompare as why:
            if unreadable is None:
                raise
            return {"value": unreadable, "explanation": f"counted as {unreadable:g}: {why}"}
        return any(
            abs(one - other) <= slack + share * abs(other)
            for reading in wanted
            # Two percentages are compared as such: 60% is not 0.6%.
            for one in (meant[:1] if reading.is_percent else meant)
            for other in ([reading.number] if found.is_percent else _meanings(reading))
        )

    return zero_or_one(name, explained(compare), (target,), unreadable, step)


def the_number(text: str, *, pick: Pick = "only") -> Decimal:
    """The number in `text`; the same number twice is one. Raises NothingToCompare where it is unclear.

    >>> the_number("It costs **$1,234.50** in total."), the_number("-$1.5M"), the_number("12.5kg")
    (Decimal('1234.50'), Decimal('-1.5E+6'), Decimal('12.5'))
    """
    return _reading(text, pick).number


def _reading(text: str, pick: Pick) -> Reading:
    if len(text) > MAX_CHARACTERS:
        raise NothingToCompare(
            f"the answer has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
        )
    found = list(_CANDIDATE.finditer(text))
    if not found:
        raise NothingToCompare(f"no number stands by itself in {text!r:.80}")
    if pick != "only":
        return _read(found[0 if pick == "first" else -1])
    readings = [_read(one) for one in found]
    if several := len({reading.number for reading in readings}) - 1:
        raise NothingToCompare(f"there are {several + 1} numbers, so it is unclear which one is meant")
    return readings[0]


def _read(found: re.Match[str]) -> Reading:
    digits = re.sub(f"[{_GROUPS}]", ",", found["digits"])
    signs = (found["sign"] or "") + (found["sign_inside"] or "")
    places = _SCALES[found["scale"].strip(" \u00a0-").lower()] if found["scale"] else 0
    power = (found["power"] or found["raised"] or "").translate(_POWERS).translate(_MINUS)
    try:
        if not _PLAIN.fullmatch(digits) or len(signs) > 1:
            raise InvalidOperation
        size = Decimal(digits.replace(",", ""))
        places += int(power or 0)
        size = size.scaleb(places) if places else size
        number = size.copy_negate() if signs not in ("", "+") else size
    except (InvalidOperation, ValueError):
        raise NothingToCompare(f"{found.group()!r} can be read as more than one number, or as none") from None
    if abs(number) > Decimal("1e300"):
        raise NothingToCompare(f"{found.group()!r} is too large to be meant")
    return Reading(
        number,
        found["percent"] is not None,
        _SCALES[(found["letter"] or "").lower()] if found["letter"] else 0,
    )


def _meanings(reading: Reading) -> list[Decimal]:
    places = [*([-2] if reading.is_percent else []), *([reading.places] if reading.places else [])]
    return [reading.number, *(reading.number.scaleb(place) for place in places)]


def _targets(sample: Sample, column: str, pick: Pick) -> list[Reading]:
    """The numbers that are accepted; of a list, those that are numbers, unless none is."""
    values = target_values(sample, column)
    readings = [reading for value in values if (reading := _target(value, pick))]
    if not readings:
        raise ValueError(f"{column!r} is {values if len(values) > 1 else values[0]!r:.80}, not a number")
    return readings


def _target(value: Any, pick: Pick) -> Reading | None:
    if isinstance(value, bool):
        return None
    try:
        return _reading(value if isinstance(value, str) else str(value), pick)
    except NothingToCompare:
        return None
