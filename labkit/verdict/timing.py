"""What can be said of time: who is faster where both were timed alike, and the notes that this rests on.

It tells when answers were asked, and which of them are replays; what may be compared is decided in
`labkit.summary.clocks`. It calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from labkit.summary.clocks import RESOLUTION_S, Clock, together
from labkit.summary.contender_table import ContenderTable
from labkit.verdict.amounts import counted, listed, times, times_span

ALIKE_FLIGHTS = 1.5
"""Medians of requests in flight that differ by more than this factor are other conditions."""
_MOST_NOTED = 6


def time_sentence(row: Mapping[str, Any], clocks: Mapping[str, Clock], names: tuple[str, str]) -> str:
    """The latencies of one pair, one row of `compare_pairs`; empty where none of both is known."""
    if not row["latency_n"]:
        return ""
    first, second = clocks[row["first"]], clocks[row["second"]]
    if not together(first, second):
        return (
            f"Their latencies come from different times ({_spell(first)} against {_spell(second)}), "
            "so they are not compared."
        )
    ratio, low, high = row["latency_ratio"], row["latency_low"], row["latency_high"]
    if not (math.isfinite(ratio) and math.isfinite(high)):
        if not row["latency_serial"]:
            return ""
        return (
            "Their latencies are not compared: those of about the same time resemble one another, perhaps by "
            f"chance, and {row['latency_n']:,} of each are too few to allow for that."
        )
    few = "" if row["latency_n"] == row["n"] else f", over {row['latency_n']:,} timed"
    other = conditions(first, second)
    told = f"timed under different conditions ({', '.join(other)})"
    if low <= 1 <= high:
        under = f"; they were {told}" if other else ""
        return f"Their latencies are not shown to differ ({times_span(low, high)}{few}){under}."
    under = f"; but they were {told}, which alone may explain it" if other else ""
    return f"{names[0]} took {times(ratio)} the time ({times_span(low, high)}{few}){under}."


def conditions(first: Clock, second: Clock) -> list[str]:
    """How the conditions differ under which two contenders were timed; empty where they do not."""
    found = []
    if not together(first, second):
        found.append(f"{_spell(first)} against {_spell(second)}")
    if first.in_flight and second.in_flight:
        least, most = sorted((first.in_flight, second.in_flight))
        if most > ALIKE_FLIGHTS * least:
            found.append(f"{first.in_flight:g} against {second.in_flight:g} requests in flight")
    if first.here != second.here:
        found.append("one on this machine and the other over the network")
    return found


def clock_notes(found: ContenderTable, shown: Mapping[str, str]) -> list[str]:
    """Which latencies there are, of when; and whose scores and prices are of another day."""
    timed = [clock for clock in found.clocks if clock.timed]
    untimed = {name: clock for name, clock in zip(found.names, found.clocks, strict=True) if not clock.timed}
    said = []
    if not timed:
        said.append(f"{_why_none(found.clocks)}, so latencies are not compared")
        return said + _replay_notes(found, shown)
    for why in dict.fromkeys(_why_none([clock]) for clock in untimed.values()):
        those = listed([shown[name] for name, clock in untimed.items() if _why_none([clock]) == why])
        said.append(f"{why}, so no latency: {those}")
    said.append(
        f"latencies: {_measured(timed)}; differences below {RESOLUTION_S * 1000:g} ms are labkit's own"
    )
    if len(timed) > 2 and any(conditions(timed[0], clock) for clock in timed[1:]):
        said.append("latencies were not all measured under the same conditions; see the sentences")
    return said + _replay_notes(found, shown)


def _why_none(untimed: Sequence[Clock]) -> str:
    done = sum(clock.done for clock in untimed)
    replays = sum(clock.replays for clock in untimed)
    if not done:
        return "no answer is done"
    if replays == done:
        return "all answers are replays, and the frame has no clocks of their first asking"
    return "no latency is known"


def _replay_notes(found: ContenderTable, shown: Mapping[str, str]) -> list[str]:
    """Whose answers are replays of a day on which the others were not asked."""
    asked = [{*clock.days, *clock.replay_days} for clock in found.clocks]
    every = [days for days in asked if days]
    if all(days == every[0] for days in every):
        return []
    old = [
        (shown[name], clock)
        for name, clock in zip(found.names, found.clocks, strict=True)
        if clock.replay_days
    ]
    if len(old) > _MOST_NOTED:
        total = sum(clock.replays for _, clock in old)
        days = sorted({day for _, clock in old for day in clock.replay_days})
        return [
            f"{total:,} answers of {len(old)} contenders are replays, asked {_on(days)}: "
            "scores and prices are of then"
        ]
    return [
        f"{_replayed(clock.replays, name)}, asked {_on(clock.replay_days)}: scores and prices are of then"
        for name, clock in old
    ]


def _replayed(count: int, name: str) -> str:
    return f"{counted(count, 'answer')} of {name} {'is a replay' if count == 1 else 'are replays'}"


def _measured(timed: Sequence[Clock]) -> str:
    when = _on(sorted({day for clock in timed for day in clock.days}))
    total, before = (sum(getattr(clock, what) for clock in timed) for what in ("timed", "timed_before"))
    if not before:
        return f"fresh answers only, measured {when}"
    if before == total:
        return f"measured when first asked, {when}"
    return f"of {total:,} answers, {before:,} of them replays measured when first asked, {when}"


def _on(days: Sequence[str]) -> str:
    if not days:
        return "at a time that is not known"
    return f"on {days[0]} (UTC)" if len(days) == 1 else f"from {days[0]} to {days[-1]} (UTC)"


def _spell(clock: Clock) -> str:
    """From when to when it was asked, to the minute: 2026-11-23 14:02 to 14:05 UTC."""
    if not len(clock.asked_at):
        return "times not known"
    began, ended = (datetime.fromtimestamp(at, UTC) for at in (clock.asked_at[0], clock.ended_at.max()))
    day, minute = "%Y-%m-%d %H:%M", "%H:%M"
    if began.strftime(day) == ended.strftime(day):
        return f"{began.strftime(day)} UTC"
    until = ended.strftime(minute if began.date() == ended.date() else day)
    return f"{began.strftime(day)} to {until} UTC"
