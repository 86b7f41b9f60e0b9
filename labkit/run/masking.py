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
    "smollm", "phi-", "grok", "gpt-",
)  # fmt: skip


class Mask:
    """What hides the names of these models, and the names of families of models, in a text.

    >>> Mask(["local/smollm2-135m"]).hide("As SmolLM2-135M, by OpenAI, I cannot.")
    ('As ▮, by ▮, I cannot.', 2)
    """

    def __init__(self, names: Iterable[str]) -> None:
        found = {part for name in names for part in (name, name.rpartition("/")[2]) if len(part) >= _LEAST}
        self._names: re.Pattern[str] | None = None
        if found:
            longest_first = sorted({*found, *_FAMILIES}, key=len, reverse=True)
            self._names = re.compile(
                rf"(?:{'|'.join(map(re.escape, longest_first))})[\w.:-]*(?<![.:-])", re.IGNORECASE
            )

    def hide(self, text: str) -> tuple[str, int]:
        """The text with names masked, and how many were."""
        return (text, 0) if self._names is None else self._names.subn(MARK, text)
