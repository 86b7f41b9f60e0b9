"""Chains compared by the model of one of their steps: `by="step:facts"`.

Each answer of a chain then stands under the model that answered that step. Who answered its other steps is
held equal, as prompts are where models are compared, and samples stay the units: the difference is the main
effect of that step's model. It computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit import nearest
from labkit.contender import joined, steps_of
from labkit.errors import DefinitionError
from labkit.store.filters import listed
from labkit.summary.contender_table import OTHERS
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

OF_STEP = "step:"


def step_named(by: str | Sequence[str]) -> str:
    """The step whose models are compared; empty where `by` is something else.

    >>> step_named("step:facts"), step_named(["prompt", "model"])
    ('facts', '')
    """
    found = [key for key in listed(by) if isinstance(key, str) and key.startswith(OF_STEP)]
    return found[0].removeprefix(OF_STEP) if found else ""


def of_step(frame: pd.DataFrame, by: str | Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The frame and what it is compared by, as they are; with `step:facts` for `by` the rows of chains with
    that step, whose `model` is the step's, and `model` to compare by.

    Raises DefinitionError where no chain of the frame has the step, or `by` names more besides.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"model": ["facts: a, reply: b", "b"], "steps": 2})
    >>> found, by = of_step(rows, "step:facts")
    >>> found["model"].tolist(), found["other step"].tolist(), by
    (['a', 'b'], ['reply: b', 'reply: b'], ['model'])
    """
    keys: list[Any] = listed(by)
    step = step_named(keys)
    if not step:
        return frame, keys
    if len(keys) > 1:
        raise DefinitionError(
            f"by={quoted(keys)}: the models of one step are compared alone, by='{OF_STEP}{step}'."
        )
    if missing := [name for name in ("model", "steps") if name not in frame.columns]:
        raise DefinitionError([f"the frame has no column {name!r}" for name in missing])
    steps = _steps(frame)
    if step not in steps:
        raise DefinitionError(f"by='{OF_STEP}{step}': {_why_none(frame, step, steps)}.")
    chains = frame[frame["steps"].notna().to_numpy(dtype=bool)].reset_index(drop=True)
    lines = {name: _line(str(name), steps) for name in chains["model"].unique()}
    others = {
        name: joined((other, model) for other, model in line.items() if other != step)
        for name, line in lines.items()
    }
    chains[OTHERS] = [others[name] for name in chains["model"]]
    chains["model"] = [lines[name].get(step) for name in chains["model"]]
    found = chains[chains["model"].notna().to_numpy(dtype=bool)].reset_index(drop=True)
    models = {other: {line.get(other) for line in lines.values()} for other in steps if other != step}
    several = [other for other, named in models.items() if len(named - {None}) > 1]
    found.attrs = {**frame.attrs, OTHERS: several}
    return found, ["model"]


def _why_none(frame: pd.DataFrame, step: str, steps: Sequence[str]) -> str:
    if steps:
        return f"no chain of this run has a step {step!r}; steps: {nearest.listed(step, steps)}"
    if frame["steps"].isna().all():
        return "no prompt of this run is a chain"
    return (
        "one model answered all steps of a chain here, so compare by='model'; to ask combinations of models,"
        f" give lk.per_step({step}=[…], …) as models="
    )


def _steps(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(step for name in frame["model"].unique() for step in steps_of(str(name))))


def _line(name: str, steps: Sequence[str]) -> dict[str, str]:
    return steps_of(name) or dict.fromkeys(steps, name)
