"""Scorers: functions that value a generation against its sample. Scoring again is free.

A built-in is called (`contains("label")`); a function of your own is given as it is.
"""

from __future__ import annotations

from labkit.scoring.judges import Judge, duel, judge
from labkit.scoring.matching import contains, exact, regex
from labkit.scoring.numbers import numeric
from labkit.scoring.overlap import normalised, rouge_l, token_f1
from labkit.scoring.scorer import Function, Scorer, Value, score, scorers
from labkit.scoring.structure import json_field, json_schema
from labkit.scoring.traits import length, refusal

__all__ = [
    "Function",
    "Judge",
    "Scorer",
    "Value",
    "contains",
    "duel",
    "exact",
    "json_field",
    "json_schema",
    "judge",
    "length",
    "normalised",
    "numeric",
    "refusal",
    "regex",
    "rouge_l",
    "score",
    "scorers",
    "token_f1",
]
