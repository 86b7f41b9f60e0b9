"""Verdicts by several scores, corrected over all of them: one value that holds a verdict per score.

It corrects nothing itself: each verdict was made beside the others (see `labkit.summary.pairwise`). What the
scores come to together, as when one contender is better by one and worse by another, it does not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import DefinitionError
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd

    from labkit.verdict.value import Verdict


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What a comparison by several scores allows to say, in the order in which they were named.

    Made by `run.verdict([…])` or `verdict(frame, […])`; frozen. `verdicts["exact"]` is the verdict by one
    of them, and iterating gives each.
    """

    verdicts: tuple[Verdict, ...]

    def __getitem__(self, score: str) -> Verdict:
        for one in self.verdicts:
            if one.scorer == score:
                return one
        has = ", ".join(repr(one.scorer) for one in self.verdicts)
        raise DefinitionError(f"there is no verdict by {quoted(score)} here; scores: {has}")

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    @property
    def headline(self) -> str:
        """The headline of each, a line each, which names its score where there are several."""
        return "\n".join(one.headline for one in self)

    @property
    def conclusion(self) -> tuple[str, ...]:
        """What follows for use, as of a verdict by one score: first what is so by all scores."""
        return self._together([one.conclusion for one in self])

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of each, behind the name of its score."""
        return tuple(f"{_name(one)}: {said}" for one in self for said in one.sentences)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the sentences rest on: first what is so for all scores, then what is so for some."""
        return self._together([one.notes for one in self])

    @property
    def assurance(self) -> str:
        """How far what is said of scores may be trusted, in short, as of a verdict by one score."""
        return "; ".join(self._together([[one.assurance] for one in self]))

    def _together(self, said: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """What is said by each score, once: first what is so for all, then the rest behind the names of its
        scores."""
        whose: dict[str, list[str]] = {}
        for by, of in zip(self, said, strict=True):
            for one in of:
                whose.setdefault(one.removeprefix(f"score: {_name(by)}, "), []).append(_name(by))
        shared = [one for one, names in whose.items() if len(names) == len(self)]
        own = [f"{', '.join(names)}: {one}" for one, names in whose.items() if len(names) < len(self)]
        return (*shared, *own)

    def frame(self) -> pd.DataFrame:
        """One row per score and pair: `score`, then the columns of `labkit.summary.pairwise`.

        `p_holm`, `decided` and the ranges are corrected over all rows.
        """
        import pandas as pd

        parts = [one.frame() for one in self]
        for part, one in zip(parts, self, strict=True):
            part.insert(0, "score", one.scorer)
            part.attrs = {}
        return pd.concat(parts, ignore_index=True)

    def __str__(self) -> str:
        said = ["\n".join(one.lines()) for one in self]
        return "\n\n".join([*said, "\n".join(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        scores = ", ".join(map(_name, self.verdicts))
        pairs = sum(len(one.pairs) for one in self)
        decided = sum(int(one.pairs["decided"].sum()) for one in self)
        by = " and ".join(self.verdicts[0].by)
        return f"Verdicts({scores} by {by}: {pairs} pair{'' if pairs == 1 else 's'}, {decided} decided)"

    def _repr_html_(self) -> str:
        return f'<div class="labkit-verdicts">{"".join(one._repr_html_() for one in self)}</div>'


def _name(one: Verdict) -> str:
    return visible(one.scorer, limit=60)
