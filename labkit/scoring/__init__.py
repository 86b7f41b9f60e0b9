"""Scorers: functions that value a generation against its sample. Scoring again is free."""

from __future__ import annotations

from labkit.scoring.matching import contains, exact, regex
from labkit.scoring.numbers import numeric
from labkit.scoring.scorer import Function, Scorer, Value, score, scorers

__all__ = ["Function", "Scorer", "Value", "contains", "exact", "numeric", "regex", "score", "scorers"]
