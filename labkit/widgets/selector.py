"""A searchable list to choose several things from: the shape both selectors share.

State and drawing only: what there is to choose is given, what is chosen is `.value`. It works without
a browser, and carries a table of the choice for where widgets cannot be drawn.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One thing to choose: its value, its line in the list, and facts for the table, in column order."""

    value: str
    line: str
    facts: tuple[str, ...] = ()


class Selector:
    """A list with a search box. `.value` is a tuple of chosen values, in the list's order; it can be set."""

    def __init__(
        self, choices: Sequence[Choice], *, value: Sequence[str], title: str, heads: Sequence[str], call: str
    ) -> None:
        self._choices = tuple(choices)
        self._title = title
        self._heads = tuple(heads)
        self._call = call
        self._chosen: set[str] = set()
        self._box: Any = None
        self.value = tuple(value)

    @property
    def value(self) -> tuple[str, ...]:
        """What is chosen, in the list's order."""
        return tuple(choice.value for choice in self._choices if choice.value in self._chosen)

    @value.setter
    def value(self, chosen: Sequence[str]) -> None:
        known = {choice.value for choice in self._choices}
        if strangers := [name for name in chosen if name not in known]:
            raise ValueError(
                f"{self._call} does not list {', '.join(map(repr, strangers))}; it lists {', '.join(known)}"
            )
        self._chosen = set(chosen)
        if self._box is not None:
            self._box.refresh()

    @property
    def code(self) -> str:
        """The Python that makes this choice."""
        return f"{self._call}(lab, value={list(self.value)!r})"

    def found(self, words: str) -> tuple[Choice, ...]:
        """The choices whose line or facts contain every word, whatever the case."""
        wanted = words.lower().split()
        return tuple(
            choice
            for choice in self._choices
            if all(word in " ".join((choice.line, *choice.facts)).lower() for word in wanted)
        )

    def __repr__(self) -> str:
        return f"{self._call}({len(self.value)} of {len(self._choices)} chosen: {', '.join(self.value)})"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th style='text-align:left'>{html.escape(head)}</th>" for head in self._heads)
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(fact)}</td>" for fact in choice.facts)
            + "</tr>"
            for choice in self._choices
            if choice.value in self._chosen
        )
        count = f"{len(self.value)} of {len(self._choices)} chosen"
        return (
            f"<table><caption style='text-align:left'>{html.escape(self._title)}: {count}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            f"<code>{html.escape(self.code)}</code>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        from labkit.widgets.listbox import Listbox

        if self._box is None:
            self._box = Listbox(self, title=self._title)
        return {**self._box.bundle(), **bundle}
