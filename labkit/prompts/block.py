"""A named piece of context that is put in front of a prompt.

A block is a value: its text goes into the message as it stands and is never read as a template.
It does not know the prompts it is used in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from labkit.errors import DefinitionError
from labkit.identity import content_hash
from labkit.paths import read_text
from labkit.prompts.names import name_faults
from labkit.prompts.template import text_faults
from labkit.visible import quoted, shown

LARGEST_BYTES = 20_000_000


@dataclass(frozen=True)
class Block:
    """`Block(name, text)`. Rendered in front of the user part, in the order given, in this form:

        <block name="style">
        ...the text...
        </block>

    with one empty line between blocks and before the user part. The text is content-addressed by
    `hash` (`b1:` over name and text). Raises `DefinitionError` for an empty text, or one that holds
    `</block>`, by which the model could not tell where it ends.

    `cache=True` marks the end of this block as the end of a beginning that the provider is to keep
    (Anthropic's `cache_control`; OpenAI keeps beginnings by itself, and is sent no mark). Writing it costs
    about a quarter more than plain input, reading it a tenth: `cache_write_tokens`, `cache_read_tokens` and
    `cost_usd` say what came of it. It changes no answer, so answers known without it are replayed.

    >>> Block("style", "Write plainly.")
    Block('style', 14 characters)
    """

    name: str
    text: str
    cache: bool = field(default=False, kw_only=True)
    hash: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        faults = name_faults(self.name, what="block")
        if isinstance(self.name, str) and any(character in self.name for character in '"<>&'):
            faults.append(f'The block name {self.name[:60]!r} holds one of " < > &.')
        faults += text_faults(self.text, what=f"block {quoted(self.name)}")
        if isinstance(self.text, str) and "</block>" in self.text:
            faults.append(f"The text of block {quoted(self.name)} holds '</block>', which ends a block.")
        if not isinstance(self.cache, bool):
            faults.append(f"cache of block {quoted(self.name)} is {quoted(self.cache)}, not True or False.")
        if faults:
            raise DefinitionError(faults)
        object.__setattr__(self, "hash", content_hash("b1", [self.name, self.text]))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, name: str | None = None, cache: bool = False) -> Block:
        """The block in a text file (UTF-8), named after the file unless `name` is given."""
        text = read_text(path, what="block file", limit_bytes=LARGEST_BYTES)
        return cls(Path(path).stem if name is None else name, text.strip("\n"), cache=cache)

    @property
    def rendered(self) -> str:
        """The block as it stands in the message."""
        return f'<block name="{self.name}">\n{self.text}\n</block>'

    def __repr__(self) -> str:
        return f"Block({self.name!r}, {len(self.text):,} characters{', cached' if self.cache else ''})"

    def _repr_html_(self) -> str:
        head, body = escape(shown(repr(self))), escape(shown(self.text))
        return f"<details><summary>{head}</summary><pre>{body}</pre></details>"
