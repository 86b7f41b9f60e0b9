"""What is told of judges beside their scores: what they cost, what they could not tell, whether they went by
the order, and whether they are of a contender's family.

It goes by `attrs["judges"]` of a frame of generations, as a lab puts it there (`labkit.run.judge_facts`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from labkit.visible import quoted, visible

Judges = Mapping[str, Mapping[str, Any]]
_MAKERS = {"gpt": "openai", "chatgpt": "openai", "o": "openai", "claude": "anthropic"}
_OWN_MODELS = ("openai", "anthropic")
"""Providers all of whose models are of one family; others have models of many."""


def judge_usd(judges: Judges, where: Mapping[str, Any]) -> float:
    """What the verdicts on some answers cost, in USD: those with this `prompt` and `model`. NaN where the
    cost of one is not known."""
    rows = [
        row
        for judge in judges.values()
        for row in judge["of"]
        if all(row[name] == value for name, value in where.items())
    ]
    if any(row["unknown"] for row in rows):
        return math.nan
    return float(sum(row["usd"] or 0.0 for row in rows))


def judge_notes(judges: Judges, scores: Sequence[str], *, labelled: Collection[str] = ()) -> list[str]:
    """A sentence for each of the scores that is a judge's: who judged, whether labels check it (those of the
    scores `labelled`), what it could not tell, and how often it said otherwise when the order was turned.

    >>> of = [{"answers": 40, "unread": 0, "cannot_tell": 2, "flips": 0, "duels": 0}]
    >>> judge_notes({"polite": {"models": ["openai/gpt-4o"], "compares": False, "of": of}}, ["polite"])
    ["score 'polite' is what openai/gpt-4o says, uncorrected; it could not tell of 2 of 40 answers"]
    """
    return [_note(name, judges[name], name in labelled) for name in scores if name in judges]


def _note(name: str, judge: Mapping[str, Any], labelled: bool) -> str:
    who = " and ".join(visible(model, limit=60) for model in judge["models"])
    says = "says" if len(judge["models"]) == 1 else "say"
    told = [f"score {quoted(name)} is what {who} {says}{'' if labelled else ', uncorrected'}"]
    if count := total(judge, "cannot_tell"):
        told.append(f"it could not tell of {count:,} of {total(judge, 'answers'):,} answers")
    if count := total(judge, "unread"):
        told.append(f"verdicts on {count:,} of {total(judge, 'answers'):,} answers are lacking")
    if judge["compares"] and total(judge, "duels"):
        told.append(flips(judge))
    return "; ".join(told)


def flips(judge: Mapping[str, Any]) -> str:
    """How often a duel's judge said otherwise when the order of the two was turned."""
    pairs = total(judge, "duels") // 2
    turned = total(judge, "flips") // 2
    if not turned:
        return f"it said the same of all {pairs:,} pairs when the order was turned"
    return f"it changed its mind in {turned:,} of {pairs:,} pairs when the order was turned"


def total(judge: Mapping[str, Any], what: str) -> int:
    """A count over all that was judged."""
    return int(sum(row[what] for row in judge["of"]))


def relatives(judge: Mapping[str, Any], contenders: Iterable[str]) -> list[str]:
    """The judged models that are of the family of one of the judges.

    >>> relatives({"models": ["openai/gpt-4o-mini"]}, ["openai/gpt-4o", "local/smollm2-135m"])
    ['openai/gpt-4o']
    """
    families = {family(model) for model in judge["models"]}
    return [model for model in dict.fromkeys(contenders) if family(model) in families]


def family(model: str) -> str:
    """Whose model it is, as far as its id tells.

    >>> family("openai/gpt-4o"), family("azure/gpt-4o"), family("local/smollm2-135m")
    ('openai', 'openai', 'smollm')
    """
    provider, _, name = model.partition("/")
    if provider in _OWN_MODELS:
        return provider
    found = re.match(r"[a-z]+", name.rpartition("/")[2].lower())
    word = found[0] if found else name
    return _MAKERS.get(word, word)
