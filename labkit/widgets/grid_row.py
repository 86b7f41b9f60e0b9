"""A row of the live grid: one prompt with one sample, its panel per contender, and what it is called.

It does not know when it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from labkit.widgets.panel import Panel


class Key(NamedTuple):
    """A row: one prompt with one sample, and which asking of it."""

    prompt: str
    prompt_version: int | None
    sample_id: str
    repeat: int


@dataclass(slots=True, eq=False)
class Row:
    """The panels of one row, by contender: by model, or of a chain by line."""

    number: int
    key: Key
    panels: dict[str, Panel] = field(default_factory=dict)
    touched: float = 0.0
    """When something last began or ended in it."""


def row_name(row: Row) -> str:
    """Its prompt, its sample and, from the second on, which repeat."""
    return f"{prompt_name(row.key)} · {sample_name(row.key)}"


def prompt_name(key: Key) -> str:
    """The prompt with its version, where it has one.

    >>> prompt_name(Key("ask", 2, "t01", 0)), prompt_name(Key("ask", None, "t01", 0))
    ('ask@2', 'ask')
    """
    return key.prompt if key.prompt_version is None else f"{key.prompt}@{key.prompt_version}"


def sample_name(key: Key) -> str:
    """The sample's id and, from the second on, which repeat.

    >>> sample_name(Key("ask", 1, "t01", 3))
    't01 · repeat 3'
    """
    return f"{key.sample_id} · repeat {key.repeat}" if key.repeat else key.sample_id
