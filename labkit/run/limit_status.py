"""The state of a run's limits at one moment, a row per model; and what may be asked of them.

A value: it does not change them (see `Run.limit`), and does not know how they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.arguments import is_number, whole
from labkit.errors import DefinitionError
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

LEFT = {
    "requests": "requests_left",
    "tokens": "tokens_left",
    "input": "input_tokens_left",
    "output": "output_tokens_left",
}
"""Column by kind of limit."""
TYPES = {
    "model": "str",
    "endpoint": "str",
    "queued": "Int64",
    "waiting": "Int64",
    "in_flight": "Int64",
    "limit": "Int64",
    "ceiling": "Int64",
    "opens_in_s": "Float64",
    "requests_per_minute": "Float64",
    **dict.fromkeys(LEFT.values(), "Float64"),
    "runs": "Int64",
    "bound_times": "Float64",
    "stopped": "str",
}


class Limits:
    """What each model of a run waits for. Made by `run.limits`.

    >>> Limits([])
    Limits(no model is asked)
    """

    def __init__(self, states: Sequence[Mapping[str, Any]]) -> None:
        self._rows = [
            {**state, **{column: state["left"].get(kind) for kind, column in LEFT.items()}}
            for state in states
        ]

    def frame(self) -> pd.DataFrame:
        """A row per model.

        `model`, `endpoint` (str); `queued` (ready to be sent), `waiting` (refused, and to be asked again at
        their time), `in_flight`, `limit` (as many may be in flight now) and `ceiling` (at most) (Int64);
        `opens_in_s` (Float64, seconds until the next may leave; NA: nothing is waited for but a place);
        `requests_per_minute` (Float64: the most this run may send, as far as the provider's headers and
        refusals or `run.limit` tell; NA: no limit is known); `requests_left`, `tokens_left`,
        `input_tokens_left`, `output_tokens_left` (Float64: what may be sent at once; NA: no such limit is
        known); `runs` (Int64: how many runs on this machine ask this model with this key now, this one
        included); `bound_times` (Float64: how many times the most that it could cost an answer cost, and as
        much is set aside for each since; NA: all kept to their bounds); `stopped` (str: why nothing more is
        asked of it, NA: it is not stopped).

        >>> Limits([]).frame().columns[:3].tolist()
        ['model', 'endpoint', 'queued']
        """
        import pandas as pd

        return pd.DataFrame(
            {
                name: pd.Series([row.get(name) for row in self._rows], dtype=kind)
                for name, kind in TYPES.items()
            }
        )

    def __repr__(self) -> str:
        if not self._rows:
            return "Limits(no model is asked)"
        return "\n".join(_line(row) for row in self._rows)

    def _repr_html_(self) -> str:
        table: str = self.frame().dropna(axis="columns", how="all").to_html(index=False, na_rep="")
        return table


def per_minute(requests: float | None, tokens: float | None, concurrency: int | None) -> Mapping[str, float]:
    """The limits a user set, by kind. Raises `DefinitionError` for what is no limit."""
    faults = []
    given = {"requests": requests, "tokens": tokens}
    for kind, count in given.items():
        if count is not None and not (is_number(count) and count > 0):
            faults.append(
                f"{kind}_per_minute is {quoted(count)}; use a number above 0, or math.inf to lift it."
            )
    if concurrency is not None and whole("concurrency", concurrency):
        faults.append(
            f"concurrency is {quoted(concurrency)}; use a whole number from 1 up, or run.stop(model=…)."
        )
    if requests is None and tokens is None and concurrency is None:
        faults.append("Nothing to change: give concurrency, requests_per_minute or tokens_per_minute.")
    if faults:
        raise DefinitionError(faults)
    return {kind: float(count) for kind, count in given.items() if count is not None}


def _line(row: Mapping[str, Any]) -> str:
    parts = [f"{row['in_flight']} of {row['limit']} in flight", f"{row['queued']} queued"]
    if row["waiting"]:
        parts.append(f"{row['waiting']} waiting to be asked again")
    if row["opens_in_s"] is not None:
        parts.append(f"the next in {row['opens_in_s']:,.1f} s")
    if row["requests_per_minute"] is not None:
        parts.append(f"at most {row['requests_per_minute']:,.0f} requests a minute")
    if row["runs"] > 1:
        parts.append(f"shared by {row['runs']} runs")
    if row.get("bound_times") is not None:
        parts.append(f"billed up to {row['bound_times']:,.1f} times what a request could cost")
    if row["stopped"]:
        parts.append(row["stopped"])
    return f"{row['model']}: {', '.join(parts)}"
