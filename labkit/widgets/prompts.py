"""Choose prompts and write new ones: saved versions, files of `data/prompts`, and one typed in place.

`.value` is what `lab.plan(prompts=…)` takes, with and without a browser. It does not know how prompts
are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from labkit.arguments import able, check, text, whole
from labkit.catalog.model import Model
from labkit.errors import DefinitionError
from labkit.nearest import listed as listed_names
from labkit.prompts import Block, Prompt, parse_ref
from labkit.store.filters import listed
from labkit.visible import quoted
from labkit.widgets.draft import Draft
from labkit.widgets.selector import Choice, Selector

FACTS = ("version", "variables", "description or text")
FEW = 4


class PromptLibrary(Protocol):
    """Where prompts are: iterable, by name or `name@version`, and one can be saved."""

    def __iter__(self) -> Iterator[Prompt]: ...

    def __getitem__(self, ref: str) -> Prompt: ...

    def save(self, prompt: Prompt) -> Prompt: ...

    def frame(self) -> Any: ...


class HasPrompts(Protocol):
    """What the selector needs of a lab."""

    @property
    def prompts(self) -> PromptLibrary: ...


class PromptSelector(Selector):
    """The lab's prompts to choose from, with their versions, and a new one to be typed in place.

    `.value` is a tuple: names such as `triage`, names with a version such as `triage@2`, and the typed
    prompt as an `lk.Prompt` where it is used. `.draft` is what is typed; `.values` are its variables'
    values, to be given as `dataset=`. Without `value=` the files in `data/prompts` are chosen, or where
    there are none the saved prompts: all of them when they are at most four, else the first. `blocks`
    can be ticked beside those of the lab's prompts. Chains are prompts: one is shown and edited as its text,
    with each step under a heading of its name.

    >>> prompts = PromptSelector(lab)            # doctest: +SKIP
    >>> plan = lab.plan(prompts=prompts.value, models=["gpt-4o"])   # doctest: +SKIP
    """

    _drawn_by = "promptform.PromptForm"

    def __init__(
        self,
        lab: HasPrompts,
        *,
        value: Sequence[str | Prompt] | None = None,
        blocks: Sequence[Block] = (),
    ) -> None:
        check(able("lab", lab, "prompts", like="a lab: lk.Lab(…)"))
        self._library = lab.prompts
        self.models: Sequence[Model] = tuple(getattr(lab, "models", ()))
        """The lab's, some of which read more than they are sent."""
        self._own_blocks = tuple(listed(blocks))
        if strange := [one for one in self._own_blocks if not isinstance(one, Block)]:
            raise DefinitionError(f"blocks has {quoted(strange[0])} in it; give lk.Block values.")
        self._versions: dict[str, list[int]] = {}
        self._picked: dict[str, int] = {}
        self.draft = Draft()
        self.uses_draft = False
        self._measured: tuple[str, ...] = ()
        names, choices = self._listed()
        first = names[: len(names) if len(names) <= FEW else 1]
        super().__init__(choices, value=(), call="lk.PromptSelector", heads=("prompt", *FACTS))
        self._set(first if value is None else value)

    # -- the choice ------------------------------------------------------------------------------

    @property
    def value(self) -> tuple[str | Prompt, ...]:
        """The chosen prompts: names, names with a version, and the typed one where it is used."""
        refs: list[str | Prompt] = [self._ref(name) for name in self.chosen]
        return (*refs, self.draft.prompt()) if self.uses_draft else tuple(refs)

    @value.setter
    def value(self, chosen: Sequence[str | Prompt]) -> None:
        self._set(chosen)
        self.changed()

    @property
    def values(self) -> dict[str, Any]:
        """The typed prompt's variables and the values tried: one sample."""
        return self.draft.fields()

    @property
    def beside(self) -> str:
        """The typed prompt, where it is used."""
        return " and the one written below" if self.uses_draft else ""

    def versions(self, name: str) -> tuple[int, ...]:
        """The saved versions of a prompt."""
        return tuple(self._versions.get(name, ())) if self._lists(name) else ()

    def version(self, name: str) -> int | None:
        """The version chosen; None stands for the file, or the latest."""
        return self._picked.get(name) if self._lists(name) else None

    def pick(self, name: str, version: int | None) -> None:
        """Choose which version of a prompt is meant."""
        check(text("name", name), whole("version", version) if version is not None else [])
        if version is None:
            self._picked.pop(name, None)
        else:
            self._library[f"{name}@{version}"]
            self._picked[name] = version
        self.changed()

    def prompt(self, name: str) -> Prompt:
        """A listed prompt, in the version chosen."""
        check(text("name", name))
        return self._library[self._ref(name)]

    # -- the draft -------------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks there are to tick: those given, and those of listed prompts and the draft, by name."""
        known = [*self._own_blocks, *self.draft.blocks]
        known += [block for choice in self.choices for block in self.prompt(choice.value).blocks]
        return tuple({block.name: block for block in reversed(known)}.values())

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of blocks whose worth is to be measured, by whoever plans with this choice."""
        names = [block.name for block in self.blocks] if self._measured else []
        return tuple(name for name in self._measured if name in names)

    def measure(self, name: str, on: bool = True) -> None:
        """Have the worth of a block measured, or not. Raises `DefinitionError` for one that is not there."""
        names = [block.name for block in self.blocks]
        if name not in names:
            raise DefinitionError(f"There is no block {quoted(name)}; there are {listed_names(name, names)}.")
        kept = [one for one in self.measured if one != name]
        self._measured = (*kept, name) if on else tuple(kept)
        self.changed()

    def use_draft(self, on: bool) -> None:
        """Count the typed prompt among the chosen. Raises `DefinitionError` where it is none yet."""
        if on:
            self.draft.prompt()
        self.uses_draft = on
        self.changed()

    def edit(self, name: str) -> None:
        """Begin a draft as a copy of a listed prompt."""
        self.draft = Draft.of(self.prompt(name))
        self.changed()

    def last(self) -> Prompt | None:
        """The saved prompt that the draft would follow."""
        name = self.draft.name.strip()
        versions = self.versions(name)
        if versions:
            return self._library[f"{name}@{versions[-1]}"]
        return self._library[name] if name in self._choices else None

    def save(self) -> Prompt:
        """Keep the draft as the next version of its name, and choose it in the draft's place."""
        saved = self._library.save(self.draft.prompt())
        _, choices = self._listed()
        self._choices = {choice.value: choice for choice in choices}
        if saved.version is not None and self._library[saved.name].hash != saved.hash:
            self._picked[saved.name] = saved.version  # a file of that name says something else
        else:
            self._picked.pop(saved.name, None)
        self._chosen.add(saved.name)
        self.uses_draft = False
        self.changed()
        return saved

    # -- showing ---------------------------------------------------------------------------------

    @property
    def value_code(self) -> list[str]:
        """One Python expression per chosen prompt, as `lab.plan(prompts=[…])` takes them."""
        names = [repr(self._ref(name)) for name in self.chosen]
        return [*names, self.draft.code()] if self.uses_draft else names

    @property
    def code(self) -> str:
        """The Python that makes this choice."""
        return f"{self._call}(lab, value=[{', '.join(self.value_code)}])"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = super()._rows()
        if self.uses_draft:
            prompt = self.draft.prompt()
            rows.append((prompt.name, "not saved", ", ".join(prompt.variables), prompt.text))
        return rows

    def _set(self, chosen: str | Prompt | Sequence[str | Prompt]) -> None:
        picked: dict[str, int] = {}
        names: list[str] = []
        given = listed(chosen)
        typed = [one for one in given if isinstance(one, Prompt)]
        for ref in given:
            if not isinstance(ref, Prompt):
                check(text("value", ref))
                name, version = parse_ref(ref)
                names.append(name)
                if version is not None:
                    picked[name] = version
        self._choose(names)
        for name, version in picked.items():
            self._library[f"{name}@{version}"]
        self._picked = picked
        self.uses_draft = bool(typed)
        if typed:
            self.draft = Draft.of(typed[-1])

    def _ref(self, name: str) -> str:
        version = self._picked.get(name)
        return name if version is None else f"{name}@{version}"

    def _listed(self) -> tuple[list[str], list[Choice]]:
        saved = self._library.frame()
        self._versions = {}
        for name, version in zip(saved["name"], saved["version"], strict=True):
            self._versions.setdefault(str(name), []).append(int(version))
        for numbers in self._versions.values():
            numbers.sort()
        choices = [self._choice(prompt) for prompt in self._library]
        files = [prompt.name for prompt in self._library if prompt.version is None]
        return files or [choice.value for choice in choices], choices

    def _choice(self, prompt: Prompt) -> Choice:
        versions = self._versions.get(prompt.name, [])
        of = f"@{prompt.version}" if prompt.version is not None else "file"
        many = f", {len(versions)} saved" if len(versions) > 1 else ""
        facts = (of + many, ", ".join(prompt.variables) or "no variables", prompt.description or prompt.text)
        return Choice(prompt.name, prompt.name, facts)
