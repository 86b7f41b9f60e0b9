"""What is wrong with the definition of a judge: its grades, their meanings, its question and models.

All faults are gathered, none is raised here. It does not know what a judge is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.arguments import is_number, text
from labkit.catalog.model import Model
from labkit.prompts.names import name_faults
from labkit.scoring import verdict_request
from labkit.scoring.verdict_request import CANNOT_TELL
from labkit.visible import quoted, visible

REASONS = ("before", "after", None)


def grades_of(what: str, given: object) -> tuple[dict[str, float], list[str]]:
    """The value of each grade, and what is wrong with them."""
    if not isinstance(given, Mapping) or len(given) < 2:
        return {}, [f"grades of {what} is {quoted(given)}; give two or more: {{'no': 0, 'yes': 1}}"]
    values: dict[str, float] = {}
    faults: list[str] = []
    for grade, value in given.items():
        called = f"grade {quoted(grade)} of {what}"
        if not isinstance(grade, str) or not grade.strip() or grade == CANNOT_TELL:
            faults.append(f"{called} is no word; give text, other than {CANNOT_TELL!r}")
            continue
        if visible(grade, limit=len(grade)) != grade:
            faults.append(f"{called} holds characters that cannot be seen; give a word")
        faults += verdict_request.text_faults(called, grade)
        if is_number(value) and math.isfinite(value):
            values[grade] = float(value)
        else:
            faults.append(f"{called} has the value {quoted(value)}, which is no number")
    if len(set(values.values())) < len(values):
        faults.append(f"two grades of {what} have one value: {quoted(values)}; give each its own")
    words = [grade for grade in given if isinstance(grade, str)]
    if len({grade.strip().casefold() for grade in words}) < len(words):
        faults.append(f"two grades of {what} differ only in how they are written: {quoted(words)}")
    return values, faults


def meaning_faults(what: str, given: object, grades: Mapping[str, float]) -> list[str]:
    """What is wrong with what is said of grades."""
    if given is None:
        return []
    if not isinstance(given, Mapping) or not all(isinstance(told, str) for told in given.values()):
        return [f"meanings of {what} is {quoted(given)}; use a mapping of grades to sentences"]
    faults = [
        f"meanings of {what} explains {quoted(grade)}, which is none of its grades: {', '.join(grades)}"
        for grade in given
        if grade not in (*grades, CANNOT_TELL)
    ]
    for grade, told in given.items():
        faults += verdict_request.text_faults(f"what {quoted(grade)} of {what} means", told)
    return faults


def judge_faults(
    what: str,
    name: object,
    question: object,
    model: object,
    reason: object,
    params: object,
    structured: object,
) -> list[str]:
    """What is wrong with what judges and duels share."""
    # Its prompt's name is a little longer.
    faults = name_faults(name, what="judge") or name_faults(f"{verdict_request.NAMED}{name}", what="judge")
    faults += text(f"the question of {what}", question)
    if isinstance(question, str):
        faults += verdict_request.question_faults(f"the question of {what}", question)
    models = listed(model)
    if not models or not all(isinstance(one, str | Model) and one for one in models):
        faults.append(f"model of {what} is {quoted(model)}; give an id, an lk.Model, or several in a list")
    if reason not in REASONS:
        faults.append(f"reason of {what} is {quoted(reason)}; use 'before', 'after' or None")
    if not isinstance(params, Mapping | None):
        faults.append(f"params of {what} is {quoted(params)}; use a mapping such as {{'max_tokens': 256}}")
    if not any(structured is one for one in (True, False, None)):
        faults.append(f"structured of {what} is {quoted(structured)}; use True, False or None")
    return faults


def listed(model: Any) -> tuple[Any, ...]:
    """One model, or several, as they were given."""
    several = isinstance(model, Sequence) and not isinstance(model, str)
    return tuple(model) if several else (model,)
