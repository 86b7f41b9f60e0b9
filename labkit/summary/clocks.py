"""When, and under which conditions, each contender's answers were timed; and whether two can be compared.

It gathers and decides; how that is told is `labkit.verdict.timing`'s. It does not know what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labkit.stats.units import Floats
from labkit.summary.first_asking import FirstAskings, days

if TYPE_CHECKING:
    import pandas as pd

RESOLUTION_S = 0.010
"""What labkit's own clocks are good for. Many requests leave and many answers are read in one moment, by one
loop and model after model, so that of two instant models the second takes some milliseconds longer."""
PAUSE_S = 600.0
"""After so long without a request another session begins."""
ENOUGH = 0.5
"""The share of each one's answers that has to come from times at which the other was asked too."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When a contender was first asked its answers, and under which conditions they were timed then."""

    done: int
    """Its answers that are done, replays included."""
    replays: int
    """How many of these are replays."""
    replay_days: tuple[str, ...]
    """UTC dates on which the originals of its replays were asked."""
    timed: int
    """Done and timed, each asking once; `timed_before` of them are known by replays alone."""
    timed_before: int
    days: tuple[str, ...]
    """UTC dates on which those were asked."""
    asked_at: Floats
    """When each of those was asked (s since 1970), in order; without those for which that is not known."""
    ended_at: Floats
    """When each of these ended."""
    in_flight: float | None
    """Median number of requests in flight when one was sent; None where that is not known."""
    here: bool
    """Whether it is a local model, which competes with all else on this machine."""
    compared: dict[Clock, bool] = field(default_factory=dict, repr=False)
    """What `together` said of it and others: a verdict asks that of each pair in several places."""

    @cached_property
    def last_at(self) -> float:
        """When the last of its answers ended."""
        return float(self.ended_at.max())

    @cached_property
    def one_session(self) -> bool:
        """Whether it was asked without a pause."""
        return bool((np.diff(self.asked_at) <= PAUSE_S).all())


def clocks(
    frame: pd.DataFrame,
    asked: FirstAskings,
    contender: NDArray[np.intp],
    keys: Sequence[tuple[str, ...]],
) -> tuple[Clock, ...]:
    """One clock per contender. `asked` has each row's first asking, `contender` says whose the row is.

    >>> import pandas as pd
    >>> from labkit.summary.first_asking import first_askings
    >>> rows = pd.DataFrame({"status": ["done"], "started_at": ["2026-11-23T09:00Z"], "latency_s": [2.0]})
    >>> (found,) = clocks(rows, first_askings(rows), np.array([0]), [("m/a",)])
    >>> found.days, (found.ended_at - found.asked_at).tolist()
    (('2026-11-23',), [2.0])
    """
    at, flights = asked.at, asked.in_flight
    ends = at + np.nan_to_num(asked.latency_s)
    done = (frame["status"] == "done").to_numpy()
    again = done & asked.replayed
    local = (
        (frame["provider"] == "local").to_numpy()
        if "provider" in frame.columns
        else np.zeros(len(frame), bool)
    )
    found = []
    for place, key in enumerate(keys):
        mine = contender == place
        timed = mine & asked.timed
        known = timed & ~np.isnan(at)
        flown = flights[timed & ~np.isnan(flights)]
        order = np.argsort(at[known], kind="stable")
        found.append(
            Clock(
                done=int((mine & done).sum()),
                replays=int((mine & again).sum()),
                replay_days=days(at[mine & again]),
                timed=int(timed.sum()),
                timed_before=int((timed & again).sum()),
                days=days(at[timed]),
                asked_at=at[known][order],
                ended_at=ends[known][order],
                in_flight=float(np.median(flown)) if len(flown) else None,
                here=bool((local & timed).any()) or key[-1].startswith("local/"),
            )
        )
    return tuple(found)


def together(first: Clock, second: Clock) -> bool:
    """Whether two were timed at the same times, for the most part: True also where neither's are known.

    At least half of each one's timed answers were out while the other was asked (from its first request to
    its last answer), and so many of each come from common sessions, in the same proportions. One run asks in
    mixed order, so its contenders are together; two runs at different hours are not, nor is a contender that
    was asked mostly yesterday with one that was asked mostly today.
    """
    if second not in first.compared:
        first.compared[second] = second.compared[first] = _together(first, second)
    return first.compared[second]


def _together(first: Clock, second: Clock) -> bool:
    if not len(first.asked_at) or not len(second.asked_at):
        return len(first.asked_at) == len(second.asked_at)
    if min(_within(first, second), _within(second, first)) < ENOUGH:
        return False
    between = max(second.asked_at[0] - first.asked_at[-1], first.asked_at[0] - second.asked_at[-1])
    if first.one_session and second.one_session and between <= PAUSE_S:
        return True  # as what follows would say after sorting all their times
    every = np.concatenate([first.asked_at, second.asked_at])
    order = np.argsort(every, kind="stable")
    session = np.empty(len(every), dtype=np.intp)
    session[order] = np.cumsum(np.diff(every[order], prepend=every.min()) > PAUSE_S)
    sessions, n = int(session.max()) + 1, len(first.asked_at)
    shares = [np.bincount(part, minlength=sessions) / len(part) for part in (session[:n], session[n:])]
    return float(np.minimum(*shares).sum()) >= ENOUGH


def _within(one: Clock, other: Clock) -> float:
    out = (one.ended_at >= other.asked_at[0]) & (one.asked_at <= other.last_at)
    return float(out.mean())
