"""Whether prompts can be asked with samples: everything that is missing, named at once, row by row.

It renders nothing that cannot fail, so it is fast over many rows. It does not know models.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from labkit import nearest
from labkit.errors import DefinitionError, MissingVariables
from labkit.prompts.placeholders import foreign, written
from labkit.prompts.prompt import Prompt
from labkit.prompts.template import in_row
from labkit.records import Sample

SHOWN = 5
"""How many rows a message names before it counts the rest."""


def check(prompt: Prompt, samples: Sequence[Sample]) -> list[str]:
    """What keeps `prompt` from being asked with `samples`, one sentence a reason, rows named by id.

    For a prompt of text and names only this looks at the values; any other is rendered once a sample. One
    that uses no column is refused only where it seems to mean one: `{text}`.
    """
    lacking: dict[tuple[str, ...], list[str]] = {}
    empty: dict[tuple[str, ...], list[str]] = {}
    failing: dict[str, list[str]] = {}
    plain, bare = prompt.is_plain, not (prompt.variables or prompt.defaults or prompt.takes_row)
    unmeant: dict[str, None] = {}
    columns: dict[str, None] = {}
    for sample in samples:
        unmeant.update(dict.fromkeys(prompt.constants.intersection(sample.fields)))
        values = sample.values
        names = prompt.missing(values)
        if names:
            lacking.setdefault(tuple(name for name in names if name not in values), []).append(sample.id)
            empty.setdefault(tuple(name for name in names if name in values), []).append(sample.id)
            columns.update(dict.fromkeys(sample.fields))
        elif not plain:
            try:
                prompt.render(values)
            except DefinitionError as error:
                failing.setdefault(str(error), []).append(sample.id)
        if bare:
            break  # what it becomes is the same for every sample
    faults = [
        f"{_named(prompt)} needs {' and '.join(names)}, which {_rows(ids, 'does', 'do')} not have. "
        f"{_step_meant(prompt, names) or _spelled(names, columns) or _instead(names, columns)}"
        for names, ids in lacking.items()
        if names
    ]
    faults += [
        f"{_named(prompt)} needs {' and '.join(names)}, which {_rows(ids, 'leaves', 'leave')} empty "
        f"(None). Fill it in, or say what stands there then: {_or_nothing(names[0])}."
        for names, ids in empty.items()
        if names
    ]
    faults += [
        f"{_named(prompt)} prints {name} itself, not the column {name!r}. Write {in_row(name)}."
        for name in sorted(unmeant)
    ]
    if bare and len(samples) > 1:
        faults += _unread(prompt, samples)
    return faults + [f"{reason} This is so for {_ids(ids)}." for reason, ids in failing.items()]


def _unread(prompt: Prompt, samples: Sequence[Sample]) -> list[str]:
    found = foreign(prompt, [*samples[0], "id"])
    if not found:
        return []
    return [
        f"{_named(prompt)} uses no column, so all {len(samples):,} samples would be asked the same: "
        f"{' and '.join(map(repr, found))} would be sent as it stands. "
        f"Did you mean {' and '.join(dict.fromkeys(found.values()))}?"
    ]


def _named(prompt: Prompt) -> str:
    return f"{'Chain' if prompt.steps else 'Prompt'} {prompt.name!r}"


def _step_meant(prompt: Prompt, names: Sequence[str]) -> str:
    """Which step of a chain one of these names is a slip of."""
    steps = [step.name for step in prompt.steps]
    found = next((step for name in names if (step := nearest.meant(name, steps, likeness=0.75))), None)
    return f"The answer of step {found!r} is written {written(found)}." if found else ""


def _spelled(names: Sequence[str], columns: Collection[str]) -> str:
    """How to write the column that seems to be meant: one that has these names as words in its own, or is
    such a word in another case."""
    wanted = set(map(_folded, names))
    for column in columns:
        if wanted <= set(re.findall(r"\w+", _folded(column))):
            return f"The column {column!r} is written {written(column)}."
    return ""


def _instead(names: Sequence[str], columns: Collection[str]) -> str:
    if not columns:
        return "Give a dataset with a column of that name, or give the prompt a default."
    there = nearest.listed(names[0], columns)
    return f"The dataset's columns: {there}. Add one of that name, or give the prompt a default."


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def missing_variables(prompts: Iterable[Prompt], samples: Sequence[Sample]) -> None:
    """Raise `MissingVariables` with every fault `check` finds in any of `prompts`, or return."""
    faults = [fault for prompt in prompts for fault in check(prompt, samples)]
    if faults:
        raise MissingVariables(faults)


def _or_nothing(name: str) -> str:
    return f"{{{{ {name} or '' }}}}" if name.isidentifier() else in_row(name).replace(" }}", " or '' }}")


def _rows(ids: Sequence[str], one: str, many: str) -> str:
    return f"{_ids(ids)} {one if len(ids) == 1 else many}"


def _ids(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one) for one in ids[:SHOWN])
    rest = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return f"sample{'' if len(ids) == 1 else 's'} {shown}{rest}"
