"""The clocks that count for each row: its own, or those of the first asking of the answer that it replays.

A replay was not timed. A lab's frame says in `first.*` what the clocks of its first asking were; they count
once in a group, however many replays it has there. It summarises nothing, and does not read the lab.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labkit.stats.units import Floats
from labkit.summary.scores import codes, floats

if TYPE_CHECKING:
    import pandas as pd

CLOCKS = ("latency_s", "ttft_s", "in_flight")


@dataclass(frozen=True, eq=False)
class FirstAskings:
    """Per row of a frame: the clocks of its first asking, and whether they count."""

    latency_s: Floats
    ttft_s: Floats
    in_flight: Floats
    at: Floats
    """When it was first asked (s since 1970); NaN: not known."""
    replayed: NDArray[np.bool_]
    """Whether the row is a replay."""
    timed: NDArray[np.bool_]
    """Whether its clocks count: it is done, its latency is known, and no row before it in its group tells of
    the same asking. Of an answer and its replays the answer counts."""

    def told(self, rows: Any = slice(None)) -> str:
        """When those of `rows` that count were measured, and how many of them when first asked.

        >>> import pandas as pd
        >>> rows = {"status": "done", "started_at": ["2026-11-22T10:00Z"], "replayed_from": "g1"}
        >>> first_askings(pd.DataFrame(rows | {"first.latency_s": 0.5})).told()
        'measured when first asked, 2026-11-22'
        """
        timed, replayed = self.timed[rows], self.replayed[rows]
        now, then = timed & ~replayed, timed & replayed
        at = self.at[rows]
        if not then.any():
            return _measured("measured", at[now]) if (now & ~np.isnan(at)).any() else ""
        first = "when first asked,"
        if not now.any():
            return _measured(f"measured {first}", at[then])
        again, total = f"{then.sum():,}", f"{timed.sum():,} answers"
        if days(at[now]) == days(at[then]):
            return f"{_measured('measured', at[now])}, {again} of {total} {first.rstrip(',')}"
        return (
            f"of {total} {now.sum():,} {_measured('measured', at[now])}, {again} {_measured(first, at[then])}"
        )


def first_askings(frame: pd.DataFrame, by: Sequence[str] = ()) -> FirstAskings:
    """The clocks that count of a frame of generations, each asking once per combination of the columns `by`.

    >>> import pandas as pd
    >>> rows = {"status": "done", "latency_s": [2.0, None, None], "replayed_from": [None, "g1", "g1"]}
    >>> found = first_askings(pd.DataFrame(rows | {"first.latency_s": [2.0, 0.5, 0.5]}))
    >>> found.latency_s.tolist(), found.timed.tolist()
    ([2.0, 0.5, 0.5], [True, True, False])
    """
    done = (frame["status"] == "done").to_numpy()
    replayed = (
        frame["replayed_from"].notna().to_numpy()
        if "replayed_from" in frame.columns
        else np.zeros(len(frame), dtype=np.bool_)
    )
    clocks = [floats(frame, name) for name in CLOCKS]
    if replayed.any():
        clocks = [
            np.where(replayed, floats(frame, f"first.{name}"), own)
            for name, own in zip(CLOCKS, clocks, strict=True)
        ]
    timed = done & ~np.isnan(clocks[0])
    if replayed.any():
        timed[_told_before(frame, timed, replayed, by)] = False
    latency_s, ttft_s, in_flight = clocks
    return FirstAskings(latency_s, ttft_s, in_flight, started_at(frame), replayed, timed)


def _told_before(
    frame: pd.DataFrame, timed: NDArray[np.bool_], replayed: NDArray[np.bool_], by: Sequence[str]
) -> NDArray[np.intp]:
    """The places of timed rows whose asking another row of their group tells."""
    import pandas as pd

    ids: Any = None
    # Rows of a frame that was put together from several may have one of these and not the others.
    for name in ("first.generation_id", "replayed_from", "generation_id"):
        if name in frame.columns:
            ids = frame[name] if ids is None else ids.fillna(frame[name])
    numbers, different = pd.factorize(ids)
    if len(different) == len(ids):  # no asking is told twice, as in a run that was replayed whole
        return np.empty(0, dtype=np.intp)
    asking = np.asarray(numbers)
    places = np.flatnonzero(timed & (asking >= 0))
    places = places[np.argsort(replayed[places], kind="stable")]
    keys = {name: codes(frame[name])[places] for name in by} | {"": asking[places]}
    return np.asarray(places[pd.DataFrame(keys).duplicated().to_numpy()])


def _measured(how: str, at: Floats) -> str:
    found = days(at)
    if not found:
        return f"{how.rstrip(',')}"
    return f"{how} {found[0]}" if len(found) == 1 else f"{how} {found[0]} to {found[-1]}"


def started_at(frame: pd.DataFrame) -> Floats:
    """When each row was asked (s since 1970); a replay, when its original was. NaN: not known."""
    import pandas as pd

    if "started_at" not in frame.columns:
        return np.full(len(frame), np.nan)
    at = pd.to_datetime(frame["started_at"], utc=True, errors="coerce").dt.tz_localize(None)
    since = at.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(since), np.nan, since.astype(np.int64) / 1e6)


def days(at: Floats) -> tuple[str, ...]:
    """The UTC dates of those times, in order, each once."""
    seconds = at[~np.isnan(at)].astype("datetime64[s]")
    return tuple(str(day) for day in np.unique(seconds.astype("datetime64[D]")))
