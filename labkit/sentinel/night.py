"""What a night shows: which metrics are worse, which are not shown to be, which cannot tell.

It decides by levels that the budget of false alarms gives: tonight and a fresh re-ask that agrees, or a week
that is pooled. Frames in, findings out; asking again and reading earlier nights are given to it as functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labkit.errors import LabkitError
from labkit.sentinel.alarms import Alarm, Key, raised, standing
from labkit.sentinel.baseline import LEAST_ANSWERS
from labkit.sentinel.causes import Cause, changed_rows, elsewhere, price_factor
from labkit.sentinel.finding import COST, LATENCY, SCORE, By, Finding
from labkit.sentinel.measure import MOST_LACKING, Measured, Metrics, measured, ratio
from labkit.sentinel.night_findings import AGAIN_NOT, ELSEWHERE, UNCONFIRMED, both_askings, finding_of
from labkit.sentinel.night_inputs import Given
from labkit.sentinel.rows import answered_each, contenders, fresh, scores
from labkit.sentinel.rules import Rules
from labkit.stats import holm
from labkit.stats.false_alarms import AlarmLevels, alarm_levels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of it."""

    findings: tuple[Finding, ...]
    alarms: tuple[Alarm, ...]
    levels: AlarmLevels | None
    """None: nothing could be told."""
    notes: tuple[str, ...]


def examine(given: Given, rules: Rules) -> Seen:
    """Hold a night against the baseline."""
    wanted = contenders(fresh(given.before))
    names = tuple(f"{SCORE}{name}" for name in rules.scores) if rules.scores else tuple(scores(given.before))
    better = {name: rules.direction(name) for name in names}
    metrics = Metrics(
        scores=names, cost=rules.cost is not None, latency=rules.latency is not None, better=better
    )
    found = [
        _comparable(given, rules, names, one) for one in measured(given.before, given.now, wanted, metrics)
    ]
    found = _named(found, rules.scores or ())
    tonight = {one.key: one for one in found}
    tells = [one for one in found if one.tells]
    if not tells:
        stand = {alarm.key: alarm for alarm in given.alarms}
        findings = [finding_of(given, rules, one, stand.get(one.key), None) for one in found]
        return Seen(findings=tuple(findings), alarms=tuple(given.alarms), levels=None, notes=())
    levels = _levels(given, rules, tells)
    frame = given.week()
    pooled = [] if frame is None else measured(given.before, frame, wanted, metrics)
    week = {one.key: _comparable(given, rules, names, one) for one in pooled}
    kept = {one.key: one for one in standing(given.alarms, tonight, week, better)}
    night = _Night(given=given, rules=rules, levels=levels, metrics=metrics)
    new, again, unsure = night.quick([one for one in tells if one.key not in kept])
    if frame is not None:
        new |= night.slow([one for one in week.values() if one.key not in kept and one.key not in new], frame)
    alarms = kept | {key: alarm for key, (alarm, _) in new.items()}
    said = [
        finding_of(
            given,
            rules,
            new[one.key][1] if one.key in new else one,
            alarms.get(one.key),
            unsure.get(one.key),
            stood=one.key in kept,
            again=again,
        )
        for one in found
    ]
    pooled_note = (
        () if frame is None else ("the last seven nights were pooled and held against the baseline",)
    )
    return Seen(
        findings=tuple(said),
        alarms=tuple(alarms.values()),
        levels=levels,
        notes=(*pooled_note, *_luck(given, levels)),
    )


def _named(found: Sequence[Measured], scores: Sequence[str]) -> list[Measured]:
    """The same; a score asked for by name and that nothing has is not absent: it may be misspelled."""
    there = {one.metric for one in found if not one.absent}
    why_not = "neither the baseline nor this run has such a score; correct score=, or score the runs"
    return [
        replace(one, absent=False, why_not=why_not)
        if one.metric not in there and one.metric.removeprefix(SCORE) in scores
        else one
        for one in found
    ]


def _comparable(given: Given, rules: Rules, names: Sequence[str], one: Measured) -> Measured:
    """The same, or why it cannot be told although there are rows."""
    why = _other(given, one.metric) or rules.fault(one.metric, given.scale(one.metric), names)
    return replace(one, why_not=why) if one.tells and why else one


def _other(given: Given, metric: str) -> str:
    """What is so much another than in the baseline that nothing can be compared: rows, scorer; empty:
    nothing."""
    rows = [id for id in given.then.samples if id in given.tonight.samples]
    changed = changed_rows(given.then, given.tonight, rows)
    if len(changed) > MOST_LACKING * len(rows):
        return f"another dataset: {len(changed):,} of {len(rows):,} rows have other contents"
    name = metric.removeprefix(SCORE)
    if metric in given.scored_anew:
        return f"{name} of the baseline was given anew since that was accepted: accept it again"
    made = [found.scorers.get(name) for found in (given.then, given.tonight)]
    if metric.startswith(SCORE) and None not in made and made[0] != made[1]:
        return f"{name} is given by another scorer, judge or rubric than in the baseline"
    return ""


def _levels(given: Given, rules: Rules, tells: Sequence[Measured]) -> AlarmLevels:
    each = [answered_each(fresh(given.now), one) for one in {one.contender for one in tells}]
    tests = sum(one.metric.startswith(SCORE) for one in tells)
    return alarm_levels(
        rules.per_year,
        tests=max(1, tests),
        baseline_repeats=max(1, given.answers_each),
        repeats=max(1.0, min(each, default=1.0)),
        confirmed=rules.confirm,
    )


def _luck(given: Given, levels: AlarmLevels) -> tuple[str, ...]:
    """What a baseline of few answers means."""
    if given.answers_each >= LEAST_ANSWERS:
        return ()
    one = "one answer" if given.answers_each == 1 else f"{given.answers_each} answers"
    return (
        f"the baseline has {one} of each row, whose luck counts every night: the unluckiest tenth of such "
        f"baselines raise {levels.unlucky_per_year:.0f} false alarms a year; accept a run with repeats=5",
    )


@dataclass(frozen=True, kw_only=True)
class _Night:
    """One night's decisions."""

    given: Given
    rules: Rules
    levels: AlarmLevels
    metrics: Metrics

    def quick(
        self, tells: Sequence[Measured]
    ) -> tuple[dict[Key, tuple[Alarm, Measured]], pd.DataFrame | None, dict[Key, str]]:
        """What tonight shows to be worse, and asked once more too; with the figures of both. Then what was
        asked, and by metric what looked worse and why it is none."""
        raising: dict[Key, tuple[Alarm, Measured]] = {}
        unsure: dict[Key, str] = {}
        suspects = []
        for one in self._worse(tells, self.given.now, self.levels.night):
            if one.metric == LATENCY and (other := self._elsewhere(one)):
                unsure[one.key] = f"{ELSEWHERE}{', '.join(map(str, other))}"
            elif one.metric == COST and self._dearer_by_list(one):
                raising[one.key] = (self._alarm(one, "certain"), one)
            elif not self.rules.confirm:
                raising[one.key] = (self._alarm(one, "quick"), one)
            else:
                suspects.append(one)
        if not suspects:
            return raising, None, unsure
        try:
            doubted = sorted({one.contender for one in suspects})
            again = self.given.ask_again(doubted, {one.metric for one in suspects})
        except LabkitError as error:
            return raising, None, unsure | {one.key: f"{UNCONFIRMED}{error}" for one in suspects}
        both = both_askings(self.given.now, again)
        for one in suspects:
            (alone,) = self._measured(one, again)
            if not alone.tells:
                unsure[one.key] = f"{UNCONFIRMED}{alone.why_not}"
            elif self._worse([alone], again, self.levels.again):
                (pooled,) = self._measured(one, both)
                raising[one.key] = (self._alarm(pooled, "quick"), pooled)
            else:
                unsure[one.key] = AGAIN_NOT
        return raising, again, unsure

    def slow(self, week: Sequence[Measured], frame: pd.DataFrame) -> dict[Key, tuple[Alarm, Measured]]:
        """What the week shows to be worse, with the week's figures."""
        return {
            one.key: (self._alarm(one, "slow"), one)
            for one in self._worse([one for one in week if one.tells], frame, self.levels.week)
            if one.metric != LATENCY or not self._elsewhere(one)
        }

    def _worse(self, tells: Sequence[Measured], frame: pd.DataFrame, level: float) -> list[Measured]:
        """Those that are shown to be worse at a one-sided level, by more than what does not matter."""
        scored = [one for one in tells if one.metric.startswith(SCORE)]
        p = holm([one.p_worse for one in scored])
        worse = [
            one
            for one, corrected in zip(scored, p, strict=True)
            if corrected < level and not self._matters_not(one)
        ]
        others = [one for one in tells if one.metric in (COST, LATENCY)]
        of_kind = max(1, len({one.contender for one in others}))
        old, new = fresh(self.given.before), fresh(frame)
        for one in others:
            # A limit that no luck passes: at the margin itself, and not at 1.
            sure = ratio(old, new, one.contender, one.metric, level=1 - 2 * level / of_kind)
            if sure.low > self.rules.within(one.metric):
                worse.append(one)
        return worse

    def _elsewhere(self, one: Measured) -> list[Cause]:
        return elsewhere(one.contender, self.given.then, self.given.tonight)

    def _matters_not(self, one: Measured) -> bool:
        """Whether all of its range lies within the margin."""
        most = one.high if self.rules.direction(one.metric) == "lower" else -one.low
        return most < self.rules.within(one.metric)

    def _dearer_by_list(self, one: Measured) -> bool:
        factor = price_factor(one.contender, self.given.then, self.given.tonight)
        return factor is not None and min(factor, one.change) > self.rules.within(COST)

    def _alarm(self, one: Measured, by: By) -> Alarm:
        return raised(one, by, self.rules.direction(one.metric), self.given.at)

    def _measured(self, one: Measured, frame: pd.DataFrame) -> list[Measured]:
        only = replace(
            self.metrics,
            scores=(one.metric,) if one.metric.startswith(SCORE) else (),
            cost=one.metric == COST,
            latency=one.metric == LATENCY,
        )
        return measured(self.given.before, frame, [one.contender], only)
