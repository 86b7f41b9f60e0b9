"""What can be said of time: who is faster where both were timed alike, and the notes that this rests on.

It tells when answers were asked, and which of them are replays; what may be compared is decided in
`labkit.summary.clocks`. It calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from labkit.summary.clocks import RESOLUTION_S, Clock, together
from labkit.summary.contender_names import together as called
from labkit.summary.contender_table import ContenderTable
from labkit.verdict.amounts import counted, listed, times, times_span

Row = Mapping[str, Any]
ALIKE_FLIGHTS = 1.5
"""Medians of requests in flight that differ by more than this factor are other conditions."""
_MOST_NOTED = 6
NONE_DONE = "no answer is done"


def why_apart(resumed: int, others_added: int) -> str:
    """Why answers of one run were not asked at the same time, as far as the run tells; else empty."""
    if resumed:
        return "the run was stopped and resumed"
    return "models or repeats were added later" if others_added else ""


def time_sentence(
    row: Row, clocks: Mapping[str, Clock], names: tuple[str, str], apart: str, *, only_shown: bool
) -> str:
    """The latencies of one pair, one row of `compare_pairs`; empty where none of both is known.

    `apart` is what `why_apart` gives. With `only_shown` nothing but a ratio that is shown to differ from 1,
    and whether conditions differed; the rest is said of several pairs at once (`time_notes`).
    """
    if not row["latency_n"]:
        return ""
    first, second = clocks[row["first"]], clocks[row["second"]]
    low, high = row["latency_low"], row["latency_high"]
    if only_shown:
        if not together(first, second) or not _has_ratio(row) or low <= 1 <= high:
            return ""
        return f"{_took(row, names)}{OTHER if conditions(first, second) else ''}."
    if not together(first, second):
        since = f"Since {apart}, their" if apart and not _replays(first, second) else "Their"
        return (
            f"{since} latencies come from different times ({_against(first, second)}) and are not compared."
        )
    if not _has_ratio(row):
        if not row["latency_serial"]:
            return ""
        return f"Their latencies are not compared: {SERIAL}, and {row['latency_n']:,} of each {TOO_FEW}."
    other = conditions(first, second)
    told = f"timed under different conditions ({', '.join(other)})"
    if low <= 1 <= high:
        under = f"; they were {told}" if other else ""
        few = _few(row)
        return f"Their latencies are not shown to differ ({times_span(low, high)}{few}){under}."
    under = f"; but they were {told}, which alone may explain it" if other else ""
    return f"{_took(row, names)}{under}."


def _replays(*clocks: Clock) -> bool:
    """Whether some were timed in another run, so that nothing of this one explains when."""
    return any(clock.timed_before for clock in clocks)


OTHER = ", timed under other conditions"
SERIAL = "those of about the same time resemble one another, perhaps by chance"
TOO_FEW = "are too few to allow for that"


def _has_ratio(row: Row) -> bool:
    return math.isfinite(row["latency_ratio"]) and math.isfinite(row["latency_high"])


def _took(row: Row, names: tuple[str, str]) -> str:
    spread = f"{times_span(row['latency_low'], row['latency_high'])}{_few(row)}"
    return f"{names[0]} took {times(row['latency_ratio'])} the time ({spread})"


def _few(row: Row) -> str:
    return "" if row["latency_n"] == row["n"] else f", over {row['latency_n']:,} timed"


def time_notes(
    pairs: Sequence[Row], clocks: Mapping[str, Clock], shown: Mapping[str, str], why: str
) -> list[str]:
    """Of several pairs: which latencies are not compared and why, and how each contender was timed. `why` is
    what `why_apart` gives."""
    timed = [row for row in pairs if row["latency_n"]]
    sides = [(clocks[row["first"]], clocks[row["second"]]) for row in timed]
    said = []
    apart = [row for row, (one, two) in zip(timed, sides, strict=True) if not together(one, two)]
    if apart:
        whose = list(dict.fromkeys(name for row in apart for name in (row["first"], row["second"])))
        some = len({_spell(clocks[name]) for name in whose}) > 1
        since = f" ({why})" if why and not _replays(*(clocks[name] for name in whose)) else ""
        said.append(
            f"{_of_pairs(len(apart), len(pairs))} are not compared, since the two were not asked at the same "
            f"times{since}{': ' + _by(_spell, whose, clocks, shown) if some else ''}"
        )
    serial = [
        row
        for row, (one, two) in zip(timed, sides, strict=True)
        if row["latency_serial"] and together(one, two) and not _has_ratio(row)
    ]
    if serial:
        least, most = (pick(int(row["latency_n"]) for row in serial) for pick in (min, max))
        many = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        said.append(
            f"{_of_pairs(len(serial), len(pairs))} are not compared: {SERIAL}, and {many} of each {TOO_FEW}"
        )
    if any(_has_ratio(row) and conditions(*pair) for row, pair in zip(timed, sides, strict=True)):
        timed_ones = [name for name, clock in clocks.items() if clock.timed]
        said.append(
            "timed under other conditions, which alone may explain a difference of time: "
            f"{_by(_condition, timed_ones, clocks, shown)}"
        )
    return said


def _by(
    what: Callable[[Clock], str], names: Sequence[str], clocks: Mapping[str, Clock], shown: Mapping[str, str]
) -> str:
    """Contenders by what is so for each: "2 in flight: A and B; 16 in flight: C"."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(what(clocks[name]), []).append(name)
    return "; ".join(f"{how}: {listed(called(those, shown))}" for how, those in alike.items())


def _of_pairs(count: int, of: int) -> str:
    return "latencies" if count == of else f"latencies of {count:,} of {of:,} pairs"


def _condition(clock: Clock) -> str:
    where = "inside labkit" if clock.here else "over HTTP"  # which may lead to this machine as well
    return where if clock.in_flight is None else f"{where}, {clock.in_flight:g} in flight"


def conditions(first: Clock, second: Clock) -> list[str]:
    """How the conditions differ under which two contenders were timed; empty where they do not."""
    found = []
    if not together(first, second):
        found.append(_against(first, second))
    if first.in_flight and second.in_flight:
        least, most = sorted((first.in_flight, second.in_flight))
        if most > ALIKE_FLIGHTS * least:
            found.append(f"{first.in_flight:g} against {second.in_flight:g} requests in flight")
    if first.here != second.here:
        found.append("one runs inside labkit, the other is asked over HTTP")
    return found


def clock_notes(found: ContenderTable, medians: Iterable[float], shown: Mapping[str, str]) -> list[str]:
    """Which latencies there are, of when; and whose scores and prices are of another day. `medians` are those
    of the contenders' latencies (s)."""
    timed = [clock for clock in found.clocks if clock.timed]
    untimed = {name: clock for name, clock in zip(found.names, found.clocks, strict=True) if not clock.timed}
    said = []
    if not timed:
        said.append(f"{_why_none(found.clocks)}, so latencies are not compared")
        return said + _replay_notes(found, shown)
    for why in dict.fromkeys(_why_none([clock]) for clock in untimed.values()):
        those = listed([shown[name] for name, clock in untimed.items() if _why_none([clock]) == why])
        if why != NONE_DONE:  # what has no answer has no time either
            said.append(f"{why}, so no latency: {those}")
    own = f"; differences below {RESOLUTION_S * 1000:g} ms are labkit's own" if _near(medians) else ""
    said.append(f"latencies: {_measured(timed)}{own}")
    return said + _replay_notes(found, shown)


def _near(medians: Iterable[float]) -> bool:
    """Whether two of them lie so near that what labkit's clocks are good for matters."""
    known = sorted(value for value in medians if math.isfinite(value))
    return any(high - low < RESOLUTION_S for low, high in pairwise(known))


def _why_none(untimed: Sequence[Clock]) -> str:
    done = sum(clock.done for clock in untimed)
    replays = sum(clock.replays for clock in untimed)
    if not done:
        return NONE_DONE
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
    each = [f"{_replayed(clock.replays, name)}, asked {_on(clock.replay_days)}" for name, clock in old]
    return [f"{'; '.join(each)}: scores and prices are of then"] if each else []


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


def _against(first: Clock, second: Clock) -> str:
    """When the two were asked; to the second where the minutes are the same."""
    told = [_spell(clock) for clock in (first, second)]
    if told[0] == told[1]:
        told = [_spell(clock, minute="%H:%M:%S") for clock in (first, second)]
    return " against ".join(told)


def _spell(clock: Clock, minute: str = "%H:%M") -> str:
    """From when to when it was asked, to the minute: 2026-11-23 14:02 to 14:05 UTC."""
    if not len(clock.asked_at):
        return "times not known"
    began, ended = (datetime.fromtimestamp(at, UTC) for at in (clock.asked_at[0], clock.ended_at.max()))
    day = f"%Y-%m-%d {minute}"
    if began.strftime(day) == ended.strftime(day):
        return f"{began.strftime(day)} UTC"
    until = ended.strftime(minute if began.date() == ended.date() else day)
    return f"{began.strftime(day)} to {until} UTC"
