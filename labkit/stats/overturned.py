"""How few ratings, had they been the other way, would undo what is shown of two contenders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from labkit.stats.preference import Preferences, one_fit


def overturned_by(found: Preferences, one: int, other: int) -> int | None:
    """How few ratings turned the other way undo that `one` is shown to be preferred over `other`.

    Those are turned first, of whichever pair, that move the difference of the two most by one step of
    Newton's (Broderick, Giordano & Meager 2020), and the fit is made anew until the two are no longer shown
    to differ. So many suffice; that fewer others would is possible. Ties stay. None where `one` is not shown
    to be preferred.

    >>> from labkit.stats.preference import preferences
    >>> from labkit.stats.ratings import rated
    >>> overturned_by(preferences(rated(["a"] * 30, ["b"] * 30, [1] * 22 + [0] * 8)), 0, 1)
    2
    """
    if not found.better[one, other]:
        return None
    ratings = found.ratings
    pull = found.strengths.naive[:, one] - found.strengths.naive[:, other]
    moved = ratings.weight * (pull[ratings.first] - pull[ratings.second]) * (2 * ratings.outcome - 1)
    order = np.argsort(-moved, kind="stable")
    # With `few` of them turned the two are shown to differ, with `enough` they are not.
    few, enough = 0, int((moved > 0).sum())
    while enough - few > 1:
        middle = (few + enough) // 2
        outcome = ratings.outcome.copy()
        outcome[order[:middle]] = 1 - outcome[order[:middle]]
        if one_fit(replace(ratings, outcome=outcome), level=found.level).better[one, other]:
            few = middle
        else:
            enough = middle
    return enough
