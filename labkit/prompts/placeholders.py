"""Placeholders of other languages, such as `{text}` of f-strings, which a prompt sends as they stand.

It knows the names of columns, and no sample. Whether one was meant it cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from labkit.prompts.prompt import Prompt
from labkit.prompts.template import in_row

# In the order in which they are tried: `${text}` is no `{text}` behind a dollar.
_NAMED = (
    r"\$\{{{0}\}}|\${0}\b|%\({0}\)[sdr]"
    r"|(?<!\{{)\{{\s*(?:{0}|\w+\[(['\"]?){0}\1\]|\w+\.{0})\s*(?:![rsa])?(?::[^{{}}\n]{{0,20}})?\}}(?!\}})"
)
_SQUARES = r"|\[\[?{0}\]\]?(?!\()"
_ANGLES = r"|<<?{0}>>?"


def foreign(prompt: Prompt, columns: Iterable[str], *, brackets: bool = True) -> dict[str, str]:
    """What in the prompt looks like a placeholder of one of `columns` that it does not use, and how that
    column is written. `brackets`: `<text>` and `[text]` too, unless it is a tag that is closed.

    >>> foreign(Prompt("p", "Classify {text!r} or $kind."), ["text", "kind", "target"])
    {'{text!r}': '{{ text }}', '$kind': '{{ kind }}'}
    """
    source = "\n".join(text for text in (prompt.system, prompt.text) if text is not None)
    found: dict[str, str] = {}
    for column in columns:
        if column in prompt.variables or not column.strip():
            continue
        kinds = _NAMED + _SQUARES * brackets
        if brackets and f"</{column}>".casefold() not in source.casefold():
            kinds += _ANGLES
        for one in re.finditer(kinds.format(re.escape(column)), source, re.IGNORECASE):
            found.setdefault(one[0], written(column))
    return found


def written(column: str) -> str:
    """How a column is written in a prompt.

    >>> written("text"), written("user name")
    ('{{ text }}', "{{ row['user name'] }}")
    """
    return f"{{{{ {column} }}}}" if column.isidentifier() else in_row(column)
