"""Which pair a rater is shown next, of which sample, on which sides: drawn from a stored seed, so that another
kernel shows the same.

Contenders are numbers here. It knows no texts and no names, and what was said it is told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from labkit.stats.strengths import Strengths

AGAIN, TURNED = 0.15, 0.05
"""The share of a rater's pairs that another rater saw, and that of his own with their sides exchanged."""
TURNED_AFTER = 5
"""So many ratings lie between a pair and the same with its sides exchanged."""
_OUTCOME = {"left": 1.0, "right": 0.0, "tie": 0.5, "neither": 0.5}
Pair = tuple[int, int]
"""Two contenders, the lesser first."""


class Said(NamedTuple):
    """A rating that was given, in contenders: places of the two as they were shown."""

    rating_id: str
    left: int
    right: int
    sample: str
    preferred: str
    user: str | None
    drawn: str | None

    @property
    def where(self) -> tuple[int, int, str]:
        """The pair, the lesser first, and the sample: whatever the sides were."""
        return min(self.left, self.right), max(self.left, self.right), self.sample


@dataclass(frozen=True)
class Shown:
    """A pair as it is shown: contenders by place, and how it was drawn."""

    left: int
    right: int
    sample: str
    drawn: Literal["rule", "again", "turned"]
    chance: float


def next_shown(
    pairs: Mapping[Pair, Sequence[str]], said: Sequence[Said], user: str | None, seed: str
) -> Shown | None:
    """What `user` is shown next; None where all is rated. `pairs` has for each two contenders the samples that
    they answered differently, `said` all ratings so far, of all raters.

    >>> shown = next_shown({(0, 1): ["x"]}, [], "ada", "0")
    >>> {shown.left, shown.right}, shown.sample, shown.chance
    ({0, 1}, 'x', 1.0)
    """
    import numpy as np

    mine = [one for one in said if one.user == user]
    digest = hashlib.blake2b(f"{seed}/{len(mine)}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest))
    seen = Counter(one.where for one in mine)
    turn = float(rng.random())
    others = {one.where for one in said if one.user != user and one.preferred != "skip"}
    if turn < AGAIN and (again := sorted(others - set(seen))):
        one, other, sample = again[int(rng.integers(len(again)))]
        return _sided(one, other, sample, "again", AGAIN / len(again), mine, rng)
    old = [one for one in mine[:-TURNED_AFTER] if one.preferred != "skip" and seen[one.where] == 1]
    if AGAIN <= turn < AGAIN + TURNED and old:
        last = old[int(rng.integers(len(old)))]
        return Shown(last.right, last.left, last.sample, "turned", TURNED / len(old))
    left = {
        pair: [sample for sample in samples if (*pair, sample) not in seen] for pair, samples in pairs.items()
    }
    return _by_rule(left, said, mine, rng)


def _by_rule(
    left: Mapping[Pair, Sequence[str]], said: Sequence[Said], mine: Sequence[Said], rng: Any
) -> Shown | None:
    import numpy as np

    from labkit.stats.next_pair import pair_chances

    first, second, chances = pair_chances(_fit(said, size=1 + max(other for _, other in left)))
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    open_ = np.array([bool(left[pair]) for pair in pairs])
    if not open_.any():
        return None
    # Where the likely pairs are all rated, any that is left.
    likely = np.where(open_, chances, 0.0)
    likely = likely / likely.sum() if likely.sum() > 0 else open_ / open_.sum()
    place = int(rng.choice(len(pairs), p=likely))
    samples = left[pairs[place]]
    sample = samples[int(rng.integers(len(samples)))]
    return _sided(*pairs[place], sample, "rule", float(likely[place]), mine, rng)


def _sided(
    one: int,
    other: int,
    sample: str,
    drawn: Literal["rule", "again"],
    chance: float,
    mine: Sequence[Said],
    rng: Any,
) -> Shown:
    """The pair with the one on the left that was there less often."""
    counts = Counter(said.left for said in mine if said.where[:2] == (one, other))
    ahead = counts[one] - counts[other]
    if ahead > 0 or (ahead == 0 and rng.random() < 0.5):
        one, other = other, one
    return Shown(one, other, sample, drawn, chance)


def _fit(said: Sequence[Said], *, size: int) -> Strengths:
    from labkit.stats.ratings import rated
    from labkit.stats.strengths import bradley_terry

    told = [one for one in said if one.preferred != "skip" and one.drawn != "turned"]
    return bradley_terry(
        rated(
            [one.left for one in told],
            [one.right for one in told],
            [_OUTCOME[one.preferred] for one in told],
            contenders=range(size),
        ),
        imagine=True,
    )
