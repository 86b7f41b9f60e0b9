"""A chain as one text with a heading for each step, read back into steps; and the Python of a prompt.

What the text does not show of a step (its system part, `read`, blocks and defaults of its own) is kept from
the chain that the text is a copy of, by the step's name. It does not know where the text is typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import DefinitionError
from labkit.prompts import Block, Chain, Prompt, Step
from labkit.prompts.files import sections
from labkit.read import BUILT_IN, Reader, name_of
from labkit.widgets import sources


def names(typed: str) -> list[str]:
    """The steps in their order, typed with commas.

    >>> names("facts, reply")
    ['facts', 'reply']
    """
    return [name.strip() for name in typed.split(",") if name.strip()]


def chain(
    name: str,
    text: str,
    steps: Sequence[str],
    *,
    origin: Chain | None,
    system: str | None,
    blocks: Sequence[Block],
    defaults: Mapping[str, Any],
    description: str | None,
) -> Chain:
    """The chain of these steps, whose texts stand in `text` under headings of their names. `system`, `blocks`
    and `defaults` are for every step but where the `origin` has others for a step, and nobody changed them.

    Raises `DefinitionError` with all that is wrong.
    """
    old = {step.name: step for step in origin.steps} if origin else {}
    texts, faults = sections(text, steps)
    if origin is not None and text == origin.text and list(steps) == list(old):
        # Nothing was typed: then it is not read either, for a step may have a heading of a step's name in it.
        texts, faults = {name: step.prompt.text for name, step in old.items()}, []
    made = []
    for one in steps:
        kept = old.get(one)
        try:
            step = Step(
                one,
                texts.get(one, one),
                read=kept.read if kept else None,
                system=(kept.prompt.system if kept and origin and not origin.system else None) or system,
                blocks=_blocks(kept, origin, blocks),
            )
            made.append(_with_defaults(step, kept, origin, defaults))
        except DefinitionError as error:
            faults += error.faults
    if faults:
        raise DefinitionError(faults)
    return Chain(name, *made, description=description)


def code(prompt: Prompt) -> str:
    """The Python that makes a prompt or a chain. A `read` of one's own is named as the notebook does."""
    if not prompt.steps:
        return f"lk.Prompt({prompt.name!r}, {', '.join(_parts(prompt))})"
    steps = []
    for step in prompt.steps:
        read = [] if step.read is None else [f"read={_reader(step.read)}"]
        steps.append(f"lk.Step({', '.join([repr(step.name), *_parts(step.prompt), *read])})")
    return f"lk.Chain({', '.join([repr(prompt.name), *steps])})"


def lines(prompt: Prompt) -> list[str]:
    """A prompt or a chain line by line, for what changed between two."""
    if not prompt.steps:
        return [*_beside(prompt), *prompt.text.split("\n")]
    found = []
    for step in prompt.steps:
        read = [] if step.read is None else ["[read]", name_of(step.read)]
        found += [f"## {step.name}", *read, *_beside(step.prompt), *step.prompt.text.split("\n"), ""]
    return found[:-1]


def _blocks(kept: Step | None, origin: Chain | None, ticked: Sequence[Block]) -> list[Block]:
    """Those a step had that are still ticked, and those newly ticked; a new step has all."""
    if kept is None or origin is None:
        return list(ticked)
    still = [block for block in kept.prompt.blocks if block in ticked]
    return [*still, *(block for block in ticked if block not in origin.blocks)]


def _with_defaults(step: Step, kept: Step | None, origin: Chain | None, defaults: Mapping[str, Any]) -> Step:
    own: dict[str, Any] = {}
    for name, value in defaults.items():
        if kept is not None and origin is not None and origin.defaults.get(name) == value:
            own |= {name: kept.prompt.defaults[name]} if name in kept.prompt.defaults else {}
        elif name in step.prompt.variables:
            own[name] = value
    own = {name: value for name, value in own.items() if name in step.prompt.variables}
    prompt = step.prompt
    if not own:
        return step
    return Step(
        step.name,
        prompt.text,
        read=step.read,
        system=prompt.system,
        blocks=prompt.blocks,
        defaults=own,
    )


def _parts(prompt: Prompt) -> list[str]:
    """The text, and what else it was given, as arguments."""
    parts = [repr(prompt.text)]
    if prompt.system is not None:
        parts.append(f"system={prompt.system!r}")
    if prompt.blocks:
        blocks = ", ".join(
            f"lk.Block({block.name!r}, {block.text!r}{', cache=True' if block.cache else ''})"
            for block in prompt.blocks
        )
        parts.append(f"blocks=[{blocks}]")
    if prompt.defaults:
        parts.append(f"defaults={dict(prompt.defaults)!r}")
    return parts


def _reader(read: Reader) -> str:
    for name, built_in in BUILT_IN.items():
        if read is built_in:
            return f"lk.read.{name}()"
    return sources.name_of(read, sources.notebook_names()) or name_of(read).removesuffix("()")


def _beside(prompt: Prompt) -> list[str]:
    parts = [f"[block {block.name}]\n{block.text}" for block in prompt.blocks]
    parts += [f"[system]\n{prompt.system}"] if prompt.system is not None else []
    parts += [f"[default {name}]\n{value}" for name, value in prompt.defaults.items()]
    return "\n".join(parts).split("\n") if parts else []
