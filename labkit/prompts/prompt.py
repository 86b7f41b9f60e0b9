"""A prompt: a named template with an optional system part, and what it becomes for a sample.

A prompt is a value. It does not know models, the lab that stores it, or which samples there are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from labkit import images
from labkit.errors import DefinitionError
from labkit.identity import content_hash
from labkit.messages import Part
from labkit.prompts.block import Block
from labkit.prompts.names import name_faults, name_for, twin_faults
from labkit.prompts.template import Template, text_faults
from labkit.records import Message
from labkit.visible import quoted, shown

if TYPE_CHECKING:
    from labkit.prompts.chain import Step

MOST_MARKS = 4
"""Beginnings that Anthropic keeps of one request."""


@dataclass(frozen=True)
class Prompt:
    """`Prompt(name, text)`: `text` is the user part, with `{{ variables }}` (Jinja2, sandboxed, strict).

    A variable is a column of the sample, or `id`, which names it. A column whose name is no plain word is
    written `{{ row['user-name'] }}`, and `{{ row | tojson }}` is the whole row.
    `system` is an optional system part, a template too. `blocks` are put in front of the user part
    (see `Block`). `defaults` are values for variables a sample does not have or has no value for.
    `{{ photo | image }}` in the user part sends the image that column `photo` names: see `labkit.images`.
    `version` is its number under its name in a lab, set by the lab. `hash` (`p1:`) is over text,
    system, blocks and defaults, so the same prompt under two names has one hash.
    Raises `DefinitionError` naming all that is wrong.

    >>> prompt = Prompt("terse", "Classify in one word: {{ text }}")
    >>> prompt.variables
    ('text',)
    >>> prompt.render({"text": "I love it"})
    [{'role': 'user', 'content': 'Classify in one word: I love it'}]
    """

    name: str
    text: str
    system: str | None = field(default=None, kw_only=True)
    blocks: Sequence[Block] = field(default=(), kw_only=True)
    defaults: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)
    description: str | None = field(default=None, kw_only=True, compare=False)
    version: int | None = field(default=None, kw_only=True, compare=False)
    hash: str = field(init=False, compare=False)
    variables: tuple[str, ...] = field(init=False, compare=False)
    """The names it uses, in the order of their first use: system part first."""
    _user: Template = field(init=False, compare=False)
    _system: Template | None = field(init=False, compare=False)
    _front: tuple[Part, ...] = field(init=False, compare=False)
    _front_text: str | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        faults = name_faults(self.name) + text_faults(self.text, what=f"prompt {quoted(self.name)}")
        if self.system is not None:
            faults += text_faults(self.system, what=f"system part of prompt {quoted(self.name)}")
        faults += _default_faults(self.defaults, self.name) + _block_faults(self.blocks, self.name)
        if faults:
            raise DefinitionError(faults)
        system, user = _templates(self)
        names = dict.fromkeys((*(system.variables if system else ()), *user.variables))
        unused = [name for name in self.defaults if name not in names]
        if unused:
            raise DefinitionError(
                f"The prompt {self.name!r} has a default for {', '.join(unused)}, which it does not use; "
                f"it uses {', '.join(names) or 'no variables'}."
            )
        blocks = tuple(self.blocks)
        marked = [[block.hash, "cache"] if block.cache else block.hash for block in blocks]
        content = [self.text, self.system, marked, dict(self.defaults)]
        front = tuple(_front(blocks))
        made = {
            "blocks": blocks,
            "defaults": MappingProxyType(dict(self.defaults)),
            "hash": content_hash("p1", content),
            "variables": tuple(names),
            "_user": user,
            "_system": system,
            "_front": front,
            "_front_text": None if any("cache" in part for part in front) else _text(front),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, text: str) -> Prompt:
        """A prompt from bare text, named after its first words and its hash."""
        return cls(name_for(text) if isinstance(text, str) else "prompt", text)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Prompt:
        """The prompt in a Markdown file with front matter: see `labkit.prompts.files`.

        Raises `DefinitionError` naming all that is wrong in it.
        """
        from labkit.prompts.files import load

        found = load(path)
        if found.steps:
            raise DefinitionError(f"The file {os.fspath(path)!r} is a chain: use lk.Chain.load.")
        return found

    def render(self, fields: Mapping[str, Any]) -> list[Message]:
        """The messages for one sample's fields: the system part if it is not blank, then one user turn.

        Raises `MissingVariables` naming all that is missing, and `DefinitionError` where the template
        fails on these values or gives nothing but blanks.
        """
        values = self._given(fields)
        text = self._user.render(values)
        if not text or text.isspace():
            raise DefinitionError(
                f"The prompt {self.name!r} is blank for this sample: there is nothing to ask."
            )
        user = {"role": "user", "content": self._content(text)}
        if self._system is None:
            return [user]
        system = self._system.render(values)
        if not isinstance(images.split(system), str):
            raise DefinitionError(
                f"The system part of prompt {self.name!r} has an image; put it in the text."
            )
        return [{"role": "system", "content": system}, user] if system.strip() else [user]

    def missing(self, fields: Mapping[str, Any]) -> list[str]:
        """The variables that need a value and have none in `fields`, nor a default."""
        values = self._given(fields)
        found = dict.fromkeys(self._system.missing(values) if self._system else ())
        found.update(dict.fromkeys(self._user.missing(values)))
        return list(found)

    @property
    def constants(self) -> frozenset[str]:
        """What its templates print of themselves in braces, such as `{{ 2020 }}`."""
        return self._user.constants | (self._system.constants if self._system else frozenset())

    @property
    def steps(self) -> tuple[Step, ...]:
        """A chain's; a prompt has none."""
        return ()

    @property
    def images(self) -> frozenset[str]:
        """What it takes for images: the names of variables, "" for what it makes of them itself."""
        return self._user.images | (self._system.images if self._system else frozenset())

    @property
    def takes_row(self) -> bool:
        """Whether it uses the row as a whole."""
        return self._user.takes_row or (self._system is not None and self._system.takes_row)

    def replace(self, **changes: Any) -> Prompt:
        """The same prompt with some fields changed."""
        return replace(self, **changes)

    def within(self, blocks: Sequence[Block]) -> Prompt:
        """The same prompt with `blocks` in front of its own."""
        return self.replace(blocks=(*blocks, *self.blocks)) if blocks else self

    def without(self, names: Collection[str]) -> Prompt:
        """The same prompt without its blocks of these names."""
        return self.replace(blocks=[block for block in self.blocks if block.name not in names])

    @property
    def is_plain(self) -> bool:
        """Whether it is text and `{{ names }}` only: it cannot be blank or fail on values that are there."""
        system_plain = self._system is None or self._system.is_plain
        return self._user.has_text and system_plain

    def _content(self, text: str) -> str | list[Part]:
        found = text if self._user.is_plain else images.split(text)
        if isinstance(found, str):
            if self._front_text is not None:
                return self._front_text + found
            found = [{"type": "text", "text": found}]
        return [*self._front, *found]

    def _given(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(fields, Mapping):
            raise DefinitionError(f"fields is {quoted(fields)}; use a mapping such as {{'text': 'hi'}}.")
        if not self.defaults:
            return fields
        values = dict(self.defaults)
        values.update(
            (name, value) for name, value in fields.items() if value is not None or name not in values
        )
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("system", "blocks", "description", "version")
        state = {name: getattr(self, name) for name in names} | {"defaults": dict(self.defaults)}
        return _rebuilt, (self.name, self.text, state)

    def __repr__(self) -> str:
        version = "" if self.version is None else f"@{self.version}"
        needs = f", variables: {', '.join(self.variables)}" if self.variables else ""
        return f"Prompt({self.name + version!r}{needs})"

    def _repr_html_(self) -> str:
        return self.html(repr(self))

    def html(self, head: str) -> str:
        """Its texts as HTML, under `head`."""
        parts = [f"<strong>{escape(shown(head))}</strong>"]
        if self.description:
            parts.append(f"<div>{escape(shown(self.description))}</div>")
        told = [(f"block {block.name}", block.text) for block in self.blocks]
        told += [("system", self.system)] if self.system is not None else []
        for title, text in [*told, ("user", self.text)]:
            parts.append(
                f"<div><small>{escape(shown(title))}</small><pre {_STYLE}>{escape(shown(text))}</pre></div>"
            )
        return "<div>" + "".join(parts) + "</div>"


_STYLE = (
    'style="white-space:pre-wrap;color:inherit;background:transparent;'
    'border:1px solid var(--jp-border-color2, #8888);padding:.5em"'
)


def _templates(prompt: Prompt) -> tuple[Template | None, Template]:
    faults: list[str] = []
    made: list[Template | None] = []
    for source, what in ((prompt.system, "system part of prompt"), (prompt.text, "prompt")):
        try:
            made.append(None if source is None else Template(source, what=f"{what} {prompt.name!r}"))
        except DefinitionError as error:
            faults += error.faults
    user = made[-1] if made else None
    if faults or user is None:
        raise DefinitionError(faults)
    return made[0], user


def _front(blocks: Sequence[Block]) -> Iterator[Part]:
    """The blocks as parts of the message: one for each beginning that is to be cached, one for the rest."""
    text = ""
    for block in blocks:
        text += block.rendered + "\n\n"
        if block.cache:
            yield {"type": "text", "text": text, "cache": True}
            text = ""
    if text:
        yield {"type": "text", "text": text}


def _text(parts: Sequence[Part]) -> str:
    return "".join(part["text"] for part in parts)


def _default_faults(defaults: object, name: str) -> list[str]:
    if not isinstance(defaults, Mapping):
        return [f"The defaults of prompt {quoted(name)} are to be a mapping such as {{'tone': 'neutral'}}."]
    faults = []
    for variable, value in defaults.items():
        number = isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
        if not isinstance(variable, str) or not (isinstance(value, str) or number):
            faults.append(
                f"The prompt {quoted(name)} has the default {quoted(value)} for {quoted(variable)}: "
                "it is to be text or a number."
            )
        elif isinstance(value, str) and value:
            faults += text_faults(value, what=f"default of {quoted(variable)}") if value.strip() else []
    return faults


def _block_faults(blocks: object, name: str) -> list[str]:
    if not isinstance(blocks, (list, tuple)) or not all(isinstance(block, Block) for block in blocks):
        return [f"The blocks of prompt {quoted(name)} are to be a list of Block values."]
    names = [block.name for block in blocks]
    twice = sorted({one for one in names if names.count(one) > 1})
    faults = [f"The prompt {quoted(name)} has two blocks named {one!r}." for one in twice]
    marks = sum(block.cache for block in blocks)
    if marks > MOST_MARKS:
        faults.append(
            f"The prompt {quoted(name)} has {marks} blocks with cache=True; {MOST_MARKS} can be sent."
        )
    return faults + twin_faults(names, what="block")


def _rebuilt(name: str, text: str, state: dict[str, Any]) -> Prompt:
    return Prompt(name, text, **state)
