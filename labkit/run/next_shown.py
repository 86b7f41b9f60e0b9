"""Which pair a rater is shown next, of which sample, on which sides: a seed decides it, so that
another kernel shows the same.

Contenders are numbers here. It knows no texts and no names, and what was said it is told.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from labkit.stats.strengths import Strengths

AGAIN, TURNED = 0.15, 0.05
"""The share of a rater's pairs that another rater saw, and that of the rater's own, sides exchanged."""
TURNED_AFTER = 5
"""So many ratings lie between a pair and the same with its sides exchanged."""
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
    """With which these two contenders came next, in whatever way."""


def next_shown(
    pairs: Mapping[Pair, Sequence[str]], said: Sequence[Said], user: str | None, seed: str
) -> Shown | None:
    """What `user` is shown next; None where nothing is left. `pairs` has for each two contenders the samples
    that they answered differently, `said` all ratings so far, of all raters, oldest first.

    What others said after the user's last rating decides nothing: whatever they do meanwhile, the pair stays.

    >>> shown = next_shown({(0, 1): ["x"]}, [], "ada", "0")
    >>> {shown.left, shown.right}, shown.sample, shown.chance
    ({0, 1}, 'x', 1.0)
    """
    import numpy as np

    last = max((place for place, one in enumerate(said) if one.user == user), default=-1)
    known = said[: last + 1]
    mine = [one for one in known if one.user == user]
    seen = Counter(one.where for one in mine)
    left = {
        pair: [sample for sample in samples if (*pair, sample) not in seen] for pair, samples in pairs.items()
    }
    if not any(left.values()):
        return None
    digest = hashlib.blake2b(f"{seed}/{len(mine)}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest))
    others = {one.where for one in known if one.user != user and one.preferred != "skip"}
    again = sorted(where for where in others - seen.keys() if where[2] in left.get(where[:2], ()))
    old = [one for one in mine[:-TURNED_AFTER] if one.preferred != "skip" and seen[one.where] == 1]
    likely, chances = _by_rule(left, known), defaultdict[Pair, float](float)
    by_again, by_turned = AGAIN * bool(again), TURNED * bool(old)
    for wheres, share in ((again, by_again), ([one.where for one in old], by_turned)):
        for where in wheres:
            chances[where[:2]] += share / len(wheres)
    for pair, chance in likely.items():
        chances[pair] += (1 - by_again - by_turned) * chance
    turn = float(rng.random())
    if turn < by_turned:
        one = old[int(rng.integers(len(old)))]
        return Shown(one.right, one.left, one.sample, "turned", chances[one.where[:2]])
    if turn < by_turned + by_again:
        *of, sample = again[int(rng.integers(len(again)))]
        pair = (of[0], of[1])
    else:
        pair = list(likely)[int(rng.choice(len(likely), p=list(likely.values())))]
        sample = left[pair][int(rng.integers(len(left[pair])))]
    one_left, one_right = _sided(pair, mine, rng)
    way: Literal["rule", "again"] = "again" if turn < by_turned + by_again else "rule"
    return Shown(one_left, one_right, sample, way, chances[pair])


def _by_rule(left: Mapping[Pair, Sequence[str]], said: Sequence[Said]) -> dict[Pair, float]:
    """The chance of each pair that has samples left; where none of the likely has, of any that has."""
    from labkit.stats.next_pair import pair_chances

    first, second, chances = pair_chances(_fit(said, size=1 + max(other for _, other in left)))
    pairs = zip(zip(first.tolist(), second.tolist(), strict=True), chances.tolist(), strict=True)
    open_ = {pair: chance for pair, chance in pairs if left.get(pair)}
    total = sum(open_.values())
    return {pair: chance / total if total > 0 else 1 / len(open_) for pair, chance in open_.items()}


def _sided(pair: Pair, mine: Sequence[Said], rng: Any) -> Pair:
    """The two with the one on the left that was there less often."""
    counts = Counter(said.left for said in mine if said.where[:2] == pair)
    ahead = counts[pair[0]] - counts[pair[1]]
    if ahead > 0 or (ahead == 0 and rng.random() < 0.5):
        return pair[1], pair[0]
    return pair


def _fit(said: Sequence[Said], *, size: int) -> Strengths:
    from labkit.stats.ratings import rated
    from labkit.stats.strengths import bradley_terry
    from labkit.verdict.preference import OUTCOME

    told = [one for one in said if one.preferred != "skip" and one.drawn != "turned"]
    return bradley_terry(
        rated(
            [one.left for one in told],
            [one.right for one in told],
            [OUTCOME[one.preferred] for one in told],
            contenders=range(size),
        ),
        imagine=True,
    )
