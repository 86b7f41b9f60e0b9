"""Names of models in answers, masked: an answer that says who wrote it would not be blind.

It knows names; which answers are shown is another's matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "▮"
_LEAST = 3
"""Shorter names are words of any answer."""
_FAMILIES = (
    "chatgpt", "openai", "anthropic", "claude", "gemini", "gemma", "llama", "mistral", "qwen", "deepseek",
    "smollm", "codellama", "tinyllama", "phi-", "grok", "gpt-",
)  # fmt: skip
_BETWEEN = re.compile(r"[\s\-_./:@]+")


class Mask:
    """What hides these names, and names that begin with a family of models, in a text.

    Only whole words are names: `early` is none in `nearly`. What stands between a name's parts may differ.

    >>> Mask(["local/smollm2-135m"]).hide("As SmolLM2 135M, by OpenAI, I cannot.")
    ('As ▮, by ▮, I cannot.', 2)
    """

    def __init__(self, names: Iterable[str]) -> None:
        found = {part for name in names for part in (name, name.rpartition("/")[2]) if len(part) >= _LEAST}
        self._names: re.Pattern[str] | None = None
        if found:
            longest_first = sorted(found, key=lambda name: (-len(name), name))
            own = "|".join(map(_spelled, longest_first))
            families = rf"(?:{'|'.join(map(re.escape, _FAMILIES))})(?![^\W\d_]{{2}})[\w.:-]*(?<![.:-])"
            self._names = re.compile(rf"(?<!\w)(?:(?:{own})(?!\w)|{families})", re.IGNORECASE)

    def hide(self, text: str) -> tuple[str, int]:
        """The text with names masked, and how many were."""
        return (text, 0) if self._names is None else self._names.subn(MARK, text)


def _spelled(name: str) -> str:
    """A name with anything, or nothing, between its parts."""
    return r"[\s\-_./:@]*".join(re.escape(part) for part in _BETWEEN.split(name) if part) or re.escape(name)
