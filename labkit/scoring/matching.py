"""Scorers that compare an answer's text: exact match, contains, regular expression.

Each gives 1 or 0, and None with an explanation where there is nothing to compare: an answer without
text, a sample without a target. They know one generation and one sample, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from labkit.arguments import check, switch
from labkit.errors import DefinitionError
from labkit.records import Generation, Sample
from labkit.scoring.recipe import built_in
from labkit.scoring.scorer import Function, Scorer, Value
from labkit.scoring.whole_words import occurs
from labkit.visible import quoted

PATTERN_TIMEOUT_S = 1.0
PATTERN_MAX_CHARACTERS = 100_000
PATTERN_LONGEST = 100_000


class NothingToCompare(Exception):
    """Why a generation cannot be scored. Becomes the score's explanation."""


@built_in
def exact(
    target: str = "target",
    *,
    ignore_case: bool = False,
    strip: bool = True,
    name: str = "exact",
    step: str | None = None,
) -> Scorer:
    """1 where the answer equals the sample's column `target`, else 0.

    Blanks around both are ignored (`strip`). A list in the column means: any of these. A whole
    number stored as a float (1.0) is compared as "1".

    >>> exact("label")
    Scorer('exact')
    """

    def compare(generation: Generation, sample: Sample) -> Value:
        answer = _shaped(answer_text(generation), ignore_case, strip)
        return answer in {_shaped(text, ignore_case, strip) for text in target_texts(sample, target)}

    return Scorer(name, explained(compare), (target,), low=0, high=1, step=1, of_step=step)


@built_in
def contains(
    target: str = "target",
    *,
    parts: bool = False,
    ignore_case: bool = True,
    name: str | None = None,
    step: str | None = None,
) -> Scorer:
    """1 where the column `target` (or any entry of its list) occurs in the answer as whole words, else 0.

    In any script: "no" does not occur in "unknown", nor "4" in "42" or "3.14", nor "toxic" in "non-toxic";
    see `labkit.scoring.whole_words`. `parts=True` takes parts of words too, for languages that hang endings
    on them. The score is called `contains`, and `contains_parts` with parts. Numbers are compared as they
    are written; `numeric` compares what they mean.

    >>> contains().columns, contains(parts=True).name
    (('target',), 'contains_parts')
    """
    called = name if name is not None else "contains_parts" if parts else "contains"
    check(switch(f"parts of scorer {quoted(called)}", parts))

    def compare(generation: Generation, sample: Sample) -> Value:
        answer = _shaped(answer_text(generation), ignore_case, False)
        wanted = [_shaped(text, ignore_case, True) for text in target_texts(sample, target)]
        if not all(wanted):
            raise NothingToCompare(f"sample {sample.id} has an empty {target!r}, which every text contains")
        return any(text in answer if parts else occurs(text, answer) for text in wanted)

    return Scorer(called, explained(compare), (target,), low=0, high=1, step=1, of_step=step)


@built_in
def regex(
    pattern: str,
    *,
    target: str | None = None,
    ignore_case: bool = False,
    name: str = "regex",
    step: str | None = None,
) -> Scorer:
    """1 where `pattern` is found in the answer, else 0.

    With `target`, what the pattern finds (its first group, if it has one) must equal that column.
    The text is hostile and a pattern can be slow on it: a search ends after 1 s with an `error`, and
    answers beyond 100,000 characters are not searched (not scored). Raises DefinitionError where the
    pattern is none.

    >>> regex(r"label: *([a-z]+)", target="label", ignore_case=True)
    Scorer('regex')
    """
    import regex as engine  # type: ignore[import-untyped]  # unlike `re`, it can be stopped

    if isinstance(pattern, str) and len(pattern) > PATTERN_LONGEST:
        raise DefinitionError(
            f"the pattern of scorer {quoted(name)} has {len(pattern):,} characters; "
            f"at most {PATTERN_LONGEST:,} are compiled"
        )

    try:
        compiled = engine.compile(pattern, engine.IGNORECASE if ignore_case else 0)
    except (engine.error, TypeError) as error:
        raise DefinitionError(
            f"the pattern {quoted(pattern)} of scorer {quoted(name)} is none: {error}"
        ) from None

    def compare(generation: Generation, sample: Sample) -> Value:
        answer = answer_text(generation)
        if len(answer) > PATTERN_MAX_CHARACTERS:
            raise NothingToCompare(
                f"the answer has {len(answer):,} characters; at most {PATTERN_MAX_CHARACTERS:,} are searched"
            )
        wanted = None if target is None else target_texts(sample, target)
        try:
            found = compiled.search(answer, timeout=PATTERN_TIMEOUT_S)
        except TimeoutError:
            raise TimeoutError(f"the pattern took longer than {PATTERN_TIMEOUT_S:g} s on this text") from None
        if found is None or wanted is None:
            return found is not None
        text = _shaped(found.group(1 if compiled.groups else 0) or "", ignore_case, True)
        return text in {_shaped(one, ignore_case, True) for one in wanted}

    columns = () if target is None else (target,)
    return Scorer(name, explained(compare), columns, low=0, high=1, step=1, of_step=step)


def answer_text(generation: Generation) -> str:
    """The answer's text. Raises NothingToCompare where there is none."""
    if generation.text is None:
        raise NothingToCompare("the answer has no text")
    return generation.text


def target_value(sample: Sample, column: str) -> Any:
    """What the sample holds under `column`.

    Raises KeyError where the dataset has no such column, NothingToCompare where this row has none.
    """
    value = sample[column]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise NothingToCompare(f"sample {sample.id} has no {column!r}")
    return value


def target_values(sample: Sample, column: str) -> list[Any]:
    """What is accepted: the target, or each entry of a list."""
    value = target_value(sample, column)
    value = value.tolist() if hasattr(value, "tolist") else value
    many = isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict))
    values = list(value) if many else [value]
    if not values:
        raise NothingToCompare(f"sample {sample.id} has an empty list as {column!r}")
    return values


def target_texts(sample: Sample, column: str) -> list[str]:
    """What is accepted, as texts."""
    return [_as_text(value) for value in target_values(sample, column)]


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _shaped(text: str, ignore_case: bool, strip: bool) -> str:
    text = text.strip() if strip else text
    return text.casefold() if ignore_case else text


def explained(compare: Function) -> Function:
    """`compare`, with NothingToCompare turned into a value of None and an explanation."""

    def compare_or_explain(generation: Generation, sample: Sample) -> Value:
        try:
            return compare(generation, sample)
        except NothingToCompare as why:
            return {"value": None, "explanation": f"not scored: {why}"}

    return compare_or_explain
