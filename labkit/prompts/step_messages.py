"""What a later step of a chain sends: with the answers before it, and without them as far as that is known.

It knows the chain and one sample; not who answers, nor when.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.errors import DefinitionError, MissingVariables
from labkit.prompts.chain import Chain
from labkit.records import Message, Sample


class StepFailed(Exception):
    """A step that cannot be asked, and which is to blame: what it is to see could not be read, or not be put
    into its template."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = step


def following(
    chain: Chain,
    position: int,
    sample: Sample,
    answers: Sequence[str],
    request_id: Callable[[list[Message]], str],
) -> tuple[list[Message], str]:
    """The messages of a step (0 for the first) from the answers of those before it, and their `request_id`.

    Raises `StepFailed` where an answer cannot be read, put into the template, or hashed.
    """
    step = chain.steps[position]
    values = {**sample.values, **_values(chain, position, answers)}
    try:
        messages = step.prompt.render(values)
        return messages, request_id(messages)
    except MissingVariables:  # columns were looked at when it was planned, so it is answers
        lacking = " and ".join(step.prompt.missing(values))
        told = f"step {step.name!r} cannot be asked: {lacking} was read as nothing (None)"
        raise StepFailed(step.name, told) from None
    except Exception as error:  # noqa: BLE001 - what a function of the user's made may raise anything
        told = str(error) if isinstance(error, DefinitionError) else _told(error)
        unread = [
            one.name for one in chain.steps[:position] if one.name in chain.sees(position) and not one.read
        ]
        if unread and not step.prompt.is_plain:
            told += f" It sees {' and '.join(map(repr, unread))} as text; read= makes a value of it."
        raise StepFailed(step.name, f"step {step.name!r} cannot be asked: {told}") from None


def _values(chain: Chain, position: int, answers: Sequence[str]) -> dict[str, Any]:
    """What the steps that a step sees give it, by their names."""
    found = {}
    for step, answer in zip(chain.steps, answers, strict=False):
        if step.name in chain.sees(position):
            try:
                found[step.name] = step.value(answer)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's; its failure is a row
                told = f"step {step.name!r} cannot be read: {_told(error):.300}"
                raise StepFailed(step.name, told) from None
    return found


def outline(chain: Chain, position: int, sample: Sample) -> list[Message]:
    """The messages without the answers in them."""
    prompt, sees = chain.steps[position].prompt, chain.sees(position)
    if prompt.is_plain:
        return prompt.render({**sample.values, **dict.fromkeys(sees, "")})
    # What loops and conditions make of answers is not known: the whole text, and all columns it may use.
    used = sample.fields if prompt.takes_row else {name: sample.values.get(name) for name in prompt.variables}
    columns = [str(value) for name, value in used.items() if name not in sees and value is not None]
    parts = [prompt.system or "", *(block.rendered for block in prompt.blocks), prompt.text, *columns]
    return [{"role": "user", "content": "\n".join(parts)}]


def inserted(chain: Chain, position: int) -> Mapping[int, int]:
    """By the place of an earlier step, how often its answer is put in.

    >>> from labkit.prompts.chain import Step
    >>> inserted(Chain("c", Step("a", "x"), Step("b", "{{ a }} and {{ a }}")), 1)
    {0: 2}
    """
    prompt, sees = chain.steps[position].prompt, chain.sees(position)
    source = f"{prompt.system or ''}\n{prompt.text}"
    return {
        place: len(re.findall(rf"\b{step.name}\b", source))
        for place, step in enumerate(chain.steps[:position])
        if step.name in sees
    }


def decided_by(chain: Chain, position: int, sample: Sample) -> list[Any]:
    """All that decides what a step sends, but for the answers before it."""
    step, sees = chain.steps[position], chain.sees(position)
    used = {name: sample.values.get(name) for name in step.prompt.variables if name not in sees}
    return [*step.content, used, sample.fields if step.prompt.takes_row else None]


def _told(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - even an exception's own text may raise
        return type(error).__name__
