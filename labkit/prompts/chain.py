"""A chain: a prompt of named steps, each asked after the one before it and shown the answers it names.

A chain is a value, as a prompt is, and goes wherever a prompt goes. It does not know which model answers
which step, nor when a step is asked.
"""

from __future__ import annotations

import keyword
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any

from labkit.errors import DefinitionError
from labkit.identity import content_hash
from labkit.prompts.block import Block
from labkit.prompts.names import name_faults, twin_faults
from labkit.prompts.prompt import Prompt
from labkit.read import Reader, name_of, takes_text
from labkit.records import Message
from labkit.visible import quoted, shown

MOST_STEPS = 16
_TAKEN = ("id", "row", "range", "namespace", "true", "false", "none", "loop", "self")
"""What a template means by these names is not an answer."""


@dataclass(frozen=True, init=False)
class Step:
    """`Step(name, text)`: one question of a chain. `text` is a template as that of a `Prompt`, and may name
    earlier steps beside the columns of the sample: `{{ facts }}` is what step `facts` answered.

    `name` is a word as in Python, since later steps write it so. `read` makes a value of the answer before a
    later step sees it: `lk.read.json()`, `lk.read.lines()`, or a function of a text, which raises where it
    cannot, and is quick, since all requests wait for it; what the step answered stays as it came. `system`,
    `blocks` and `defaults` are as in `Prompt`. An answer is data: it is put in as it is, never read as a
    template, and never taken for an image.
    Raises `DefinitionError` naming all that is wrong.

    >>> Step("facts", "List the facts in: {{ text }}")
    Step('facts')
    """

    name: str
    prompt: Prompt
    """The step's own templates, as a prompt of its name."""
    read: Reader | None = field(default=None, hash=False)

    def __init__(
        self,
        name: str,
        text: str,
        *,
        read: Reader | None = None,
        system: str | None = None,
        blocks: Sequence[Block] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        faults = _name_faults(name)
        prompt = None
        try:
            prompt = Prompt(
                name if not faults else "step", text, system=system, blocks=blocks, defaults=defaults or {}
            )
        except DefinitionError as error:
            faults += [fault.replace("prompt", "step") for fault in error.faults]
        if read is not None and not takes_text(read):
            called = f"{name_of(read)}, which takes no text" if callable(read) else quoted(read)
            faults.append(f"read of step {quoted(name)} is {called}; use lk.read.json() or a function.")
        if faults:
            raise DefinitionError(faults)
        for attribute, value in {"name": name, "prompt": prompt, "read": read}.items():
            object.__setattr__(self, attribute, value)

    @property
    def content(self) -> list[Any]:
        """All that decides what it asks, but for the answers of other steps."""
        return [self.name, self.prompt.hash, None if self.read is None else name_of(self.read)]

    def value(self, answer: str) -> Any:
        """What later steps see of an answer. Raises what `read` raises."""
        return answer if self.read is None else self.read(answer)

    def __repr__(self) -> str:
        return f"Step({self.name!r}{'' if self.read is None else f', read={name_of(self.read)}'})"

    def _repr_html_(self) -> str:
        return self.prompt.html(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _step, (self.name, self.prompt, self.read)


class Chain(Prompt):
    """`Chain(name, Step(...), Step(...))`: a prompt of several steps. What it answers is its last step's
    answer; cost and time are those of the whole line.

    A step sees the columns of the sample and the earlier steps that it names, never the whole talk. Each step
    is asked once for all that follows it: with models a and b on both of two steps, step 1 is asked twice
    and step 2 four times. `version` and `description` are as in `Prompt`; `hash` (`c1:`) is over the steps,
    and `text` has theirs under headings, as in a file. Raises `DefinitionError` naming all that is wrong: no
    steps, equal names, a step that names a later one or itself, a `read` whose value no later step uses.

    >>> chain = Chain(
    ...     "reply",
    ...     Step("facts", "List the facts in: {{ text }}"),
    ...     Step("reply", "Answer politely. Facts: {{ facts }} Message: {{ text }}"),
    ... )
    >>> chain, chain.variables
    (Chain('reply': facts → reply), ('text',))
    """

    _steps: tuple[Step, ...]

    def __init__(
        self, name: str, *steps: Step, description: str | None = None, version: int | None = None
    ) -> None:
        faults = name_faults(name, what="chain")
        if not all(isinstance(step, Step) for step in steps):
            faults.append(f"The chain {quoted(name)} is made of lk.Step values: lk.Step('facts', 'List …').")
        elif not steps:
            faults.append(f"The chain {quoted(name)} has no steps: lk.Chain({quoted(name)}, lk.Step(…), …).")
        else:
            faults += _step_faults(name, steps)
        if faults:
            raise DefinitionError(faults)
        names = [step.name for step in steps]
        used = dict.fromkeys(name for step in steps for name in step.prompt.variables if name not in names)
        first, *others = (step.prompt.system for step in steps)
        made = {
            "name": name,
            "_steps": tuple(steps),
            "text": "\n\n".join(f"## {step.name}\n\n{step.prompt.text}" for step in steps),
            "system": first if all(other == first for other in others) else None,
            "blocks": tuple(dict.fromkeys(block for step in steps for block in step.prompt.blocks)),
            "defaults": MappingProxyType(
                {name: value for step in steps for name, value in step.prompt.defaults.items()}
            ),
            "description": description,
            "version": version,
            "hash": content_hash("c1", [step.content for step in steps]),
            "variables": tuple(used),
        }
        for attribute, value in made.items():
            object.__setattr__(self, attribute, value)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Chain:
        """The chain in a Markdown file whose front matter lists `steps`: see `labkit.prompts.files`.

        Raises `DefinitionError` naming all that is wrong in it.
        """
        from labkit.prompts.files import load

        found = load(path)
        if not isinstance(found, Chain):
            raise DefinitionError(
                f"The file {os.fspath(path)!r} is a prompt: a chain lists its `steps:` in its front matter."
            )
        return found

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps, in the order in which they are asked."""
        return self._steps

    def render(self, fields: Mapping[str, Any]) -> list[Message]:
        """The messages of the first step; those of others need answers: `chain.steps[1].prompt.render`."""
        return self.steps[0].prompt.render(fields)

    def missing(self, fields: Mapping[str, Any]) -> list[str]:
        """The variables that need a value and have none in `fields`, nor a default, nor are an earlier
        step."""
        answered: dict[str, Any] = {}
        found: dict[str, None] = {}
        for step in self.steps:
            found.update(dict.fromkeys(step.prompt.missing({**fields, **answered})))
            answered[step.name] = step.name
        return list(found)

    @property
    def constants(self) -> frozenset[str]:
        """What its templates print of themselves in braces, such as `{{ 2020 }}`."""
        return frozenset().union(*(step.prompt.constants for step in self.steps))

    @property
    def takes_row(self) -> bool:
        """Whether a step uses the row as a whole."""
        return any(step.prompt.takes_row for step in self.steps)

    @property
    def is_plain(self) -> bool:
        """Whether all its steps are text and `{{ names }}` only."""
        return all(step.prompt.is_plain for step in self.steps)

    def sees(self, step: int) -> tuple[str, ...]:
        """The earlier steps that a step (0 for the first) names, in the chain's order."""
        used = self.steps[step].prompt.variables
        return tuple(earlier.name for earlier in self.steps[:step] if earlier.name in used)

    def replace(self, **changes: Any) -> Chain:
        """The same chain with some of `name`, `steps`, `description`, `version` changed; `blocks` are those
        of each of its steps."""
        fields = {"description": self.description, "version": self.version} | changes
        name, steps = fields.pop("name", self.name), fields.pop("steps", self.steps)
        if "blocks" in fields:
            blocks = fields.pop("blocks")
            steps = [_step(step.name, step.prompt.replace(blocks=blocks), step.read) for step in steps]
        return Chain(name, *steps, **fields)

    def within(self, blocks: Sequence[Block]) -> Chain:
        """The same chain with `blocks` in front of those of each step."""
        steps = [_step(step.name, step.prompt.within(blocks), step.read) for step in self.steps]
        return self.replace(steps=steps)

    def without(self, names: Collection[str]) -> Chain:
        """The same chain, each step without its blocks of these names."""
        steps = [_step(step.name, step.prompt.without(names), step.read) for step in self.steps]
        return self.replace(steps=steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and (other.name, other.steps) == (self.name, self.steps)

    def __hash__(self) -> int:
        return hash((self.name, self.hash))

    def __repr__(self) -> str:
        version = "" if self.version is None else f"@{self.version}"
        return f"Chain({self.name + version!r}: {' → '.join(step.name for step in self.steps)})"

    def _repr_html_(self) -> str:
        head = f"<strong>{escape(shown(repr(self)))}</strong>"
        told = f"<div>{escape(shown(self.description))}</div>" if self.description else ""
        return f"<div>{head}{told}{''.join(step._repr_html_() for step in self.steps)}</div>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _chain, (self.name, self.steps, self.description, self.version)


def _name_faults(name: object) -> list[str]:
    faults = name_faults(name, what="step")
    if isinstance(name, str) and not faults:
        if not name.isidentifier():
            faults.append(
                f"The step name {quoted(name)} is no word: later steps write it as {{{{ facts }}}}. Use "
                "letters, digits and _."
            )
        elif keyword.iskeyword(name) or name.lower() in _TAKEN:
            faults.append(
                f"The step name {quoted(name)} is a word of Python or of templates; choose another."
            )
    return faults


def _step_faults(name: str, steps: Sequence[Step]) -> list[str]:
    faults = []
    if len(steps) > MOST_STEPS:
        faults.append(f"The chain {quoted(name)} has {len(steps)} steps; at most {MOST_STEPS} are asked.")
    names = [step.name for step in steps]
    for twice in (one for one, count in Counter(names).items() if count > 1):
        faults.append(f"The chain {quoted(name)} has two steps named {twice!r}.")
    faults += twin_faults(dict.fromkeys(names), what="step")
    for position, step in enumerate(steps):
        earlier, of = names[:position], f"Step {step.name!r} of chain {quoted(name)}"
        for used in step.prompt.variables:
            if used == step.name:
                faults.append(f"{of} names itself: a step sees the answers of earlier steps only.")
            elif used in names and used not in earlier:
                faults.append(f"{of} names {used!r}, which comes later: a step sees earlier steps only.")
        taken = step.prompt.images
        sees = [used for used in step.prompt.variables if used in earlier]
        if sees and ("" in taken or taken.intersection(sees)):
            faults.append(
                f"{of} takes an answer for an image; `image` is for a column of the sample: "
                "{{ photo | image }}."
            )
        if step.read is not None and not any(
            step.name in later.prompt.variables for later in steps[position + 1 :]
        ):
            faults.append(f"{of} has a read, and no later step names {step.name!r}: leave it out.")
    return faults


def _step(name: str, prompt: Prompt, read: Reader | None) -> Step:
    return Step(
        name,
        prompt.text,
        read=read,
        system=prompt.system,
        blocks=prompt.blocks,
        defaults=prompt.defaults,
    )


def _chain(name: str, steps: Sequence[Step], description: str | None, version: int | None) -> Chain:
    return Chain(name, *steps, description=description, version=version)
