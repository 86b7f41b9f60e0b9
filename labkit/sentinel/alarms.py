"""Alarms from night to night: what is raised, what stands, what is lifted. Pure; it knows no lab and no
words.

One night alone changes nothing: an alarm is lifted by as much as raised it. A quick one by two nights in a
row that lie nearer to the baseline than to the least drop that it showed, a slow one by a week that lies
nearer to the baseline than to what it saw. How often that is wrong is simulated in
`benchmarks/sentinel_after.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from labkit.sentinel.finding import COST, LATENCY, By
from labkit.sentinel.measure import Measured

NIGHTS_TO_LIFT = 2
"""In a row."""
WEEK = 7
"""Nights that a slow look pools, and after which it looks again."""
Key = tuple[str, str, str]
"""A prompt, a model, a metric."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A metric that was shown to be worse, until that is lifted."""

    prompt: str
    model: str
    metric: str
    by: By
    since: str
    """When its first night was checked, as ISO text."""
    saw: float
    """How much worse, at least: of a score the drop (above 0), else the logarithm of the ratio."""
    nearer: int = 0
    """Nights in a row that lay nearer to the baseline."""

    @property
    def key(self) -> Key:
        """Which metric."""
        return self.prompt, self.model, self.metric

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def loss(found: Measured, better: str) -> float:
    """How much worse it is: of a score by how much it fell (rose, where lower is better), else the logarithm
    of the ratio. Below 0: it is better."""
    return _loss(found.metric, found.change, better)


def _loss(metric: str, change: float, better: str) -> float:
    if metric in (COST, LATENCY):
        return math.log(change) if change > 0 else -math.inf
    return change if better == "lower" else -change


def raised(found: Measured, by: By, better: str, at: datetime) -> Alarm:
    """The alarm that these figures raise. A quick one is held against the least that its range holds: luck
    raised it in part, and what is left of a drop without that luck is not to lift it."""
    prompt, model = found.contender
    seen = loss(found, better)
    least = min(_loss(found.metric, end, better) for end in (found.low, found.high))
    saw = least if by == "quick" and 0 < least < math.inf else seen
    return Alarm(prompt=prompt, model=model, metric=found.metric, by=by, since=at.isoformat(), saw=saw)


def standing(
    alarms: Iterable[Alarm],
    tonight: Mapping[Key, Measured],
    week: Mapping[Key, Measured] | None,
    better: Mapping[str, str],
) -> list[Alarm]:
    """Those of the alarms that still hold after tonight, and where a week was pooled, after it. What cannot
    be told changes nothing."""
    left = []
    for alarm in alarms:
        slow = alarm.by == "slow"
        looked = (week if slow else tonight) or {}
        found = looked.get(alarm.key)
        if found is None or not found.tells or not math.isfinite(found.change):
            left.append(alarm)
            continue
        near = loss(found, better.get(alarm.metric, "higher")) < alarm.saw / 2
        nearer = alarm.nearer + 1 if near else 0
        if nearer < (1 if slow else NIGHTS_TO_LIFT):
            left.append(replace(alarm, nearer=nearer))
    return left


def of(plain: Mapping[str, Any]) -> Alarm:
    """An alarm as the lab keeps it."""
    return Alarm(**{name: plain[name] for name in Alarm.__dataclass_fields__})
