"""Choose prompts: those saved in the lab and those in `data/prompts`. It does not know how they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from labkit.prompts import Prompt
from labkit.widgets.selector import Choice, Selector


class HasPrompts(Protocol):
    """What the selector needs of a lab."""

    @property
    def prompts(self) -> Iterable[Prompt]: ...


class PromptSelector(Selector):
    """A searchable list of the lab's prompts; `.value` is what `lab.plan(prompts=…)` takes.

    Without `value=` everything is chosen when there are at most four prompts, else the first.

    >>> prompts = PromptSelector(lab)            # doctest: +SKIP
    >>> plan = lab.plan(prompts=prompts.value, models=["gpt-4o"])   # doctest: +SKIP
    """

    def __init__(self, lab: HasPrompts, *, value: Sequence[str] | None = None) -> None:
        listed = list(lab.prompts)
        choices = [
            Choice(prompt.name, _line(prompt), (prompt.name, _version(prompt), ", ".join(prompt.variables)))
            for prompt in listed
        ]
        first = [choice.value for choice in choices][: len(choices) if len(choices) <= 4 else 1]
        super().__init__(
            choices,
            value=first if value is None else value,
            title="prompts",
            heads=("prompt", "version", "variables"),
            call="lk.PromptSelector",
        )


def _version(prompt: Prompt) -> str:
    return "not yet saved" if prompt.version is None else f"@{prompt.version}"


def _line(prompt: Prompt) -> str:
    return f"{prompt.name} ({_version(prompt)}) — {', '.join(prompt.variables) or 'no variables'}"
