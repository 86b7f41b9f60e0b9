"""A prompt being written: its text, its variables as they are found, values to try it with, its next version.

With steps named it is a chain, whose text has each step under a heading of its name. State only; it does not
know how it is drawn or where prompts are kept.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import DefinitionError
from labkit.prompts import Block, Chain, Prompt
from labkit.records import Message
from labkit.widgets import chain_text


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
    steps: str = ""
    """The names of a chain's steps in their order, with commas; empty: a prompt."""
    origin: Chain | None = None
    """The chain that it began as a copy of: what its text does not show is kept of it."""

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
            steps=", ".join(step.name for step in prompt.steps),
            origin=prompt if isinstance(prompt, Chain) else None,
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
        if steps := chain_text.names(self.steps):
            return chain_text.chain(
                name,
                self.text,
                steps,
                origin=self.origin,
                system=system,
                blocks=self.blocks,
                defaults=self.defaults,
                description=self.description,
            )
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
        """What would be sent with the tried values, of a chain by its first step. Raises
        `DefinitionError`."""
        return self.prompt().render(self.fields())

    def code(self) -> str:
        """The Python that makes this prompt."""
        return chain_text.code(self.prompt())


def difference(old: Prompt | None, new: Prompt) -> list[tuple[str, str]]:
    """Line by line what changed: pairs of `+`, `-` or a blank, and the line. Empty where nothing did."""
    before, after = chain_text.lines(old) if old is not None else [], chain_text.lines(new)
    if before == after:
        return []
    return [(line[:1], line[2:]) for line in difflib.ndiff(before, after) if not line.startswith("?")]
