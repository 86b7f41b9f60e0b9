"""The prompts a lab knows: those saved in it, by name and version, and the files in `data/prompts`.

A file's text wins over the saved versions of its name, since the file is what one edits. It does not
know runs: a run saves the prompts it asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import DefinitionError, UnknownPrompt
from labkit.nearest import by_likeness
from labkit.prompts import Prompt, parse_ref
from labkit.prompts.files import load, names_in
from labkit.store import Store
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

LEVELS_UP = 3
"""`data/prompts` is looked for here and in so many folders above: notebooks run in a folder of their own."""


class Library:
    """`lab.prompts`: iterate over it, take one by name (`["triage"]`, `["triage@2"]`), `save` one.

    >>> lab.prompts["no such"]      # doctest: +SKIP
    UnknownPrompt: No prompt 'no such' ...
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def __iter__(self) -> Iterator[Prompt]:
        files = self._files()
        yield from files.values()
        for name, prompt in self._latest().items():
            if name not in files:
                yield prompt

    def __len__(self) -> int:
        return len(self._files().keys() | self._latest().keys())

    def __getitem__(self, ref: str) -> Prompt:
        """A prompt by name: the file's text, else the latest version; `name@version` is that version.

        Raises `UnknownPrompt`, naming the nearest.
        """
        name, version = parse_ref(ref)
        if version is None:
            found = self._files().get(name) or self._latest().get(name)
            if found is not None:
                return found
        else:
            versions = {prompt.version: prompt for prompt in self._store.saved_prompts(name)}
            if version in versions:
                return versions[version]
            if versions:
                have = ", ".join(f"@{number}" for number in sorted(v for v in versions if v))
                raise UnknownPrompt(f"Prompt '{name}' has no version {version}; it has {have}.")
        raise UnknownPrompt(self._unknown(name) + ("" if version else _or_text(name)))

    def save(self, prompt: Prompt) -> Prompt:
        """Keep a prompt in the lab; returns it with its version. The same content keeps its version."""
        if not isinstance(prompt, Prompt):
            raise DefinitionError(f"An lk.Prompt or lk.Chain can be saved, not {quoted(prompt)}.")
        return self._store.save_prompt(prompt)

    def frame(self) -> pd.DataFrame:
        """Every saved version: name, version, hash, text, system, blocks, created_at."""
        return self._store.prompts()

    def _ipython_key_completions_(self) -> list[str]:
        return [prompt.name for prompt in self]

    def __repr__(self) -> str:
        return f"Library({', '.join(prompt.name for prompt in self)})"

    def _latest(self) -> dict[str, Prompt]:
        return {prompt.name: prompt for prompt in self._store.saved_prompts()}

    def _files(self) -> dict[str, Prompt]:
        for folder in [self._folder, *self._folder.parents][: LEVELS_UP + 1]:
            if (prompts := folder / "data" / "prompts").is_dir():
                loaded = [load(prompts / f"{name}.md") for name in names_in(prompts) if name != "README"]
                return {prompt.name: prompt for prompt in loaded}
        return {}

    def _unknown(self, name: str) -> str:
        names = [prompt.name for prompt in self]
        near = by_likeness(name, names)[:3]
        have = f"the nearest: {', '.join(near)}" if near else "the lab has none yet"
        return f"No prompt '{name}' in the lab or in data/prompts; {have}."


def _or_text(name: str) -> str:
    return (
        " A single word is taken for the name of a prompt: if it is what is to be asked, "
        f"write lk.Prompt({name.lower()!r}, {name!r})."
    )
