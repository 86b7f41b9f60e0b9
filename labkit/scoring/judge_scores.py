"""From the verdicts of judges to scores: of an answer its grade, of answers that were compared their wins.

What is not read is None with the reason. It knows verdicts that are there, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

from labkit.read import NoJson, read_json
from labkit.records import Generation, Score
from labkit.scoring.judges import Judge
from labkit.visible import quoted, shown

NOT_ASKED = "the judge was not asked"
ALONE = "not scored: there is no other answer to compare it with"
_LONGEST = 500


class Unread(ValueError):
    """Why a text is no verdict."""


def read_verdict(answer: str, verdicts: Mapping[str, float | None]) -> tuple[str, str | None]:
    """The verdict in a judge's answer, and its reason. Raises `Unread`.

    Exactly one JSON document, with a `verdict` that is one of `verdicts` and, if there, a `reason`.

    >>> read_verdict('{"reason": "It thanks her.", "verdict": "yes"}', {"no": 0, "yes": 1})
    ('yes', 'It thanks her.')
    """
    try:
        document = read_json(answer)
    except NoJson as why:
        raise Unread(str(why)) from None
    if not isinstance(document, dict):
        raise Unread(f"no JSON object with a verdict: {quoted(document)}")
    if unknown := sorted(set(document) - {"verdict", "reason"}):
        raise Unread(f"a verdict has verdict and reason, not {quoted(unknown[0])}")
    if "verdict" not in document:
        raise Unread("there is no verdict")
    verdict, reason = document["verdict"], document.get("reason")
    if not isinstance(verdict, str) or verdict not in verdicts:
        raise Unread(f"the verdict is {quoted(verdict)}, not one of {', '.join(map(repr, verdicts))}")
    if not isinstance(reason, str | None):
        raise Unread(f"the reason is {quoted(reason)}, not text")
    return verdict, reason


class Verdict(NamedTuple):
    """What one judge said of one answer, or of two in one order."""

    model: str
    word: str | None
    value: float | None
    told: str
    """Its word and its reason; or why there is none."""
    generation_id: str
    read: bool
    """Whether it is a verdict, "cannot tell" included."""


def read(judge: Judge, row: Generation) -> Verdict:
    """A judge's answer as a verdict."""
    if row.status != "done":
        why = f"gave no verdict: {row.error_message or row.error_type or row.status}"
        return Verdict(row.model, None, None, f"{row.model} {why}", row.generation_id, False)
    try:
        word, reason = read_verdict(row.text or "", judge.verdicts)
    except Unread as why:
        cut = ", cut at max_tokens" if row.stop_reason == "max_tokens" else ""
        told = f"the verdict of {row.model}{cut} cannot be read: {why}"
        return Verdict(row.model, None, None, told, row.generation_id, False)
    told = word if reason is None else f"{word}: {shown(reason)}"
    return Verdict(row.model, word, judge.verdicts[word], told, row.generation_id, True)


def graded(judge: Judge, generation_id: str, rows: Sequence[Generation], at: datetime) -> Score:
    """The score of one answer from its verdicts, one of each judge: their mean, None where one of them is
    none."""
    verdicts = [read(judge, row) for row in rows]
    unread = [verdict.told for verdict in verdicts if not verdict.read] if verdicts else [NOT_ASKED]
    values = [verdict.value for verdict in verdicts if verdict.value is not None]
    whole = bool(values) and len(values) == len(verdicts)
    several = len(judge.models) > 1
    told = "; ".join(f"{one.model}: {one.told}" if several else one.told for one in verdicts)
    return _score(
        judge,
        generation_id,
        at,
        value=fmean(values) if whole else None,
        told=told,
        error="; ".join(unread) or None,
        metadata={
            "verdicts": {verdict.model: verdict.word for verdict in verdicts},
            "judgements": [verdict.generation_id for verdict in verdicts],
        },
    )


def unjudged(judge: Judge, generation_id: str, why: str, at: datetime) -> Score:
    """The score of an answer that no judge is asked about: None, and no fault of anybody's."""
    return _score(judge, generation_id, at, value=None, told=why, error=None, metadata={})


class Duel(NamedTuple):
    """Two answers as they were compared by all judges, in both orders."""

    one: str
    other: str
    value: float | None
    """Of the one: 1 it is better, 0 the other is, ½ neither; of several judges the mean."""
    flips: int
    """How many judges said otherwise when the order was turned."""
    turned: int
    """How many of them said which is better in both orders."""
    verdicts: tuple[Verdict, ...]

    @property
    def unread(self) -> list[str]:
        """Why verdicts are none."""
        if not self.verdicts:
            return [NOT_ASKED]
        return [verdict.told for verdict in self.verdicts if not verdict.read]


def duelled(
    judge: Judge, answers: Sequence[str], rows: Mapping[tuple[str, str], Sequence[Generation]], at: datetime
) -> list[Score]:
    """The scores of answers to one sample and repeat, by generation_id, that were compared two at a time:
    each one's mean over its duels. `rows` has what the judges said, by the two as they were shown."""
    duels = [_duel(judge, one, other, rows) for one, other in combinations(answers, 2)]
    return [_wins(judge, answer, [duel for duel in duels if answer in duel[:2]], at) for answer in answers]


def _duel(judge: Judge, one: str, other: str, rows: Mapping[tuple[str, str], Sequence[Generation]]) -> Duel:
    in_order = {row.model: read(judge, row) for row in rows.get((one, other), ())}
    turned = {row.model: read(judge, row) for row in rows.get((other, one), ())}
    values: list[float] = []
    flips = 0
    asked = sorted({*in_order, *turned})
    for model in asked:
        first, second = (said[model].value if model in said else None for said in (in_order, turned))
        if first is None or second is None:
            continue
        flips += first != 1 - second
        values.append(first if first == 1 - second else 0.5)
    whole = bool(values) and len(values) == len(asked)
    verdicts = (*in_order.values(), *turned.values())
    return Duel(one, other, fmean(values) if whole else None, flips, len(values), verdicts)


def _wins(judge: Judge, answer: str, duels: Sequence[Duel], at: datetime) -> Score:
    if not duels:
        return unjudged(judge, answer, ALONE, at)
    known = [duel.value if duel.one == answer else 1 - duel.value for duel in duels if duel.value is not None]
    unread = [told for duel in duels for told in duel.unread]
    told = [
        {
            "against": duel.other if duel.one == answer else duel.one,
            "value": None if duel.value is None else duel.value if duel.one == answer else 1 - duel.value,
            "flips": duel.flips,
            "turned": duel.turned,
            "unread": len(duel.unread),
            "judgements": [verdict.generation_id for verdict in duel.verdicts],
        }
        for duel in duels
    ]
    return _score(
        judge,
        answer,
        at,
        value=fmean(known) if known else None,
        told="; ".join(dict.fromkeys(verdict.told for duel in duels for verdict in duel.verdicts)),
        error=None if known else "; ".join(dict.fromkeys(unread)) or None,
        metadata={"duels": told},
    )


def _score(
    judge: Judge,
    generation_id: str,
    at: datetime,
    *,
    value: float | None,
    told: str,
    error: str | None,
    metadata: dict[str, Any],
) -> Score:
    return Score(
        generation_id=generation_id,
        scorer=judge.name,
        value=value,
        scored_at=at,
        explanation=told[:_LONGEST] or None,
        error=None if error is None else error[:_LONGEST],
        metadata=metadata,
        low=judge.low,
        high=judge.high,
        step=judge.step,
    )
