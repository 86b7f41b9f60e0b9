"""Prompts in files: Markdown with front matter.

    ---
    name: triage
    description: One word a ticket
    system: You sort support tickets.
    defaults: {tone: neutral}
    ---
    Classify in one word: {{ text }}

Between the `---` lines stands YAML (what people expect there, and what renders as a table on the
web), read without tags, anchors or repeated keys. The rest is the user part, without the empty
lines around it. Without front matter the file's name is the prompt's.

A chain lists its steps, and each has its text under a heading of its name. Other headings are text:

    ---
    name: reply
    steps:
      - name: facts
        read: json
      - reply
    ---
    ## facts
    List the facts in this message as JSON: {{ text }}

    ## reply
    Answer politely. Facts: {{ facts }}

A step is its name, or a mapping of `name`, and where wanted `system`, `defaults` and `read` (`json`,
`lines`). It does not know the lab's saved prompts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError, UnknownPrompt
from labkit.nearest import by_likeness, meant
from labkit.paths import read_text
from labkit.prompts.names import name_faults
from labkit.read import BUILT_IN
from labkit.visible import quoted

if TYPE_CHECKING:
    from labkit.prompts.chain import Step
    from labkit.prompts.prompt import Prompt

LARGEST_BYTES = 20_000_000
FOLDER = Path("data/prompts")
ENDS = ("---", "...")
"""What ends the front matter."""
_FIELDS: dict[str, type] = {"name": str, "description": str, "system": str, "defaults": dict, "steps": list}
_STEP_FIELDS: dict[str, type] = {"name": str, "system": str, "defaults": dict, "read": str}
_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t]*#*")


def load(path: str | os.PathLike[str]) -> Prompt:
    """The prompt or the chain in the file `path`. Raises `DefinitionError` naming all that is wrong in it."""
    text = read_text(path, what="prompt file", limit_bytes=LARGEST_BYTES)
    return of_text(text, name=Path(path).stem, where=f"prompt file {os.fspath(path)!r}")


def of_text(text: str, *, name: str, where: str) -> Prompt:
    """The prompt or the chain that stands in a text as in a file; `name` is its name if it gives none, and
    `where` says where the text is. Raises `DefinitionError` naming all that is wrong in it."""
    from labkit.prompts.chain import Chain
    from labkit.prompts.prompt import Prompt

    front, body = _split(text, where)
    found = _fields(front, where) if front is not None else {}
    if faults := _field_faults(found, _FIELDS, f"The {where}", "in its front matter"):
        raise DefinitionError(faults)
    given = {"name": name, "text": body} | found
    try:
        if "steps" not in given:
            return Prompt(**given)
        steps = _steps(given.pop("steps"), given.pop("text"))
        if wrong := given.keys() & {"system", "defaults"}:
            raise DefinitionError(
                f"{' and '.join(sorted(wrong))} of a chain belong to a step: write them there."
            )
        return Chain(given.pop("name"), *steps, **given)
    except DefinitionError as error:
        raise DefinitionError(f"{fault} ({where})" for fault in error.faults) from None


def is_chain(text: str) -> bool:
    """Whether a text begins with the front matter of a chain.

    >>> is_chain("---\\nsteps: [facts, reply]\\n---\\n## facts"), is_chain("---\\nsystem: Short\\n---\\nHi")
    (True, False)
    """
    first, *lines = text.split("\n")
    front = takewhile(lambda line: line.rstrip() not in ENDS, lines)
    return first.rstrip() == "---" and any(line.startswith("steps:") for line in front)


def _field_faults(found: dict[Any, Any], known: dict[str, type], what: str, where: str) -> list[str]:
    faults = []
    examples: dict[type, str] = {
        str: "text; put it in quotes",
        dict: "a mapping, such as {tone: neutral}",
        list: "a list",
    }
    for key, value in found.items():
        if key not in known:
            near = meant(key, known)
            hint = f"Did you mean {near!r}?" if near else f"There are {', '.join(known)}."
            faults.append(f"{what} has {str(key)[:60]!r} {where}. {hint}")
        elif not isinstance(value, known[key]):
            faults.append(f"{what}: {key} is {quoted(value)}, but is to be {examples[known[key]]}.")
    return faults


def _steps(listed: list[Any], body: str) -> list[Step]:
    """The steps of a chain, each with the text under its heading."""
    from labkit.prompts.chain import Step

    given = [{"name": one} if isinstance(one, str) else one for one in listed]
    faults = [
        f"A step is its name or a mapping, such as {{name: facts, read: json}}; {quoted(one)} is neither."
        for one in given
        if not isinstance(one, dict) or not isinstance(one.get("name"), str)
    ]
    if faults or not given:
        raise DefinitionError(faults or "`steps:` is to list the steps of the chain in their order.")
    names = [one["name"] for one in given]
    texts, odd = sections(body, names)
    steps, faults = [], odd
    for one in given:
        what = f"Step {one['name']!r}"
        wrong = _field_faults(one, _STEP_FIELDS, what, "in its mapping")
        if not wrong and (reader := one.get("read")) is not None and reader not in BUILT_IN:
            wrong = [f"{what}: read is {quoted(reader)}; in a file it is {' or '.join(BUILT_IN)}."]
        faults += wrong
        if not wrong and one["name"] in texts:
            fields: dict[str, Any] = {key: value for key, value in one.items() if key not in ("name", "read")}
            try:
                steps.append(Step(one["name"], texts[one["name"]], read=BUILT_IN.get(reader or ""), **fields))
            except DefinitionError as error:
                faults += error.faults
    if faults:
        raise DefinitionError(faults)
    return steps


def sections(body: str, names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The texts under the headings that are steps' names, and what is wrong with them. Other headings are
    text."""
    texts: dict[str, list[str]] = {}
    before: list[str] = []
    faults: list[str] = []
    lines = before
    for line in body.split("\n"):
        found = _HEADING.fullmatch(line)
        if found is not None and found[1] in names:
            if found[1] in texts:
                faults.append(f"The heading {found[1]!r} stands twice.")
            lines = texts[found[1]] = []
        else:
            lines.append(line)
    if "\n".join(before).strip():
        faults.append(
            f"What stands before the heading of the first step, `## {names[0]}`, belongs to no step."
        )
    faults += [
        f"Step {name!r} has no text: write it under a line `## {name}`."
        for name in dict.fromkeys(names)
        if name not in texts
    ]
    return {name: "\n".join(lines).strip("\n") for name, lines in texts.items()}, faults


def find(name: str, *, folder: str | os.PathLike[str] = FOLDER) -> Path:
    """The prompt file `folder`/`name`.md. A name cannot leave the folder, neither by `..` nor by a link.

    Raises `UnknownPrompt` naming the nearest there are.
    """
    faults = name_faults(name)
    if faults:
        raise UnknownPrompt(faults)
    home = Path(folder)
    path = home / f"{name}.md"
    if not path.is_file():
        likest = by_likeness(name, names_in(folder))[:3]
        hint = f"There are {', '.join(likest)}." if likest else "There are no prompt files there."
        raise UnknownPrompt(f"There is no prompt {name!r} in {os.fspath(folder)!r}. {hint}")
    if not path.resolve().is_relative_to(home.resolve()):
        raise UnknownPrompt(f"The prompt {name!r} in {os.fspath(folder)!r} is a link that leads out of it.")
    return path


def names_in(folder: str | os.PathLike[str] = FOLDER) -> list[str]:
    """The names of the prompt files in `folder`, sorted; none when there is no such folder."""
    return sorted(path.stem for path in Path(folder).glob("*.md") if _is_prompt(path))


def _is_prompt(path: Path) -> bool:
    return path.name != "README.md" and not name_faults(path.stem)


def _split(text: str, where: str) -> tuple[str | None, str]:
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None, text.strip("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in ENDS:
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :]).strip("\n")
    raise DefinitionError(f"The {where} begins with --- but has no second --- line to end that part.")


def _fields(front: str, where: str) -> dict[Any, Any]:
    import yaml

    class Strict(yaml.SafeLoader):  # type: ignore[misc]
        """No anchors, and no key twice: both change the meaning of what one sees."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not read")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if str(key.value) in seen:
                    raise yaml.YAMLError(
                        f"{key.value!s:.60} stands twice, again in line {key.start_mark.line + 2}"
                    )
                seen.add(str(key.value))
            return dict(super().construct_mapping(node, deep))

    try:
        loader = Strict(front)
        found = loader.get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split()) or "it is nested too deep"
        raise DefinitionError(f"The front matter of {where} cannot be read: {reason:.300}.") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DefinitionError(f"The front matter of {where} is to be lines of `key: value`.")
    return found
