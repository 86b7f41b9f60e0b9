"""Which models answer which step of a chain: a value that stands where models stand.

It does not know chains, nor whether its models are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from labkit.catalog.model import Model
from labkit.errors import DefinitionError
from labkit.visible import quoted


@dataclass(frozen=True)
class PerStep:
    """Made by `per_step`: `models` has, by the step's name, ids, aliases or `Model`s."""

    models: Mapping[str, tuple[Any, ...]]

    def __hash__(self) -> int:
        return hash(tuple(self.models.items()))

    def __repr__(self) -> str:
        told = ", ".join(f"{step}={[_id(model) for model in models]}" for step, models in self.models.items())
        return f"per_step({told})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def per_step(**models: str | Model | Sequence[str | Model]) -> PerStep:
    """The models of each step of a chain, in place of a list of models: every combination is asked, so the
    model of a step becomes a factor of the study (`run.verdict(by="step:facts")`).

    A contender is then called by its steps: `facts: local/a, reply: openai/b`. Raises `DefinitionError` where
    a step is given none.

    >>> per_step(facts=["local/a", "openai/b"], reply="openai/b")
    per_step(facts=['local/a', 'openai/b'], reply=['openai/b'])
    """
    given = {
        step: (some,) if isinstance(some, str | Model) or not isinstance(some, Sequence) else tuple(some)
        for step, some in models.items()
    }
    faults = [
        f"per_step gives step {step!r} no model: {step}=['gpt-4o', …]."
        for step, some in given.items()
        if not some
    ]
    if not given:
        faults.append(
            "per_step names no step: lk.per_step(facts=['gpt-4o-mini', 'gpt-4o'], reply=['gpt-4o'])."
        )
    for step, some in given.items():
        faults += [
            f"per_step gives step {step!r} {quoted(one)}: a model is an id, an alias or an lk.Model."
            for one in some
            if not isinstance(one, str | Model)
        ]
        if len(set(map(_id, some))) < len(some):
            faults.append(f"per_step gives step {step!r} a model twice.")
    if faults:
        raise DefinitionError(faults)
    return PerStep(given)


def _id(model: Any) -> str:
    return str(getattr(model, "id", model))
