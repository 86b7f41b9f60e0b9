"""A sentinel from what a person wrote: all that is wrong is told at once, before anything is watched.

It contacts nobody and reads no lab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.arguments import check, number, switch, text
from labkit.plan import Plan
from labkit.run import LabServices
from labkit.sentinel.channels import channel_faults
from labkit.sentinel.finding import SCORE
from labkit.sentinel.rules import Rules
from labkit.sentinel.sentinel import Sentinel
from labkit.visible import quoted

MOST_NAME = 100


def define(
    name: str,
    *,
    services: LabServices,
    workspace: str,
    user: str | None,
    again: Callable[[str], Plan],
    baseline: str | None,
    score: str | Sequence[str] | None,
    margin: float | Mapping[str, float],
    latency: float | None,
    cost: float | None,
    false_alarms_per_year: float,
    better: str | Mapping[str, str],
    confirm: bool,
    notify: Sequence[str] | None,
    rows: bool,
) -> Sentinel:
    """See `lab.sentinel`: this is it."""
    scores, of_scores = _scores(score)
    check(
        _name("name", name),
        [] if baseline is None else _name("baseline", baseline),
        of_scores,
        _margins(margin, scores),
        _ratio("latency", latency),
        _ratio("cost", cost),
        number("false_alarms_per_year", false_alarms_per_year, above=0),
        _directions(better, scores),
        switch("confirm", confirm),
        switch("rows", rows),
        channel_faults(notify),
    )
    margins = (
        {f"{SCORE}{key}": float(value) for key, value in margin.items()}
        if isinstance(margin, Mapping)
        else {}
    )
    return Sentinel(
        name=name,
        workspace=workspace,
        user=user,
        rules=Rules(
            scores=scores,
            margin={"": 0.0 if isinstance(margin, Mapping) else float(margin), **margins},
            better=_by_score(better),
            latency=latency,
            cost=cost,
            per_year=float(false_alarms_per_year),
            confirm=confirm,
        ),
        baseline=baseline,
        notify=None if notify is None else tuple(notify),
        rows=rows,
        services=services,
        again=again,
    )


def _ratio(what: str, value: object) -> list[str]:
    faults = number(what, value, least=1, or_none=True)
    return [f"{fault} A ratio such as 1.25, or None, which leaves it out." for fault in faults]


def _name(what: str, value: object) -> list[str]:
    if faults := text(what, value):
        return faults
    if not str(value).strip() or len(str(value)) > MOST_NAME:
        return [f"{what} is {quoted(value)}; give a name of 1 to {MOST_NAME} characters."]
    return []


def _scores(given: object) -> tuple[tuple[str, ...] | None, list[str]]:
    if given is None:
        return None, []
    names = (given,) if isinstance(given, str) else given
    if (
        not isinstance(names, list | tuple)
        or not names
        or not all(isinstance(one, str) and one for one in names)
    ):
        return None, [f"score is {quoted(given)}; give the name of a score, or a list of names."]
    if faults := [fault for one in names for fault in text("score", one)]:
        return None, faults
    return tuple(dict.fromkeys(names)), []


def _unknown(what: str, given: Mapping[Any, Any], scores: Sequence[str] | None) -> list[str]:
    strange = [key for key in given if not isinstance(key, str) or (scores is not None and key not in scores)]
    return [f"{what} names {quoted(key)}, which is not among the scores that are watched." for key in strange]


def _margins(given: object, scores: Sequence[str] | None) -> list[str]:
    if not isinstance(given, Mapping):
        return number("margin", given, least=0)
    faults = [
        f"margin of {quoted(key)}: {one}"
        for key, value in given.items()
        for one in number("it", value, least=0)
    ]
    return [*faults, *_unknown("margin", given, scores)]


def _directions(given: object, scores: Sequence[str] | None) -> list[str]:
    words = given.values() if isinstance(given, Mapping) else (given,)
    wrong = [
        f"better is {quoted(one)}; use 'higher' or 'lower'."
        for one in words
        if one not in ("higher", "lower")
    ]
    return wrong + (_unknown("better", given, scores) if isinstance(given, Mapping) else [])


def _by_score(better: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(better, Mapping):
        return {"": "higher", **{f"{SCORE}{name}": way for name, way in better.items()}}
    return {"": better}
