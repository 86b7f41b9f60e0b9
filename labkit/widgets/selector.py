"""A choice of several things from a list: the state both selectors share, without any drawing.

What there is to choose is given, what is chosen is `.value`; both work without a browser. It carries a
table of the choice for where widgets cannot be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labkit.arguments import check, text
from labkit.errors import DefinitionError
from labkit.store.filters import listed
from labkit.visible import quoted, visible
from labkit.widgets.state import State


@dataclass(frozen=True)
class Choice:
    """One thing to choose: its value, what it is called, facts in the order of the heads, and its tags."""

    value: str
    name: str
    facts: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()

    def has(self, words: Sequence[str]) -> bool:
        """Whether every word is in its name or facts, whatever the case."""
        shown = " ".join((self.value, self.name, *self.facts)).casefold()
        return all(word in shown for word in words)


class Selector(State):
    """Things to choose from; `chosen` are the values of those that are, in the list's order."""

    def __init__(
        self, choices: Sequence[Choice], *, value: Sequence[str], call: str, heads: Sequence[str]
    ) -> None:
        super().__init__()
        self._choices = {choice.value: choice for choice in choices}
        self._call = call
        self._heads = tuple(heads)
        self._chosen: set[str] = set()
        self._choose(value)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All there is to choose."""
        return tuple(self._choices.values())

    @property
    def chosen(self) -> tuple[str, ...]:
        """What is chosen, in the list's order."""
        return tuple(value for value in self._choices if value in self._chosen)

    @property
    def beside(self) -> str:
        """What is chosen beside the list, in words."""
        return ""

    def choose(self, values: Sequence[str]) -> None:
        """Choose these and nothing else. Raises `DefinitionError` naming what is not in the list."""
        self._choose(values)
        self.changed()

    def toggle(self, value: str, on: bool) -> None:
        """Choose one more, or one less."""
        self._choose([*(one for one in self._chosen if one != value), *([value] if on else [])])
        self.changed()

    def found(self, words: str = "", *, tags: Sequence[str] = ()) -> tuple[Choice, ...]:
        """The choices in which every word occurs and that have all the tags, chosen ones first."""
        check(text("words", words))
        wanted, of = words.casefold().split(), listed(tags)
        found = [
            c for c in self._choices.values() if c.has(wanted) and all(tag in list(c.tags) for tag in of)
        ]
        return tuple(sorted(found, key=lambda choice: choice.value not in self._chosen))

    def _choose(self, values: Sequence[str]) -> None:
        wanted = listed(values)
        if strangers := [value for value in wanted if not self._lists(value)]:
            known = ", ".join(list(self._choices)[:8]) + (", …" if len(self._choices) > 8 else "")
            named = ", ".join(map(quoted, strangers))
            raise DefinitionError(f"{self._call} does not list {named}; it lists {known or 'nothing'}.")
        self._chosen = set(wanted)

    def _lists(self, value: object) -> bool:
        return isinstance(value, str) and value in self._choices

    # -- showing ---------------------------------------------------------------------------------

    @property
    def code(self) -> str:
        """The Python that makes this choice."""
        return f"{self._call}(lab, value={list(self.chosen)!r})"

    def _rows(self) -> list[tuple[str, ...]]:
        return [(choice.name, *choice.facts) for choice in map(self._choices.__getitem__, self.chosen)]

    def __repr__(self) -> str:
        names = ", ".join(visible(name, limit=60) for name in self.chosen)
        return f"{self._call}({len(self.chosen)} of {len(self._choices)} chosen: {names})"

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        heads = "".join(f"<th scope='col' {left}>{escape(head)}</th>" for head in self._heads)
        rows = "".join(
            "<tr>" + "".join(f"<td {left}>{escape(visible(cell))}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        count = f"{len(self.chosen)} of {len(self._choices)} chosen"
        return (
            f"<table><caption {left}>{count}</caption><thead><tr>{heads}</tr></thead>"
            f"<tbody>{rows}</tbody></table><code>{escape(self.code)}</code>"
        )
