"""What a night showed, in plain sentences: one for each metric, and the line above them.

It says what an interval says, rounded outwards, and nothing more. It reads findings; it calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labkit.sentinel.causes import PRICE_LIST, Cause, told
from labkit.sentinel.finding import COST, LATENCY, SCORE, Finding
from labkit.summary.show import three_digits
from labkit.verdict.amounts import counted, span, times, times_span
from labkit.visible import visible


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a sentence tells beside the figures."""

    baseline: str
    margin: float
    better: str
    causes: Sequence[Cause]
    unsure: str
    """Why it cannot be told, or what a re-ask said; empty where that is not so."""
    list_factor: float | None
    """By how much a price list changed the price; None: it did not."""
    unit: bool
    """Whether the score is told in points."""
    confirmed: bool
    """Whether a quick alarm was asked once more before it was one."""
    nearer: bool
    """Whether an alarm stands, and tonight lies nearer to the baseline than to what it saw."""
    alarm_since: str | None = None
    """When the alarm was raised that stands over a night of which nothing can be told, as ISO text."""


def named(one: Finding) -> str:
    """Which metric of which prompt on which model."""
    metric = {COST: "price", LATENCY: "latency"}.get(one.metric, one.metric.removeprefix(SCORE))
    return f"{visible(f'{one.prompt} · {one.model}', limit=100)}, {visible(metric, limit=60)}"


def sentence(one: Finding, given: Told) -> str:
    """All that is said of one metric."""
    if one.said == "absent":
        return f"{named(one)}: nothing to measure ({given.unsure})."
    if one.said == "cannot tell":
        why = f" {told(given.causes)}" if given.causes else ""
        stands = f" The alarm of {given.alarm_since[:10]} stands." if given.alarm_since else ""
        return f"{named(one)}: cannot tell: {given.unsure.rstrip('.')}.{why}{stands}"
    said = _ratio(one, given) if one.metric in (COST, LATENCY) else _score(one, given)
    return f"{named(one)}: {said}"


# -- scores ----------------------------------------------------------------------------------------


def _score(one: Finding, given: Told) -> str:
    low, high = _loss(one)
    than = f"than baseline {visible(given.baseline)}"
    if one.said == "worse" and low > 0:
        rests = f"{_figures(one)}{_rests_on(one, given)}"
        return f"{_head(one)}{_span(low, high, given)} {than} ({rests}). {told(given.causes)}"
    seen = f"({_figures(one)}{counted(one.samples, 'row')})"
    if one.said == "worse":
        return " ".join([f"{_stands(one, given)} {seen}.", *_changed(given)])
    again = f" {given.unsure[:1].upper()}{given.unsure[1:]}." if given.unsure else ""
    if not math.isfinite(high):
        return f"not shown to be worse {seen}; how far it may have fallen cannot be told.{again}"
    if high <= 0:
        return f"better{_span(-high, -low, given)} {than} {seen}.{again}"
    far = _amount(span(0, _scaled(high, given))[1], given)
    if high < given.margin:
        within = f"within the margin of {_amount(f'{_scaled(given.margin, given):g}', given)}"
        less = f"worse{_span(low, high, given)}, {within}" if low > 0 else f"at most {far} worse, {within}"
        return f"{less} {seen}.{again}"
    return f"not shown to be worse {seen}; a drop of up to {far} could have gone unseen.{again}"


def _changed(given: Told) -> list[str]:
    return [told(given.causes)] if given.causes else []


def _figures(one: Finding) -> str:
    """What it was and is, over the common rows."""
    if one.before is None or one.now is None:
        return ""
    was, is_now = (three_digits(value) for value in (one.before, one.now))
    return f"{was} as before, " if was == is_now else f"{was} then, {is_now} now, "


def _stands(one: Finding, given: Told) -> str:
    """What is said of an alarm that tonight does not show by itself."""
    ends = (
        "the next week that does so ends it" if one.by == "slow" else "one more such night in a row ends it"
    )
    if not given.nearer:
        return f"the alarm of {_day(one)} stands, though tonight alone does not show it"
    return f"the alarm of {_day(one)} stands; tonight is nearer to the baseline, and {ends}"


def _head(one: Finding) -> str:
    return "still worse" if one.stands else "worse"


def _span(low: float, high: float, given: Told) -> str:
    if not math.isfinite(high):
        return ""
    least, most = span(_scaled(low, given), _scaled(high, given))
    return f" by {_amount(most if least == most else f'{least} to {most}', given)}"


def _loss(one: Finding) -> tuple[float, float]:
    """The interval of how much worse it is."""
    low, high = (math.inf if end is None else end for end in (one.low, one.high))
    low = -math.inf if one.low is None else low
    return (low, high) if one.better == "lower" else (-high, -low)


def _rests_on(one: Finding, given: Told) -> str:
    rows = counted(one.samples, "row")
    if one.stands:
        return f"{rows}, since {_day(one)}"
    quick = "re-asked and confirmed" if given.confirmed else "not asked once more"
    by = {"slow": "seven nights pooled", "quick": quick, "certain": "by the price list"}
    return f"{rows}, {by[one.by]}" if one.by else rows


def _day(one: Finding) -> str:
    return f"{datetime.fromisoformat(one.since):%Y-%m-%d}" if one.since else "an earlier night"


def _scaled(value: float, given: Told) -> float:
    return 100 * value if given.unit else value


def _amount(said: str, given: Told) -> str:
    if not given.unit:
        return said
    return f"{said} point" if said == "1" else f"{said} points"


# -- prices and times ------------------------------------------------------------------------------


def _ratio(one: Finding, given: Told) -> str:
    what = ("an answer costs", "as much") if one.metric == COST else ("an answer takes", "as long")
    low, high = one.low or 0.0, math.inf if one.high is None else one.high
    spread = "the same for every row" if math.isclose(low, high) else times_span(low, high)
    as_in = f"{what[1]} as in baseline {visible(given.baseline)}"
    figure = f"{what[0]} {times(one.change or math.nan)} {as_in} ({spread})"
    if one.said != "worse":
        again = f" {given.unsure[:1].upper()}{given.unsure[1:]}." if given.unsure else ""
        more = "dearer" if one.metric == COST else "slower"
        shown = "" if high <= given.margin else f"; not shown to be {more} than {times(given.margin)}"
        return f"{figure}{shown}.{again}"
    if one.stands and low <= given.margin:
        return " ".join([f"{_stands(one, given)}: {figure}.", *_changed(given)])
    by_list = [_by_list(one, given)] if one.metric == COST else []
    said = f"{_head(one)}: {figure}, {_rests_on(one, given)}."
    return " ".join([said, *filter(None, by_list), told(given.causes)])


def _by_list(one: Finding, given: Told) -> str:
    if given.list_factor is None:
        return "" if any(one.what == PRICE_LIST for one in given.causes) else "The price list did not change."
    return "" if one.by == "certain" else f"The price list alone makes it {times(given.list_factor)}."


# -- all of a night --------------------------------------------------------------------------------

ORDER = ("worse", "cannot tell", "not shown to be worse", "absent")


def sentences(findings: Sequence[Finding]) -> list[str]:
    """Those of all findings, what is worse first; what is absent is left out."""
    ordered = sorted(findings, key=lambda one: ORDER.index(one.said))
    return [one.sentence for one in ordered if one.said != "absent"]
