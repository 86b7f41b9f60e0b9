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
It does not know the lab's saved prompts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from labkit.errors import DefinitionError, UnknownPrompt
from labkit.nearest import by_likeness, meant
from labkit.paths import read_text
from labkit.prompts.names import name_faults
from labkit.visible import quoted

LARGEST_BYTES = 20_000_000
FOLDER = Path("data/prompts")
_FIELDS: dict[str, type] = {"name": str, "description": str, "system": str, "defaults": dict}


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the file `path` says of a prompt: `name`, `text`, and what else stands in its front matter.

    Raises `DefinitionError` naming all that is wrong in it.
    """
    text = read_text(path, what="prompt file", limit_bytes=LARGEST_BYTES)
    shown = os.fspath(path)
    front, body = _split(text, shown)
    found = _fields(front, shown) if front is not None else {}
    faults = []
    for key, value in found.items():
        if key not in _FIELDS:
            near = meant(key, _FIELDS)
            hint = f"Did you mean {near!r}?" if near else f"There are {', '.join(_FIELDS)}."
            faults.append(f"The prompt file {shown!r} has {str(key)[:60]!r} in its front matter. {hint}")
        elif not isinstance(value, _FIELDS[key]):
            wanted = "text; put it in quotes" if _FIELDS[key] is str else "a mapping, such as {tone: neutral}"
            faults.append(f"The prompt file {shown!r}: {key} is {quoted(value)}, but is to be {wanted}.")
    if faults:
        raise DefinitionError(faults)
    return {"name": Path(path).stem, "text": body} | found


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


def _split(text: str, shown: str) -> tuple[str | None, str]:
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None, text.strip("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :]).strip("\n")
    raise DefinitionError(
        f"The prompt file {shown!r} begins with --- but has no second --- line to end that part."
    )


def _fields(front: str, shown: str) -> dict[Any, Any]:
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
        raise DefinitionError(
            f"The front matter of prompt file {shown!r} cannot be read: {reason:.300}."
        ) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DefinitionError(f"The front matter of prompt file {shown!r} is to be lines of `key: value`.")
    return found
