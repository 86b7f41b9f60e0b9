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

PIECE = 8
"""So many characters of a key are enough to know it by."""
_SHORTEST = 4
_PATTERN = re.compile(
    r"\b(?:sk-|pk-|rk-|gsk_|xai-|hf_|AIza)(?:(?=[\w.-]*[\d*])[\w.*-]{7,}[\w*]|[\w-]{20,})", re.ASCII
)


_ESCAPED = re.compile(
    r"\\+(?:u00|x)([2-7][0-9a-f])|%([2-7][0-9a-f])|&#x0*([2-7][0-9a-f]);|&#0*([0-9]{2,3});"
    r"|(\\+u(?:200[b-d]|2060|feff|00ad)|[\u200b-\u200d\u2060\ufeff\u00ad])",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"(?:\\+(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|%[2-7]?|&(?:#x?[0-9a-f]*)?)\Z", re.IGNORECASE)


def scrub(text: str, keys: Iterable[Key | None]) -> str:
    """`text` without any piece of the keys of 8 characters or more, plain or encoded.

    Also hides what looks like a key though it is none of `keys`: servers like to echo what they got.

    >>> scrub("Incorrect API key provided: sk-abcd****wxyz.", [])
    'Incorrect API key provided: [key].'
    """
    held = [key for key in keys if key is not None]
    text = without_pieces(text, held)
    plain = unescaped(text)
    if plain != text and (without := without_pieces(plain, held)) != plain:
        text = without
    return _PATTERN.sub("[key]", text)


def without_pieces(text: str, keys: Iterable[Key]) -> str:
    """`text` without any piece of the keys, as it is spelled."""
    for key in keys:
        for length, pieces in _pieces(key):
            text = _without(text, pieces, length)
    return text


def unescaped(text: str) -> str:
    """`text` with letters and digits that are written as escapes of JSON, HTML or an address as themselves,
    and without characters that have no width.

    >>> unescaped("\\\\u0073k-1 %73k-1 &#115;k-1")
    'sk-1 sk-1 sk-1'
    """
    return _ESCAPED.sub(_letter, text) if may_be_escaped(text) else text


def may_be_escaped(text: str) -> bool:
    """Whether something in it can be an escape, or its beginning, or a character without a width."""
    return "\\" in text or "%" in text or "&" in text or not text.isascii()


def letters(text: str) -> list[tuple[str, int]]:
    """The letters of `text` as `unescaped` has them, each with where it begins; an escape that is not at its
    end yet is a last one, "".

    >>> letters("a%73\\\\u0")
    [('a', 0), ('s', 1), ('', 4)]
    """
    found: list[tuple[str, int]] = []
    last = _UNFINISHED.search(text)
    end = len(text) if last is None else last.start()
    at = 0
    for escape in _ESCAPED.finditer(text, 0, end):
        found += [(text[i], i) for i in range(at, escape.start())]
        found += [(letter, escape.start()) for letter in _letter(escape)]
        at = escape.end()
    found += [(text[i], i) for i in range(at, end)]
    return found if last is None else [*found, ("", end)]


def _letter(found: re.Match[str]) -> str:
    if found[5]:
        return ""
    code = int(found[4]) if found[4] else int(found[1] or found[2] or found[3], 16)
    # A quote or a backslash would change what is around it.
    letter = chr(code) if 0x20 < code < 0x7F else '"'
    return found[0] if letter in "\"\\'<>&" else letter


def resembles_key(text: str) -> bool:
    """Whether `text` looks like a key, so that it can be refused where it would be stored or shown."""
    return _PATTERN.search(text) is not None


@lru_cache(maxsize=64)
def _pieces(key: Key) -> tuple[tuple[int, frozenset[str]], ...]:
    """The pieces of a key in all its forms, by their length: a key shorter than a piece is one itself."""
    found: dict[int, set[str]] = {}
    for form in forms(key):
        for start in range(max(1, len(form) - PIECE + 1)):
            piece = form[start : start + PIECE]
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


def forms(key: Key) -> list[str]:
    """The key as it is, and as a server may have encoded it."""
    secret = key.reveal()
    forms = [secret, quote(secret, safe=""), secret.encode().hex()]
    for shift in range(3):
        # Which base64 text a secret gives depends on where in the encoded whole it stands.
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")[2 * shift : -1]
        forms += [encoded, encoded.replace("+", "-").replace("/", "_")]
    return [form for form in forms if len(form) >= _SHORTEST]
