"""Takes keys out of text that came from outside, before anybody can read it.

Providers echo keys in their refusals and clients quote headers in their errors. It knows the keys it
was made with and the usual shapes of others; it never shows what it holds.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

MASK = "•••"
_PIECE = 8
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|ghp)[-_][A-Za-z0-9_\-*.]{6,}"
    r"|\bBearer\s+[^\s\"',;]{6,}"
    r"|\bAIza[0-9A-Za-z_\-]{20,}",
    re.IGNORECASE,
)


class Scrubber:
    """Replaces keys, and every piece of eight or more characters of them, by a mask.

    >>> Scrubber("sk-secret-0123456789").clean("bad key sk-secret-0123456789, or cret-0123 of it")
    'bad key •••, or ••• of it'
    """

    __slots__ = ("_pieces", "_secrets")

    def __init__(self, *secrets: str | None) -> None:
        forms: set[str] = set()
        for secret in secrets:
            for form in {secret, (secret or "").strip()}:
                if form and len(form) >= _PIECE:
                    encoded = base64.b64encode(form.encode()).decode().rstrip("=")
                    forms |= {form, quote(form, safe=""), encoded}
        self._secrets = tuple(sorted(forms, key=len, reverse=True))
        self._pieces = frozenset(
            form[start : start + _PIECE] for form in forms for start in range(len(form) - _PIECE + 1)
        )

    def __repr__(self) -> str:
        return f"Scrubber({len(self._secrets)} secrets)"

    def __reduce__(self) -> str:
        raise TypeError("a Scrubber holds keys and is not pickled")

    def clean(self, text: str) -> str:
        """`text` without any key."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _SHAPES.sub(MASK, self._without_pieces(text))

    def _without_pieces(self, text: str) -> str:
        if not self._pieces:
            return text
        kept: list[str] = []
        position = 0
        while position < len(text):
            end = position
            while text[end : end + _PIECE] in self._pieces:
                end += 1
            if end > position:
                kept.append(MASK)
                position = end - 1 + _PIECE
            else:
                kept.append(text[position])
                position += 1
        return "".join(kept)
