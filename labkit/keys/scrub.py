"""Takes keys out of text that is to be kept or shown.

It looks for pieces, plain and encoded, since servers echo parts of what they were sent. It does not
know where the text came from.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from labkit.keys.key import Key

_PIECE = 8
_SHORTEST = 4
_PATTERN = re.compile(
    r"\b(?:sk-|pk-|rk-|gsk_|xai-|hf_|AIza)(?:(?=[\w.-]*[\d*])[\w.*-]{7,}[\w*]|[\w-]{20,})", re.ASCII
)


def scrub(text: str, keys: Iterable[Key | None]) -> str:
    """`text` without any piece of the keys of 8 characters or more, plain or encoded.

    Also hides what looks like a key though it is none of `keys`: servers like to echo what they got.

    >>> scrub("Incorrect API key provided: sk-abcd****wxyz.", [])
    'Incorrect API key provided: [key].'
    """
    for key in keys:
        if key is not None:
            for length, pieces in _pieces(key):
                text = _without(text, pieces, length)
    return _PATTERN.sub("[key]", text)


def resembles_key(text: str) -> bool:
    """Whether `text` looks like a key, so that it can be refused where it would be stored or shown."""
    return _PATTERN.search(text) is not None


@lru_cache(maxsize=64)
def _pieces(key: Key) -> tuple[tuple[int, frozenset[str]], ...]:
    """The pieces of a key in all its forms, by their length: a key shorter than a piece is one itself."""
    found: dict[int, set[str]] = {}
    for form in _forms(key.reveal()):
        for start in range(max(1, len(form) - _PIECE + 1)):
            piece = form[start : start + _PIECE]
            found.setdefault(len(piece), set()).add(piece)
    return tuple((length, frozenset(pieces)) for length, pieces in found.items())


def _without(text: str, pieces: frozenset[str], length: int) -> str:
    hits = [i for i in range(len(text) - length + 1) if text[i : i + length] in pieces]
    if not hits:
        return text
    parts, end = [], 0
    for i in hits:
        if i >= end:
            parts += [text[end:i], "[key]"]
        end = i + length
    return "".join(parts) + text[end:]


def _forms(secret: str) -> list[str]:
    forms = [secret, quote(secret, safe="")]
    for shift in range(3):
        # Which base64 text a secret gives depends on where in the encoded whole it stands.
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")[2 * shift : -1]
        forms += [encoded, encoded.replace("+", "-").replace("/", "_")]
    return [form for form in forms if len(form) >= _SHORTEST]
