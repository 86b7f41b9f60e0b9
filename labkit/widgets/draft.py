"""A prompt being written: its text, its variables as they are found, values to try it with, its next version.

State only; it does not know how it is drawn or where prompts are kept.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import DefinitionError
from labkit.prompts import Block, Prompt
from labkit.records import Message


@dataclass
class Draft:
    """What is typed so far. `values` are tried values of variables, seen in the preview; they are no part of
    the prompt. `defaults` are: what stands there where a sample has no value."""

    name: str = ""
    text: str = ""
    system: str = ""
    blocks: tuple[Block, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    description: str | None = None

    @classmethod
    def of(cls, prompt: Prompt) -> Draft:
        """A draft that begins as a copy of `prompt`."""
        return cls(
            prompt.name,
            prompt.text,
            prompt.system or "",
            tuple(prompt.blocks),
            defaults=dict(prompt.defaults),
            description=prompt.description,
        )

    @property
    def is_empty(self) -> bool:
        return not (self.text.strip() or self.system.strip())

    def prompt(self) -> Prompt:
        """The prompt as it stands; without a name it is named after its first words.

        Raises `DefinitionError` with all that is wrong.
        """
        system = self.system if self.system.strip() else None
        name = self.name.strip() or Prompt.of(self.text).name
        bare = Prompt(name, self.text, system=system, blocks=self.blocks, description=self.description)
        used = {name: value for name, value in self.defaults.items() if name in bare.variables}
        return bare.replace(defaults=used) if used else bare

    @property
    def faults(self) -> tuple[str, ...]:
        """What keeps it from being a prompt, as it stands."""
        try:
            self.prompt()
        except DefinitionError as error:
            return error.faults
        return ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names it uses; none while it cannot be read."""
        return () if self.is_empty or self.faults else self.prompt().variables

    def fields(self) -> dict[str, Any]:
        """The tried value of each variable, or its default: one sample for a plan."""
        return {name: self.values.get(name, self.defaults.get(name, "")) for name in self.variables}

    def messages(self) -> list[Message]:
        """What would be sent with the tried values. Raises `DefinitionError`."""
        return self.prompt().render(self.fields())

    def code(self) -> str:
        """The Python that makes this prompt."""
        prompt = self.prompt()
        parts = [repr(prompt.name), repr(prompt.text)]
        if prompt.system is not None:
            parts.append(f"system={prompt.system!r}")
        if prompt.blocks:
            blocks = ", ".join(
                f"lk.Block({block.name!r}, {block.text!r}{', cache=True' if block.cache else ''})"
                for block in prompt.blocks
            )
            parts.append(f"blocks=[{blocks}]")
        if prompt.defaults:
            parts.append(f"defaults={dict(prompt.defaults)!r}")
        return f"lk.Prompt({', '.join(parts)})"


def difference(old: Prompt | None, new: Prompt) -> list[tuple[str, str]]:
    """Line by line what changed: pairs of `+`, `-` or a blank, and the line. Empty where nothing did."""
    before, after = _lines(old), _lines(new)
    if before == after:
        return []
    return [(line[:1], line[2:]) for line in difflib.ndiff(before, after) if not line.startswith("?")]


def _lines(prompt: Prompt | None) -> Sequence[str]:
    if prompt is None:
        return []
    parts = [f"[block {block.name}]\n{block.text}" for block in prompt.blocks]
    parts += [f"[system]\n{prompt.system}"] if prompt.system is not None else []
    parts += [f"[default {name}]\n{value}" for name, value in prompt.defaults.items()]
    return "\n".join([*parts, prompt.text]).split("\n")
