"""What is said of each metric of a night: its figures, its outcome, what changed, in a sentence.

It decides nothing: which alarms stand, and what a re-ask said, is given to it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from labkit.sentinel.alarms import Alarm, loss
from labkit.sentinel.causes import Cause, causes, price_factor
from labkit.sentinel.finding import COST, SCORE, Finding, Said
from labkit.sentinel.measure import Measured, worst_rows
from labkit.sentinel.message import MOST_ROWS
from labkit.sentinel.night_inputs import Given
from labkit.sentinel.rules import Rules
from labkit.sentinel.words import Told, sentence

if TYPE_CHECKING:
    import pandas as pd

UNCONFIRMED = "it looks worse, but that is not confirmed: "
AGAIN_NOT = "it looked worse, and asked once more it did not"
ELSEWHERE = "it looks slower, but was asked under other circumstances: "


def both_askings(now: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Tonight and what was asked once more, as repeats of one."""
    import pandas as pd

    both = pd.concat([now, again], ignore_index=True)
    both.attrs = dict(now.attrs)
    return both


def finding_of(
    given: Given,
    rules: Rules,
    one: Measured,
    alarm: Alarm | None,
    unsure: str | None,
    *,
    stood: bool = False,
    again: pd.DataFrame | None = None,
) -> Finding:
    """All that is said of one metric: `alarm` is what stands, `unsure` why something that looked worse is
    none, `stood` whether the alarm is of an earlier night, `again` what was asked once more."""
    said = _said(one, alarm, unsure)
    common = [id for id in given.then.samples if id in given.tonight.samples]
    why: list[Cause] = []
    if said == "worse" or (unsure is not None and unsure != AGAIN_NOT):
        why = causes(
            one.contender,
            one.metric,
            given.then,
            given.tonight,
            common=common,
            length_ratio=one.length_ratio,
        )
    better = rules.direction(one.metric)
    told = Told(
        baseline=given.baseline,
        margin=rules.within(one.metric),
        better=better,
        causes=why,
        unsure=unsure or one.why_not,
        list_factor=price_factor(one.contender, given.then, given.tonight) if one.metric == COST else None,
        unit=one.metric.startswith(SCORE) and given.scale(one.metric).unit,
        confirmed=rules.confirm,
        nearer=alarm is not None and alarm.nearer > 0,
        alarm_since=None if alarm is None or one.tells else alarm.since,
    )
    both = (
        given.now if alarm is None or again is None or alarm.by != "quick" else both_askings(given.now, again)
    )
    made = Finding(
        prompt=one.contender[0],
        model=one.contender[1],
        metric=one.metric,
        said=said,
        by=alarm.by if alarm is not None else None,
        stands=stood,
        since=alarm.since if alarm is not None else None,
        samples=one.samples,
        before=_finite(one.before),
        now=_finite(one.now),
        change=_finite(one.change),
        low=_finite(one.low),
        high=_finite(one.high),
        margin=rules.within(one.metric),
        better=better,
        resolved=given.tonight.of(one.contender).resolved,
        causes=tuple(map(str, why)),
        rows=tuple(worst_rows(given.before, both, one, better=better, most=MOST_ROWS))
        if said == "worse"
        else (),
    )
    return replace(made, sentence=sentence(made, told))


def _said(one: Measured, alarm: Alarm | None, unsure: str | None) -> Said:
    if one.absent:
        return "absent"
    if alarm is not None and one.tells:
        return "worse"
    if not one.tells or (unsure is not None and unsure != AGAIN_NOT):
        return "cannot tell"
    return "not shown to be worse"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def drop(one: Finding) -> float:
    """How much worse it is, to put the worst first."""
    if one.change is None:
        return -math.inf
    found = Measured(contender=(one.prompt, one.model), metric=one.metric, change=one.change)
    return loss(found, one.better)
