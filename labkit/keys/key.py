"""A key as a value that shows itself to nobody who does not ask for it.

It does not know where keys are kept.
"""

from __future__ import annotations

import hmac
from html import escape
from typing import Any, NoReturn

from labkit.errors import DefinitionError


class Key:
    """A secret. It prints as where it came from; `reveal` is the only way to its text.

    It cannot be pickled, and copies of it are itself. Blanks and quotes around the text are dropped;
    a text that is empty, not ASCII or has blanks inside is a `DefinitionError`, which does not show it.

    >>> key = Key("sk-not-a-real-one", source="the environment variable OPENAI_API_KEY")
    >>> print(key)
    <key from the environment variable OPENAI_API_KEY>
    """

    __slots__ = ("_text", "source")
    _text: str
    source: str
    """Where it came from, in words."""

    def __init__(self, text: str, *, source: str) -> None:
        text, fault = cleaned(text)
        if fault:
            raise DefinitionError(f"The key from {source} {fault}") from None
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "source", source)

    def reveal(self) -> str:
        """The key's text, for the one request that needs it."""
        return self._text

    def __repr__(self) -> str:
        # A traceback may show a key that was refused before it was made.
        return f"<key from {getattr(self, 'source', 'nowhere')}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def _repr_html_(self) -> str:
        return escape(repr(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and hmac.compare_digest(self._text, other._text)

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Key:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Key:
        return self

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a key cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a key cannot be changed")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a key cannot be pickled; let the other process find it by itself")


def cleaned(text: object) -> tuple[str, str | None]:
    """The key in `text`, and what is wrong with it; never both, so that no message can hold a key."""
    if not isinstance(text, str):
        return "", f"is {type(text).__name__}, not text."
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if not text:
        return "", "is empty. Put the key there, or remove the name."
    if not text.isascii():
        return "", "holds characters that are not ASCII, perhaps typographic quotes. Copy it again."
    if any(character <= " " or character in "\x7f'\"" for character in text):
        return "", "holds blanks, line ends or quotes. It must be the key alone, without “Bearer”."
    return text, None
