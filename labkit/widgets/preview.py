"""What a prompt or a chain would send, as one text to look at. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.messages import shown
from labkit.prompts import Prompt
from labkit.records import Message


def preview(prompt: Prompt, fields: Mapping[str, Any]) -> str:
    """The messages with these values; of a chain those of each step, with a mark where an answer will stand.

    >>> print(preview(Prompt("hi", "Say {{ word }}"), {"word": "yes"}))
    [user]
    Say yes
    """
    parts = _steps(prompt, fields) if prompt.steps else _sent("", prompt.render(fields))
    return "\n\n".join(parts)


def _sent(step: str, messages: Sequence[Message]) -> Iterator[str]:
    return (f"[{step}{message['role']}]\n{shown(message['content'])}" for message in messages)


def _steps(prompt: Prompt, fields: Mapping[str, Any]) -> Iterator[str]:
    answers: dict[str, str] = {}
    read: set[str] = set()
    for step in prompt.steps:
        if read.intersection(step.prompt.variables):  # nobody knows yet what will be read from an answer
            yield f"[{step.name}, as written]\n{step.prompt.text}"
        else:
            yield from _sent(f"{step.name}, ", step.prompt.render({**fields, **answers}))
        answers[step.name] = f"«what {step.name} answered»"
        read |= {step.name} if step.read is not None else set()
