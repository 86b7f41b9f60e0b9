"""The scorer for numbers: the one number in an answer against the sample's, within a tolerance.

It reads numbers as people write them and guesses nothing: where the text leaves open which number
is meant, the answer is not scored and the explanation says why.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from labkit.errors import DefinitionError
from labkit.records import Generation, Sample
from labkit.scoring.matching import NothingToCompare, answer_text, explained, target_value
from labkit.scoring.scorer import Scorer, Value

MAX_CHARACTERS = 100_000

# A run of digits with separators, not part of a word. Each piece is bounded, so it cannot backtrack far.
_CANDIDATE = re.compile(r"(?<![\w.,])[-+\u2212]?(?:\.?[0-9][0-9.,]{0,60})(?:[eE][-+]?[0-9]{1,6})?(?!\w)")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)?(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def numeric(
    tolerance: float = 0.0,
    *,
    target: str = "target",
    relative: float = 0.0,
    low: float | None = None,
    high: float | None = None,
    pick: Literal["only", "first", "last"] = "only",
    unreadable: float | None = None,
    name: str = "numeric",
) -> Scorer:
    """1 where the answer's number lies within `tolerance` + `relative` × |target| of the target, else 0.

    Numbers may stand in prose or in a code fence, with thousands separators ("1,234.5"), signs and
    exponents. An answer with no number, with two different ones (unless `pick` says which), with
    "Infinity", or with a number outside `low` … `high` is not scored, with an explanation; say
    `unreadable=0` to count such answers as wrong. Comparison is decimal: 0.3 is within 0.1 of 0.2.

    >>> numeric(0.5, target="price", unreadable=0)
    Scorer('numeric')
    """
    faults = [
        f"{label} of scorer {name!r} is {value}; it must be a finite number of at least 0"
        for label, value in (("tolerance", tolerance), ("relative", relative))
        if not 0 <= value < float("inf")
    ]
    if pick not in ("only", "first", "last"):
        faults.append(f"pick of scorer {name!r} is {pick!r}; choose 'only', 'first' or 'last'")
    if faults:
        raise DefinitionError(faults)

    def compare(generation: Generation, sample: Sample) -> Value:
        wanted = _target_number(sample, target)
        try:
            found = the_number(answer_text(generation), pick=pick)
            if (low is not None and found < Decimal(str(low))) or (
                high is not None and found > Decimal(str(high))
            ):
                raise NothingToCompare(f"{found} lies outside the scale {low} to {high}")
        except NothingToCompare as why:
            if unreadable is None:
                raise
            return {"value": unreadable, "explanation": f"counted as {unreadable:g}: {why}"}
        return abs(found - wanted) <= Decimal(str(tolerance)) + Decimal(str(relative)) * abs(wanted)

    return Scorer(name, explained(compare), (target,))


def the_number(text: str, *, pick: Literal["only", "first", "last"] = "only") -> Decimal:
    """The number in `text`; the same number twice is one. Raises NothingToCompare where it is unclear.

    >>> the_number("It costs **$1,234.50** in total.")
    Decimal('1234.50')
    """
    if len(text) > MAX_CHARACTERS:
        raise NothingToCompare(
            f"the answer has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
        )
    found = [match.group().rstrip(".,") for match in _CANDIDATE.finditer(text)]
    if not found:
        raise NothingToCompare(f"no number stands by itself in {text!r:.80}")
    if pick != "only":
        return _read(found[0 if pick == "first" else -1])
    numbers = {_read(one) for one in found}
    if len(numbers) > 1:
        raise NothingToCompare(f"there are {len(numbers)} numbers, so it is unclear which one is meant")
    return numbers.pop()


def _read(text: str) -> Decimal:
    plain = text.replace("\u2212", "-")
    try:
        if not _PLAIN.fullmatch(plain):
            raise InvalidOperation
        number = Decimal(plain.replace(",", ""))
    except InvalidOperation:
        raise NothingToCompare(f"{text!r} can be read as more than one number, or as none") from None
    if abs(number) > Decimal("1e300"):
        raise NothingToCompare(f"{text!r} is too large to be meant")
    return number


def _target_number(sample: Sample, column: str) -> Decimal:
    value: Any = target_value(sample, column)
    try:
        number = Decimal(str(value).strip().replace(",", ""))
    except InvalidOperation:
        raise ValueError(f"{column!r} is {value!r:.80}, not a number") from None
    if not number.is_finite():
        raise ValueError(f"{column!r} is {value!r}, not a finite number")
    return number
