"""A dataset: a name, samples with one id each, and a hash of what they hold.

A value; it does not know where tables come from (see `load`) nor what is asked about them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.records import Sample
from labkit.visible import quoted, shown, visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples under a name. `columns` are the fields' names, in their order.

    `hash` (`t1:`) is over ids and fields, whatever the order of the rows. Two datasets are equal
    when their hashes are. Made by `labkit.datasets.load`.
    """

    name: str
    samples: tuple[Sample, ...] = field(repr=False)
    columns: tuple[str, ...]
    hash: str
    source: str
    """Where it came from, for provenance: a path, or a word such as `frame`."""

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, position: int) -> Sample:
        return self.samples[position]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataset) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def has_target(self) -> bool:
        """Whether there is a column `target`."""
        return "target" in self.columns

    def head(self, n: int = 5) -> Dataset:
        """The first `n` samples."""
        return self._with(self.samples[: counted(n)])

    def sample(self, n: int, *, seed: int = 0) -> Dataset:
        """`n` samples drawn without replacement, in their order; the same ones for the same seed."""
        chosen = random.Random(seed).sample(range(len(self)), min(counted(n), len(self)))  # noqa: S311 - a draw
        return self._with([self.samples[i] for i in sorted(chosen)])

    def select(self, chosen: Callable[[Sample], bool] | Iterable[str]) -> Dataset:
        """The samples for which `chosen` is true, or whose ids it lists."""
        if callable(chosen):
            return self._with([sample for sample in self.samples if chosen(sample)])
        wanted = [chosen] if isinstance(chosen, str) else list(chosen)
        known = {sample.id for sample in self.samples}
        absent = [one for one in wanted if one not in known]
        if absent:
            raise DefinitionError(f"Dataset {self.name!r} has no sample {', '.join(map(repr, absent[:5]))}.")
        kept = set(wanted)
        return self._with([sample for sample in self.samples if sample.id in kept])

    def frame(self) -> pd.DataFrame:
        """The samples as a DataFrame: `id` (text; `sample_id` where the table has a column `id` of its own),
        then one column a field, in order. Whole numbers are Int64, beside missing ones too."""
        import pandas as pd

        data: dict[str, Any] = {self._id_name: [sample.id for sample in self.samples]}
        data.update({name: series([s.fields.get(name) for s in self.samples]) for name in self.columns})
        return pd.DataFrame(data)

    @property
    def _id_name(self) -> str:
        return "sample_id" if "id" in self.columns else "id"

    def _with(self, samples: Sequence[Sample]) -> Dataset:
        if not samples:
            raise DefinitionError(f"Nothing is left of dataset {self.name!r}.")
        return of_samples(samples, name=self.name, columns=self.columns, source=self.source)

    def __repr__(self) -> str:
        rows = f"{len(self):,} sample{'' if len(self) == 1 else 's'}"
        return f"Dataset({self.name!r}, {rows}, columns: {', '.join(map(visible, self.columns)) or 'none'})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(shown(name))}</th>" for name in (self._id_name, *self.columns))
        rows = []
        for sample in self.samples[:5]:
            cells = (sample.id, *(sample.fields.get(name) for name in self.columns))
            rows.append(
                "<tr>" + "".join(f"<td>{escape(shown(_short(cell)))}</td>" for cell in cells) + "</tr>"
            )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return f"<div><strong>{escape(shown(repr(self)))}</strong>{table}</div>"


def of_samples(
    samples: Sequence[Sample], *, name: str, columns: Iterable[str] | None = None, source: str = "samples"
) -> Dataset:
    """The dataset of samples that are there already, under their ids."""
    if columns is None:
        columns = dict.fromkeys(name for sample in samples for name in sample.fields)
    rows = ((sample.id, canonical_json(sample.fields)) for sample in samples)
    return Dataset(name, tuple(samples), tuple(columns), hash_of(rows), source)


def series(cells: Sequence[Any]) -> Any:
    """A column for a frame: whole numbers as Int64, in which a missing one changes no other."""
    import pandas as pd

    numbers = [cell for cell in cells if type(cell) is int]
    if numbers and all(cell is None or type(cell) is int for cell in cells) and max(numbers) < 2**63:
        return pd.array(cells, dtype="Int64")
    return cells


def hash_of(rows: Iterable[tuple[str, bytes]]) -> str:
    """The hash of rows, each by its id and the canonical JSON of its fields, whatever their order."""
    digests = sorted(
        hashlib.blake2b(b"%s\n%s" % (id.encode(), row), digest_size=16).digest() for id, row in rows
    )
    return "t1:" + hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()


def content_id(fields: Mapping[str, Any]) -> str:
    """The id of a row that has none: `s-` and 16 hex digits, from the characters of its filled cells.

    So no other row decides it: not by making a column text or numbers, nor by a column this row lacks.

    >>> content_id({"n": 7}) == content_id({"n": "7", "note": None})
    True
    """
    filled = {
        name: cell if isinstance(cell, str) else canonical_json(cell).decode()
        for name, cell in fields.items()
        if cell is not None
    }
    return "s-" + hashlib.blake2b(canonical_json(filled), digest_size=8).hexdigest()


def counted(n: int) -> int:
    """`n`, if it is a number of samples. Raises `DefinitionError` for anything else."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise DefinitionError(f"The number of samples is to be a whole number from 1 up, not {quoted(n)}.")
    return n


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "–" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else text[:119] + "…"
