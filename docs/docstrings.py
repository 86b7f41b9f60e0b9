"""Docstrings as Markdown of the manual: examples in fences, first paragraphs whole where they are listed."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^>>> .*\n?(?:^(?!\s*$).*\n?)*)+", re.MULTILINE)


class Docstrings(griffe.Extension):
    """What the code says of itself, put as the manual shows it."""

    def on_object(self, *, obj: griffe.Object, **more: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(opened(obj.docstring.value))


def fenced(docstring: str) -> str:
    """The docstring with its examples in fences, without doctest's directives.

    Markdown would take `>>>` for a quotation. An example is a run of lines that begins
    with `>>>` and ends with an empty one.

    >>> fenced("Adds.\\n\\n>>> 1 + 1  # doctest: +SKIP\\n2")
    'Adds.\\n\\n```pycon\\n>>> 1 + 1\\n2\\n```\\n'
    """
    plain = re.sub(r" *# doctest: \+\w+$", "", docstring, flags=re.MULTILINE)
    return EXAMPLE.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", plain)


def opened(docstring: str) -> str:
    """The docstring with its first paragraph on one line: a list of methods shows the first line of each.

    >>> opened("Adds two numbers\\nof any kind.\\n\\nMore.\\nAnd more.")
    'Adds two numbers of any kind.\\n\\nMore.\\nAnd more.'
    """
    first, gap, rest = docstring.partition("\n\n")
    return re.sub(r"\s*\n\s*", " ", first) + gap + rest
