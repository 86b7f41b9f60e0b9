"""How an answer becomes a value that a later step sees: `lk.read.json()`, `lk.read.lines()`, or a function.

Pure: a text goes in, a value comes out, and what cannot be read raises `ValueError`. It does not know who
answered, nor what is made of the value.
"""

from __future__ import annotations

import inspect
import json as _json
import re
from collections.abc import Callable
from typing import Any

from labkit.errors import DefinitionError

Reader = Callable[[str], Any]

MAX_CHARACTERS = 1_000_000
_FENCE = re.compile(r"\s*```[a-zA-Z]{0,12}[ \t]*\n(?P<inside>.*?)\n?```\s*", re.DOTALL)


class NoJson(ValueError):
    """Why a text is not one JSON document."""


def json() -> Reader:
    """Reads the one JSON document of an answer, which may stand in one code fence: `{{ facts.name }}` then
    is its field. Two documents, a key given twice, NaN and Infinity are no JSON.

    >>> json()('```json\\n{"name": "Ada"}\\n```')
    {'name': 'Ada'}
    """
    return read_json


def lines() -> Reader:
    """Reads the lines of an answer that are not blank, as a list: `{% for line in facts %}` then goes over
    them.

    >>> lines()("- one\\n\\n- two \\n")
    ['- one', '- two']
    """
    return read_lines


def read_json(text: str) -> Any:
    """The one JSON document in `text`, which may stand in one code fence. Raises NoJson.

    >>> read_json("[1, 2]")
    [1, 2]
    """
    if len(text) > MAX_CHARACTERS:
        raise NoJson(f"the answer has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    fenced = _FENCE.fullmatch(text)
    try:
        return _json.loads(
            fenced["inside"] if fenced else text, parse_constant=_refused, object_pairs_hook=_once
        )
    except RecursionError:
        raise NoJson("not read as JSON: nested too deeply") from None
    except ValueError as error:
        raise NoJson(f"no JSON: {error}") from None


def read_lines(text: str) -> list[str]:
    """The lines of `text` that are not blank, without the blanks around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


BUILT_IN: dict[str, Reader] = {"json": read_json, "lines": read_lines}
"""By the name under which a lab and a file keep them."""


def name_of(reader: Reader) -> str:
    """The name under which a reader is kept: of one of labkit's, `json`; of a function of yours,
    `parse()`."""
    for name, built_in in BUILT_IN.items():
        if reader is built_in:
            return name
    return reader.name if isinstance(reader, Lost) else f"{getattr(reader, '__name__', 'function')}()"


def takes_text(reader: Reader) -> bool:
    """Whether it can be called with an answer.

    >>> takes_text(lines()), takes_text(lines), takes_text(int)
    (True, False, True)
    """
    try:
        inspect.signature(reader).bind("")
    except TypeError:
        return False
    except ValueError:  # what is written in C may not say what it takes
        return True
    return True


def kept_as(name: str) -> Reader:
    """The reader that was kept under this name. A function of yours is not kept: what stands for it can be
    looked at, and not called."""
    return BUILT_IN[name] if name in BUILT_IN else Lost(name)


class Lost:
    """Stands for a function that a lab kept only the name of."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, text: str) -> Any:
        raise DefinitionError(f"It is read by {self.name}, of which the lab keeps only the name.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lost) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Lost({self.name!r})"


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON value")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found
