"""What the command prints, whoever wrote it, in characters that only show.

A model's answer, a server's words and a file's name may hold codes that a terminal obeys. Both streams
are led through here, so that no way of printing goes around. It does not know what is printed.
"""

from __future__ import annotations

import io
import sys
from typing import TextIO

from labkit.visible import shown


class Terminal(io.TextIOBase):
    """A stream to which text goes with its hidden and acting characters as codes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            # A narrow encoding or half a character in a name is no reason to say nothing.
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        # A lone return lets what comes after it hide what stood before.
        self._stream.write(shown(text.replace("\r\n", "\n").replace("\r", "\n")))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a plain attribute in the base
        return self._stream.encoding


def lead_through() -> None:
    """Let all that this process prints go through a `Terminal`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Terminal):
            setattr(sys, name, Terminal(stream))
