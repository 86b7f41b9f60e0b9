"""When, and under which conditions, each contender's answers were timed; and whether two can be compared.

It gathers and decides; how that is told is `labkit.verdict.timing`'s. It does not know what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labkit.stats.units import Floats

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
    """When a contender was asked, and under which conditions its fresh answers were timed."""

    done: int
    """Its answers that are done, replays included."""
    replays: int
    """How many of these are replays."""
    replay_days: tuple[str, ...]
    """UTC dates on which the originals of its replays were asked."""
    fresh: int
    """Done, asked afresh and timed."""
    days: tuple[str, ...]
    """UTC dates of the fresh answers."""
    asked_at: Floats
    """When each of those was asked (s since 1970), in order; without those for which that is not known."""
    ended_at: Floats
    """When each of these ended."""
    in_flight: float | None
    """Median number of requests in flight when one was sent; None where that is not known."""
    here: bool
    """Whether it is a local model, which competes with all else on this machine."""


def clocks(
    frame: pd.DataFrame,
    timed: NDArray[np.bool_],
    contender: NDArray[np.intp],
    keys: Sequence[tuple[str, ...]],
) -> tuple[Clock, ...]:
    """One clock per contender. `timed` says which rows are fresh, `contender` whose each row is.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"status": ["done"], "started_at": ["2026-11-23T09:00Z"], "latency_s": [2.0]})
    >>> (found,) = clocks(rows, np.array([True]), np.array([0]), [("m/a",)])
    >>> found.days, (found.ended_at - found.asked_at).tolist()
    (('2026-11-23',), [2.0])
    """
    rows = len(frame)
    at = started_at(frame)
    flights = _numbers(frame, "in_flight")
    ends = at + np.nan_to_num(_numbers(frame, "latency_s"), posinf=0.0)
    done = (frame["status"] == "done").to_numpy()
    again = done & (
        frame["replayed_from"].notna().to_numpy()
        if "replayed_from" in frame.columns
        else np.zeros(rows, bool)
    )
    local = (frame["provider"] == "local").to_numpy() if "provider" in frame.columns else np.zeros(rows, bool)
    found = []
    for place, key in enumerate(keys):
        mine = contender == place
        fresh = mine & timed
        known = fresh & ~np.isnan(at)
        flown = flights[fresh & ~np.isnan(flights)]
        order = np.argsort(at[known], kind="stable")
        found.append(
            Clock(
                done=int((mine & done).sum()),
                replays=int((mine & again).sum()),
                replay_days=_days(at[mine & again]),
                fresh=int(fresh.sum()),
                days=_days(at[fresh]),
                asked_at=at[known][order],
                ended_at=ends[known][order],
                in_flight=float(np.median(flown)) if len(flown) else None,
                here=bool((local & fresh).any()) or key[-1].startswith("local/"),
            )
        )
    return tuple(found)


def together(first: Clock, second: Clock) -> bool:
    """Whether two were timed at the same times, for the most part: True also where neither's are known.

    At least half of each one's fresh answers were out while the other was asked (from its first request to
    its last answer), and so many of each come from common sessions, in the same proportions. One run asks in
    mixed order, so its contenders are together; two runs at different hours are not, nor is a contender that
    was asked mostly yesterday with one that was asked mostly today.
    """
    if not len(first.asked_at) or not len(second.asked_at):
        return len(first.asked_at) == len(second.asked_at)
    if min(_within(first, second), _within(second, first)) < ENOUGH:
        return False
    every = np.concatenate([first.asked_at, second.asked_at])
    order = np.argsort(every, kind="stable")
    session = np.empty(len(every), dtype=np.intp)
    session[order] = np.cumsum(np.diff(every[order], prepend=every.min()) > PAUSE_S)
    sessions, n = int(session.max()) + 1, len(first.asked_at)
    shares = [np.bincount(part, minlength=sessions) / len(part) for part in (session[:n], session[n:])]
    return float(np.minimum(*shares).sum()) >= ENOUGH


def started_at(frame: pd.DataFrame) -> Floats:
    """When each row was asked (s since 1970); a replay, when its original was. NaN: not known."""
    import pandas as pd

    if "started_at" not in frame.columns:
        return np.full(len(frame), np.nan)
    at = pd.to_datetime(frame["started_at"], utc=True, errors="coerce").dt.tz_localize(None)
    since = at.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(since), np.nan, since.astype(np.int64) / 1e6)


def _within(one: Clock, other: Clock) -> float:
    out = (one.ended_at >= other.asked_at[0]) & (one.asked_at <= other.ended_at.max())
    return float(out.mean())


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    import pandas as pd

    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name]).to_numpy(dtype=np.float64, na_value=np.nan)


def _days(at: Floats) -> tuple[str, ...]:
    seconds = at[~np.isnan(at)].astype("datetime64[s]")
    return tuple(str(day) for day in np.unique(seconds.astype("datetime64[D]")))
