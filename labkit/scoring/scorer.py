"""A scorer: a name and a function `generation, sample → value`; and the scoring of one generation.

A scorer never stops a run: what it raises becomes the `error` of its score. "Not scored" is a value
of None and never 0. This module knows no particular scorer, no frame and no store.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import msgspec

from labkit.arguments import check, number, text
from labkit.errors import DefinitionError
from labkit.records import Generation, Sample, Score
from labkit.scoring.check import function_faults
from labkit.stats.scale import UNKNOWN, Scale, scale_of
from labkit.visible import quoted

Value = bool | float | None | Mapping[str, Any]
"""A number, True or False (1 or 0), None (not scored), or a mapping with `value` and, if wanted,
`explanation` and `metadata`."""

Function = Callable[[Generation, Sample], Value]
TRUE_OR_FALSE = Scale(0, 1, 1)


@dataclass(frozen=True)
class Scorer:
    """A named function that values a generation against its sample.

    The function is given the generation (`generation.text` is the answer) and the sample, whose columns are
    `sample["label"]`; see `labkit.records` for what else both have.

    `columns` names the sample columns it reads, so that a plan can refuse a dataset without them. `low`,
    `high` and `step` declare its values: ratings from 1 to 5 have `low=1, high=5, step=1`. Then a value that
    does not fit is an error of that score, and what is said of the scores uses the bounds: intervals that
    hold where hardly any scatter is seen, the worst case of missing answers, studies that may be watched.
    `of_step` names a step of a chain: then the function is given what that step answered instead of the last
    one, and the score is called `facts.exact`, after both.
    A function that says `-> bool` declares `low=0, high=1, step=1` by that. Raises DefinitionError for what
    is no function of two arguments, and for columns and bounds that are none.

    >>> def named(generation, sample) -> bool:
    ...     return sample["city"] in generation.text
    >>> Scorer("names the city", named, columns=["city"]).scale
    Scale(low=0.0, high=1.0, step=1.0)
    """

    name: str
    fn: Function
    columns: Sequence[str] = ()
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    step: float | None = field(default=None, kw_only=True)
    of_step: str | None = field(default=None, kw_only=True)
    recipe: Mapping[str, Any] | None = field(default=None, kw_only=True, compare=False)
    """How a built-in one was made: see `labkit.scoring.recipe`."""

    def __post_init__(self) -> None:
        given = (self.low, self.high, self.step)
        if given == (None, None, None) and _true_or_false(self.fn):
            for name in ("low", "high", "step"):
                object.__setattr__(self, name, getattr(TRUE_OR_FALSE, name))
        what = f"scorer {quoted(self.name)}"
        several = isinstance(self.columns, Iterable) and not isinstance(self.columns, str | Mapping)
        columns = tuple(self.columns) if several else (self.columns,)
        check(
            function_faults(what, self.fn),
            *(text(f"a column of {what}", column) for column in columns),
            text(f"of_step of {what}", self.of_step, or_none=True),
            *(
                number(name, value, or_none=True)
                for name, value in zip(("low", "high", "step"), given, strict=True)
            ),
        )
        object.__setattr__(self, "columns", columns)
        if self.of_step and not self.name.startswith(f"{self.of_step}."):
            object.__setattr__(self, "name", f"{self.of_step}.{self.name}")
        if faults := self.scale.faults():
            raise DefinitionError([f"{what}: {fault}" for fault in faults])

    @property
    def scale(self) -> Scale:
        """What it declares of its values."""
        return scale_of((self.low, self.high, self.step))

    def __repr__(self) -> str:
        return f"Scorer({self.name!r})"

    def __call__(self, generation: Generation, sample: Sample) -> Value:
        return self.fn(generation, sample)


def _true_or_false(fn: object) -> bool:
    """Whether a function says so of what it gives; the annotation is text where its file defers them."""
    gives = getattr(fn, "__annotations__", {}).get("return")
    return gives in (bool, bool | None) or gives in ("bool", "bool | None", "None | bool", "Optional[bool]")


def zero_or_one(
    name: str, fn: Function, columns: tuple[str, ...], unreadable: float | None, of_step: str | None = None
) -> Scorer:
    """A scorer of 0 and 1 that gives `unreadable` for what it cannot read.

    >>> zero_or_one("label", lambda generation, sample: 1, (), -1).scale
    Scale(low=-1.0, high=1.0, step=1.0)
    """
    other = 0.0 if unreadable is None else unreadable
    step = 1 if float(other).is_integer() else None
    return Scorer(name, fn, columns, low=min(0.0, other), high=max(1.0, other), step=step, of_step=of_step)


def scorers(given: Iterable[Scorer | Function] | Scorer | Function) -> tuple[Scorer, ...]:
    """`given` as scorers: a plain function becomes a scorer under its own name.

    Raises DefinitionError that names every fault at once: no function of two arguments, a built-in that was
    not called, no name of its own (a lambda), a coroutine function, one name twice.

    >>> def short(generation, sample):
    ...     return len(generation.text) < 80
    >>> scorers([short])
    (Scorer('short'),)
    """
    every = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    faults: list[str] = []
    found: dict[str, Scorer] = {}
    for place, one in enumerate(every, 1):
        name = one.name if isinstance(one, Scorer) else getattr(one, "__name__", "")
        what = f"scorer {quoted(name)}" if name else f"scorer {place}"
        wrong = [] if isinstance(one, Scorer) else function_faults(what, one)
        if wrong := wrong or text(f"the name of scorer {place}", name):
            faults += wrong
        elif not name or name == "<lambda>":
            faults.append(f"scorer {place} has no name; write Scorer('a name', function)")
        elif name in found:
            faults.append(f"two scorers are called {name!r}; give one of them another name=")
        else:
            found[name] = one if isinstance(one, Scorer) else Scorer(name, one)
    if faults:
        raise DefinitionError(faults)
    return tuple(found.values())


def score(
    given: Iterable[Scorer | Function] | Scorer | Function,
    *,
    generation: Generation,
    sample: Sample,
    at: datetime,
) -> list[Score]:
    """One Score for each scorer, in their order; nothing a scorer does raises.

    A generation that is not `done` is not scored. A scorer that raises, or gives what is no finite
    number, gives a Score with value None and an `error` that says why: which row it is, the score tells.
    """
    return [_scored(one, generation, sample, at) for one in scorers(given)]


def _scored(scorer: Scorer, generation: Generation, sample: Sample, at: datetime) -> Score:
    if generation.status != "done":
        why = f"not scored: the generation is {generation.status}"
        return _row(scorer, generation, at, value=None, explanation=why)
    try:
        answer = scorer.fn(generation, sample)
    except Exception as error:  # noqa: BLE001 - a scorer is the user's code; the answer must stay
        return _row(scorer, generation, at, value=None, error=_told(error))
    detail: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {"value": answer}
    fault = _detail_fault(detail)
    value = None if fault else _number(detail.get("value"))
    if value is not None and not math.isfinite(value):
        fault = f"the value is {value}"
    scale = scorer.scale
    if scale == UNKNOWN and isinstance(_plain(detail.get("value")), bool):
        scale = TRUE_OR_FALSE
    fault = fault or (None if value is None else _misfit(value, scale))
    if fault:
        return _row(scorer, generation, at, value=None, error=fault)
    explanation, metadata = detail.get("explanation"), detail.get("metadata")
    found = _row(scorer, generation, at, value=value, explanation=explanation, metadata=metadata)
    return found if scale == scorer.scale else msgspec.structs.replace(found, low=0.0, high=1.0, step=1.0)


def _row(
    scorer: Scorer,
    generation: Generation,
    at: datetime,
    *,
    value: float | None,
    explanation: str | None = None,
    error: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Score:
    return Score(
        generation_id=generation.generation_id,
        scorer=scorer.name,
        value=value,
        scored_at=at,
        explanation=explanation,
        error=error,
        metadata=metadata,
        low=scorer.low,
        high=scorer.high,
        step=scorer.step,
    )


def _misfit(value: float, scale: Scale) -> str | None:
    """Why the value is none that was declared; None where it is."""
    if scale.bounded and not scale.low <= value <= scale.high:
        return f"the value {value:g} lies outside the declared {scale.low:g} to {scale.high:g}"
    if scale.step is not None:
        steps = (value - (scale.low if scale.bounded else 0.0)) / scale.step
        if not math.isclose(steps, round(steps), abs_tol=1e-9):
            return f"the value {value:g} does not lie on the declared steps of {scale.step:g}"
    return None


def _told(error: Exception) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - even an exception's own text may raise
        text = "(its message cannot be shown)"
    # What a newcomer meets first: 30 < sample["amount"].
    hint = " (columns of a CSV are text)" if isinstance(error, TypeError) and "'str'" in text else ""
    return f"{type(error).__name__}: {text}"[: 500 - len(hint)] + hint


def _detail_fault(detail: Mapping[str, Any]) -> str | None:
    if unknown := sorted(str(key) for key in detail if key not in ("value", "explanation", "metadata")):
        return f"a score has value, explanation and metadata, not {', '.join(unknown)}"
    if "value" not in detail:
        return "the mapping has no 'value'"
    value, explanation, metadata = detail["value"], detail.get("explanation"), detail.get("metadata")
    if inspect.iscoroutine(value):
        value.close()
        return "it gave a coroutine; scorers are plain functions"
    if not (value is None or isinstance(_plain(value), (Real, Decimal))):
        return f"it gave {quoted(value)} ({type(value).__name__}); a score is a number, True, False or None"
    if not (explanation is None or isinstance(explanation, str)):
        return f"the explanation is a {type(explanation).__name__}, not text"
    if not (metadata is None or isinstance(metadata, dict)):
        return f"the metadata are a {type(metadata).__name__}, not a dict"
    return None


def _plain(value: Any) -> Any:
    # numpy scalars and one-element arrays carry `item`; other arrays raise and are then no number.
    try:
        return value.item() if hasattr(value, "item") else value
    except (TypeError, ValueError):
        return None if value is None else value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(_plain(value))
    except OverflowError:
        return math.inf
    except ValueError:  # a signalling NaN
        return math.nan
